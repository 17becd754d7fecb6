"""Frames survive storage unchanged, hashes included."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from tagging_assets.domain import schemas
from tagging_assets.domain.frames import ImageRecord, StageFrame, typed_rows
from tagging_assets.domain.hashing import content_hash, rows_hash


def value_of(dtype):
    """Some value of a column's type, awkward where the type has awkward ones."""
    base = dtype.base_type() if isinstance(dtype, pl.DataType) else dtype
    if base == pl.List:
        return [value_of(dtype.inner), value_of(dtype.inner)]
    if base == pl.Struct:
        return {field.name: value_of(field.dtype) for field in dtype.fields}
    return {pl.String: "naïve 猫", pl.Binary: b"\x00\xff", pl.Boolean: True}.get(base, 1 / 3 if base.is_float() else 7)


@pytest.mark.parametrize("table", schemas.TABLES, ids=lambda table: table.name)
def test_every_table_round_trips_with_its_hash(table):
    rows = typed_rows(table, [{name: value_of(dtype) for name, dtype in table.columns.items()}])
    rows = tuple({**row, "image_id": "a"} for row in rows)
    record = ImageRecord("a", "r", "i", rows_hash(rows), "ok", rows, "run", datetime(2026, 1, 1, tzinfo=UTC), 0.5)
    frame = StageFrame(table, (record,))
    again = StageFrame.from_polars(table, frame.to_polars())
    assert again == frame
    assert rows_hash(again.records[0].rows) == record.output
    assert again.rows.schema == pl.Schema({**table.columns, "recipe": pl.String, "run_id": pl.String})


def test_no_rows_is_an_answer():
    record = ImageRecord("a", "r", "i", rows_hash(()), "ok", (), "run", datetime(2026, 1, 1, tzinfo=UTC), 0.5)
    again = StageFrame.from_polars(schemas.DETECTIONS, StageFrame(schemas.DETECTIONS, (record,)).to_polars())
    assert again.get("a").ok
    assert again.rows.is_empty()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([{"a": 1, "image_id": "x"}], [{"image_id": "y", "a": 1}], True),  # whose it is does not matter
        (
            [{"s": [{"run_id": "1", "v": 2}]}],
            [{"s": [{"run_id": "2", "v": 2}]}],
            True,
        ),  # nor which run, at any depth
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}], False),  # order matters
        ([{"a": 0.1}], [{"a": math.nextafter(0.1, 1)}], False),  # floats count to the last bit
        ([{"a": None}], [{}], False),  # null is not absence
    ],
)
def test_what_a_hash_sees(one, other, same):
    assert (rows_hash(one) == rows_hash(other)) is same


def test_unhashable_values_are_refused():
    with pytest.raises(TypeError, match="cannot hash a object"):
        content_hash({"a": object()})


def test_a_table_of_an_earlier_version_is_read() -> None:
    record = ImageRecord("a", "recipe", "inputs", "output", "ok", (), "run", datetime(2026, 1, 1, tzinfo=UTC), 0.1)
    frame = StageFrame(schemas.TAGS, (record,))
    # Attempts were not counted then.
    assert StageFrame.from_polars(schemas.TAGS, frame.to_polars().drop("attempts")) == frame


def test_rows_of_an_earlier_version_are_read_without_the_columns_they_lack() -> None:
    row = {name: None for name in schemas.IMAGES.columns} | {"image_id": "a", "caption": "a cat"}
    record = ImageRecord("a", "recipe", "1", "output", "ok", (row,), "run", datetime(2026, 1, 1, tzinfo=UTC), 0.1)
    columns = {name: dtype for name, dtype in schemas.IMAGES.columns.items() if name != "keywords"}
    before = replace(schemas.IMAGES, columns=columns)
    old = StageFrame.from_polars(schemas.IMAGES, StageFrame(before, (record,)).to_polars())
    assert old.rows.select("caption", "keywords").rows() == [("a cat", None)]
    # A superseded row stays beside rows of now, and both are written and read.
    now = replace(record, recipe="new", rows=({**row, "keywords": ["boat"]},))
    both = StageFrame(schemas.IMAGES, (now, replace(old.records[0], current=False)))
    again = StageFrame.from_polars(schemas.IMAGES, both.to_polars())
    assert [record.rows[0]["keywords"] for record in again.records] == [["boat"], None]
