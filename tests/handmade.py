"""Records, frames and items made by hand, for tests of what reads them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tagging_assets.domain import schemas
from tagging_assets.domain.frames import ImageRecord, Row, StageFrame, typed_rows
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.hashing import rows_hash

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TABLES = {table.name: table for table in schemas.TABLES}


def record(table: str, image_id: str, rows: Sequence[Row] = (), *, recipe: str = "recipe") -> ImageRecord:
    """An ok record; columns that are left out are null."""
    typed = typed_rows(TABLES[table], [{**row, "image_id": image_id} for row in rows])
    return ImageRecord(image_id, recipe, "inputs", rows_hash(typed), "ok", typed, "run", NOON, 0.1)


def failed(image_id: str, kind: str = "UnreadableImage", error: str = "cut short") -> ImageRecord:
    """A record of a failure."""
    return ImageRecord(image_id, "recipe", "inputs", "", "failed", (), "run", NOON, 0.1, kind, error)


def frame(table: str, *records: ImageRecord) -> StageFrame:
    """A partition."""
    return StageFrame(TABLES[table], records)


def item(image_id: str = "a", **rows: Sequence[Row]) -> Item:
    """An image with what the stages above, named by table, said about it."""
    return Item(image_id, "inputs", {table: record(table, image_id, said) for table, said in rows.items()})
