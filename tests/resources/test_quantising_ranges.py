from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from resources.quantising_ranges import Spread, best_range, ranges, silu, spreads
from tagging_assets.domain.errors import ModelFailed
from tests.resources.test_quantising_graph import network


def spread(values: np.ndarray) -> Spread:
    counts, _ = np.histogram(values, bins=2048)
    return Spread(float(values.min()), float(values.max()), counts.astype(np.float64))


NORMAL = np.random.default_rng(0).normal(0, 1, 100_000)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.linspace(-2, 6, 10_000), -2, 6),  # evenly spread: all of it
        (np.linspace(1, 6, 10_000), 0, 6),  # 0 is always in it
        (np.linspace(-6, -1, 10_000), -6, 0),
        (np.zeros(10), 0, 0),  # nothing to tell apart
    ],
)
def test_ranges_of_even_spreads(values: np.ndarray, low: float, high: float) -> None:
    assert best_range(spread(values)) == pytest.approx((low, high), abs=0.01)


def test_one_wild_value_does_not_cost_all_others_their_levels() -> None:
    low, high = best_range(spread(np.append(np.tile(NORMAL, 10), 15.0)))
    assert 3 < high < 8
    assert -5 < low < -3


def test_no_levels_are_spent_where_a_gate_is_shut() -> None:
    values = NORMAL * 6
    open_low, _ = best_range(spread(values))
    gated_low, gated_high = best_range(spread(values), silu)
    assert open_low < -15
    assert -9 < gated_low < -1
    assert gated_high > 15
    assert ranges({"x": spread(values)}, {"x"}) == {"x": (gated_low, gated_high)}


def test_silu() -> None:
    assert silu(np.array([-20.0, 0.0, 20.0])) == pytest.approx([0, 0, 20], abs=1e-6)


def test_values_are_watched_on_photos_of_any_shape(tmp_path: Path) -> None:
    model = network(
        [helper.make_node("Relu", ["images"], ["x"]), helper.make_node("Neg", ["x"], ["out"])], {}, [1, "h", "w"]
    )
    photos = [np.full((2, 3), 4.0, np.float32), np.full((5, 1), -6.0, np.float32)]
    found = spreads(model, ["images", "x", "out"], photos, tmp_path)
    assert {name: (one.low, one.high) for name, one in found.items()} == {
        "images": (-6, 4),
        "x": (0, 4),
        "out": (-4, 0),
    }
    assert found["x"].counts[[0, -1]].tolist() == [5, 6]
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    model = network([helper.make_node("Log", ["images"], ["out"])], {}, [1, 2])
    with pytest.raises(ModelFailed, match="is no number"):
        spreads(model, ["out"], [np.zeros(2, np.float32)], tmp_path)
