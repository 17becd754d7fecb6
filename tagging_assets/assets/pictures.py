"""Pictures in the metadata of materializations: people look rather than read."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from resources.contact_sheet import histogram_markdown, sheet_markdown
from resources.gallery import Gallery
from tagging_assets.domain.frames import StageFrame

#: Photos on a contact sheet in the Dagster UI.
_SHEET_PHOTOS = 24


def histogram(frame: StageFrame, column: str = "score") -> Mapping[str, Any]:
    """How the scores of a partition are spread; nothing where there are none."""
    scores = frame.rows.get_column(column).drop_nulls().to_list()
    if not scores:
        return {}
    return {
        f"{column} histogram": dg.MetadataValue.md(histogram_markdown(scores, title=f"{frame.table.name} {column}"))
    }


def contact_sheet(gallery: Gallery, batch: str, frame: StageFrame) -> Mapping[str, Any]:
    """Thumbnails with the boxes and tags there are so far, of the first photos of a batch.

    Args:
        gallery: makes the entries.
        batch: the partition.
        frame: the stage's own result, which is not stored yet.
    """
    image_ids = [record.image_id for record in frame.current][:_SHEET_PHOTOS]
    if not image_ids:
        return {}
    entries = gallery.entries(batch, image_ids, newest=frame)
    return {f"first {len(entries)} photos": dg.MetadataValue.md(sheet_markdown(entries))}
