"""What a precision costs: the same model in two precisions on the same photos, through the same adapter.

fp32 is the yardstick, not the truth: nobody labelled these photos, and what is asked is how far tags will change.
What does not belong here: how the other precision is made (``quantising``), and whether a model is any good
(``benchmarks``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resources.adapters import DETECTORS, ENCODERS, TAGGERS
from resources.model_in_use import ModelInUse
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.geometry import iou_xyxy
from tagging_assets.domain.models import Detection, LabelScore, RgbImage, Vectors

#: Boxes of fp32 below are noise and evidence; those from here on decide tags.
BOX_SCORE = 0.25
#: A label of fp32 that scores so much is counted as given.
LABEL_SCORE = 0.25
#: How much less a partner may score.
_SLIP = 0.1
_SAME_BOX = 0.5
_EXACT_BOX = 0.9
#: Photos that are nearest to one, of which as many must stay.
_NEIGHBOURS = 5

Adapter = Any


class Preparing(Protocol):
    """What every adapter of pictures can do beside its work."""

    def prepare(self, image: RgbImage) -> NDArray[Any]:
        """One picture's model input, without a batch axis."""
        ...


@dataclass(frozen=True)
class Cost:
    """What was measured.

    Attributes:
        agreement: how much of what fp32 says the other says too, in [0, 1]; the one figure to decide by.
        least: what it must reach by default.
        means: what agreement is, in words.
        measures: figures by name, for people.
    """

    agreement: float
    least: float
    means: str
    measures: Mapping[str, float]

    def told(self) -> dict[str, float]:
        """For ``model.json``."""
        return {"agreement": round(self.agreement, 4), **{k: round(v, 4) for k, v in self.measures.items()}}


@dataclass(frozen=True)
class Kind:
    """A kind of adapter, and how two of it are compared.

    Attributes:
        make: the adapter of a model.
        compare: two adapters on photos.
    """

    make: Callable[[ModelInUse], Adapter]
    compare: Callable[[Adapter, Adapter, Sequence[RgbImage]], Cost]


def kinds(name: str) -> list[Kind]:
    """The kinds of models that an adapter name stands for.

    Raises:
        SettingsError: there is no way to compare such models.
    """
    found = [
        Kind(table[name], compare)
        for table, compare in ((DETECTORS, _detectors), (ENCODERS, _encoders), (TAGGERS, _taggers))
        if name in table
    ]
    if not found:
        raise SettingsError(f"models run by {name} are used as they are: there is no way to tell what int8 costs them")
    return found


def cost(exact: ModelInUse, other: ModelInUse, photos: Sequence[RgbImage]) -> Cost:
    """What ``other`` costs against ``exact``.

    Args:
        exact: the model in fp32.
        other: the same in another precision.
        photos: upright sRGB, best none that the other was calibrated on.

    Returns:
        Where a model does two kinds of work, the figures of both and the worse agreement.

    Raises:
        SettingsError: there is no way to compare such models, or the photos give nothing to compare.
        ModelError: one of them does not run, or does not pass its self-test.
    """
    costs = [kind.compare(kind.make(exact), kind.make(other), photos) for kind in kinds(exact.entry.adapter)]
    worst = min(costs, key=lambda one: one.agreement - one.least)
    measures = {name: value for one in costs for name, value in one.measures.items()}
    return Cost(worst.agreement, worst.least, worst.means, {**measures, "photos_compared": len(photos)})


def _detectors(exact: Any, other: Any, photos: Sequence[RgbImage]) -> Cost:
    return boxes_cost(exact.detect(photos), other.detect(photos))


def _encoders(exact: Any, other: Any, photos: Sequence[RgbImage]) -> Cost:
    return vectors_cost(exact.encode(photos), other.encode(photos))


def _taggers(exact: Any, other: Any, photos: Sequence[RgbImage]) -> Cost:
    return labels_cost(exact.tag(photos), other.tag(photos))


