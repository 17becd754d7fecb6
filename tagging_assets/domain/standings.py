"""One row per contestant: means over photos with their intervals, counts, cost and latency.

What does not belong here: points of a single tag (``scoring``), what the rows say together (``scoreboard_notes``).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.answer_metrics import Match, cost_of, match, mean_match, points_per_dollar, steadiness
from tagging_assets.domain.bradley_terry import Ratings
from tagging_assets.domain.experiments import Configuration
from tagging_assets.domain.resampling import estimates
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.scoreboard import Estimate, Given, Standing
from tagging_assets.domain.scoring import RULES

#: Outcomes of questions that were never put.
NOT_ASKED = frozenset({"over_budget", "waiting"})

#: Outcomes in which a model spoke, so that somebody had to pay.
SPOKEN = frozenset({"ok", "empty", "refused", "truncated", "invalid"})

#: What every contestant answered about every photo: photo to contestant to repeats.
Answered = Mapping[str, Mapping[str, Sequence[Given]]]


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What is known of a photo besides answers.

    Attributes:
        image_id: of the photo.
        title: its file name.
        batch: evaluation batch it belongs to.
        collected: when its batch was collected, aware UTC.
        reference: true tags, in any spelling; ``None`` where nobody knows them.
    """

    image_id: str
    title: str
    batch: str
    collected: datetime
    reference: tuple[str, ...] | None = None


def standings_of(
    contestants: Iterable[Configuration], photos: Sequence[PhotoFacts], answered: Answered, ratings: Ratings
) -> list[Standing]:
    """Rows of all contestants, best first.

    Best is who has most points per photo; of equals, who finds more of the true tags, then who is known to cost less.
    Where nothing could be scored all have 0 points, and recall decides.
    """
    rows = sorted(contestants, key=lambda one: one.label)
    if not rows:
        return []
    # Columns go by id, so that intervals do not depend on the order in which photos are listed.
    columns = sorted(photos, key=lambda one: one.image_id)
    matches = [_matches(one.label, columns, answered) for one in rows]
    values = [
        points_matrix([one.label for one in rows], [photo.image_id for photo in columns], answered),
        *(_numbers(matches, pick) for pick in (_recall, _precision, _f1)),
    ]
    found = estimates(np.concatenate(values), [photo.image_id for photo in columns])
    made = [
        _standing(
            row,
            [answered.get(photo.image_id, {}).get(row.label, ()) for photo in columns],
            found[place :: len(rows)],
            _by_batch(columns, matches[place]),
            ratings,
        )
        for place, row in enumerate(rows)
    ]
    return sorted(made, key=_rank)


def points_matrix(labels: Sequence[str], image_ids: Sequence[str], answered: Answered) -> NDArray[np.float64]:
    """Points of each contestant for each photo, the mean of its answers to it.

    Returns:
        Shape (contestants, photos); NaN where there is no answer.
    """
    values = np.full((len(labels), len(image_ids)), np.nan)
    for row, label in enumerate(labels):
        for column, image_id in enumerate(image_ids):
            points = [one.points for one in answered.get(image_id, {}).get(label, ()) if one.answered]
            if points:
                values[row, column] = fmean(points)
    return values


def given_tags(given: Given) -> frozenset[str]:
    """Tags that an answer brings to the photo, in the spelling of comparisons: none of those outside the pool."""
    return frozenset(normalise_tag(one.tag) for one in given.tags if one.rule != "hallucinated")


def described(one: Configuration) -> str:
    """What sets a configuration apart besides model and prompt, in one line."""
    sampling = one.sampling
    parts = [one.strategy, f"temperature {sampling.temperature:g}"]
    parts += [f"top_p {sampling.top_p:g}"] if sampling.top_p is not None else []
    parts += [f"seed {sampling.seed}"] if sampling.seed else []
    parts += [f"at most {sampling.max_output_tokens} tokens"] if sampling.max_output_tokens is not None else []
    parts += [f"{name} {value}" for name, value in sorted(one.settings.items())]
    return ", ".join(parts)


