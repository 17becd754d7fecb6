"""From whatever a decoder gives to upright sRGB: scaling, colour management, transparency, orientation.

Scaling comes first, on the decoded values: everything after it then works on at most 1280 x 1280 pixels.
"""

import functools
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from resources.opening import METADATA_ERRORS
from tagging_assets.domain.images import proxy_size
from tagging_assets.domain.models import RgbImage

if TYPE_CHECKING:
    from PIL import Image

#: Part of the recipe of ``proxies``: bump it when the same file would give other pixels.
VERSION = "eighths-lanczos-relcol/2"

#: EXIF orientation to the name of Pillow's transposition that undoes it.
_TRANSPOSE = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}

#: EXIF tag of the orientation.
ORIENTATION_TAG = 0x0112


def orientation(image: "Image.Image") -> int:
    """The EXIF (or XMP) orientation, 1 to 8; 1 where there is none or it makes no sense."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except METADATA_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def to_upright_srgb(image: "Image.Image", max_side: int) -> RgbImage:
    """Decode, scale down, manage colour, lay on white, turn upright.

    Args:
        image: an opened image; of JPEG, a reduced scale is decoded where that is enough.
        max_side: longest side of the result, pixels; never enlarged.

    Returns:
        (h, w, 3) uint8 upright sRGB, contiguous.
    """
    from PIL import Image

    size = proxy_size(*image.size, max_side)
    whole = image
    scaled = _scaled_jpeg(image, size)
    if scaled is None:
        if image.format in {"JPEG", "MPO"}:
            # Decodes an eighth, a quarter or a half in each direction: nearly all of the time that is saved.
            image.draft(image.mode, size)
        image.load()
    # TIFF and HEIF decoders turn the picture themselves while loading, and then say orientation 1.
    turn = orientation(whole)
    profile = whole.info.get("icc_profile")
    image = scaled or whole
    image = _resizable(image)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    alpha = image.getchannel("A") if image.mode in {"RGBA", "LA"} else None
    if alpha is not None:
        image = image.convert("RGB" if image.mode == "RGBA" else "L")
    image = _to_srgb(image, profile)
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    if turn in _TRANSPOSE:
        image = image.transpose(Image.Transpose[_TRANSPOSE[turn]])
    return np.ascontiguousarray(np.asarray(image, np.uint8))


def _scaled_jpeg(image: "Image.Image", size: tuple[int, int]) -> "Image.Image | None":
    """A JPEG at the least n/8 of its size that will do; ``None`` where Pillow is to read it.

    Pillow itself decodes at 1/2, 1/4 and 1/8 only; 3/8 of 4000 pixels are enough for 1280, and a fifth quicker in all.
    Whatever the decoder has doubts about, Pillow judges: it knows more kinds, and whether a file is truncated.
    """
    import simplejpeg
    from PIL import Image

    stream: BinaryIO | None = getattr(image, "fp", None)
    if image.format not in {"JPEG", "MPO"} or image.mode != "RGB" or image.size == size or stream is None:
        return None
    stream.seek(0)
    try:
        pixels = simplejpeg.decode_jpeg(stream.read(), min_width=size[0], min_height=size[1])
    except ValueError:
        return None
    return Image.fromarray(pixels)


def _resizable(image: "Image.Image") -> "Image.Image":
    """The image in a mode that can be averaged: L, LA, RGB, RGBA, CMYK or LAB."""
    mode = image.mode
    if "transparency" in image.info or mode in {"PA", "RGBa"}:
        return image.convert("RGBA")
    if mode in {"L", "LA", "RGB", "RGBA", "CMYK", "LAB"}:
        return image
    if mode.startswith("I") or mode == "F":
        return _from_numbers(image)
    return image.convert({"1": "L", "La": "LA"}.get(mode, "RGB"))


def _from_numbers(image: "Image.Image") -> "Image.Image":
    """Grey pictures of 16 or 32 bits, or floats, as 8 bits.

    Integers keep their scale (16 bits are divided by 257, less where the values show a smaller one); floats are
    taken as 0 to 1 or 0 to 255 where they fit, and stretched otherwise. NaN and infinities become black.
    """
    from PIL import Image

    values = np.asarray(image)
    if values.dtype.itemsize == 2:
        return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    if low < 0 or (image.mode == "F" and high > 255):
        numbers = (numbers - low) * (255 / max(high - low, 1e-9))
    elif image.mode == "F":
        numbers *= 255 if high <= 1 else 1
    elif high > 255:
        numbers *= 255 / (65535 if high <= 65535 else 2**32 - 1)
    return Image.fromarray(np.clip(np.rint(numbers), 0, 255).astype(np.uint8))


def _to_srgb(image: "Image.Image", profile: Any) -> "Image.Image":
    """Apply the embedded ICC profile; one that is broken or does not fit is as good as none."""
    from PIL import ImageCms

    if image.mode == "LAB":
        profile = b"LAB"
    if isinstance(profile, bytes) and profile:
        try:
            transform = _transform(profile, image.mode)
            converted = image if transform is None else ImageCms.applyTransform(image, transform)
        except (ImageCms.PyCMSError, *METADATA_ERRORS):
            converted = image
        image = converted or image
    return image.convert("RGB")


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> Any:
    """The transform from a profile to sRGB, None where it would change nothing that can be seen.

    Relative colorimetric with black point compensation, as photo editors do by default.
    """
    import io

    from PIL import Image, ImageCms

    source = ImageCms.createProfile("LAB") if profile == b"LAB" else ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(
        source,
        _srgb(),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "RGB":
        steps = np.arange(0, 256, 17, dtype=np.uint8)
        lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        result = np.asarray(ImageCms.applyTransform(Image.fromarray(lattice), transform))
        if np.abs(result.astype(np.int16) - lattice).max() <= 2:
            return None
    return transform


@functools.cache
def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")
