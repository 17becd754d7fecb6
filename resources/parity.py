"""How near our adapters on an exported model are to the library that it comes from, end to end, on real photos.

The library's own answers come from the process that exported (``resources/export_job.Original``); ours from the same
adapters that will tag photos later: our preprocessing, our runtime, our reading of the outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resources.adapters import DETECTORS, ENCODERS, TAGGERS
from resources.export_job import CONFIDENCE, TEXTS, Arrays
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxSession
from tagging_assets.domain.models import Detection, RgbImage, Vectors

Floats = NDArray[np.float64]

_SAME_BOX = 0.99


@dataclass(frozen=True, slots=True)
class Limit:
    """What a measure must reach.

    Attributes:
        says: what it is, for people.
        value: the limit.
        at_least: whether more is better.
    """

    says: str
    value: float
    at_least: bool

    def is_met(self, measured: float) -> bool:
        """Whether a measure is good enough; what is no number is not."""
        return measured >= self.value if self.at_least else measured <= self.value


#: By measure; what is not measured of a model is not asked of it.
LIMITS: Mapping[str, Limit] = {
    "boxes": Limit("boxes of the original", 1, at_least=True),
    "boxes_matched": Limit(f"share of boxes with the same label and IoU ≥ {_SAME_BOX}", 0.99, at_least=True),
    "box_score_difference": Limit("largest difference of a box's score", 0.01, at_least=False),
    "embedding_cosine": Limit("smallest cosine of picture vectors", 0.9999, at_least=True),
    "text_cosine": Limit("smallest cosine of text vectors", 0.9999, at_least=True),
    "score_difference": Limit("largest difference of a class's score", 1e-3, at_least=False),
    "graph_difference": Limit("largest difference of a raw output, as a share of its range", 1e-3, at_least=False),
}


@dataclass(frozen=True, slots=True)
class Parity:
    """What was measured, by the names of :data:`LIMITS`."""

    measures: Mapping[str, float]

    @property
    def missed(self) -> list[str]:
        """The measures that are not good enough, each with its limit."""
        return [
            f"{limit.says} {measured:.6g}, must be {'at least' if limit.at_least else 'at most'} {limit.value:g}"
            for name, measured in self.measures.items()
            if not (limit := LIMITS[name]).is_met(measured)
        ]

    @property
    def ok(self) -> bool:
        """Whether the model may be used in place of the original."""
        return bool(self.measures) and not self.missed


def compare(model: ModelInUse, photos: Sequence[RgbImage], original: Arrays) -> Parity:
    """Ours against the original's.

    Args:
        model: the exported one.
        photos: upright sRGB, those that the original was asked about.
        original: see :class:`resources.export_job.Original`.

    Raises:
        ModelError: ours does not run.
        SettingsError: there is no adapter of that name.
    """
    measures: dict[str, float] = {}
    if "boxes/0" in original:
        measures |= _boxes(model, photos, original)
    if "embedding" in original and model.entry.adapter in ENCODERS:
        ours = ENCODERS[model.entry.adapter](model).encode(photos)
        measures["embedding_cosine"] = smallest_cosine(ours, original["embedding"])
    if "text" in original:
        measures["text_cosine"] = smallest_cosine(_text_vectors(model), original["text"])
    if "scores" in original:
        measures["score_difference"] = _scores(model, photos, original["scores"])
    return Parity({**measures, "graph_difference": _graphs(model, original)})


def smallest_cosine(ours: Vectors, theirs: Vectors) -> float:
    """Of the rows of two (n, d) matrices, pair by pair."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).min())


