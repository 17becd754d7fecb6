"""Pictures as models want them: carries out :class:`~resources.model_notes.Preprocessing`.

The same pixels as torchvision's, open_clip's and timm's evaluation transforms give, rounding included; tests compare
them. It takes less work than they do: only the part that is not cut off is resized, and scaling, mean and deviation
are looked up in a table of 256 values a channel.

What does not belong here: letterboxes of detectors (``yolo_letterbox``), whose boxes must be turned back.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.model_notes import Preprocessing
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.models import RgbImage, Vectors

#: Raise it where the same words would give other pixels.
_VERSION = 1

Fit = Literal["shortest", "squash", "pad", "square"]

_OPEN_CLIP_FIT: Mapping[str, Fit] = {"shortest": "shortest", "squash": "squash", "longest": "pad"}
_TIMM_FIT: Mapping[str, Fit] = {"center": "shortest", "squash": "squash", "border": "pad"}

_PILLOW: Mapping[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def prepare(image: RgbImage, how: Preprocessing) -> Vectors:
    """One picture as a model's input, without a batch axis.

    Args:
        image: upright sRGB (h, w, 3) uint8, at least one pixel.
        how: what the model wants.

    Returns:
        float32, (3, height, width) or, for ``NHWC``, (height, width, 3); C-contiguous.
    """
    pixels = fitted(image, how)
    table = _table(how)
    order = (0, 1, 2) if how.channels == "RGB" else (2, 1, 0)
    if how.layout == "NHWC":
        channels_last = np.empty((how.height, how.width, 3), dtype=np.float32)
        for place, channel in enumerate(order):
            channels_last[:, :, place] = table[place].take(pixels[:, :, channel])
        return channels_last
    made = np.empty((3, how.height, how.width), dtype=np.float32)
    for place, channel in enumerate(order):
        # mode="clip" lets NumPy write into ``out`` at once; a byte cannot be out of range.
        table[place].take(pixels[:, :, channel], out=made[place], mode="clip")
    return made


def fitted(image: RgbImage, how: Preprocessing) -> RgbImage:
    """The picture resized, cut and filled to the model's size: (height, width, 3) uint8, channels still RGB."""
    height, width = image.shape[:2]
    if how.fit == "square" and height != width:
        image = _squared(image, how.fill)
        height = width = max(height, width)
    size = _resized(height, width, how)
    rows, columns = _Cut.middle(size[0], how.height), _Cut.middle(size[1], how.width)
    part = (_antialiased if how.antialias else _sampled)(image, size, rows, columns, how)
    if rows.whole and columns.whole:
        return part
    canvas = np.empty((how.height, how.width, 3), dtype=np.uint8)
    canvas[:] = how.fill
    canvas[rows.put : rows.put + rows.length, columns.put : columns.put + columns.length] = part
    return canvas


def version_of(how: Preprocessing) -> str:
    """What a model card says of it: readable, and different for whatever gives other pixels."""
    told = content_hash([_VERSION, how.model_dump(mode="json")])
    return f"{how.fit}-{how.width}x{how.height}-{how.interpolation}-{told[:8]}/{_VERSION}"


