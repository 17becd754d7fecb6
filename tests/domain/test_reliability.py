"""Intervals, bins and errors, against figures worked out by hand."""

import random

import pytest

from tagging_assets.domain.reliability import (
    Z_95_ONE_SIDED,
    brier_score,
    calibration_error,
    quality,
    reliability_bins,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("right", "count", "z", "low", "high"),
    [
        (0, 0, 1.96, 0.0, 1.0),  # nothing seen, nothing known
        (0, 10, 1.959964, 0.0, 0.2775),  # none right: the upper end is not 0
        (10, 10, 1.959964, 0.7225, 1.0),  # all right: the lower end is not 1
        (8, 10, 1.959964, 0.4902, 0.9433),  # as published tables have it
        (81, 263, 1.959964, 0.2553, 0.3662),  # Newcombe (1998), table I, without continuity correction
        (25, 25, Z_95_ONE_SIDED, 0.9024, 1.0),  # the fewest that show a precision of 0.9
        (24, 24, Z_95_ONE_SIDED, 0.8987, 1.0),  # one fewer does not
    ],
)
def test_wilson(right: int, count: int, z: float, low: float, high: float) -> None:
    assert wilson_interval(right, count, z) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("confidences", "counts"),
    [
        ([], []),  # nothing
        ([0.5] * 7, [7]),  # too few for two bins
        ([place / 40 for place in range(40)], [10] * 4),  # ten each
        ([place / 250 for place in range(250)], [25] * 10),  # never more than ten bins
        ([0.2] * 35 + [0.9] * 5, [35, 5]),  # equals stay together
        ([0.2] * 5 + [0.6] * 30 + [0.9] * 5, [35, 5]),  # even where that makes bins uneven
    ],
)
def test_bins_are_even_and_never_tear_equals_apart(confidences: list[float], counts: list[int]) -> None:
    bins = reliability_bins(confidences, [True] * len(confidences))
    assert [one.count for one in bins] == counts


def test_a_bin_says_what_was_said_and_what_was_so() -> None:
    (low, high) = reliability_bins([0.2] * 10 + [0.8] * 10, [True] + [False] * 9 + [True] * 9 + [False])
    assert (low.confidence, low.right, high.confidence, high.right) == (0.2, 0.1, 0.8, 0.9)
    assert low.low < low.right < low.high
    assert calibration_error([low, high]) == pytest.approx(0.1)


def test_the_order_of_labels_does_not_matter() -> None:
    draw = random.Random(3)
    pairs = [(round(draw.random(), 1), draw.random() < 0.5) for _ in range(60)]
    shuffled = draw.sample(pairs, len(pairs))
    assert quality(*zip(*pairs, strict=True)) == quality(*zip(*shuffled, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("confidences", "rights", "score"),
    [
        ([], [], 0.0),  # nothing
        ([1.0, 0.0], [True, False], 0.0),  # sure and right
        ([1.0, 0.0], [False, True], 1.0),  # sure and wrong
        ([0.5, 0.5], [True, False], 0.25),  # says nothing
        ([0.8, 0.4], [True, False], 0.1),  # (0.04 + 0.16) / 2
    ],
)
def test_brier(confidences: list[float], rights: list[bool], score: float) -> None:
    assert brier_score(confidences, rights) == pytest.approx(score)
