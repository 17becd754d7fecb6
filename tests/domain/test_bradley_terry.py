"""Ratings from comparisons: against closed forms, and against Hunter's own algorithm."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tagging_assets.domain.bradley_terry import MEAN, PER_DECADE, groups, rate, strengths
from tagging_assets.domain.voting import Comparison, Winner


def by_minorisation(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hunter (2004), equation 3, with one more contestant of strength 1 that everybody tied with once."""
    played = wins + wins.T
    strength = np.ones(len(wins))
    for _ in range(5_000):
        other = played / (strength[:, None] + strength[None, :])
        strength = (wins.sum(1) + 0.5) / (other.sum(1) + 1 / (strength + 1))
    return np.asarray(np.log(strength))


@pytest.mark.parametrize(
    "wins",
    [
        [[0, 3], [1, 0]],
        [[0, 10], [0, 0]],  # unbeaten, and without a win
        [[0, 0, 0], [0, 0, 5], [0, 2, 0]],  # the first was never compared
        [[0, 2.5, 7, 1], [1.5, 0, 3, 3], [0, 4, 0, 9], [2, 2, 2, 0]],  # ties are halves
        [[0, 40, 0, 0], [0, 0, 0, 0], [0, 0, 0, 40], [0, 0, 0, 0]],  # two groups
    ],
)
def test_the_summit_is_where_hunter_finds_it(wins: list[list[float]]) -> None:
    made = np.array(wins, dtype=float)
    assert strengths(made) == pytest.approx(by_minorisation(made), abs=1e-6)


@pytest.mark.parametrize("most", [1, 2, 9, 1000, 100_000])
def test_at_the_summit_everybody_wins_as_often_as_expected(most: int) -> None:
    made = np.random.default_rng(most).integers(0, most, (6, 6), endpoint=True).astype(float)
    np.fill_diagonal(made, 0)
    logs = strengths(made)
    chance = 1 / (1 + np.exp(logs[None, :] - logs[:, None]))
    expected = ((made + made.T) * chance).sum(1) + 1 / (1 + np.exp(-logs))
    assert made.sum(1) + 0.5 == pytest.approx(expected)


def test_two_contestants_have_a_closed_form_nearly() -> None:
    # of many comparisons the imagined ties weigh little: 3 to 1 is a difference of ln 3
    first, second = strengths(np.array([[0, 30_000], [10_000, 0]], dtype=float))
    assert first - second == pytest.approx(math.log(3), abs=1e-3)


def test_many_fits_at_once_are_the_fits_one_by_one() -> None:
    made = np.random.default_rng(4).integers(0, 9, (50, 5, 5)).astype(float)
    made[:, range(5), range(5)] = 0
    assert strengths(made) == pytest.approx(np.stack([strengths(one) for one in made]), abs=1e-7)


def test_a_hundred_wins_in_a_row_still_converge() -> None:
    size = 20
    logs = strengths(np.triu(np.full((size, size), 100.0), 1))
    assert np.all(np.isfinite(logs))
    assert np.all(np.diff(logs) < 0)


def compared(*lines: str) -> list[Comparison]:
    sign: dict[str, Winner] = {">": "left", "<": "right", "=": "tie"}
    return [
        Comparison(photo, left, right, sign[how], "ann", "person")
        for photo, left, how, right in (line.split() for line in lines)
    ]


def test_ratings_are_on_the_scale_of_chess() -> None:
    found = rate(compared("p1 a > b", "p2 a > b", "p3 b > a", "p3 a = b", "p4 c < a"))
    assert list(found.estimates) == ["a", "b", "c"]
    assert np.mean([one.mean for one in found.estimates.values()]) == pytest.approx(MEAN)
    assert found.votes == {"a": 5, "b": 4, "c": 1}
    assert found.estimates["a"].mean > found.estimates["b"].mean
    for one in found.estimates.values():
        assert one.low <= one.mean <= one.high
    many = rate([one for _ in range(10) for one in compared(*["p1 a > b"] * 10, "p1 b > a")])
    # ten times as strong wins ten times of eleven; the imagined ties hold it back a little
    assert many.estimates["a"].mean - many.estimates["b"].mean == pytest.approx(PER_DECADE, rel=0.05)


def test_nobody_was_compared() -> None:
    found = rate([])
    assert (found.estimates, found.votes, found.groups) == ({}, {}, ())


def test_the_order_of_comparisons_does_not_matter() -> None:
    made = compared("p1 a > b", "p2 b > c", "p3 c = a", "p4 a < c")
    assert rate(made) == rate(made[::-1])


@pytest.mark.parametrize(
    ("labels", "pairs", "found"),
    [
        ("", "", []),
        ("ab", "ab", ["ab"]),
        ("abcd", "ab cd", ["ab", "cd"]),
        ("abcd", "ab cd bd", ["abcd"]),  # joined through others
        ("abc", "bc", ["a", "bc"]),
    ],
)
def test_groups(labels: str, pairs: str, found: list[str]) -> None:
    assert groups(labels, [(one[0], one[1]) for one in pairs.split()]) == tuple(frozenset(one) for one in found)
