"""People and things by YOLO detectors of the ultralytics family (Jocher et al., since 2020) on ONNX Runtime.

What does not belong here: whether a box of a person really is one; pose and face decide that further down the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.picture_model import PictureModel
from resources.self_testing import check_detector
from resources.yolo_kind import YoloKind, labels_of, read_kind, told
from resources.yolo_letterbox import Letterbox, lay, letterbox, to_photo
from resources.yolo_outputs import Candidates, Layout, anchors_of, read_output, suppress
from tagging_assets.domain.errors import ModelFailed
from tagging_assets.domain.models import PERSON_LABEL, Detection, ModelCard, RgbImage, Vectors

Array = NDArray[Any]

#: Raw scores below are noise; what is above is evidence, and no decision yet.
SCORE_FLOOR = 0.05
#: Boxes of one label that overlap more are taken for one thing, where the catalogue says nothing: ultralytics' default.
IOU_LIMIT = 0.7


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in one photo, best first.

    Attributes:
        labels: (n) of each box.
        boxes_xyxy: (n, 4) float32 in pixels of the photo.
        candidates: the same boxes in pixels of the input, with what else the model gives of them.
        frame: how the photo lies in the input.
        prototypes: (32, h / 4, w / 4) float32 of a model that segments, which masks are mixed from.
        joints: how many joints the model finds, and numbers per joint; (0, 0) for none.
    """

    labels: tuple[str, ...]
    boxes_xyxy: Vectors
    candidates: Candidates
    frame: Letterbox
    prototypes: Array | None = None
    joints: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class _Loaded:
    """A model's kind, and what its classes stand for."""

    kind: YoloKind
    labels: dict[int, str]

    @cached_property
    def counted(self) -> NDArray[np.intp]:
        """Classes that count."""
        return np.array(list(self.labels), np.intp)

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """By class, a number that classes of one label share."""
        places = {label: place for place, label in enumerate(dict.fromkeys(self.labels.values()))}
        found = np.zeros(len(self.kind.names), np.intp)
        for number, label in self.labels.items():
            found[number] = places[label]
        return found


class YoloDetector(PictureModel):
    """Implements ``Detector`` with any YOLO that finds boxes, as the file comes: sizes, batch, types and outputs vary.

    Args:
        model: its entry's ``labels`` say what classes stand for; its knobs ``iou``, ``resize`` (``plain``
            or ``smooth``) and ``input_pixels`` (of exports that take any size) are heeded.
        inference: runs it; the model's own by default, which asks the entry's self-test first.
    """

    def __init__(self, model: ModelInUse, *, inference: Inference | None = None) -> None:
        super().__init__(model, inference=inference)
        self._iou = float(model.knobs.get("iou", IOU_LIMIT))
        self._loaded: _Loaded | None = None
        self._lock = Lock()

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._model.card({"score_floor": SCORE_FLOOR, "iou": self._iou})

    def detect(self, images: Sequence[RgbImage]) -> list[list[Detection]]:
        """Boxes per image, best first, with raw scores of 0.05 and more, in pixels of the image.

        Raises:
            ModelError: the weights cannot be had, the runtime fails, or the model is none that can be read.
        """
        return [_detections(seen) for seen in self.look(images)]

    def look(self, images: Sequence[RgbImage]) -> list[Seen]:
        """Boxes per image, with what masks and joints are made from where the model gives it.

        Raises:
            ModelError: as :meth:`detect`.
        """
        if not images:
            return []
        loaded = self._known()
        frames = [self._frame(image, loaded.kind) for image in images]
        arrays = [self._lay(image, frame, loaded.kind) for image, frame in zip(images, frames, strict=True)]
        outputs = self._inference.run(arrays)
        return [self._read(one, frame, loaded) for one, frame in zip(outputs, frames, strict=True)]

    def prepare(self, image: RgbImage) -> Array:
        """One photo's input: (3, height, width) in [0, 1].

        Raises:
            ModelError: the weights cannot be had, or the model is none that can be read.
        """
        kind = self._known().kind
        return self._lay(image, self._frame(image, kind), kind)

    def _lay(self, image: RgbImage, frame: Letterbox, kind: YoloKind) -> Array:
        return lay(image, frame, kind.dtype, smooth=self._model.knobs.get("resize") == "smooth")

    def _frame(self, image: RgbImage, kind: YoloKind) -> Letterbox:
        height, width = image.shape[:2]
        if not kind.is_dynamic:
            return letterbox(width, height, kind.width, kind.height)
        pixels = int(self._model.knobs.get("input_pixels", kind.input_pixels))
        pixels = -(-pixels // kind.stride) * kind.stride
        return letterbox(width, height, pixels, pixels, kind.stride)

    def _read(self, outputs: tuple[Array, ...], frame: Letterbox, loaded: _Loaded) -> Seen:
        kind = loaded.kind
        boxes = next((one for one in outputs if one.ndim == 2), outputs[0])
        layout = Layout(len(kind.names), kind.extra, anchors_of(frame.input_height, frame.input_width))
        candidates = read_output(boxes, layout, loaded.counted, SCORE_FLOOR)
        kept = suppress(candidates, loaded.groups[candidates.classes], self._iou)
        found = to_photo(kept.boxes_xyxy, frame)
        # What is less than a pixel of the photo cannot be looked at.
        visible = np.flatnonzero((found[:, 2:] - found[:, :2]).min(axis=1, initial=np.inf) >= 1)
        kept = kept[visible]
        return Seen(
            labels=tuple(loaded.labels[number] for number in kept.classes.tolist()),
            boxes_xyxy=found[visible],
            candidates=kept,
            frame=frame,
            prototypes=next((one for one in outputs if one.ndim == 3), None),
            joints=kind.joints,
        )

    def _known(self) -> _Loaded:
        session = self._inference.session
        with self._lock:
            if self._loaded is None:
                notes = self._model.notes
                try:
                    kind = read_kind(session, notes.names if notes else ())
                    self._loaded = _Loaded(kind, labels_of(kind.names, self._model.entry.labels))
                except ModelFailed as error:
                    raise ModelFailed(f"{self._model.entry.name}: {error}") from error
            return self._loaded

    def _check(self, _inference: Inference) -> None:
        """A model must find what its entry says; where that says nothing, people, whom the line is about."""
        entry = self._model.entry
        labels = list(self._known().labels.values())
        if entry.self_test is None and PERSON_LABEL not in labels:
            raise ModelFailed(
                f"{entry.name} finds no people, only {told(labels)}; say in its catalogue entry which of its classes "
                "is a person (`labels: {CLASS: person}`), or what it is to find instead (`self_test`)"
            )
        check_detector(entry, self.detect)


def _detections(seen: Seen) -> list[Detection]:
    found = zip(seen.labels, seen.boxes_xyxy.tolist(), seen.candidates.scores.tolist(), strict=True)
    return [Detection(label, (x0, y0, x1, y1), score) for label, (x0, y0, x1, y1), score in found]
