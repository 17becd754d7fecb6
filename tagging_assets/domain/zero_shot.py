"""Zero-shot scores for any vocabulary out of a classifier's probabilities and a sentence encoder.

Plain ConSE (``conse``) averages the text vectors of what the classifier sees and compares the average with a label:
in a photo of many things the average is near nothing. Here every class is compared with the label on its own, and
what is near enough to mean the label adds its probability:

    mass(label)  = sum over the ten likeliest classes of p(class) * relevance(class, label)
    relevance    = how far the cosine of their text vectors lies between "unrelated" and "the same thing", 0 to 1
    score(label) = mass ** exponent, so that thresholds are readable; 0 to 1

It is a convex combination too, of relevances instead of vectors. A label near no class scores 0: what the
classifier has no class for, it cannot see. The numbers are in ``benchmarks/coco_labels.py``. Nothing is trained per
label but its threshold, and everything works from stored image vectors: a new label costs no look at a photo.

What does not belong here: softmax and plain ConSE (``conse``), what the labels are (``labels``), and decisions
(``fusion``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.models import Box, Vectors, ZeroShotScorer

Truth = NDArray[np.bool_]

#: Raw scores below say nothing (one in fifty is right on COCO) and are not kept; of scorers whose card has no
#: parameter ``score_floor``.
SCORE_FLOOR = 0.2

#: Parameter of an encoder's card: ``whole`` where it looks at a photo once, ``close-ups`` where at parts of it, too.
VIEWS, WHOLE = "views", "whole"

#: Side of the square close-ups, relative to the photo's short side.
_CLOSE_UP = 0.6

#: A close-up smaller than this has too few pixels for a 224-pixel network to see more in it.
_SMALLEST_CLOSE_UP = 64

#: Share of the best view in the pooled score; the mean of all views has the rest.
_BEST_VIEW_SHARE = 0.5

_THRESHOLDS = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, slots=True)
class Relevance:
    """How near the texts of a class and a label must be; measured for names in all-MiniLM-L6-v2.

    A label that has a class of its own ("banana") should not listen to neighbours ("pineapple"); one that has none
    ("car", where ImageNet has sports cars and minivans) has only neighbours to listen to. So full relevance is at
    the cosine of the label's nearest class, within ``same_least`` and ``same_most``, and none at ``span`` below.

    Attributes:
        same_least: lowest cosine that may count in full.
        same_most: cosine that always counts in full.
        span: distance in cosine from full relevance to none.
        top_k: classes per view that count, the likeliest; the rest is noise that adds up in labels of many kinds.
        exponent: of the probability mass; below 1 it spreads small masses, as a logarithm would.
    """

    same_least: float = 0.8
    same_most: float = 0.95
    span: float = 0.25
    top_k: int = 10
    exponent: float = 0.25


def views(width: int, height: int, *, close_ups: bool = True) -> list[tuple[str, Box]]:
    """What of a photo to embed: all of it, and five overlapping close-ups for the things that are small in it.

    Close-ups make six looks of one. A classifier, which names one thing, needs them; a model that was taught with
    whole sentences sees much of the rest at the first look.

    Args:
        width: of the photo in pixels.
        height: of the photo in pixels.
        close_ups: whether there are any.

    Returns:
        (name, xyxy box in pixels); ``whole`` comes first, and alone where close-ups would have too few pixels.

    Raises:
        ValueError: a side is below 1.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a photo of {width} x {height} pixels has no views")
    whole = [("whole", (0.0, 0.0, float(width), float(height)))]
    side = round(min(width, height) * _CLOSE_UP)
    if not close_ups or side < _SMALLEST_CLOSE_UP:
        return whole
    right, bottom = width - side, height - side
    corners = [
        ("middle", right // 2, bottom // 2),
        ("top left", 0, 0),
        ("top right", right, 0),
        ("bottom left", 0, bottom),
        ("bottom right", right, bottom),
    ]
    return whole + [(name, (float(x), float(y), float(x + side), float(y + side))) for name, x, y in corners]


def raw_vectors(rows: Sequence[Mapping[str, Any]]) -> Vectors:
    """(views, d) vectors of stored views, as the encoder gave them: unit vectors times the norms they had."""
    norms = np.array([row["norm"] for row in rows], dtype=np.float32)
    return np.array([row["vector"] for row in rows], dtype=np.float32) * norms[:, None]


def class_relevance(
    class_text: Vectors, prompt_text: Sequence[Vectors], parameters: Relevance = Relevance()
) -> Vectors:
    """How much each class says about each label.

    Args:
        class_text: (classes, d), unit text vectors of the classes' names, at least one.
        prompt_text: per label (k, d) unit text vectors of its names; the nearest one counts. A label of none is
            relevant to nothing.
        parameters: the cosines between which relevance rises.

    Returns:
        (classes, labels) in [0, 1].
    """
    nearest = np.full((len(class_text), len(prompt_text)), -1.0, dtype=np.float32)
    for column, prompts in enumerate(prompt_text):
        if len(prompts):
            nearest[:, column] = (class_text @ prompts.T).max(axis=1)
    same = np.clip(nearest.max(axis=0), parameters.same_least, parameters.same_most)
    return np.asarray(np.clip((nearest - same) / parameters.span + 1.0, 0.0, 1.0), dtype=np.float32)


def score_labels(
    class_probabilities: Vectors,
    class_text: Vectors,
    prompt_text: Sequence[Vectors],
    parameters: Relevance = Relevance(),
) -> Vectors:
    """Raw scores of free text against what a classifier saw.

    Args:
        class_probabilities: (n, classes), rows in [0, 1] of sum 1.
        class_text: (classes, d), unit text vectors of the classes' names.
        prompt_text: per label (k, d) unit text vectors of its names.
        parameters: see :class:`Relevance`.

    Returns:
        (n, labels) float32 in [0, 1]; the same bits for a row whatever other rows there are.
    """
    return score_relevant(class_probabilities, class_relevance(class_text, prompt_text, parameters), parameters)


def score_relevant(class_probabilities: Vectors, relevance: Vectors, parameters: Relevance = Relevance()) -> Vectors:
    """:func:`score_labels` for a relevance matrix (classes, labels) that is already known."""
    scores = np.zeros((len(class_probabilities), relevance.shape[1]), dtype=np.float32)
    # row by row, since the last bits of a matrix product depend on how many rows it has
    for row, probabilities in enumerate(class_probabilities):
        top = _likeliest(probabilities, parameters.top_k)
        scores[row] = np.clip(probabilities[top] @ relevance[top], 0.0, 1.0) ** parameters.exponent
    return scores


def _likeliest(probabilities: Vectors, count: int) -> NDArray[np.intp]:
    """Places of the highest values, best first; ties go to the lower class. Sorts only what may be among them."""
    if count >= len(probabilities):
        return np.argsort(-probabilities, kind="stable")
    least = np.partition(probabilities, -count)[-count]
    likely = np.flatnonzero(probabilities >= least)
    return likely[np.argsort(-probabilities[likely], kind="stable")][:count]


def with_context(direct: Vectors, context: Vectors, weight: float) -> Vectors:
    """The better of what was seen of the thing itself, and of what it is usually seen with.

    Args:
        direct: (n, labels) scores of the labels' own names.
        context: (n, labels) scores of their contexts.
        weight: of the context, in [0, 1].
    """
    return np.asarray(np.maximum(direct, np.float32(weight) * context), dtype=np.float32)


def pool_views(scores: Vectors) -> NDArray[np.float32]:
    """One score per label out of a subject's views.

    Half the best view, so that a small thing in one close-up counts; half the mean, so that it counts more where
    several views agree.

    Args:
        scores: (views, labels), at least one view.

    Returns:
        (labels,) in the range of the scores.

    Raises:
        ValueError: there are no views.
    """
    if not len(scores):
        raise ValueError("a subject without views has no scores")
    best, mean = scores.max(axis=0), scores.mean(axis=0)
    return np.asarray(_BEST_VIEW_SHARE * best + (1 - _BEST_VIEW_SHARE) * mean, dtype=np.float32)


def score_label_set(scorer: ZeroShotScorer, vectors: Vectors, label_set: LabelSet) -> NDArray[np.float32]:
    """Score one subject against one label set.

    What a scorer needs beyond the texts, its card's parameters say: ``template`` is what it wants texts in (the
    set's own prompts otherwise), ``context_weight`` how much it makes of contexts (nothing otherwise: a model that
    sees the thing itself needs none).

    Args:
        scorer: any.
        vectors: (views, d) raw vectors of the subject's views.
        label_set: with labels that free text is scored for.

    Returns:
        One raw score per label of ``label_set.scored``, in their order.

    Raises:
        ModelError: the scorer's.
        ValueError: there are no views.
    """
    parameters = scorer.card.parameters
    template = parameters.get("template")
    texts = None if template is None else str(template)
    neutral = label_set.neutral_prompts
    scores = scorer.score(vectors, label_set.prompt_ensembles(texts), exclusive=label_set.exclusive, neutral=neutral)
    weight = float(parameters.get("context_weight", 0.0))
    contexts = label_set.context_ensembles(texts)
    if weight > 0 and any(contexts):
        scores = with_context(scores, scorer.score(vectors, contexts, neutral=neutral), weight)
    return pool_views(scores)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Raw scores from which labels count.

    Attributes:
        overall: the best single one.
        by_label: (labels,), each drawn towards the overall one.
    """

    overall: float
    by_label: NDArray[np.float64]


def learn_thresholds(scores: Vectors, truth: Truth, pull: float = 20.0) -> Thresholds:
    """Thresholds that make micro-averaged F1 high on labelled photos, without trusting few examples.

    F1 above F is the same as 2 TP > F (predicted + true), so at the best overall F every label can be maximised on
    its own (Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize F1 Measure", ECML 2014).
    A label with three photos would fit its threshold to them; so the average label counts as ``pull`` more labels
    in each one's sum.

    Args:
        scores: (n, labels) raw scores in [0, 1].
        truth: (n, labels).
        pull: strength towards the common threshold, above 0.

    Returns:
        The thresholds; a label that no choice serves better than the overall one has that.

    Raises:
        ValueError: shapes differ, or ``pull`` is not above 0.
    """
    if scores.shape != truth.shape:
        raise ValueError(f"scores {scores.shape} and truth {truth.shape} must have one shape")
    if pull <= 0:
        raise ValueError(f"pull must be above 0, not {pull:g}")
    predicted = np.empty((len(_THRESHOLDS), scores.shape[1]))
    right = np.empty_like(predicted)
    for row, threshold in enumerate(_THRESHOLDS):
        chosen = scores >= threshold
        predicted[row], right[row] = chosen.sum(axis=0), (chosen & truth).sum(axis=0)
    f1 = 2 * right.sum(axis=1) / np.maximum(predicted.sum(axis=1) + truth.sum(), 1)
    best = int(f1.argmax())
    gain = 2 * right - f1[best] * predicted
    gain = gain + pull * gain.mean(axis=1, keepdims=True)
    distance = np.abs(_THRESHOLDS - _THRESHOLDS[best])[:, None] + np.where(gain >= gain.max(axis=0) - 1e-9, 0.0, 2.0)
    return Thresholds(float(_THRESHOLDS[best]), _THRESHOLDS[distance.argmin(axis=0)])