def matched(ours: Sequence[Detection], theirs: Sequence[Detection]) -> tuple[int, int, float]:
    """How many of their boxes we have too, how many we have beside them, and how far the scores are apart at most.

    Each box is a partner once, the best first; of several in one place, as the photo's edge makes them, the one of the
    nearest score. Boxes of ours that score below the original's confidence, or hardly above it, are no surplus: the
    original would have left them out.
    """
    left = list(ours)
    found, apart = 0, 0.0
    for theirs_one in sorted(theirs, key=lambda one: -one.score):
        rivals = [one for one in left if one.label == theirs_one.label and iou(one, theirs_one) >= _SAME_BOX]
        if not rivals:
            continue
        differences = [abs(one.score - theirs_one.score) for one in rivals]
        nearest = differences.index(min(differences))
        left.remove(rivals[nearest])
        found, apart = found + 1, max(apart, differences[nearest])
    near = LIMITS["box_score_difference"].value
    return found, sum(one.score > CONFIDENCE + near for one in left), apart


def iou(a: Detection, b: Detection) -> float:
    """Intersection over union of two boxes."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a.box_xyxy, b.box_xyxy
    shared = max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared
    return shared / union if union > 0 else 0.0


def _boxes(model: ModelInUse, photos: Sequence[RgbImage], original: Arrays) -> dict[str, float]:
    notes = model.notes
    names = notes.names if notes else ()
    stands_for = model.entry.labels or {name: name for name in names}
    total = found = surplus = 0
    apart = 0.0
    for place, ours in enumerate(DETECTORS[model.entry.adapter](model).detect(photos)):
        theirs = [
            Detection(stands_for[names[int(row[5])]], (row[0], row[1], row[2], row[3]), row[4])
            for row in original[f"boxes/{place}"].tolist()
            if names[int(row[5])] in stands_for
        ]
        same, more, difference = matched(ours, theirs)
        total, found, surplus = total + len(theirs), found + same, surplus + more
        apart = max(apart, difference)
    return {
        "boxes": total,
        "boxes_matched": found / max(total + surplus, 1),
        "box_score_difference": apart,
    }


def _scores(model: ModelInUse, photos: Sequence[RgbImage], theirs: NDArray[np.float32]) -> float:
    """Over every label that either side gives a score above the adapter's floor."""
    notes = model.notes
    names = notes.names if notes else ()
    worst = 0.0
    for place, given in enumerate(TAGGERS[model.entry.adapter](model).tag(photos)):
        ours = {one.label: one.score for one in given}
        floor = min(ours.values(), default=1.0)
        for label, score in by_label(names, theirs[place].tolist()).items():
            if label in ours or score > floor:
                worst = max(worst, abs(ours.get(label, 0.0) - score))
    return worst


def by_label(names: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """Scores by the first of each class's synonyms; where two classes bear one name, the higher one, as in our tags."""
    found: dict[str, float] = {}
    for name, score in zip(names, scores, strict=True):
        label = name.split(",")[0].strip()
        found[label] = max(score, found.get(label, 0.0))
    return found


def _graphs(model: ModelInUse, original: Arrays) -> float:
    """Every ONNX file alone, on the same input: whether the graph computes what the network does."""
    worst = 0.0
    roles = {name.split("/")[1] for name in original if name.startswith("graph/")}
    for role in sorted(roles):
        ours = OnnxSession(model.path(role), model.options)
        wanted = _below(original, f"graph/{role}/out/")
        answered = ours.run(_below(original, f"graph/{role}/in/"), list(wanted))
        for one, theirs in zip(answered, wanted.values(), strict=True):
            if one.shape != theirs.shape:
                return float("inf")
            worst = max(worst, channel_difference(one, theirs))
    return worst


def channel_difference(ours: Vectors, theirs: Vectors) -> float:
    """Largest difference of two (n, channels, …) arrays, as a share of the channel's largest number, or of 1.

    A detector's coordinates are pixels and its scores are not: each is measured by its own.
    """
    rest = tuple(axis for axis in range(theirs.ndim) if axis != 1)
    scale = np.maximum(np.abs(theirs).max(axis=rest, initial=0), 1)
    return float((np.abs(ours - theirs).max(axis=rest, initial=0) / scale).max(initial=0))


def _below(arrays: Arrays, prefix: str) -> dict[str, NDArray[np.float32]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _text_vectors(model: ModelInUse) -> Vectors:
    from resources.clip import ClipTextEncoder

    return ClipTextEncoder(model).encode(TEXTS)
