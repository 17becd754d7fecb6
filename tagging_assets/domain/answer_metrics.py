"""How good answers are against true tags, how steady, and what they are worth for their price.

What does not belong here: the rules of points (``scoring``) and intervals (``resampling``).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Match:
    """How one answer compares with the true tags of its photo, each in [0, 1].

    Attributes:
        recall: of the true tags, those that were named.
        precision: of the named tags, those that are true; 0 for an answer without tags.
        f1: harmonic mean of both; 0 where both are.
    """

    recall: float
    precision: float
    f1: float


def match(named: AbstractSet[str], reference: AbstractSet[str]) -> Match:
    """Compare an answer with the true tags, both in one spelling.

    Args:
        named: may be empty.
        reference: must not be empty: without true tags there is nothing to find.
    """
    right = len(named & reference)
    precision = right / len(named) if named else 0.0
    return Match(right / len(reference), precision, 2 * right / (len(named) + len(reference)))


def mean_match(matches: Sequence[Match]) -> Match:
    """The mean of each number; of repeats first, then of photos, so that a photo counts once."""
    count = len(matches)
    return Match(
        math.fsum(one.recall for one in matches) / count,
        math.fsum(one.precision for one in matches) / count,
        math.fsum(one.f1 for one in matches) / count,
    )


def jaccard(one: AbstractSet[str], other: AbstractSet[str]) -> float:
    """Tags that both have of those that either has, in [0, 1]; 1 for two empty answers, which say the same."""
    either = len(one | other)
    return len(one & other) / either if either else 1.0


def steadiness(repeats: Sequence[AbstractSet[str]]) -> float | None:
    """Mean Jaccard similarity of all pairs of answers to the same question; ``None`` for fewer than two."""
    pairs = [jaccard(one, other) for one, other in combinations(repeats, 2)]
    return math.fsum(pairs) / len(pairs) if pairs else None


def decile(value: float, values: Sequence[float]) -> int:
    """Into which tenth of a distribution a value falls: 0 for the lowest, 9 for the highest.

    It is the number of the nine cuts between tenths (linear between neighbours, type 7 of Hyndman and Fan, "Sample
    quantiles in statistical packages", The American Statistician 50 (1996)) that lie below the value. Where all values
    are equal none stands out, and all are 0.

    Args:
        value: among ``values``.
        values: at least one.
    """
    ordered = sorted(values)
    return sum(value > _cut(ordered, tenth) + 1e-12 for tenth in range(1, 10))


def _cut(ordered: Sequence[float], tenth: int) -> float:
    whole, rest = divmod((len(ordered) - 1) * tenth, 10)
    upper = ordered[min(whole + 1, len(ordered) - 1)]
    return ordered[whole] + (upper - ordered[whole]) * rest / 10


def pareto_front(worth: Mapping[str, tuple[float | None, float | None]]) -> tuple[str, ...]:
    """Labels that nobody beats: nobody scores at least as much for at most the cost, and is better in one of both.

    Args:
        worth: label to score and cost. Who lacks either is not on the front, and beats nobody.

    Returns:
        Cheapest first; of equal costs, by label.
    """
    known = [(cost, label, score) for label, (score, cost) in worth.items() if score is not None and cost is not None]
    return tuple(
        label
        for cost, label, score in sorted(known)
        if not any(others >= score and price <= cost and (others > score or price < cost) for price, _, others in known)
    )


def points_per_dollar(total: float, cost_usd: float | None, passes: float) -> float | None:
    """Points for what one pass over the photos costs.

    Args:
        total: points of one pass.
        cost_usd: of all passes together; ``None`` where nobody knows.
        passes: how often the photos were gone through, above 0.

    Returns:
        ``None`` where the cost is unknown or nothing.
    """
    return total / (cost_usd / passes) if cost_usd else None


def cost_of(costs: Collection[float | None]) -> float | None:
    """The sum in US dollars; ``None`` where one of them is unknown: a part is no sum."""
    known = [cost for cost in costs if cost is not None]
    return math.fsum(known) if len(known) == len(costs) else None
