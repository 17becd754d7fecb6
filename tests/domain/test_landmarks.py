import numpy as np
import pytest
from drawn_people import SIZE, Figure

from tagging_assets.domain.landmarks import landmark_rows, look_twice, mask_from_png, mask_to_png, stored_landmarks
from tagging_assets.domain.models import ModelCard, PersonLandmarks, RgbImage, Wanted
from tagging_assets.domain.schemas import LANDMARKS

NOTHING = PersonLandmarks(pose=None, face=None, mask=None)
FIGURE = PersonLandmarks(pose=Figure().pose(), face=None, mask=Figure().mask())
PHOTO = np.zeros((400, 600, 3), np.uint8)


class ScriptedLandmarker:
    """Gives what it was told, and remembers the sizes of the crops."""

    card = ModelCard("scripted", "0", "none")
    provider = "none"

    def __init__(self, *answers: PersonLandmarks) -> None:
        self.answers, self.crops, self.wanted = list(answers), [], []

    def landmarks(self, crop: RgbImage, wanted: Wanted = "parts") -> PersonLandmarks:
        self.crops.append(crop.shape)
        self.wanted.append(wanted)
        return self.answers.pop(0)


def detection(number: int, box: tuple[float, float, float, float], score: float = 0.7) -> dict[str, object]:
    return {"detection_id": number, "score": score, "label": "person"} | dict(
        zip(("x0", "y0", "x1", "y1"), box, strict=True)
    )


@pytest.mark.parametrize("keep_points", [True, False])
def test_rows_fit_the_schema(keep_points: bool) -> None:
    boxes = [detection(0, (100, 50, 300, 350)), detection(7, (0, 0, 60, 40))]
    landmarker = ScriptedLandmarker(FIGURE, NOTHING, NOTHING)
    rows = landmark_rows(PHOTO, boxes, landmarker, keep_points=keep_points)
    assert [set(row) | {"image_id"} for row in rows] == [set(LANDMARKS.columns)] * 2
    assert [row["detection_id"] for row in rows] == [0, 7]
    assert (rows[0]["x0"], rows[0]["y0"], rows[0]["x1"], rows[0]["y1"]) == (80, 20, 320, 380)
    assert rows[0]["person_score"] > rows[1]["person_score"]
    assert (rows[0]["pose"] is not None) is keep_points
    assert rows[1]["mask_png"] is None


def test_the_mirror_is_asked_only_about_what_was_found() -> None:
    crop = PHOTO[:100, :50]
    landmarker = ScriptedLandmarker(NOTHING, FIGURE, FIGURE)
    assert look_twice(landmarker, crop) == (NOTHING, NOTHING)
    assert look_twice(landmarker, crop) == (FIGURE, FIGURE)
    assert landmarker.crops == [(100, 50, 3)] * 3


def test_a_box_outside_the_photo_shows_nobody() -> None:
    landmarker = ScriptedLandmarker()
    (row,) = landmark_rows(PHOTO, [detection(0, (600, 400, 600, 400), 0.1)], landmarker, keep_points=True)
    assert row["person_score"] < 0.5
    assert landmarker.crops == []


def test_points_come_back_from_storage() -> None:
    rows = landmark_rows(PHOTO, [detection(0, (0, 0, *SIZE))], ScriptedLandmarker(FIGURE, NOTHING), keep_points=True)
    seen = stored_landmarks(rows[0])
    np.testing.assert_array_equal(seen.pose, FIGURE.pose)
    np.testing.assert_array_equal(seen.mask, FIGURE.mask)
    assert seen.face is None


def test_mask_png_keeps_every_value() -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(mask_from_png(mask_to_png(mask)), mask)
