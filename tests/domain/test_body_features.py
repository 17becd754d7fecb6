import numpy as np
import pytest
from drawn_people import SIZE, Figure, no_face
from PIL import Image

from tagging_assets.domain.body_features import FEATURES, Feature, body_feature_rows, body_features
from tagging_assets.domain.landmarks import mask_to_png
from tagging_assets.domain.models import PersonLandmarks
from tagging_assets.domain.schemas import BODY_FEATURES

CROP = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
WIDTHS = (
    "shoulder_width",
    "waist_width",
    "hip_width",
    "waist_hip_ratio",
    "shoulder_hip_ratio",
    "shoulder_waist_ratio",
)


def measured(figure: Figure) -> dict[str, Feature]:
    seen = PersonLandmarks(pose=figure.pose(), face=None, mask=figure.mask())
    return {feature.name: feature for feature in body_features(CROP, seen)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shoulder_width", 0.90),  # in torso lengths, as drawn
        ("waist_width", 0.56),
        ("hip_width", 0.84),
        ("waist_hip_ratio", 56 / 84),
        ("shoulder_hip_ratio", 90 / 84),
        ("shoulder_waist_ratio", 90 / 56),
        ("leg_length_ratio", 160 / 332),  # hip 190 to heel 350; top of the head 18
        ("silhouette_aspect", 338 / 160),  # arms included
    ],
)
def test_a_standing_figure(name: str, expected: float) -> None:
    feature = measured(Figure())[name]
    assert feature.value == pytest.approx(expected, rel=0.05)
    assert feature.confidence > 0.8


def test_arms_that_touch_the_body_are_taken_off_and_make_it_less_sure() -> None:
    hanging = Figure(
        moved={
            "left_elbow": (138, 150),
            "left_wrist": (150, 205),
            "right_elbow": (62, 150),
            "right_wrist": (50, 205),
        }
    )
    free, touching = measured(Figure()), measured(hanging)
    assert touching["waist_width"].value == pytest.approx(0.56, rel=0.12)
    assert 0 < touching["waist_width"].confidence < free["waist_width"].confidence


def test_raised_arms_are_no_shoulders() -> None:
    raised = Figure(
        moved={"left_elbow": (175, 90), "left_wrist": (190, 60), "right_elbow": (25, 90), "right_wrist": (10, 60)}
    )
    shoulders = measured(raised)["shoulder_width"]
    assert shoulders.value == pytest.approx(0.9, rel=0.15)
    assert shoulders.confidence < measured(Figure())["shoulder_width"].confidence


@pytest.mark.parametrize(
    ("figure", "unseen"),
    [
        # from behind: left and right have changed places
        (Figure(moved={"left_shoulder": (65, 90), "right_shoulder": (135, 90)}), WIDTHS),
        # in profile: the shoulders lie behind each other
        (Figure(moved={"left_shoulder": (103, 90), "right_shoulder": (97, 90)}), WIDTHS),
        # turned away by the model's depth
        (Figure(depth={"left_shoulder": 100, "right_shoulder": -100}), WIDTHS),
        # hips hidden by a table
        (Figure(hidden=("left_hip", "right_hip")), (*WIDTHS, "leg_length_ratio")),
        # hips below the crop
        (Figure(moved={"left_hip": (118, 450), "right_hip": (82, 450)}), (*WIDTHS, "leg_length_ratio")),
        # sitting: thighs to the sides, and a lap is no hip
        (Figure(moved={"left_knee": (190, 200), "right_knee": (10, 200)}), ("leg_length_ratio", "hip_width")),
        # sitting: thighs towards the camera
        (Figure(moved={"left_knee": (118, 215), "right_knee": (82, 215)}), ("leg_length_ratio", "hip_width")),
        # feet hidden
        (Figure(hidden=("left_heel", "right_heel")), ("leg_length_ratio",)),
        # lying
        (
            Figure(
                moved={
                    "left_shoulder": (40, 180),
                    "right_shoulder": (40, 240),
                    "left_hip": (140, 190),
                    "right_hip": (140, 230),
                }
            ),
            ("leg_length_ratio",),
        ),
    ],
)
def test_what_cannot_be_seen_is_null(figure: Figure, unseen: tuple[str, ...]) -> None:
    features = measured(figure)
    for name in unseen:
        assert (name, features[name]) == (name, Feature(name, None, None, 0.0))


