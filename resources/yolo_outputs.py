"""From what a YOLO gives for one photo to boxes, scores and classes; overlapping boxes suppressed.

Exports differ, and their metadata cannot be trusted, so outputs are told apart by their shapes. What does not belong
here: which class is called what (``yolo_kind``) and where boxes lie in the photo (``yolo_letterbox``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.errors import ModelFailed
from tagging_assets.domain.models import Vectors

Array = NDArray[Any]
Indices = NDArray[np.intp]

#: An export with suppression built in gives box, score and class, and few of them; a raw one has thousands of anchors.
_SUPPRESSED_COLUMNS = 6
_MOST_SUPPRESSED = 1000

#: As in ultralytics: candidates that are compared, and boxes that are kept.
_MOST_CANDIDATES = 30_000
_MOST_BOXES = 300


@dataclass(frozen=True, slots=True)
class Layout:
    """What the numbers of a box are.

    Attributes:
        classes: scores of classes after the four of the box.
        extra: numbers after those: 32 mask coefficients, or three per joint.
        anchors: places of the input that have a box each; 0 where unknown.
    """

    classes: int
    extra: int = 0
    anchors: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of one photo in pixels of the model's input.

    Attributes:
        boxes_xyxy: (n, 4) float32.
        scores: (n,) float32.
        classes: (n,) class of each.
        extra: (n, k) float32, k numbers more per box.
        final: whether the model has suppressed overlapping boxes itself.
    """

    boxes_xyxy: Vectors
    scores: Vectors
    classes: Indices
    extra: Vectors
    final: bool = False

    def __getitem__(self, which: Indices) -> "Candidates":
        """Some of them, in the order given."""
        return Candidates(
            self.boxes_xyxy[which], self.scores[which], self.classes[which], self.extra[which], self.final
        )


def anchors_of(height: int, width: int, strides: Sequence[int] = (8, 16, 32)) -> int:
    """Boxes that a YOLO gives for an input of that size."""
    return sum((height // stride) * (width // stride) for stride in strides)


def read_output(output: Array, layout: Layout, counted: Indices, floor: float) -> Candidates:
    """Boxes of one photo whose best class scores ``floor`` or more.

    Args:
        output: (4 + classes + extra, anchors) of centre, size and class scores, the same transposed, or
            (k, 6 + extra) of corners, score and class where the export has suppression built in.
        layout: what to expect.
        counted: classes that count.
        floor: least score.

    Raises:
        ModelFailed: the shape is none of these.
    """
    columns = 4 + layout.classes + layout.extra
    if output.ndim == 2 and _is_final(output, layout):
        return _final(output, counted, floor)
    if output.ndim != 2 or columns not in output.shape:
        shape = " x ".join(map(str, output.shape))
        raise ModelFailed(
            f"the detector gives {shape} numbers for a photo; with {layout.classes} classes there must be {columns} "
            "for each box; is it an export of ultralytics?"
        )
    rows = output if output.shape[0] == columns else output.T
    scores = rows[4 : 4 + layout.classes]
    if len(counted) < layout.classes:
        scores = scores[counted]
    best = scores.max(axis=0)
    likely = np.flatnonzero(best >= floor)
    if len(likely) > _MOST_CANDIDATES:
        likely = likely[np.argsort(-best[likely], kind="stable")[:_MOST_CANDIDATES]]
    chosen = rows[:, likely].astype(np.float32, copy=False)
    centre, half = chosen[:2], chosen[2:4] / 2
    return Candidates(
        np.concatenate([centre - half, centre + half]).T,
        best[likely].astype(np.float32, copy=False),
        counted[scores[:, likely].argmax(axis=0)],
        chosen[4 + layout.classes :].T,
    )


def suppress(candidates: Candidates, groups: Indices, iou_limit: float) -> Candidates:
    """Greedy non-maximum suppression within each group, best first, 300 boxes at most.

    Args:
        candidates: of one photo; among equal scores the earlier one wins.
        groups: (n,) what each shows: boxes of different things may overlap.
        iou_limit: a box goes if it overlaps a better one that stays by more than this.
    """
    if candidates.final or not len(groups):
        return candidates[np.argsort(-candidates.scores, kind="stable")[:_MOST_BOXES]]
    import cv2

    boxes = candidates.boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    # Groups are moved so far apart that none touches another (the trick of torchvision and ultralytics).
    apart = float(boxes[:, :2].max() + boxes[:, 2:].max() - boxes[:, :2].min()) + 1
    boxes[:, 0] += groups * apart
    # It takes arrays as well as the lists that its types ask for, and much faster.
    kept = cast("Any", cv2.dnn).NMSBoxes(boxes, candidates.scores, 0.0, iou_limit)
    return candidates[np.asarray(kept, np.intp).ravel()[:_MOST_BOXES]]


def _is_final(output: Array, layout: Layout) -> bool:
    """Whether rows of six came out; two classes make raw columns of six, too, which only their number tells apart."""
    rows, columns = output.shape
    return bool(columns == _SUPPRESSED_COLUMNS + layout.extra and rows <= _MOST_SUPPRESSED and rows != layout.anchors)


def _final(output: Array, counted: Indices, floor: float) -> Candidates:
    rows = output.astype(np.float32, copy=False)
    rows = rows[(rows[:, 4] >= floor) & np.isin(rows[:, 5].astype(np.intp), counted)]
    return Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.intp), rows[:, 6:], final=True)
