"""Plain rows in files: written twice they are the same, and of another form they are refused."""

from pathlib import Path
from typing import Any

import pytest

from resources.row_store import RowStore, row_problems
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.schemas import BENCHMARK_SCORES as TABLE


def row(**said: Any) -> dict[str, Any]:
    return {
        "image_id": "a",
        "configuration": "c",
        "repeat": 0,
        "tag": "dog",
        "rule": "gold",
        "points": 1.0,
        "share": None,
        "relevant": None,
        **said,
    }


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    assert store.read(TABLE, "mine", "c") == []
    rows = [row(), row(tag="cat", share=0.5, relevant=False)]
    for _ in range(2):
        path = store.write(TABLE, rows, "mine", "c")
    assert store.read(TABLE, "mine", "c") == rows
    assert [one.name for one in path.parent.iterdir()] == ["c.parquet"]
    store.write(TABLE, [], "mine", "c")
    assert store.read(TABLE, "mine", "c") == []


def test_rows_of_another_version_are_none(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    path = store.write(TABLE, [row()], "mine")
    other = type(TABLE)(TABLE.name, TABLE.grain, TABLE.key, {**TABLE.columns, "more": TABLE.columns["tag"]})
    assert store.read(other, "mine") == []
    path.write_bytes(b"no parquet")
    with pytest.raises(StorageError, match="cannot be read"):
        store.read(TABLE, "mine")


def test_values_of_another_type_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="another form"):
        RowStore(tmp_path).write(TABLE, [row(points="many")], "mine")


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ([row(), row(tag="cat")], []),
        ([row(), row()], ["1 rows repeat a key of image_id, configuration, repeat, tag"]),
        ([row(tag=None)], ["null in the key image_id, configuration, repeat, tag"]),
    ],
)
def test_problems_of_form(rows: list[dict[str, Any]], problems: list[str]) -> None:
    assert row_problems(TABLE, rows) == problems


def test_a_column_too_few() -> None:
    (problem,) = row_problems(TABLE, [{"image_id": "a"}])
    assert problem.startswith("a row has ['image_id'], not ")
