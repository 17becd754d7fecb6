"""Widths of a silhouette across the torso, arms left out.

A width is the run of silhouette pixels that holds the body's midline, on a line square to the torso. Where an arm
lies against the body the run is cut at the arm, and the width is less sure. What does not belong here: ratios.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.geometry import Mask, run_around
from tagging_assets.domain.skeleton import Point, Skeleton

#: Where the waist and the hips are looked for, along the torso: 0 at the shoulder points, 1 at the hip points. By
#: the segment lengths of Drillis and Contini ("Body Segment Parameters", 1966) the ribs end at about 0.55 and the
#: pelvis begins at about 0.75.
_WAIST_BAND, _HIP_BAND = (0.5, 0.85), (0.85, 1.15)

#: Lines a band is measured on.
_LINES = 13

#: Steps per pixel along a line.
_STEPS = 2

#: Half the thickness of an upper arm, in torso lengths (about 5 of 50 cm).
_ARM = 0.10

#: How far flesh reaches beyond a shoulder point, in torso lengths; what lies further out is a raised arm.
_BEYOND_SHOULDER = 0.16

_ARM_PARTS = (("shoulder", "elbow"), ("elbow", "wrist"))


@dataclass(frozen=True, slots=True)
class Width:
    """A width in pixels with its confidence in [0, 1]."""

    length: float
    confidence: float


@dataclass(frozen=True, slots=True)
class TorsoWidths:
    """Widths that could be measured, and the torso's length, in pixels."""

    torso: float
    shoulder: Width | None = None
    waist: Width | None = None
    hip: Width | None = None


@dataclass(frozen=True, slots=True)
class _Slice:
    """The run of silhouette on one line: pixels left and right of the midline, whether an arm is part of it."""

    left: float
    right: float
    arm: bool

    @property
    def width(self) -> float:
        return self.left + self.right


def torso_widths(skeleton: Skeleton, mask: Mask) -> TorsoWidths:
    """Measure shoulders, waist and hips.

    Args:
        skeleton: in the pixels of the mask.
        mask: (h, w) silhouette.

    Returns:
        Widths; ``None`` where the torso is not seen, is turned away, or the silhouette goes beyond the crop.
    """
    torso = skeleton.torso
    sure = skeleton.torso_visibility * skeleton.frontality
    if sure == 0 or torso < 8:
        return TorsoWidths(max(torso, 1.0))
    return TorsoWidths(
        torso,
        _scaled(_shoulder(skeleton, mask), sure),
        _scaled(_extreme(skeleton, mask, _WAIST_BAND, widest=False), sure * (0.4 + 0.6 * skeleton.standing)),
        # The lap of somebody who sits is no hip.
        _scaled(_extreme(skeleton, mask, _HIP_BAND, widest=True), sure * skeleton.standing),
    )


def _scaled(width: Width | None, sure: float) -> Width | None:
    return None if width is None else Width(width.length, width.confidence * sure)


def _shoulder(skeleton: Skeleton, mask: Mask) -> Width | None:
    """Silhouette at the shoulder points, not further out than flesh reaches beyond them."""
    left, right = skeleton.at("left_shoulder"), skeleton.at("right_shoulder")
    joints = float(np.hypot(*(left - right)))
    found = _run(mask, skeleton.shoulders, _across(skeleton))
    if found is None:
        return None
    limit = joints / 2 + _BEYOND_SHOULDER * skeleton.torso
    # A raised arm or hair on the shoulders makes the edge uncertain, the joints remain.
    clipped = (found.left > limit) + (found.right > limit)
    return Width(min(found.left, limit) + min(found.right, limit), 1.0 - 0.2 * clipped)


def _extreme(skeleton: Skeleton, mask: Mask, band: tuple[float, float], *, widest: bool) -> Width | None:
    """The second narrowest or widest run in a band of the torso, so that one bad line is no matter."""
    along = skeleton.hips - skeleton.shoulders
    slices = []
    for place in np.linspace(*band, _LINES):
        found = _torso_run(skeleton, mask, skeleton.shoulders + place * along)
        if found is not None:
            slices.append(found)
    if len(slices) < _LINES // 2:
        return None
    ranked = sorted(slices, key=lambda one: one.width, reverse=widest)
    whole = len(slices) / _LINES
    arms = sum(one.arm for one in slices) / len(slices)
    return Width(ranked[1].width, whole * (1 - 0.6 * arms))


def _torso_run(skeleton: Skeleton, mask: Mask, centre: Point) -> _Slice | None:
    """The run at a point of the midline with the arms cut off."""
    across = _across(skeleton)
    found = _run(mask, centre, across)
    if found is None:
        return None
    sides, arm = {-1.0: found.left, 1.0: found.right}, False
    thickness = _ARM * skeleton.torso
    for offset in _arm_crossings(skeleton, centre, across):
        side, edge = float(np.copysign(1.0, offset)), abs(offset) - thickness
        if edge >= sides[side]:
            continue
        # An arm in front of the body hides its outline at most; one that hangs beside it is taken off.
        arm = True
        if edge > 1.5 * thickness:
            sides[side] = edge
    return _Slice(sides[-1.0], sides[1.0], arm)


def _across(skeleton: Skeleton) -> Point:
    """Unit vector square to the torso, towards the picture's right for somebody upright."""
    x, y = (skeleton.hips - skeleton.shoulders) / skeleton.torso
    return np.array([y, -x])


def _run(mask: Mask, centre: Point, across: Point) -> _Slice | None:
    """Silhouette around a point along a line; ``None`` where the point is off it or the run leaves the crop."""
    height, width = mask.shape
    reach = int(np.hypot(height, width)) * _STEPS
    steps = np.arange(-reach, reach + 1) / _STEPS
    x = np.floor(centre[0] + steps * across[0]).astype(np.intp)
    y = np.floor(centre[1] + steps * across[1]).astype(np.intp)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    row: NDArray[np.bool_] = np.zeros(len(steps), np.bool_)
    row[inside] = mask[y[inside], x[inside]]
    run = run_around(row, reach)
    if run is None:
        return None
    first, last = np.flatnonzero(inside)[[0, -1]]
    if run[0] <= first or run[1] > last:
        return None
    return _Slice((reach - run[0]) / _STEPS, (run[1] - reach) / _STEPS, False)


def _arm_crossings(skeleton: Skeleton, centre: Point, across: Point) -> list[float]:
    """Where upper and lower arms cross a line through the torso, as signed distances from the midline."""
    along = np.array([-across[1], across[0]])
    crossings = []
    for side in ("left", "right"):
        for upper, lower in _ARM_PARTS:
            names = (f"{side}_{upper}", f"{side}_{lower}")
            if skeleton.visibility(*names) == 0:
                continue
            first, second = (skeleton.at(name) - centre for name in names)
            height_first, height_second = float(first @ along), float(second @ along)
            if height_first * height_second < 0:
                share = height_first / (height_first - height_second)
                crossings.append(float((first + share * (second - first)) @ across))
    return crossings
