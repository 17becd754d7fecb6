from dataclasses import replace

import numpy as np
import pytest
from drawn_people import SIZE, Figure

from tagging_assets.domain.models import PersonLandmarks
from tagging_assets.domain.person import (
    MIRRORED_POSE,
    PERSON_THRESHOLD,
    PersonEvidence,
    face_plausibility,
    face_score,
    person_score,
    pose_score,
)

NOTHING = PersonLandmarks(pose=None, face=None, mask=None)
FIGURE = PersonLandmarks(pose=Figure().pose(), face=None, mask=Figure().mask())


def mirror(pose: np.ndarray) -> np.ndarray:
    """What a model without error finds in the mirrored crop."""
    turned = pose[MIRRORED_POSE].copy()
    turned[:, 0] = 1 - turned[:, 0]
    return turned


def face_at(x: float, y: float, size: float = 0.2) -> np.ndarray:
    """A mesh of the right order: eyes above nose above lips."""
    face = np.zeros((478, 3), np.float32)
    grid = np.linspace(-0.5, 0.5, 478)
    face[:, 0], face[:, 1] = x + size * grid, y + size * grid[::-1]
    places = {33: (-0.3, -0.2), 263: (0.3, -0.2), 1: (0, 0.05), 13: (0, 0.25), 14: (0, 0.26)}
    for index, (dx, dy) in places.items():
        face[index, :2] = x + size * dx, y + size * dy
    return face


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("detection_score", 0.9),  # a surer detector
        ("pose_score", 0.9),  # more of a body
        ("face_score", 1.0),  # a face
        ("area_fraction", 0.05),  # a smaller box
    ],
)
def test_person_score_is_monotone(field: str, more: float) -> None:
    weak = PersonEvidence(detection_score=0.3, pose_score=0.2, face_score=0.0, area_fraction=0.3)
    assert person_score(replace(weak, **{field: more})) > person_score(weak)


@pytest.mark.parametrize(
    ("evidence", "is_person"),
    [
        (PersonEvidence(0.70, 0.80, 1.0, 0.20), True),  # a whole person in view
        (PersonEvidence(0.50, 0.50, 1.0, 0.40), True),  # head and shoulders
        (PersonEvidence(0.60, 0.70, 0.0, 0.02), True),  # somebody far off, seen from behind
        (PersonEvidence(0.65, 0.00, 0.0, 0.60), False),  # an elephant
        (PersonEvidence(0.69, 0.00, 0.0, 1.00), False),  # a table with coffee
        (PersonEvidence(0.16, 0.25, 0.0, 1.00), False),  # an aeroplane with limbs
        (PersonEvidence(0.05, 0.00, 0.0, 0.01), False),  # noise at the detector's floor
    ],
)
def test_person_score_of_what_boxes_show(evidence: PersonEvidence, is_person: bool) -> None:
    assert (person_score(evidence) >= PERSON_THRESHOLD) is is_person


@pytest.mark.parametrize("raw", [0.0, 1.0])
@pytest.mark.parametrize("area", [0.0, 1.0])
def test_person_score_is_a_probability_at_the_ends(raw: float, area: float) -> None:
    assert 0 < person_score(PersonEvidence(raw, 0.0, 0.0, area)) < 1


def test_mirrored_pose_is_its_own_inverse() -> None:
    assert MIRRORED_POSE[MIRRORED_POSE].tolist() == list(range(33))


def test_pose_score_rewards_agreement_in_the_mirror() -> None:
    again = replace(FIGURE, pose=mirror(FIGURE.pose))
    moved = replace(FIGURE, pose=mirror(Figure(moved={"left_knee": (20, 30), "right_knee": (180, 20)}).pose()))
    sure = pose_score(FIGURE, again, SIZE)
    assert sure == pytest.approx(0.99, abs=0.03)
    assert pose_score(FIGURE, NOTHING, SIZE) == pytest.approx(sure / 2, abs=0.02)
    assert pose_score(FIGURE, NOTHING, SIZE) < pose_score(FIGURE, moved, SIZE) < sure
    assert pose_score(NOTHING, again, SIZE) == 0


def test_pose_score_asks_the_silhouette() -> None:
    empty = replace(FIGURE, mask=np.zeros((40, 20), np.uint8))
    assert pose_score(empty, NOTHING, SIZE) == 0
    assert pose_score(replace(FIGURE, mask=None), NOTHING, SIZE) == pytest.approx(0.99 / 2, abs=0.01)


def test_pose_score_ignores_points_outside_the_crop() -> None:
    pose = Figure().pose()
    pose[25:33, 1] = 1.4
    cut = PersonLandmarks(pose=pose, face=None, mask=FIGURE.mask)
    assert pose_score(cut, NOTHING, SIZE) < pose_score(FIGURE, NOTHING, SIZE)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (face_at(0.5, 0.3), face_at(0.5, 0.3), 1.0),  # the same face in the middle
        (face_at(0.3, 0.3), face_at(0.7, 0.3), 1.0),  # the same face, on the other side in the mirror
        (face_at(0.3, 0.3), face_at(0.3, 0.3), 0.5),  # two faces
        (face_at(0.3, 0.3), None, 0.5),  # one look saw it
        (None, face_at(0.3, 0.3), 0.5),  # the other one did
        (None, None, 0.0),
    ],
)
def test_face_score(first: np.ndarray | None, second: np.ndarray | None, expected: float) -> None:
    seen, mirrored = replace(NOTHING, face=first), replace(NOTHING, face=second)
    assert face_score(seen, mirrored, (400, 400)) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (face_at(0.5, 0.5), 1.0),  # in order
        (face_at(0.5, 0.5, size=0.02), 0.47),  # 8 pixels wide
        (np.full((478, 3), 0.5, np.float32), 0.0),  # collapsed to a point
        (None, 0.0),
    ],
)
def test_face_plausibility(face: np.ndarray | None, expected: float) -> None:
    assert face_plausibility(face, (400, 400)) == pytest.approx(expected, abs=0.03)


def test_a_nose_above_the_eyes_is_no_face() -> None:
    face = face_at(0.5, 0.5)
    face[1, 1] = 0.1
    assert face_plausibility(face, (400, 400)) == pytest.approx(0.3)
