"""A BlazePose skeleton in pixels, with names instead of indices, and what can be told of how it stands.

Topology: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", CV4ARVR 2020. Left and right are
the person's own. What does not belong here: silhouettes and pixels.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float64]

#: Index of each point that is used.
POINTS: dict[str, int] = {
    "nose": 0,
    "left_shoulder": 11,
    "right_shoulder": 12,
    "left_elbow": 13,
    "right_elbow": 14,
    "left_wrist": 15,
    "right_wrist": 16,
    "left_hip": 23,
    "right_hip": 24,
    "left_knee": 25,
    "right_knee": 26,
    "left_ankle": 27,
    "right_ankle": 28,
    "left_heel": 29,
    "right_heel": 30,
}

#: Below this a point is a guess of the model's, not something seen.
MIN_VISIBILITY = 0.5

#: Points this far outside of the crop, relative to its side, still count as on its edge.
_SLACK = 0.02


def ramp(value: float, zero: float, one: float) -> float:
    """0 at ``zero``, 1 at ``one``, straight between, flat beyond; either may be the larger."""
    return float(np.clip((value - zero) / (one - zero), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg from hip joint to heel.

    Attributes:
        length: hip to knee to heel, in pixels.
        straightness: 1 where thigh and shin go on straight below the torso, 0 where somebody sits or kneels.
        visibility: of the least visible joint, [0.5, 1].
    """

    length: float
    straightness: float
    visibility: float


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Points in pixels.

    Attributes:
        xyz: (33, 3): x right, y down, z away from the camera, all in pixels (z is the model's guess).
        seen: (33,) visibility in [0, 1]; 0 for points outside of the crop.
    """

    xyz: NDArray[np.float64]
    seen: NDArray[np.float64]

    @classmethod
    def of(cls, pose: NDArray[np.float32], size: tuple[int, int]) -> Self:
        """A skeleton of (33, 5) landmarks, scaled to a crop or mask of ``size`` (width, height)."""
        inside = ((pose[:, :2] > -_SLACK) & (pose[:, :2] < 1 + _SLACK)).all(axis=1)
        # z is in units of x: a share of the width.
        xyz = pose[:, :3].astype(np.float64) * (size[0], size[1], size[0])
        return cls(xyz, np.asarray(np.where(inside, np.clip(pose[:, 3], 0, 1), 0.0), np.float64))

    def at(self, name: str) -> Point:
        """Place of a point in the picture."""
        return self.xyz[POINTS[name], :2]

    def visibility(self, *names: str) -> float:
        """Of the least visible of some points; 0 where any of them is a guess or outside of the crop."""
        least = float(min(self.seen[POINTS[name]] for name in names))
        return least if least >= MIN_VISIBILITY else 0.0

    @property
    def shoulders(self) -> Point:
        """Middle of the shoulder points."""
        return (self.at("left_shoulder") + self.at("right_shoulder")) / 2

    @property
    def hips(self) -> Point:
        """Middle of the hip points."""
        return (self.at("left_hip") + self.at("right_hip")) / 2

    @property
    def torso(self) -> float:
        """Length from the middle of the shoulders to the middle of the hips."""
        return float(np.hypot(*(self.hips - self.shoulders)))

    @property
    def torso_visibility(self) -> float:
        """Visibility of shoulders and hips."""
        return self.visibility("left_shoulder", "right_shoulder", "left_hip", "right_hip")

    @property
    def tilt(self) -> float:
        """Degrees between the torso and the picture's vertical; 0 upright, 180 upside down."""
        x, y = self.hips - self.shoulders
        return float(np.degrees(np.arctan2(abs(x), y)))

    @property
    def frontality(self) -> float:
        """How squarely the torso faces the camera: 1 to about 30 degrees, 0 in profile and seen from behind.

        From the shoulders' distance in the picture against the torso's length and against their distance in depth.
        """
        left, right = self.xyz[POINTS["left_shoulder"]], self.xyz[POINTS["right_shoulder"]]
        axis = (self.hips - self.shoulders) / max(self.torso, 1e-6)
        # Seen from the front, the person's left is on the picture's right: the axis turned a quarter.
        width = float((left - right)[:2] @ np.array([axis[1], -axis[0]]))
        if width <= 0:
            return 0.0
        turn = float(np.degrees(np.arctan2(abs(left[2] - right[2]), width)))
        return ramp(width / max(self.torso, 1e-6), 0.25, 0.5) * ramp(turn, 65.0, 30.0)

    @property
    def standing(self) -> float:
        """1 where the thighs go on straight below the torso, 0 where somebody sits; 0.7 where no knee is seen."""
        seen = []
        for side in ("left", "right"):
            if self.visibility(f"{side}_hip", f"{side}_knee"):
                thigh = self.at(f"{side}_knee") - self.at(f"{side}_hip")
                bend = _degrees_between(self.hips - self.shoulders, thigh)
                # A thigh is about as long as four fifths of a torso; one that points at the camera looks short.
                long = ramp(float(np.hypot(*thigh)) / max(self.torso, 1e-6), 0.45, 0.65)
                seen.append(ramp(bend, 45.0, 25.0) * long)
        return min(seen, default=0.7)

    def leg(self, side: str) -> Leg | None:
        """One leg; ``None`` where one of its joints is not seen."""
        names = (f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_heel")
        visibility = self.visibility(*names)
        if visibility == 0:
            return None
        hip, knee, _, heel = (self.at(name) for name in names)
        thigh, shin, torso = knee - hip, heel - knee, self.hips - self.shoulders
        lengths = [float(np.hypot(*part)) for part in (thigh, shin)]
        bend = max(_degrees_between(torso, thigh), _degrees_between(thigh, shin))
        # A thigh that points at the camera looks short: somebody sits.
        foreshortened = ramp(lengths[0] / max(lengths[1], 1e-6), 0.5, 0.75)
        return Leg(sum(lengths), ramp(bend, 40.0, 20.0) * foreshortened, visibility)


def _degrees_between(first: Point, second: Point) -> float:
    norms = float(np.hypot(*first) * np.hypot(*second))
    if norms == 0:
        return 180.0
    return float(np.degrees(np.arccos(np.clip(first @ second / norms, -1, 1))))
