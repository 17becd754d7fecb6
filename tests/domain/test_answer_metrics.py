"""Recall and its kin, steadiness, tenths, fronts and prices, against figures worked out by hand."""

import pytest

from tagging_assets.domain.answer_metrics import (
    Match,
    cost_of,
    decile,
    jaccard,
    match,
    mean_match,
    pareto_front,
    points_per_dollar,
    steadiness,
)


@pytest.mark.parametrize(
    ("named", "reference", "recall", "precision", "f1"),
    [
        ("a b", "a b", 1.0, 1.0, 1.0),  # all of it
        ("a b c", "a b d e", 0.5, 2 / 3, 4 / 7),  # 2 of 4 true tags, 2 of 3 named ones
        ("x", "a", 0.0, 0.0, 0.0),  # nothing right
        ("", "a b", 0.0, 0.0, 0.0),  # nothing said: nothing found
        (" ".join("abcdefghi"), "a j", 0.5, 1 / 9, 2 / 11),  # naming much costs precision
    ],
)
def test_match(named: str, reference: str, recall: float, precision: float, f1: float) -> None:
    found = match(set(named.split()), set(reference.split()))
    assert (found.recall, found.precision, found.f1) == pytest.approx((recall, precision, f1))


def test_f1_is_averaged_and_not_made_of_averages() -> None:
    assert mean_match([Match(1.0, 1.0, 1.0), Match(0.0, 0.0, 0.0)]) == Match(0.5, 0.5, 0.5)
    assert mean_match([Match(1.0, 0.5, 2 / 3), Match(0.5, 1.0, 2 / 3)]).f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("a b", "a b", 1.0),
        ("a b", "b c", 1 / 3),
        ("a", "b", 0.0),
        ("a", "", 0.0),
        ("", "", 1.0),  # both say that there is nothing
    ],
)
def test_jaccard_is_the_same_both_ways(one: str, other: str, alike: float) -> None:
    first, second = set(one.split()), set(other.split())
    assert jaccard(first, second) == jaccard(second, first) == pytest.approx(alike)


@pytest.mark.parametrize(
    ("repeats", "steady"),
    [
        ([], None),
        (["a b"], None),  # one answer is neither steady nor unsteady
        (["a b", "a b"], 1.0),
        (["a b", "a b", "a"], (1 + 0.5 + 0.5) / 3),
    ],
)
def test_steadiness(repeats: list[str], steady: float | None) -> None:
    assert steadiness([set(one.split()) for one in repeats]) == (None if steady is None else pytest.approx(steady))


@pytest.mark.parametrize(
    ("values", "deciles"),
    [
        ([0.4], [0]),  # one value does not stand out
        ([0.4, 0.4, 0.4], [0, 0, 0]),  # nor do equal ones
        ([0.0, 1.0], [0, 9]),
        ([place / 10 for place in range(11)], [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),  # the cuts are 0.1, 0.2, …
        ([float(place) for place in range(100)], [place // 10 for place in range(100)]),
        ([1.0, 0.0, 0.5], [9, 0, 4]),  # the middle one lies on the fifth cut, above four
    ],
)
def test_deciles(values: list[float], deciles: list[int]) -> None:
    assert [decile(value, values) for value in values] == deciles


@pytest.mark.parametrize(
    ("worth", "front"),
    [
        ({}, ()),
        ({"a": (1.0, 1.0)}, ("a",)),
        ({"a": (1.0, 1.0), "b": (2.0, 2.0)}, ("a", "b")),  # better and dearer: both
        ({"a": (2.0, 1.0), "b": (1.0, 2.0)}, ("a",)),  # worse and dearer
        ({"a": (1.0, 1.0), "b": (1.0, 2.0)}, ("a",)),  # as good, and dearer
        ({"a": (1.0, 1.0), "b": (2.0, 1.0)}, ("b",)),  # as dear, and better
        ({"b": (1.0, 1.0), "a": (1.0, 1.0)}, ("a", "b")),  # equal: neither beats the other
        ({"a": (0.5, 0.0), "b": (1.0, 1.0)}, ("a", "b")),  # free is a cost
        ({"a": (9.0, None), "b": (1.0, 1.0)}, ("b",)),  # unknown is none
        ({"a": (None, 0.0), "b": (1.0, 1.0)}, ("b",)),  # nothing answered
        ({"a": (-1.0, 0.0), "b": (-2.0, 1.0)}, ("a",)),  # below nothing
    ],
)
def test_pareto_front(worth: dict[str, tuple[float | None, float | None]], front: tuple[str, ...]) -> None:
    assert pareto_front(worth) == front


@pytest.mark.parametrize(
    ("total", "cost", "passes", "points"),
    [
        (10.0, 0.05, 1, 200.0),
        (10.0, 0.05, 5, 1000.0),  # five passes for that: one costs a cent
        (-1.0, 0.5, 1, -2.0),
        (10.0, None, 1, None),
        (10.0, 0.0, 1, None),  # free: no number is right
    ],
)
def test_points_per_dollar(total: float, cost: float | None, passes: float, points: float | None) -> None:
    found = points_per_dollar(total, cost, passes)
    assert found == (None if points is None else pytest.approx(points))


@pytest.mark.parametrize(
    ("costs", "cost"),
    [
        ([0.1, 0.2], 0.3),
        ([0.1, None], None),  # a part is no sum
        ([0.0, 0.0], 0.0),  # free is known
        ([], 0.0),
    ],
)
def test_cost(costs: list[float | None], cost: float | None) -> None:
    assert cost_of(costs) == (None if cost is None else pytest.approx(cost))