def boxes_cost(exact: Sequence[Sequence[Detection]], other: Sequence[Sequence[Detection]]) -> Cost:
    """Boxes of the same photos; those of one label that overlap most are partners, each once, the best first.

    A box that scores :data:`BOX_SCORE` or more looks for a partner among those that score nearly as much: one that
    slips from 0.26 to 0.24 is a difference of scores, not a lost box.

    Raises:
        SettingsError: fp32 finds nothing in any photo.
    """
    overlaps, apart = list[float](), list[float]()
    total = extra = same_labels = 0
    for ours, theirs in zip(exact, other, strict=True):
        likely, beside = _above(ours, BOX_SCORE), _above(theirs, BOX_SCORE)
        for box, (overlap, partner) in _partners(likely, _above(theirs, BOX_SCORE - _SLIP)):
            overlaps.append(overlap)
            apart.append(abs(box.score - partner.score))
        total += len(likely)
        extra += len(beside) - len(_partners(beside, _above(ours, BOX_SCORE - _SLIP)))
        same_labels += {one.label for one in likely} == {one.label for one in beside}
    if not total:
        raise SettingsError("fp32 finds nothing in these photos: there is nothing to compare; add photos of people")
    measures = {
        "boxes": float(total),
        "boxes_found": len(overlaps) / total,
        "boxes_found_iou_90": sum(overlap >= _EXACT_BOX for overlap in overlaps) / total,
        "boxes_extra": extra / total,
        "box_score_difference": float(np.mean(apart)) if apart else 1.0,
        "same_labels": same_labels / len(exact),
    }
    return Cost(len(overlaps) / (total + extra), 0.85, "boxes found again, of all that either finds", measures)


def _above(found: Sequence[Detection], score: float) -> list[Detection]:
    return [one for one in found if one.score >= score]


def _partners(
    ours: Sequence[Detection], theirs: Sequence[Detection]
) -> list[tuple[Detection, tuple[float, Detection]]]:
    """Boxes of ours that have a partner, each with the overlap and the partner."""
    if not ours or not theirs:
        return []
    first, second = (np.array([one.box_xyxy for one in side], np.float64) for side in (ours, theirs))
    overlaps = iou_xyxy(first, second)
    overlaps[np.array([[a.label != b.label for b in theirs] for a in ours])] = 0
    found = []
    for i in sorted(range(len(ours)), key=lambda place: -ours[place].score):
        j = int(overlaps[i].argmax())
        if overlaps[i, j] >= _SAME_BOX:
            found.append((ours[i], (float(overlaps[i, j]), theirs[j])))
            overlaps[:, j] = 0
    return found


def vectors_cost(exact: Vectors, other: Vectors) -> Cost:
    """Vectors of the same photos: (n, d) each.

    What all photos have in common is taken off before they are judged: the vectors of some networks lie so close
    together that any two have a cosine of 0.99.

    Raises:
        SettingsError: there are fewer than two photos.
    """
    if len(exact) < 2:
        raise SettingsError("two photos or more are needed to compare vectors; add some")
    ours, theirs = _unit(exact), _unit(other)
    cosines = (ours * theirs).sum(axis=1)
    near = min(_NEIGHBOURS, len(ours) - 1)
    kept = np.mean([len(a & b) / near for a, b in zip(_nearest(ours, near), _nearest(theirs, near), strict=True)])
    apart = exact.mean(axis=0)
    telling = float((_unit(exact - apart) * _unit(other - apart)).sum(axis=1).mean())
    measures = {
        "cosine_least": float(cosines.min()),
        "cosine_mean": float(cosines.mean()),
        "neighbours_kept": float(kept),
    }
    return Cost(telling, 0.9, "mean cosine of what tells the vectors apart", measures)


def _unit(vectors: Vectors) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12), np.float64)


def _nearest(unit: NDArray[np.float64], count: int) -> list[set[int]]:
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    return [set(row.tolist()) for row in np.argsort(-likeness, axis=1, kind="stable")[:, :count]]


def labels_cost(exact: Sequence[Sequence[LabelScore]], other: Sequence[Sequence[LabelScore]]) -> Cost:
    """Labels of the same photos: those that either side gives :data:`LABEL_SCORE`, and how far scores are apart.

    A label that one side does not tell counts as 0, so one near the floor may count for a little too much.

    Raises:
        SettingsError: neither side gives any photo a label.
    """
    both = either = 0
    apart: list[float] = []
    first = 0
    for ours, theirs in zip(exact, other, strict=True):
        a, b = ({one.label: one.score for one in side} for side in (ours, theirs))
        apart += [abs(a.get(label, 0.0) - b.get(label, 0.0)) for label in a.keys() | b.keys()]
        likely_a, likely_b = ({label for label, score in side.items() if score >= LABEL_SCORE} for side in (a, b))
        both, either = both + len(likely_a & likely_b), either + len(likely_a | likely_b)
        first += max(a, key=lambda label: a[label], default="") == max(b, key=lambda label: b[label], default="")
    if not either:
        raise SettingsError("neither gives these photos any label: there is nothing to compare; add other photos")
    measures = {
        "labels": float(either),
        "labels_kept": both / either,
        "label_score_difference": float(np.mean(apart)),
        "label_score_difference_p95": float(np.quantile(apart, 0.95)),
        "same_first_label": first / len(exact),
    }
    return Cost(
        both / either, 0.85, f"labels of {LABEL_SCORE:g} and more that both give, of all that either gives", measures
    )
