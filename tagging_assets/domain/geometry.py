"""Boxes and silhouettes: plain geometry on arrays, the coordinate format in every name.

``xyxy`` is (x0, y0, x1, y1) in pixels, x to the right, y down, x1 and y1 exclusive. Masks are two-dimensional,
boolean, rows first. What does not belong here: anything that knows what a person is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.models import Box

Mask = NDArray[np.bool_]
Boxes = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


def area_xyxy(boxes: Boxes) -> Floats:
    """Areas of (n, 4) boxes, 0 for boxes that are inside out."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides.prod(axis=1), np.float64)


def iou_xyxy(first: Boxes, second: Boxes) -> Floats:
    """Intersection over union of every box of ``first`` (n, 4) with every box of ``second`` (m, 4).

    Returns:
        (n, m) values in [0, 1]; 0 where both areas are 0.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    inter = np.asarray(np.clip(high - low, 0, None).prod(axis=2), np.float64)
    union = area_xyxy(first)[:, None] + area_xyxy(second)[None, :] - inter
    return np.asarray(np.divide(inter, union, out=np.zeros_like(inter), where=union > 0), np.float64)


def expand_xyxy(box: Box, margin: float) -> Box:
    """Move every side outwards by ``margin`` times the box's width or height."""
    dx, dy = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    return (box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy)


def clip_xyxy(box: Box, width: float, height: float) -> Box:
    """Cut a box to the picture; a box outside of it becomes empty at the nearest border."""
    return (
        min(max(box[0], 0.0), width),
        min(max(box[1], 0.0), height),
        min(max(box[2], 0.0), width),
        min(max(box[3], 0.0), height),
    )


def crop_xyxy(box: Box, width: int, height: int, margin: float) -> tuple[int, int, int, int]:
    """Whole pixels to cut out for a box with a margin: every pixel the widened box touches.

    Returns:
        (x0, y0, x1, y1) within the picture; x1 <= x0 or y1 <= y0 where nothing of the box is in it.
    """
    x0, y0, x1, y1 = clip_xyxy(expand_xyxy(box, margin), width, height)
    return int(np.floor(x0)), int(np.floor(y0)), int(np.ceil(x1)), int(np.ceil(y1))


def runs(row: Mask) -> NDArray[np.intp]:
    """Stretches of True in a row as (k, 2) starts and exclusive ends, left to right."""
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2)


def run_around(row: Mask, column: float) -> tuple[int, int] | None:
    """The stretch of True that holds a column, as (start, exclusive end); ``None`` where the column is False."""
    for start, end in runs(row).tolist():
        if start <= column < end:
            return start, end
    return None


def bounds_xyxy(mask: Mask) -> tuple[int, int, int, int] | None:
    """The smallest box that holds every True pixel; ``None`` for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def largest_component(mask: Mask) -> Mask:
    """The largest 4-connected piece of a mask (specks and second bodies dropped); the first one on a tie."""
    kept = np.zeros_like(mask)
    rows, starts, ends = _all_runs(mask)
    if rows.size:
        roots = _roots(rows, starts, ends, mask.shape[1])
        # Roots are the first runs of their pieces, and argmax takes the first of equals.
        best = int(np.bincount(roots, weights=ends - starts).argmax())
        for y, start, end in zip(*(one[roots == best].tolist() for one in (rows, starts, ends)), strict=True):
            kept[y, start:end] = True
    return kept


def _all_runs(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, start and exclusive end of every stretch of True, in reading order."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _roots(rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """For each run the first run of its piece: disjoint sets over the runs that touch in neighbouring rows."""
    # Runs are sorted by row and column, so those of the row above that a run touches are neighbours in the order.
    above = (rows - 1) * (width + 1)
    first = np.searchsorted(rows * (width + 1) + ends, above + starts, side="right").tolist()
    last = np.searchsorted(rows * (width + 1) + starts, above + ends, side="left").tolist()
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    for run, (low, high) in enumerate(zip(first, last, strict=True)):
        for other in range(low, high):
            one, two = root(run), root(other)
            parent[max(one, two)] = min(one, two)
    return np.array([root(run) for run in range(len(parent))], dtype=np.intp)


def perimeter(mask: Mask) -> float:
    """Length of a mask's outline in pixels, by the Cauchy-Crofton formula in four directions.

    Counting how often lines cross the outline is right on average over directions, where counting border pixels
    is 10 to 30 % wrong on slanted edges. Against the exact value: discs within 4 % from radius 10 on, axis-aligned
    squares 6 % short (Legland, Kiêu, Devaux, "Computation of Minkowski measures on 2D and 3D binary images",
    Image Analysis & Stereology 26, 2007).
    """
    padded = np.pad(mask, 1).astype(np.int8)
    axes = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    falling = np.abs(padded[1:, 1:] - padded[:-1, :-1]).sum()
    rising = np.abs(padded[1:, :-1] - padded[:-1, 1:]).sum()
    # Diagonal lines lie closer together than rows do, by the factor of the square root of two.
    return float(np.pi / 8 * (axes + (falling + rising) / np.sqrt(2)))


def circularity(mask: Mask) -> float:
    """Roundness 4 pi A / P²: 1 for a disc, towards 0 for thin or ragged shapes; 0 when empty.

    Cox, "A method of assigning numerical and percentage values to the degree of roundness of sand grains",
    Journal of Paleontology 1, 1927.
    """
    length = perimeter(mask)
    return min(1.0, float(4 * np.pi * mask.sum() / length**2)) if length else 0.0


@dataclass(frozen=True, slots=True)
class MaskShape:
    """A silhouette in three numbers.

    Attributes:
        fraction: share of the picture's pixels that belong to it, [0, 1].
        aspect: height over width of its bounding box; 0 when empty.
        circularity: see :func:`circularity`, of its largest piece.
    """

    fraction: float
    aspect: float
    circularity: float


def mask_shape(mask: Mask) -> MaskShape:
    """Measure a silhouette, an (h, w) mask of the picture's own proportions."""
    piece = largest_component(mask)
    bounds = bounds_xyxy(piece)
    if bounds is None:
        return MaskShape(0.0, 0.0, 0.0)
    aspect = (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])
    return MaskShape(float(mask.mean()), aspect, circularity(piece))