def picture_notes(config: Mapping[str, Any]) -> Preprocessing:
    """What open_clip says of a model's pictures.

    Args:
        config: ``preprocess_cfg`` of a model's image tower.

    Raises:
        ValueError: it says what is not known here.
    """
    height, width = (config["size"], config["size"]) if isinstance(config["size"], int) else config["size"]
    return Preprocessing(
        height=height,
        width=width,
        fit=_known(_OPEN_CLIP_FIT, str(config["resize_mode"]), "open_clip's resize_mode"),
        # The library takes "random", which is for training, and all else for bicubic.
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        fill=(config["fill_color"],) * 3,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def timm_picture_notes(config: Mapping[str, Any]) -> Preprocessing:
    """What timm says of a model's pictures.

    Args:
        config: of ``timm.data.resolve_data_config``.

    Raises:
        ValueError: it says what is not known here.
    """
    _channels, height, width = config["input_size"]
    red, green, blue = (round(255 * one) for one in config["mean"])
    return Preprocessing(
        height=height,
        width=width,
        fit=_known(_TIMM_FIT, str(config.get("crop_mode") or "center"), "timm's crop_mode"),
        interpolation=config["interpolation"],
        crop=config["crop_pct"],
        fill=(red, green, blue),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _known(fits: Mapping[str, Fit], said: str, what: str) -> Fit:
    if said not in fits:
        raise ValueError(f"{what} {said} is not known here; there are {', '.join(fits)}")
    return fits[said]


@dataclass(frozen=True, slots=True)
class _Cut:
    """One side of the middle that a model looks at, in pixels of the resized picture.

    Attributes:
        start: where it begins in the resized picture.
        length: pixels of the picture in it.
        put: where they go in the model's input; above 0 where the picture is smaller and gets filled up.
        whole: whether the picture alone makes up the input.
    """

    start: int
    length: int
    put: int
    whole: bool

    @classmethod
    def middle(cls, size: int, wanted: int) -> "_Cut":
        """As torchvision's ``CenterCrop`` and open_clip's ``CenterCropOrPad`` have it, halves to the even pixel."""
        if size < wanted:
            return cls(0, size, (wanted - size) // 2, whole=False)
        return cls(round((size - wanted) / 2.0), wanted, 0, whole=True)


def _resized(height: int, width: int, how: Preprocessing) -> tuple[int, int]:
    """Height and width of the resized picture, before anything is cut off."""
    tall, wide = math.floor(how.height / how.crop), math.floor(how.width / how.crop)
    if how.fit in ("squash", "square"):
        return tall, wide
    if how.fit == "shortest" and tall == wide:
        # torchvision's Resize rounds the long side down, timm's and open_clip's ResizeKeepRatio to the nearest.
        long = int(tall * max(height, width) / min(height, width))
        return (tall, long) if height <= width else (long, tall)
    ratios = (height / tall, width / wide)
    ratio = min(ratios) if how.fit == "shortest" else max(ratios)
    return max(round(height / ratio), 1), max(round(width / ratio), 1)


def _antialiased(image: RgbImage, size: tuple[int, int], rows: _Cut, columns: _Cut, how: Preprocessing) -> RgbImage:
    """By Pillow: every pixel that goes into a new one is weighed in. What is cut off anyway is not computed."""
    method = _PILLOW[how.interpolation]
    if how.fit == "squash" or (rows.length, columns.length) == size:
        resized = np.asarray(Image.fromarray(image).resize(size[::-1], method))
        return resized[rows.start : rows.start + rows.length, columns.start : columns.start + columns.length]
    first_row, top, bottom, last_row = _source(rows, size[0], image.shape[0])
    first_column, left, right, last_column = _source(columns, size[1], image.shape[1])
    part = Image.fromarray(image[first_row:last_row, first_column:last_column])
    # Rows first, as Pillow does it where the aspect is kept: with a box it may begin with the columns, and what
    # overshoots 0 or 255 between the two would be clipped elsewhere.
    part = part.resize((columns.length, part.height), method, box=(left, 0, right, part.height))
    return np.asarray(part.resize((columns.length, rows.length), method, box=(0, top, columns.length, bottom)))


def _source(cut: _Cut, size: int, length: int) -> tuple[int, float, float, int]:
    """Which part of a side of the picture goes into a cut, in pixels of the picture.

    Args:
        cut: in pixels of the resized side.
        size: of the resized side.
        length: of the side.

    Returns:
        First pixel that is needed, the cut's beginning and end as seen from there, and the pixel after the last one.
    """
    scale = length / size
    begin, end = cut.start * scale, min((cut.start + cut.length) * scale, float(length))
    # Lanczos, the widest, weighs in three new pixels' worth to either side.
    margin = math.ceil(3 * max(scale, 1.0)) + 1
    first = max(math.floor(begin) - margin, 0)
    return first, begin - first, end - first, min(math.ceil(end) + margin, length)


def _sampled(image: RgbImage, size: tuple[int, int], rows: _Cut, columns: _Cut, how: Preprocessing) -> RgbImage:
    """By OpenCV: the four (or one, or sixteen …) nearest pixels alone, however much smaller it becomes."""
    import cv2

    methods = {
        "nearest": cv2.INTER_NEAREST,
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }
    resized: NDArray[Any] = cv2.resize(image, size[::-1], interpolation=methods[how.interpolation])
    return resized[rows.start : rows.start + rows.length, columns.start : columns.start + columns.length]


def _squared(image: RgbImage, fill: tuple[int, int, int]) -> RgbImage:
    """In the middle of a square of the fill's colour; an odd pixel goes to the right or below."""
    height, width = image.shape[:2]
    side = max(height, width)
    square = np.empty((side, side, 3), dtype=np.uint8)
    square[:] = fill
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square


@functools.lru_cache(maxsize=32)
def _table(how: Preprocessing) -> Vectors:
    """(3, 256): what each byte becomes, per channel of the model's order, in the libraries' own float32 steps."""
    levels = np.arange(256, dtype=np.float32) / np.float32(1 / how.scale)
    mean, std = np.array(how.mean, dtype=np.float32), np.array(how.std, dtype=np.float32)
    return np.asarray((levels[None, :] - mean[:, None]) / std[:, None], dtype=np.float32)
