"""How a photo is laid into a YOLO's input, and how boxes find back: exactly as ultralytics does it.

The resizing is OpenCV's plain bilinear one, for that is what the models were trained and measured with; a smooth one,
which looks at every pixel, is there for a model that does better with it. What does not belong here: what the model's
outputs mean (``yolo_outputs``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagging_assets.domain.models import RgbImage, Vectors

Array = NDArray[Any]

_PAD = 114
_FULL = np.float32(255)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a photo lies in the input.

    Attributes:
        width: of the photo, pixels; likewise ``height``.
        fitted_width: of the photo as it lies in the input; likewise ``fitted_height``.
        left: columns of padding before it; likewise ``right``, and rows ``top`` and ``bottom``.
    """

    width: int
    height: int
    fitted_width: int
    fitted_height: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def input_height(self) -> int:
        """Rows of the input."""
        return self.top + self.fitted_height + self.bottom

    @property
    def input_width(self) -> int:
        """Columns of the input."""
        return self.left + self.fitted_width + self.right


def letterbox(width: int, height: int, input_width: int, input_height: int, stride: int = 0) -> Letterbox:
    """Where a photo goes: as large as it fits, in the middle, its aspect kept to the pixel.

    Args:
        width: of the photo.
        height: of the photo.
        input_width: of the input, at most.
        input_height: of the input, at most.
        stride: the input shrinks to the next multiples of it around the photo (``LetterBox(auto=True)``);
            0 where its size is fixed.
    """
    scale = min(input_height / height, input_width / width)
    fitted_width, fitted_height = max(round(width * scale), 1), max(round(height * scale), 1)
    spare_width, spare_height = input_width - fitted_width, input_height - fitted_height
    if stride:
        spare_width, spare_height = spare_width % stride, spare_height % stride
    # The odd row and column of padding go to the bottom and to the right.
    left, top = spare_width // 2, spare_height // 2
    return Letterbox(width, height, fitted_width, fitted_height, left, top, spare_width - left, spare_height - top)


def lay(
    image: RgbImage, frame: Letterbox, dtype: type[np.floating[Any]] = np.float32, *, smooth: bool = False
) -> Array:
    """A photo as the model's input.

    Args:
        image: (h, w, 3) uint8.
        frame: where it goes.
        dtype: of the model's input.
        smooth: resize as Pillow does, which averages over what is made smaller.

    Returns:
        (3, input_height, input_width) in [0, 1], padding 114 / 255.
    """
    import cv2

    size = (frame.fitted_width, frame.fitted_height)
    if image.shape[1::-1] != size:
        image = _smooth(image, size) if smooth else _plain(image, size)
    made = np.empty((3, frame.input_height, frame.input_width), dtype)
    bottom, right = frame.top + frame.fitted_height, frame.left + frame.fitted_width
    made[:, : frame.top] = made[:, bottom:] = _PAD / 255
    made[:, :, : frame.left] = made[:, :, right:] = _PAD / 255
    # Plane by plane into place: half the time of transposing, converting and padding one after the other.
    for plane, into in zip(cv2.split(image), made[:, frame.top : bottom, frame.left : right], strict=True):
        np.divide(plane, _FULL, out=into, dtype=np.float32, casting="same_kind")
    return made


def _plain(image: RgbImage, size: tuple[int, int]) -> RgbImage:
    import cv2

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _smooth(image: RgbImage, size: tuple[int, int]) -> RgbImage:
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def to_photo(points: Vectors, frame: Letterbox) -> Vectors:
    """Points (…, 2k) of the input, x and y in turn, as points of the photo, clipped to it."""
    pairs = points.shape[-1] // 2
    offset = np.array([frame.left, frame.top] * pairs, np.float32)
    # Sides were rounded one by one, so each has a scale of its own.
    scale = np.array([frame.fitted_width / frame.width, frame.fitted_height / frame.height] * pairs, np.float32)
    limits = np.array([frame.width, frame.height] * pairs, np.float32)
    return np.asarray(np.clip((points - offset) / scale, 0, limits), np.float32)
