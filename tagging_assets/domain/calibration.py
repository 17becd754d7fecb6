"""From a model's raw score to a confidence: a monotone, piecewise-linear map through a few points.

Raw scores of different models are not comparable (a cosine of 0.3 is high for one encoder and low for another);
confidences are: 0.8 means that about eight of ten such labels are right. A piecewise-linear map is the smallest
form that isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass
probability estimates", KDD 2002) can be thinned to, and the only one an operator can read and edit in YAML.

What does not belong here: which map a model has (the catalogue of weights says) and what is done with the
confidence (``fusion``).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tagging_assets.domain.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Calibration:
    """A non-decreasing map from raw score to confidence, constant beyond its first and last point.

    Attributes:
        points: at least two pairs (raw score, confidence in [0, 1]), raw scores strictly increasing.

    Raises:
        SettingsError: the points do not make such a map.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise SettingsError("calibration needs at least two [raw, confidence] points, e.g. [[0, 0], [1, 1]]")
        if not all(math.isfinite(number) for point in self.points for number in point):
            raise SettingsError("calibration points must be finite numbers")
        for raw, confidence in self.points:
            if not 0.0 <= confidence <= 1.0:
                raise SettingsError(
                    f"calibration point [{raw:g}, {confidence:g}]: the second number is a confidence from 0 to 1"
                )
        for (raw, confidence), (next_raw, next_confidence) in zip(self.points, self.points[1:], strict=False):
            here = f"calibration points [{raw:g}, {confidence:g}] and [{next_raw:g}, {next_confidence:g}]"
            if next_raw <= raw:
                raise SettingsError(f"{here}: raw scores must increase; sort them and drop doubles")
            if next_confidence < confidence:
                raise SettingsError(f"{here}: confidence must not fall as the raw score rises")

    @classmethod
    def from_points(cls, points: Sequence[Sequence[float]]) -> "Calibration":
        """Read ``[[raw, confidence], …]`` as YAML gives it.

        Raises:
            SettingsError: a point is not a pair, or the points make no monotone map.
        """
        for point in points:
            if len(point) != 2:
                raise SettingsError(f"calibration point {list(point)}: write pairs [raw score, confidence]")
        return cls(tuple((float(raw), float(confidence)) for raw, confidence in points))

    def confidence(self, raw: float) -> float:
        """Confidence in [0, 1] of one raw score; not a number stays not a number."""
        after = bisect_right(self.points, raw, key=itemgetter(0))
        if math.isnan(raw):
            return raw
        if after in (0, len(self.points)):
            return self.points[max(0, after - 1)][1]
        (x0, y0), (x1, y1) = self.points[after - 1 : after + 1]
        return y0 + (y1 - y0) * (raw - x0) / (x1 - x0)

    def confidences(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Confidences in [0, 1], float64, of the shape of ``raw``."""
        knots = np.asarray(self.points, dtype=np.float64)
        return np.asarray(np.interp(np.asarray(raw, dtype=np.float64), knots[:, 0], knots[:, 1]))


#: For sources whose raw score is a probability already.
IDENTITY = Calibration(((0.0, 0.0), (1.0, 1.0)))
