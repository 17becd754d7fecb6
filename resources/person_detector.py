"""People by a YOLO detector on ONNX Runtime.

What does not belong here: whether a box really is a person; pose and face decide that further down the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.onnx_session import DEFAULT_OPTIONS, LazySession, OnnxOptions, Session, open_session
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed
from tagging_assets.domain.geometry import iou_xyxy
from tagging_assets.domain.models import Detection, ModelCard, RgbImage, Vectors

ENTRY = "person-yolov8s"
LABEL = "person"

INPUT_SIZE = 640
#: Raw scores below are noise; what is above is evidence, and no decision yet.
SCORE_FLOOR = 0.05
#: Boxes that overlap more are taken for one person. People in a crowd do overlap, hence not lower.
IOU_LIMIT = 0.5

_PAD = 114
_MOST_CANDIDATES = 1000
_MOST_BOXES = 100
# An output of few rows of six is already suppressed: box, score, class. Raw ones have thousands of anchors.
_SUPPRESSED_COLUMNS = 6
_MOST_SUPPRESSED = 1000


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an image lies in the square that the model sees.

    Attributes:
        scale: pixels of the square per pixel of the image.
        left: columns of padding before the image; likewise ``top``.
    """

    scale: float
    left: int
    top: int


def letterbox(image: RgbImage, size: int = INPUT_SIZE) -> tuple[Vectors, Letterbox]:
    """Fit an image into a grey square, its aspect kept.

    Args:
        image: (h, w, 3) uint8.
        size: side of the square.

    Returns:
        (3, size, size) float32 in [0, 1], and how to find back.
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    fitted = (max(round(width * scale), 1), max(round(height * scale), 1))
    left, top = ((size - edge) // 2 for edge in fitted)
    square = np.full((size, size, 3), _PAD, dtype=np.uint8)
    square[top : top + fitted[1], left : left + fitted[0]] = np.asarray(
        Image.fromarray(image).resize(fitted, Image.Resampling.BILINEAR)
    )
    scaled = square.transpose(2, 0, 1).astype(np.float32, order="C") / np.float32(255)
    return np.asarray(scaled, dtype=np.float32), Letterbox(scale, left, top)


def decode(output: Vectors) -> tuple[Vectors, Vectors]:
    """Boxes and scores from what a YOLO gives for one image, judged by its shape.

    Exports differ, and their metadata cannot be trusted: (1, 4 + classes, anchors) of centre, size and class
    scores, the same transposed, or (1, k, 6) of corners, score and class, already suppressed. Any class counts.

    Returns:
        (n, 4) xyxy in pixels of the square, and (n,) scores in [0, 1].

    Raises:
        ModelFailed: the shape is none of these.
    """
    if output.ndim != 3 or output.shape[0] != 1:
        raise ModelFailed(f"the detector gives an output of shape {output.shape}, which no YOLO gives")
    rows = output[0]
    if rows.shape[1] == _SUPPRESSED_COLUMNS and rows.shape[0] <= _MOST_SUPPRESSED:
        return rows[:, :4], rows[:, 4]
    if rows.shape[0] < rows.shape[1]:
        rows = rows.T
    if rows.shape[1] < 5:
        raise ModelFailed(f"the detector gives {rows.shape[1]} numbers per box; a YOLO gives 5 and more")
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1), rows[:, 4:].max(axis=1)


def suppress(boxes: Vectors, scores: Vectors, iou_limit: float = IOU_LIMIT) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best first: greedy non-maximum suppression, whatever the class.

    Args:
        boxes: (n, 4) xyxy.
        scores: (n,); among equals the earlier box wins.
        iou_limit: a box goes if it overlaps a better one that stays by more than this.
    """
    order = np.argsort(-scores, kind="stable")[:_MOST_CANDIDATES]
    candidates = boxes[order].astype(np.float64)
    overlaps = iou_xyxy(candidates, candidates) > iou_limit
    alive = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~overlaps[i, i + 1 :]
    return order[alive][:_MOST_BOXES]


def to_image(boxes: Vectors, frame: Letterbox, width: int, height: int) -> Vectors:
    """Boxes (n, 4) of the square as boxes of the image, clipped to it."""
    offset = np.array([frame.left, frame.top] * 2, dtype=np.float32)
    limits = np.array([width, height] * 2, dtype=np.float32)
    return np.asarray(np.clip((boxes - offset) / frame.scale, 0, limits), dtype=np.float32)


class YoloPersonDetector:
    """Implements ``Detector`` with YOLOv8s (Jocher et al., ultralytics, 2023).

    It was trained to tell people who fell from those who did not; here either is a person. The model takes
    one image at a time.
    """

    def __init__(
        self, store: WeightsStore, options: OnnxOptions = DEFAULT_OPTIONS, *, session: Session | None = None
    ) -> None:
        self._store = store
        self._options = options
        self._lazy = LazySession(self._open, session)

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._store.card(ENTRY, {"score_floor": SCORE_FLOOR, "iou": IOU_LIMIT})

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._lazy.provider

    def detect(self, images: Sequence[RgbImage]) -> list[list[Detection]]:
        """People per image, best first, with raw scores of 0.05 and more, in pixels of the image.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        return [self._detect(image) for image in images]

    def _detect(self, image: RgbImage) -> list[Detection]:
        height, width = image.shape[:2]
        square, frame = letterbox(image)
        boxes, scores = decode(self._lazy.get().run({"images": square[None]})[0])
        likely = scores >= SCORE_FLOOR
        boxes, scores = to_image(boxes[likely], frame, width, height), scores[likely]
        visible = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= 1
        boxes, scores = boxes[visible], scores[visible]
        return [
            Detection(LABEL, (x0, y0, x1, y1), float(scores[i]))
            for i in suppress(boxes, scores)
            for x0, y0, x1, y1 in [boxes[i].tolist()]
        ]

    def _open(self) -> Session:
        sha256 = self._store.catalogue.entry(ENTRY).file().sha256
        return open_session(self._store.path(ENTRY), sha256, self._options)
