"""What a stage keeps for one partition: a record per image, with the rows that were made for it.

A record is the memo of one computation, keyed by (image, recipe, inputs). Zero rows is an answer too: a photo
without people has a record and no row. Superseded records stay for a while, marked not ``current``, so that a
restored photo or a reverted prompt costs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.schemas import RECORD, Table

Row = Mapping[str, Any]

OK = "ok"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One computation of one stage for one image.

    Attributes:
        image_id: whose.
        recipe: hash of how it was made.
        inputs: hash of what it was made from.
        output: hash of what came out; what stages below compare.
        status: ``ok`` or ``failed``.
        rows: what came out; empty where failed, and possibly empty where ok.
        error_kind: class of the error, or ``None``.
        error: one line, or ``None``.
        retryable: whether trying again may help.
        run_id: Dagster run that computed it.
        computed_at: when, aware UTC.
        seconds: time it took.
        current: whether it stands for the image now.
        attempts: how often it was tried, this time included.
    """

    image_id: str
    recipe: str
    inputs: str
    output: str
    status: str
    rows: tuple[Row, ...]
    run_id: str
    computed_at: datetime
    seconds: float
    error_kind: str | None = None
    error: str | None = None
    retryable: bool = False
    current: bool = True
    attempts: int = 1

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the computation."""
        return (self.image_id, self.recipe, self.inputs)

    @property
    def ok(self) -> bool:
        """Whether stages below may use it."""
        return self.status == OK


@dataclass(frozen=True, slots=True)
class StageFrame:
    """All records of one stage in one partition (or in several, joined)."""

    table: Table
    records: tuple[ImageRecord, ...] = ()
    _by_image: dict[str, ImageRecord] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the current records."""
        self._by_image.update((record.image_id, record) for record in self.records if record.current)

    def get(self, image_id: str) -> ImageRecord | None:
        """The current record of an image, whatever its status."""
        return self._by_image.get(image_id)

    @property
    def current(self) -> tuple[ImageRecord, ...]:
        """Records that stand now, ok and failed."""
        return tuple(self._by_image.values())

    @property
    def version(self) -> str:
        """Changes exactly when what the current records say changes: the partition's data version."""
        return content_hash(sorted((record.image_id, record.status, record.output) for record in self.current))

    @property
    def rows(self) -> pl.DataFrame:
        """Current rows, flat, in the table's schema plus ``recipe`` and ``run_id``."""
        schema = {**self.table.columns, "recipe": pl.String, "run_id": pl.String}
        return pl.DataFrame(
            [
                {**row, "image_id": record.image_id, "recipe": record.recipe, "run_id": record.run_id}
                for record in self.current
                for row in record.rows
            ],
            schema=schema,
        )

    def to_polars(self) -> pl.DataFrame:
        """One line per record, its rows nested: what is stored, so that both change in one atomic write."""
        fields = {name: dtype for name, dtype in self.table.columns.items() if name != "image_id"}
        return pl.DataFrame(
            [
                {
                    **{name: getattr(record, name) for name in RECORD},
                    "rows": [{name: row.get(name) for name in fields} for row in record.rows],
                }
                for record in self.records
            ],
            schema={**RECORD, "rows": pl.List(pl.Struct(fields))},
        )

    @classmethod
    def from_polars(cls, table: Table, frame: pl.DataFrame) -> "StageFrame":
        """Inverse of :meth:`to_polars`."""
        return cls(
            table,
            tuple(
                ImageRecord(
                    # A table that was written by an earlier version may have fewer columns.
                    **{name: line[name] for name in RECORD if name in line},
                    rows=tuple({"image_id": line["image_id"], **row} for row in line["rows"] or ()),
                )
                for line in frame.iter_rows(named=True)
            ),
        )

    @classmethod
    def joined(cls, table: Table, frames: Iterable["StageFrame"]) -> "StageFrame":
        """Several partitions as one."""
        return cls(table, tuple(record for frame in frames for record in frame.records))


def typed_rows(table: Table, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows as they will read after storage: exactly the table's columns, in its types.

    Hashing happens on these, so that what was just computed and what was loaded again compare equal
    (a float64 score is a float32 once stored).

    Raises:
        polars.exceptions.PolarsError: a value does not fit its column; that is a bug in a stage.
    """
    if not rows:
        return ()
    narrowed = [{name: row.get(name) for name in table.columns} for row in rows]
    return tuple(pl.DataFrame(narrowed, schema=table.columns).to_dicts())
