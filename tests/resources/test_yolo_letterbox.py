"""Photos lie in the input as ultralytics lays them, and boxes find back."""

import numpy as np
import pytest

from resources.yolo_letterbox import Letterbox, lay, letterbox, to_photo


@pytest.mark.parametrize(
    ("width", "height", "stride", "frame"),
    [
        (640, 640, 0, Letterbox(640, 640, 640, 640, 0, 0, 0, 0)),  # nothing to do
        (640, 320, 0, Letterbox(640, 320, 640, 320, 0, 160, 0, 160)),  # padded above and below
        (640, 320, 32, Letterbox(640, 320, 640, 320, 0, 0, 0, 0)),  # a rectangle of multiples of 32 needs no padding
        (640, 427, 32, Letterbox(640, 427, 640, 427, 0, 10, 0, 11)),  # the odd row goes below
        (427, 640, 32, Letterbox(427, 640, 427, 640, 10, 0, 11, 0)),
        (640, 1280, 0, Letterbox(640, 1280, 320, 640, 160, 0, 160, 0)),  # shrunk, padded left and right
        (32, 64, 0, Letterbox(32, 64, 320, 640, 160, 0, 160, 0)),  # enlarged
        (5000, 1, 0, Letterbox(5000, 1, 640, 1, 0, 319, 0, 320)),  # so thin that a row must be kept
        (5000, 1, 32, Letterbox(5000, 1, 640, 1, 0, 15, 0, 16)),
        (810, 1080, 32, Letterbox(810, 1080, 480, 640, 0, 0, 0, 0)),
    ],
)
def test_where_a_photo_goes(width: int, height: int, stride: int, frame: Letterbox) -> None:
    assert letterbox(width, height, 640, 640, stride) == frame


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("width", "height"), [(64, 32), (33, 64), (128, 90), (7, 3)])
def test_the_photo_is_where_the_frame_says(width: int, height: int, dtype: type) -> None:
    frame = letterbox(width, height, 64, 64, 32)
    made = lay(np.full((height, width, 3), (255, 51, 0), np.uint8), frame, dtype)
    assert made.dtype == dtype
    assert made.shape == (3, frame.input_height, frame.input_width)
    inside = made[:, frame.top : frame.top + frame.fitted_height, frame.left : frame.left + frame.fitted_width]
    assert pytest.approx(np.tile([1, 0.2, 0], (inside[0].size, 1)), abs=1e-3) == inside.reshape(3, -1).T
    assert made.sum() - inside.sum() == pytest.approx((made.size - inside.size) * 114 / 255, rel=1e-2)


def test_boxes_find_back_to_the_photo_and_stay_in_it() -> None:
    frame = letterbox(640, 1280, 640, 640)
    found = to_photo(np.array([[160, 0, 480, 640], [0, -10, 200, 20]], np.float32), frame)
    assert found == pytest.approx(np.array([[0, 0, 640, 1280], [0, 0, 80, 40]], np.float32))


def test_each_side_has_a_scale_of_its_own() -> None:
    """A photo of 1000 by 333 pixels becomes 640 by 213, not 213.12: its lower edge is at row 213."""
    frame = letterbox(1000, 333, 640, 640, 32)
    (found,) = to_photo(np.array([[0, frame.top, 640, frame.top + 213]], np.float32), frame)
    assert found == pytest.approx([0, 0, 1000, 333])
