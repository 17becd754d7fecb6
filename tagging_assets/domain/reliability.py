"""How far confidences can be believed: shares that were right, with their uncertainty, bin by bin and in one number.

A reliability diagram holds what was said (the mean confidence of a bin) against what was so (the share of the bin
that was right): DeGroot and Fienberg, "The comparison and evaluation of forecasters", The Statistician 32 (1983);
Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised learning", ICML 2005. What does not belong
here: fitting anything (``calibrating``) and drawing (``resources.reliability``).
"""

import math
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import pydantic

#: 95 % of a normal distribution lie below this many standard deviations.
Z_95_ONE_SIDED = 1.6448536269514722

#: 95 % of a normal distribution lie within this many standard deviations.
Z_95 = 1.959963984540054

_BINS = 10
_SMALLEST_BIN = 10


class Bin(pydantic.BaseModel):
    """Labels of about the same confidence.

    Attributes:
        confidence: mean of what was said, in [0, 1].
        right: share that was right, in [0, 1].
        count: labels in the bin.
        low: lower end of the 95 % interval around ``right``.
        high: upper end of it.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    confidence: float
    right: float
    count: int
    low: float
    high: float


class Quality(pydantic.BaseModel):
    """How good confidences are, the lower the better.

    Attributes:
        ece: expected calibration error, in [0, 1] (see :func:`calibration_error`).
        brier: mean squared error, in [0, 1] (see :func:`brier_score`).
        bins: the reliability diagram, by rising confidence.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    ece: float
    brier: float
    bins: tuple[Bin, ...]


def quality(confidences: Sequence[float], rights: Sequence[bool]) -> Quality:
    """All of it about the same labels; numbers to four decimals, which is more than decisions can tell."""
    bins = reliability_bins(confidences, rights)
    return Quality(
        ece=round(calibration_error(bins), 4), brier=round(brier_score(confidences, rights), 4), bins=tuple(bins)
    )


def wilson_interval(right: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Where a share lies of which ``right`` of ``count`` were seen: lower and upper end, in [0, 1].

    The score interval of Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927): sound for few labels, and where all or none are right. With nothing seen it is all of [0, 1].

    Args:
        right: from 0 to ``count``.
        count: at least 0.
        z: standard deviations; :data:`Z_95` for both ends at once, :data:`Z_95_ONE_SIDED` for one of them alone.
    """
    if count == 0:
        return 0.0, 1.0
    share, square = right / count, z * z
    middle = share + square / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    scale = 1 + square / count
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def reliability_bins(confidences: Sequence[float], rights: Sequence[bool]) -> list[Bin]:
    """Labels by rising confidence, in up to ten bins of about the same number, ten labels or more.

    Labels of one confidence are never torn apart, so the order in which they come does not matter.

    Args:
        confidences: in [0, 1].
        rights: whether each label was right; as many.
    """
    pairs = sorted(zip(confidences, rights, strict=True))
    wanted = len(pairs) / max(1, min(_BINS, len(pairs) // _SMALLEST_BIN))
    bins: list[list[tuple[float, bool]]] = []
    taken = 0
    for _, tied in groupby(pairs, key=itemgetter(0)):
        # A bin is opened where its share of the labels begins, however many the bins before have.
        if not bins or taken >= wanted * len(bins) - 1e-9:
            bins.append([])
        bins[-1].extend(tied)
        taken = sum(map(len, bins))
    return [_bin(members) for members in bins]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far share and confidence lie apart, mean over labels; 0 for no labels.

    With equal-count bins as in Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural
    language processing models", EMNLP 2015. Bins of few labels never come out at 0, however good the confidences.
    """
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.right - one.confidence) for one in bins) / total if total else 0.0


def brier_score(confidences: Sequence[float], rights: Sequence[bool]) -> float:
    """Mean squared distance of confidences from what was so; 0 for no labels.

    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950). A proper
    score: on average nothing beats the true probabilities.
    """
    squares = [(said - so) ** 2 for said, so in zip(confidences, rights, strict=True)]
    return math.fsum(squares) / len(squares) if squares else 0.0


def _bin(members: Sequence[tuple[float, bool]]) -> Bin:
    count, right = len(members), sum(so for _, so in members)
    low, high = wilson_interval(right, count)
    mean = math.fsum(said for said, _ in members) / count
    return Bin(
        confidence=round(mean, 4), right=round(right / count, 4), count=count, low=round(low, 4), high=round(high, 4)
    )
