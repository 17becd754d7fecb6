"""Where the labels of a plot go so that none hides a point or another label.

What does not belong here: drawing (``report_plots``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Distances of a label's nearest edge from its point in pixels at 100 dpi, and angles in degrees, in the order tried.
_REACHES = (9.0, 18.0, 30.0, 45.0, 62.0, 82.0, 105.0)
_ANGLES = (0.0, 180.0, 45.0, -45.0, 135.0, -135.0, 90.0, -90.0)


@dataclass(frozen=True, slots=True)
class Label:
    """A text of ``width`` by ``height`` pixels that belongs to the point (``x``, ``y``)."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """Centre of a label, and whether it is so far off that a line must lead to it."""

    x: float
    y: float
    far: bool


_Box = tuple[float, float, float, float]


def place_labels(labels: Sequence[Label], bounds: _Box, scale: float = 1.0) -> list[Placed]:
    """Places in the order of the labels; where all is full, the place that hides least.

    Args:
        labels: with their points, in pixels.
        bounds: (x0, y0, x1, y1) that labels stay within.
        scale: dots per inch, divided by 100.
    """
    taken = [(one.x - 5 * scale, one.y - 5 * scale, one.x + 5 * scale, one.y + 5 * scale) for one in labels]
    placed = []
    for label in labels:
        tries = [(reach, angle) for reach in _REACHES for angle in _ANGLES]
        boxes = [_box(label, reach * scale, angle) for reach, angle in tries]
        costs = [_hidden(box, taken) + 4 * _outside(box, bounds) for box in boxes]
        best = min(range(len(tries)), key=lambda at: (costs[at] > 0.0, costs[at], at))
        taken.append(boxes[best])
        x0, y0, x1, y1 = boxes[best]
        placed.append(Placed((x0 + x1) / 2, (y0 + y1) / 2, tries[best][0] > _REACHES[1]))
    return placed


def _box(label: Label, reach: float, angle: float) -> _Box:
    across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = label.x + across * reach + _side(across) * label.width / 2
    y = label.y + up * reach + _side(up) * label.height / 2
    return x - label.width / 2, y - label.height / 2, x + label.width / 2, y + label.height / 2


def _side(way: float) -> float:
    return 0.0 if abs(way) < 0.1 else math.copysign(1.0, way)


def _hidden(box: _Box, taken: Sequence[_Box]) -> float:
    return sum(_overlap(box, other) for other in taken)


def _outside(box: _Box, bounds: _Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) - _overlap(box, bounds)


def _overlap(one: _Box, other: _Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0
