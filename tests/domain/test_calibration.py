import math

import numpy as np
import pytest

from tagging_assets.domain.calibration import IDENTITY, Calibration
from tagging_assets.domain.errors import SettingsError

CURVE = Calibration.from_points([[0.2, 0.0], [0.4, 0.5], [0.8, 1.0]])


@pytest.mark.parametrize(
    ("raw", "confidence"),
    [
        (-1.0, 0.0),  # below the first point: constant
        (0.2, 0.0),  # on the first point
        (0.3, 0.25),  # halfway up the first piece
        (0.4, 0.5),  # on an inner point
        (0.5, 0.625),  # a quarter up the second piece: 0.5 + 0.25 * 0.5
        (0.8, 1.0),  # on the last point
        (7.0, 1.0),  # beyond the last point: constant
    ],
)
def test_confidence_is_linear_between_the_points_and_constant_beyond(raw: float, confidence: float) -> None:
    assert CURVE.confidence(raw) == pytest.approx(confidence, abs=1e-12)


def test_identity_leaves_probabilities_alone() -> None:
    assert [IDENTITY.confidence(raw) for raw in (0.0, 0.37, 1.0)] == [0.0, 0.37, 1.0]


def test_whole_arrays_give_the_same_as_single_scores_and_keep_their_shape() -> None:
    raw = np.linspace(-0.5, 1.5, 24, dtype=np.float32).reshape(4, 6)
    confidences = CURVE.confidences(raw)
    assert confidences.shape == (4, 6)
    assert confidences.ravel() == pytest.approx([CURVE.confidence(float(score)) for score in raw.ravel()], abs=1e-12)


def test_not_a_number_stays_so() -> None:
    assert math.isnan(CURVE.confidence(math.nan))
    assert math.isnan(CURVE.confidences([math.nan])[0])


def test_it_never_falls_and_never_leaves_the_unit_interval() -> None:
    confidences = CURVE.confidences(np.linspace(-2, 2, 1001))
    assert np.all(np.diff(confidences) >= 0)
    assert confidences.min() == 0.0
    assert confidences.max() == 1.0


def test_no_scores_give_no_confidences() -> None:
    assert CURVE.confidences([]).shape == (0,)


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([], "at least two"),  # nothing
        ([[0.5, 0.5]], "at least two"),  # one point is no map
        ([[0, 0], [1]], "pairs"),  # half a point
        ([[0, 0], [1, 1, 1]], "pairs"),  # a point and a half
        ([[0, 0], [0, 1]], "raw scores must increase"),  # a step
        ([[1, 0], [0, 1]], "raw scores must increase"),  # not sorted
        ([[0, 0.9], [1, 0.1]], "must not fall"),  # upside down
        ([[0, 0], [1, 1.5]], "from 0 to 1"),  # more than certain
        ([[0, -0.1], [1, 1]], "from 0 to 1"),  # less than impossible
        ([[0, 0], [float("nan"), 1]], "finite"),  # not a number
        ([[0, 0], [float("inf"), 1]], "finite"),  # no end
    ],
)
def test_points_that_make_no_monotone_map_are_refused(points: list[list[float]], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        Calibration.from_points(points)
