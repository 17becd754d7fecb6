"""Views: parts of photos that are encoded, and their rows."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from resources.workbench import Outcome, together
from tagging_assets.domain.frames import Row
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.geometry import crop_xyxy
from tagging_assets.domain.models import Box, ImageEncoder, RgbImage, Vectors


class View(NamedTuple):
    """A part of a photo: whose picture it is, which part, and its pixels."""

    subject: str
    name: str
    pixels: RgbImage


def embed(items: Sequence[Item], *, encoder: ImageEncoder, load: Callable[[Item], list[View]]) -> list[Outcome]:
    """Rows of a chunk of photos; all their views go through the encoder together.

    Args:
        items: the chunk.
        encoder: not asked where there is no view.
        load: views of one photo.
    """

    def encode(photos: Sequence[list[View]]) -> list[list[Row]]:
        pixels = [view.pixels for views in photos for view in views]
        vectors = iter(encoder.encode(pixels) if pixels else ())
        return [[_row(view, next(vectors)) for view in views] for views in photos]

    return together(items, load, encode)


def crop(image: RgbImage, box: Box) -> RgbImage:
    """The pixels of a box (``xyxy`` in pixels) within a photo (height, width, 3); at least one of them."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = crop_xyxy(box, width, height, margin=0.0)
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def _row(view: View, vector: Vectors) -> Row:
    norm = float(np.linalg.norm(vector)) or 1.0
    return {"subject": view.subject, "view": view.name, "norm": norm, "vector": (vector / norm).tolist()}
