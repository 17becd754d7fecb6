"""Entries of a contact sheet from what is stored: thumbnails of proxies, boxes of people, tags with sources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resources.frame_store import FrameStore
from resources.proxy_store import ProxyStore
from tagging_assets.domain.contact_sheet import Entry, SheetBox, SheetTag
from tagging_assets.domain.errors import TaggingError
from tagging_assets.domain.frames import ImageRecord, StageFrame
from tagging_assets.domain.gathering import PERSON
from tagging_assets.domain.models import PERSON_LABEL, RgbImage

#: Long side of a thumbnail, pixels.
_THUMBNAIL = 480

#: Stages whose rows are seen on a sheet.
_SHOWN = ("images", "proxies", "detections", "landmarks", "tags")


class Gallery:
    """Makes entries of photos.

    Args:
        store: what the stages hold.
        proxy_files: pictures.
    """

    def __init__(self, store: FrameStore, proxy_files: ProxyStore) -> None:
        self._store = store
        self._proxy_files = proxy_files

    def entries(
        self,
        batch: str,
        image_ids: Sequence[str],
        *,
        newest: StageFrame | None = None,
        failed: Mapping[str, str] | None = None,
    ) -> list[Entry]:
        """An entry per photo of a batch.

        Args:
            batch: the partition.
            image_ids: which photos, in this order.
            newest: a stage's result that is not stored yet.
            failed: image_id to the error, for photos that could not be tagged.
        """
        frames = {name: self._store.sound(name, batch) for name in _SHOWN}
        if newest is not None:
            frames[newest.table.name] = newest
        errors = failed or {}
        return [
            self._entry({name: frame.get(image_id) for name, frame in frames.items()}, errors.get(image_id, ""))
            for image_id in image_ids
        ]

    def _entry(self, records: Mapping[str, ImageRecord | None], error: str) -> Entry:
        row = _first(records["images"])
        proxy = _first(records["proxies"])
        title = Path(row["uri"]).name if row else ""
        if proxy is None:
            return Entry(title, None, error=error or "not decoded")
        try:
            image = self._proxy_files.load(proxy["path"])
        except TaggingError as missing:
            return Entry(title, None, error=str(missing))
        height, width = image.shape[:2]
        scores = {one["detection_id"]: one["person_score"] for one in _rows(records["landmarks"])}
        boxes = tuple(
            SheetBox(
                (one["x0"] / width, one["y0"] / height, one["x1"] / width, one["y1"] / height),
                scores.get(one["detection_id"], one["score"]),
            )
            for one in _rows(records["detections"])
            if one["label"] == PERSON_LABEL and scores.get(one["detection_id"], one["score"]) >= PERSON
        )
        return Entry(title, _thumbnail(image), boxes, tuple(map(SheetTag.from_row, _rows(records["tags"]))), error)


def _rows(record: ImageRecord | None) -> Sequence[Mapping[str, Any]]:
    return record.rows if record is not None and record.ok else ()


def _first(record: ImageRecord | None) -> Mapping[str, Any] | None:
    rows = _rows(record)
    return rows[0] if rows else None


def _thumbnail(image: RgbImage) -> RgbImage:
    picture = Image.fromarray(image)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return np.asarray(picture)
