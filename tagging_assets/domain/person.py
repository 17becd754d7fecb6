"""How likely a box shows a person: one calibrated score out of detector, pose, silhouette and face.

The embedded detector alone takes dogs, birds and coffee cups for people. So every box is looked at twice more, as
it is and mirrored: a body that is really there is found at the same place both times, an imagined one is not. What
was seen is weighed by a logistic regression of four numbers.

What does not belong here: finding anything in pixels, and rows of tables (``tagging_assets.domain.landmarks``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.models import PersonLandmarks

Floats32 = NDArray[np.float32]

#: Above this a box counts as a person.
PERSON_THRESHOLD = 0.5

#: Index of each of the 33 BlazePose points on the other side of the body.
MIRRORED_POSE = np.array(
    [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9] + [point for left in range(11, 33, 2) for point in (left + 1, left)],
    dtype=np.intp,
)

#: Distance, relative to the crop's diagonal, at which two looks at one point agree by 1/e.
_POSE_TOLERANCE = 0.04

#: The same for the centre of a face, relative to the face's diagonal.
_FACE_TOLERANCE = 0.2

#: Coefficients of :func:`person_score`, fitted by ``benchmarks/person_score.py`` to the boxes of the embedded
#: detector (``person-yolov8s``) on 128 COCO train2017 photos, 61 of them with people: log-odds of the detector,
#: pose, face, log of the area. In eightfold cross-validation "a person is in the photo" has precision 0.905 and
#: recall 0.890 (detector alone 0.82 and 0.74 at the same threshold), average precision 0.96 (0.85).
EMBEDDED_WEIGHING = (-2.32, 0.59, 4.21, 2.60, -0.335)

#: Intercept, then what each number of :func:`evidence_vector` counts.
Weighing = Sequence[float]


@dataclass(frozen=True, slots=True)
class PersonEvidence:
    """What speaks for a person in a box.

    Attributes:
        detection_score: the detector's raw score, [0, 1].
        pose_score: see :func:`pose_score`, [0, 1].
        face_score: see :func:`face_score`, [0, 1].
        area_fraction: share of the photo that the box covers, (0, 1].
    """

    detection_score: float
    pose_score: float
    face_score: float
    area_fraction: float


def evidence_vector(evidence: PersonEvidence) -> NDArray[np.float64]:
    """The four numbers the regression weighs: log-odds of the detector, pose, face, log of the area."""
    raw = min(max(evidence.detection_score, 1e-3), 1 - 1e-3)
    area = min(max(evidence.area_fraction, 1e-4), 1.0)
    return np.array([math.log(raw / (1 - raw)), evidence.pose_score, evidence.face_score, math.log(area)])


def person_score(evidence: PersonEvidence, weighing: Weighing = EMBEDDED_WEIGHING) -> float:
    """Probability that the box shows a person, [0, 1].

    Rises with the detector's score, the pose and the face; with the embedded detector it falls with the share of
    the photo, because large false boxes are what that one draws around rooms, pets and vehicles.

    Args:
        evidence: what speaks for a person.
        weighing: five coefficients, fitted to the boxes of the detector in use.
    """
    log_odds = weighing[0] + float(np.dot(weighing[1:], evidence_vector(evidence)))
    return float(1 / (1 + np.exp(-log_odds)))


def pose_score(seen: PersonLandmarks, mirrored: PersonLandmarks, crop_size: tuple[int, int]) -> float:
    """How much of a body was found, and found again in the mirror, [0, 1].

    The mean over the 33 points of visibility times (lies on the silhouette + was at the same place in the mirrored
    crop) / 2. A whole body in clear view scores about 0.9, head and shoulders about 0.5, nothing 0.

    Args:
        seen: landmarks of the crop.
        mirrored: landmarks of the same crop flipped left to right, in its own coordinates.
        crop_size: (width, height) of the crop in pixels.
    """
    if seen.pose is None:
        return 0.0
    visibility = np.clip(seen.pose[:, 3], 0, 1)
    support = (_on_mask(seen.pose, seen.mask) + _pose_agreement(seen.pose, mirrored.pose, crop_size)) / 2
    return float((visibility * support).mean())


def face_score(seen: PersonLandmarks, mirrored: PersonLandmarks, crop_size: tuple[int, int]) -> float:
    """How surely there is a face, [0, 1]: half for each look that found a plausible one, less where they differ.

    Args:
        seen: landmarks of the crop.
        mirrored: landmarks of the same crop flipped left to right, in its own coordinates.
        crop_size: (width, height) of the crop in pixels.
    """
    first = face_plausibility(seen.face, crop_size)
    second = face_plausibility(mirrored.face, crop_size)
    if seen.face is None or mirrored.face is None:
        return (first + second) / 2
    size = np.array(crop_size)
    again = mirrored.face[:, :2].mean(axis=0)
    centre = seen.face[:, :2].mean(axis=0)
    apart = float(np.hypot(*((centre - (1 - again[0], again[1])) * size)))
    diagonal = float(np.hypot(*(np.ptp(seen.face[:, :2], axis=0) * size)))
    agreement = float(np.exp(-((apart / (_FACE_TOLERANCE * max(diagonal, 1e-6))) ** 2)))
    return (first + second) / 2 * (1 + agreement) / 2


#: Points of the face mesh: outer corners of the eyes, tip of the nose, inner lips, chin, forehead.
_EYES, _NOSE, _LIPS = (33, 263), 1, (13, 14)


def face_plausibility(face: Floats32 | None, crop_size: tuple[int, int]) -> float:
    """Whether the mesh has the order of a face, [0, 1]: eyes, nose, lips in line, and large enough to be seen.

    The mesh model fits a face to whatever it is given; on what is none it often comes out crumpled or tiny.
    """
    if face is None:
        return 0.0
    points = face[:, :2] * np.array(crop_size, np.float32)
    eyes = points[list(_EYES)].mean(axis=0)
    down = points[list(_LIPS)].mean(axis=0) - eyes
    length = float(np.hypot(*down))
    height = float(np.hypot(*np.ptp(points, axis=0)))
    if length <= 0 or height <= 0:
        return 0.0
    nose = float((points[_NOSE] - eyes) @ down) / length**2
    in_order = 0.2 < nose < 1.1
    large = min(1.0, height / 24)
    return large if in_order else 0.3 * large


def _on_mask(pose: Floats32, mask: NDArray[np.uint8] | None) -> NDArray[np.float64]:
    """Probability that each point lies on the silhouette; 0 outside the crop, 1 without a mask to ask."""
    inside = np.asarray(((pose[:, :2] >= 0) & (pose[:, :2] < 1)).all(axis=1), np.bool_)
    if mask is None:
        return inside.astype(np.float64)
    height, width = mask.shape
    x = np.clip((pose[:, 0] * width).astype(np.intp), 0, width - 1)
    y = np.clip((pose[:, 1] * height).astype(np.intp), 0, height - 1)
    found: NDArray[np.float64] = np.where(inside, mask[y, x] / 255.0, 0.0)
    return found


def _pose_agreement(pose: Floats32, mirrored: Floats32 | None, crop_size: tuple[int, int]) -> NDArray[np.float64]:
    """How well each point was found again in the mirror, (33,) in [0, 1]."""
    if mirrored is None:
        return np.zeros(len(pose))
    again = mirrored[MIRRORED_POSE, :2].astype(np.float64)
    again[:, 0] = 1 - again[:, 0]
    size = np.array(crop_size, np.float64)
    apart = np.hypot(*((again - pose[:, :2]) * size).T)
    return np.asarray(np.exp(-((apart / (_POSE_TOLERANCE * np.hypot(*size))) ** 2)), np.float64)