def test_a_silhouette_cut_by_the_crop_is_less_sure() -> None:
    whole = measured(Figure())["silhouette_aspect"].confidence
    mask = Figure().mask().copy()
    mask[-60:, :] = mask[-60, :]
    seen = PersonLandmarks(pose=None, face=None, mask=mask)
    cut = {feature.name: feature.confidence for feature in body_features(CROP, seen)}
    assert 0 < cut["silhouette_aspect"] < whole


def face_with_lips(**moved: tuple[float, float]) -> np.ndarray:
    """A face in the crop of 200 x 400 with lips 19 high and 40 wide."""
    places = {0: (100, 190), 13: (100, 199), 14: (100, 201), 17: (100, 211), 61: (80, 200), 291: (120, 200)}
    places |= {33: (70, 120), 263: (130, 120)}
    face = no_face()
    for index, place in (places | {int(key[1:]): value for key, value in moved.items()}).items():
        face[index, :2] = np.array(place) / SIZE
    return face


def lips(face: np.ndarray) -> Feature:
    seen = PersonLandmarks(pose=None, face=face, mask=None)
    return next(one for one in body_features(CROP, seen) if one.name == "lip_thickness_ratio")


def test_lip_thickness() -> None:
    feature = lips(face_with_lips())
    assert feature.value == pytest.approx(19 / 40, rel=0.01)
    assert feature.confidence == 1


@pytest.mark.parametrize(
    "face",
    [
        face_with_lips(_61=(96, 200), _291=(104, 200)),  # a mouth of eight pixels
        face_with_lips(_14=(100, 240), _17=(100, 250)),  # wide open
    ],
)
def test_lips_that_cannot_be_measured(face: np.ndarray) -> None:
    assert lips(face).value is None


def test_lips_of_a_turned_head() -> None:
    face = face_with_lips()
    face[263, 2] = 60 / SIZE[0]
    assert lips(face).value is None


def test_nothing_seen_gives_every_feature_as_null() -> None:
    features = body_features(CROP, PersonLandmarks(pose=None, face=None, mask=None))
    assert [feature.name for feature in features] == list(FEATURES)
    assert all(feature == Feature(feature.name, None, None, 0.0) for feature in features)


def stored(person_score: float, *, points: bool = True) -> dict[str, object]:
    return {
        "detection_id": 3, "x0": 0.0, "y0": 0.0, "x1": float(SIZE[0]), "y1": float(SIZE[1]),
        "person_score": person_score,
        "pose": Figure().pose().ravel().tolist() if points else None,
        "face": None,
        "mask_png": mask_to_png(Figure().mask()) if points else None,
        "parts_png": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (stored(0.9), len(FEATURES)),  # a person
        (stored(0.4), 0),  # probably none
        (stored(0.9, points=False), 0),  # points are not kept
    ],
)
def test_rows(row: dict[str, object], count: int) -> None:
    rows = body_feature_rows(CROP, [row])
    assert len(rows) == count
    assert all(set(one) | {"image_id"} == set(BODY_FEATURES.columns) for one in rows)
    assert all(0 <= one["confidence"] <= 1 for one in rows)


def test_ratios_do_not_depend_on_the_size_of_the_mask() -> None:
    mask = Figure().mask()
    large = np.asarray(Image.fromarray(mask).resize((300, 600), Image.Resampling.BILINEAR))
    first, second = (
        body_features(CROP, PersonLandmarks(pose=Figure().pose(), face=None, mask=one)) for one in (mask, large)
    )
    for one, other in zip(first, second, strict=True):
        assert (one.value is None) == (other.value is None)
        assert one.value is None or one.value == pytest.approx(other.value, rel=0.05)
