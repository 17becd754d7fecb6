"""Fitting to simulated decisions whose truth is known: it is found again, and nothing is claimed that was not seen."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tagging_assets.domain.calibrating import Example, compared, fit_curve, refusal, threshold_for
from tagging_assets.domain.calibration import IDENTITY, Calibration

CATALOGUE = Calibration(((0.0, 0.0), (0.1, 0.1), (0.3, 0.35), (0.5, 0.55), (0.8, 0.8), (1.0, 0.95)))

Truth = Callable[[float], float]

TRUTHS: dict[str, Truth] = {
    "over-confident catalogue": lambda raw: raw / 2,
    "sharper than the catalogue": lambda raw: 1 / (1 + math.exp(-12 * (raw - 0.7))),
    "under-confident catalogue": lambda raw: 1 - (1 - raw) ** 2 / 2,
    "the score says nothing": lambda raw: 0.3,
}


def decided(truth: Truth, count: int, seed: int, low: float = 0.4) -> list[Example]:
    """Decisions on tags with raw scores from ``low`` up, three a photo, right as often as the truth says."""
    draw = np.random.default_rng(seed)
    raws = low + (1 - low) * draw.beta(2, 2, count)
    return [
        Example(f"photo {place // 3}", round(float(raw), 6), bool(draw.random() < truth(raw)))
        for place, raw in enumerate(raws)
    ]


def of(*raws_and_rights: tuple[float, int, int]) -> list[Example]:
    """(raw score, how many right, how many wrong), each of a photo of its own."""
    verdicts = [(raw, right) for raw, good, bad in raws_and_rights for right in (*[True] * good, *[False] * bad)]
    return [Example(f"photo {place}", raw, right) for place, (raw, right) in enumerate(verdicts)]


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize(("count", "error"), [(200, 0.1), (2000, 0.045)])
def test_the_truth_is_found_again(name: str, count: int, error: float) -> None:
    truth = TRUTHS[name]
    raws = np.linspace(0.45, 0.95, 51)
    wrong = [
        np.abs(
            fit_curve(decided(truth, count, seed), CATALOGUE).confidences(raws) - [truth(raw) for raw in raws]
        ).mean()
        for seed in range(8)
    ]
    assert np.mean(wrong) < error
    assert np.abs(CATALOGUE.confidences(raws) - [truth(raw) for raw in raws]).mean() > 2 * np.mean(wrong)


@pytest.mark.parametrize("name", TRUTHS)
def test_cross_validated_errors_fall(name: str) -> None:
    for seed in range(3):
        before, after = compared(decided(TRUTHS[name], 400, seed), CATALOGUE)
        assert after.brier < before.brier
        assert after.ece < before.ece
        assert sum(one.count for one in after.bins) == sum(one.count for one in before.bins) == 400


def test_a_catalogue_that_is_right_is_hardly_beaten() -> None:
    better = 0
    for seed in range(20):
        before, after = compared(decided(CATALOGUE.confidence, 400, seed), CATALOGUE)
        better += after.brier < before.brier
    assert better <= 4


def test_figures_are_of_photos_that_the_curve_has_not_seen() -> None:
    # Every photo has three labels of one score and one verdict, by chance: to know a photo is to know the answer.
    draw = np.random.default_rng(1)
    examples = [
        Example(f"photo {photo}", photo / 100, right)
        for photo, right in enumerate(draw.random(100) < 0.5)
        for _ in range(3)
    ]
    level = Calibration(((0.0, 0.5), (1.0, 0.5)))
    before, after = compared(examples, level)
    assert before.brier == 0.25
    assert after.brier >= 0.25


@pytest.mark.parametrize("seed", range(30))
def test_a_curve_always_rises_within_what_can_be_known(seed: int) -> None:
    draw = np.random.default_rng(seed)
    examples = decided(lambda raw: float(draw.random()), int(draw.integers(1, 300)), seed, low=float(draw.random()) / 2)
    curve = fit_curve(examples, CATALOGUE)
    said = curve.confidences(np.linspace(-0.2, 1.2, 1401))
    assert np.all(np.diff(said) >= 0)
    assert said.max() < 1.0
    assert len(curve.points) <= 7 + len(CATALOGUE.points) + 2


@pytest.mark.parametrize("name", TRUTHS)
def test_below_the_lowest_score_seen_the_catalogue_stays(name: str) -> None:
    examples = decided(TRUTHS[name], 300, 5)
    lowest = min(one.raw for one in examples)
    curve = fit_curve(examples, CATALOGUE)
    for raw in np.linspace(0, lowest - 0.002, 40):
        ceiling = curve.confidence(lowest)
        assert curve.confidence(raw) == pytest.approx(min(CATALOGUE.confidence(raw), ceiling), abs=2e-3)


@pytest.mark.parametrize(
    ("examples", "raw", "confidence"),
    [
        # one score, as of a chat model's first choice: its share, drawn a little towards a half
        (of((1.0, 30, 30)), 1.0, 0.5),
        (of((1.0, 45, 15)), 1.0, (45 + 2 * 46 / 62) / 62),
        # all right at the top of 100, and yet not certain: (20 + 2 * 71/102) / 22
        (of((0.5, 50, 30), (0.9, 20, 0)), 0.9, (20 + 2 * 71 / 102) / 22),
        # the higher score is worse: both are one
        (of((0.5, 40, 10), (0.9, 10, 40)), 0.9, 0.5),
        (of((0.5, 40, 10), (0.9, 10, 40)), 0.7, 0.5),
        # too few for a block of their own: with their neighbours
        (of((0.5, 20, 20), (0.6, 3, 0)), 0.6, (23 + 2 * 24 / 45) / 45),
    ],
)
def test_shares_become_confidences(examples: list[Example], raw: float, confidence: float) -> None:
    assert fit_curve(examples, IDENTITY).confidence(raw) == pytest.approx(confidence, abs=1e-3)


def test_the_order_of_examples_does_not_matter() -> None:
    examples = decided(TRUTHS["over-confident catalogue"], 90, 2)
    assert fit_curve(examples[::-1], CATALOGUE) == fit_curve(examples, CATALOGUE)
    assert compared(examples[::-1], CATALOGUE) == compared(examples, CATALOGUE)
    assert threshold_for(examples[::-1], 0.6) == threshold_for(examples, 0.6)


@pytest.mark.parametrize(
    ("examples", "why"),
    [
        ([], "0 of at least 50 decisions"),  # nothing
        (of((0.5, 20, 29)), "49 of at least 50 decisions"),  # one short
        (of((0.5, 25, 25)), ""),  # enough
        (of((0.5, 60, 4)), "4 of at least 5 rejected"),  # hardly anything wrong
        (of((0.5, 4, 60)), "4 of at least 5 accepted"),  # hardly anything right
        (
            [Example(f"photo {place % 9}", 0.5, place % 2 == 0) for place in range(60)],
            "decisions on 9 of at least 10 photos",
        ),
    ],
)
def test_too_few_are_refused(examples: list[Example], why: str) -> None:
    assert refusal(examples, 50) == why


@pytest.mark.parametrize(
    ("examples", "precision", "found"),
    [
        ([], 0.9, None),  # nothing is known
        (of((0.9, 24, 0)), 0.9, None),  # all right, and yet too few to be sure
        (of((0.9, 25, 0)), 0.9, (0.9, 25)),  # enough
        (of((0.5, 20, 20), (0.9, 40, 0)), 0.9, (0.9, 40)),  # the higher one only
        (of((0.5, 40, 0), (0.9, 40, 0)), 0.9, (0.5, 80)),  # as low as it goes
        (of((0.5, 40, 20), (0.9, 5, 5)), 0.9, None),  # nowhere
        (of((0.5, 40, 20), (0.9, 5, 5)), 0.5, (0.5, 70)),  # a lower target; ten at the top alone tell too little
        # one wrong one among the first is no reason to stop there
        (of((0.5, 120, 4), (0.7, 0, 1), (0.9, 25, 0)), 0.9, (0.5, 150)),
    ],
)
def test_a_threshold_is_the_lowest_score_that_keeps_the_precision(
    examples: list[Example], precision: float, found: tuple[float, int] | None
) -> None:
    threshold = threshold_for(examples, precision)
    assert (threshold and (threshold.raw, threshold.decisions)) == found
    assert threshold is None or threshold.bound >= precision


@pytest.mark.parametrize("name", ["sharper than the catalogue", "under-confident catalogue"])
def test_thresholds_hold_on_labels_that_were_not_decided(name: str) -> None:
    raws = 0.4 + 0.6 * np.random.default_rng(9).beta(2, 2, 20_000)
    rights = np.array([TRUTHS[name](float(raw)) for raw in raws])
    found = [
        threshold.raw
        for seed in range(200)
        if (threshold := threshold_for(decided(TRUTHS[name], 300, seed), 0.85)) is not None
    ]
    assert len(found) > 100
    missed = [raw for raw in found if rights[raws >= raw].mean() < 0.85]
    assert len(missed) <= 0.06 * 200