def _standing(
    row: Configuration,
    by_photo: Sequence[Sequence[Given]],
    found: Sequence[Estimate | None],
    by_batch: Mapping[str, tuple[float, int]],
    ratings: Ratings,
) -> Standing:
    given = [one for repeats in by_photo for one in repeats]
    there = [repeats for repeats in by_photo if repeats]
    total = math.fsum(fmean(points) for repeats in there if (points := [one.points for one in repeats if one.answered]))
    cost = _cost(given)
    counts = Counter(tag.rule for one in given for tag in (*one.tags, *one.missing))
    score, recall, precision, f1 = found
    return Standing(
        contestant=row.label,
        model=row.model,
        prompt=row.prompt,
        details=described(row),
        asked=len(given),
        unanswered=sum(not one.answered for one in given),
        outcomes=dict(sorted(Counter(one.outcome for one in given).items())),
        score=score,
        total=total,
        rules={rule: counts[rule] for rule in RULES},
        cost_usd=cost,
        points_per_dollar=points_per_dollar(total, cost, len(given) / len(there)) if there else None,
        latency_ms=_latency(given),
        recall=recall,
        precision=precision,
        f1=f1,
        recall_by_batch=by_batch,
        steadiness=_steadiness(by_photo),
        rating=ratings.estimates.get(row.label),
        votes=ratings.votes.get(row.label, 0),
    )


def _matches(label: str, photos: Sequence[PhotoFacts], answered: Answered) -> list[Match | None]:
    found: list[Match | None] = []
    for photo in photos:
        reference = frozenset(normalise_tag(tag) for tag in photo.reference or ())
        given = [one for one in answered.get(photo.image_id, {}).get(label, ()) if one.answered]
        there = bool(reference and given)
        found.append(mean_match([match(given_tags(one), reference) for one in given]) if there else None)
    return found


def _numbers(matches: Sequence[Sequence[Match | None]], pick: Callable[[Match], float]) -> NDArray[np.float64]:
    rows = [[np.nan if one is None else pick(one) for one in row] for row in matches]
    return np.array(rows, dtype=np.float64)


def _recall(one: Match) -> float:
    return one.recall


def _precision(one: Match) -> float:
    return one.precision


def _f1(one: Match) -> float:
    return one.f1


def _by_batch(photos: Sequence[PhotoFacts], matches: Sequence[Match | None]) -> dict[str, tuple[float, int]]:
    found: dict[str, list[float]] = {}
    for photo, one in zip(photos, matches, strict=True):
        if one is not None:
            found.setdefault(photo.batch, []).append(one.recall)
    return {batch: (fmean(recalls), len(recalls)) for batch, recalls in found.items()}


def _cost(given: Sequence[Given]) -> float | None:
    """Of answers, and of whatever else is known to have cost something: a refusal is paid for too."""
    return cost_of([one.cost_usd for one in given if one.outcome in SPOKEN or one.cost_usd is not None])


def seconds_of(given: Given) -> float | None:
    """From asking to answer; ``None`` where no question was put."""
    return None if given.outcome in NOT_ASKED else given.seconds or None


def _latency(given: Sequence[Given]) -> float:
    seconds = [seconds for one in given if (seconds := seconds_of(one)) is not None]
    return 1000.0 * fmean(seconds) if seconds else 0.0


def _steadiness(by_photo: Iterable[Sequence[Given]]) -> float | None:
    alike = [steadiness([given_tags(one) for one in repeats if one.answered]) for repeats in by_photo]
    known = [one for one in alike if one is not None]
    return fmean(known) if known else None


def _rank(one: Standing) -> tuple[float, float, float, str]:
    score = one.score.mean if one.score is not None else -math.inf
    recall = one.recall.mean if one.recall is not None else -math.inf
    # Sums of fractions that are equal on paper may differ in their last bits.
    return (-round(score, 9), -round(recall, 9), math.inf if one.cost_usd is None else one.cost_usd, one.contestant)
