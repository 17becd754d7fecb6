"""Intervals over photos: the same digits each time, sound against theory, quick."""

import time

import numpy as np
import pytest

from tagging_assets.domain.resampling import drawn_means, estimates, interval, photo_draws

NAN = float("nan")


def ids(count: int) -> list[str]:
    return [f"photo {place}" for place in range(count)]


@pytest.mark.parametrize(
    ("row", "mean", "low", "high"),
    [
        ([NAN, NAN, NAN], None, None, None),  # nothing known
        ([2.0, NAN, NAN], 2.0, 2.0, 2.0),  # one photo has no width
        ([0.5, 0.5, 0.5], 0.5, 0.5, 0.5),  # nor have equal ones
        ([0.1, 0.1, 0.1], 0.1, 0.1, 0.1),  # in spite of rounding
        ([0.0, 1.0, NAN], 0.5, 0.0, 1.0),  # two photos: both ends are seen
    ],
)
def test_estimates(row: list[float], mean: float | None, low: float | None, high: float | None) -> None:
    (found,) = estimates(np.array([row]), ids(3))
    if mean is None:
        assert found is None
    else:
        assert found is not None
        assert (found.mean, found.low, found.high) == pytest.approx((mean, low, high), abs=1e-6)
        assert found.low <= found.mean <= found.high


def test_an_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(5).normal(size=(1, 400))
    (found,) = estimates(values, ids(400))
    error = float(values.std()) / 20
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_nine_of_ten_intervals_and_more_hold_the_truth() -> None:
    worlds = np.random.default_rng(11).exponential(size=(300, 40))
    held = [one is not None and one.low <= 1.0 <= one.high for one in estimates(worlds, ids(40))]
    assert 0.88 <= np.mean(held) <= 0.97


def test_the_same_photos_give_the_same_digits_whoever_else_takes_part() -> None:
    values = np.random.default_rng(2).normal(size=(3, 30))
    alone = estimates(values[:1], ids(30))
    assert estimates(values, ids(30))[:1] == alone
    assert estimates(values[:1], [f"other {place}" for place in range(30)]) != alone


def test_many_photos_are_drawn_in_parts() -> None:
    parts = photo_draws(ids(9000), draws=500)
    assert [part.shape for part in parts] == [(444, 9000), (56, 9000)]
    assert all(np.all(part.sum(1) == 9000) for part in parts)


def test_draws_without_a_value_are_left_out() -> None:
    means = drawn_means(np.array([[1.0, NAN]]), photo_draws(ids(2)))
    assert 0.2 < float(np.isnan(means).mean()) < 0.3  # both draws are the other photo
    assert interval(means[:, 0]) == (1.0, 1.0)


def test_nobody_and_nothing() -> None:
    assert estimates(np.empty((0, 5)), ids(5)) == []
    assert estimates(np.empty((2, 0)), []) == [None, None]


def test_twenty_contestants_and_five_hundred_photos_take_a_blink() -> None:
    values = np.random.default_rng(1).normal(size=(20, 500))
    estimates(values, ids(500))
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        estimates(values, ids(500))
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.2
