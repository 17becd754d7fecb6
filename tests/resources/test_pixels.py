import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from sample_pictures import assert_quarters, corners, quarters, saved

from resources.decoding import decode, read_header


def with_mode(mode: str) -> Callable[[], Image.Image]:
    return lambda: quarters().convert(mode)


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(quarters().convert("L"), np.uint16) * 257)


def floats() -> Image.Image:
    return Image.fromarray(np.asarray(quarters().convert("L"), np.float32) / 255)


def wide_integers() -> Image.Image:
    return Image.fromarray(np.asarray(quarters().convert("L"), np.int32) * 257)


def not_numbers() -> Image.Image:
    values = np.asarray(quarters().convert("L"), np.float32) / 255
    values[0, :3] = (np.nan, np.inf, -np.inf)
    return Image.fromarray(values)


@pytest.mark.parametrize(
    ("name", "make", "grey"),
    [
        ("grey.jpg", with_mode("L"), True),
        ("grey and alpha.png", with_mode("LA"), True),
        ("palette.png", lambda: quarters().quantize(16), False),
        ("palette.gif", lambda: quarters().quantize(16), False),
        ("opaque.png", with_mode("RGBA"), False),
        ("print.jpg", with_mode("CMYK"), False),
        ("print.tif", with_mode("CMYK"), False),
        ("lab.tif", lambda: ImageCms.profileToProfile(
            quarters(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        ), False),
        ("16 bits.png", sixteen_bits, True),
        ("16 bits.tif", sixteen_bits, True),
        ("32 bits.tif", wide_integers, True),
        ("floats.tif", floats, True),
        ("not numbers.tif", not_numbers, True),
    ],
)  # fmt: skip
def test_modes(tmp_path: Path, name: str, make: Callable[[], Image.Image], grey: bool) -> None:
    pixels = decode(saved(tmp_path, name, make())).pixels
    if not grey:
        assert_quarters(pixels, 24)
        return
    expected = [int(value) for value in np.asarray(quarters().convert("L"))[[15, 15, 45, 45], [20, 60, 20, 60]]]
    assert np.abs(np.array(corners(pixels)) - np.array(expected)[:, None]).max() <= 4


def test_bits_of_a_fax(tmp_path: Path) -> None:
    page = Image.new("1", (20, 10), 1)
    page.paste(0, (0, 0, 10, 10))
    pixels = decode(saved(tmp_path, "fax.tif", page, compression="group4")).pixels
    assert pixels[5, 5].tolist() == [0, 0, 0]
    assert pixels[5, 15].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.gif"])
def test_transparency_is_laid_on_white(tmp_path: Path, name: str) -> None:
    picture = quarters().convert("RGBA")
    picture.paste((0, 0, 0, 0), (40, 30, 80, 60))  # black where it cannot be seen
    assert_quarters(decode(saved(tmp_path, name, picture, lossless=True)).pixels, 24)


def test_the_first_frame_of_several(tmp_path: Path) -> None:
    others = [Image.new("RGB", (80, 60), "black")] * 2
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        path = saved(tmp_path, name, quarters(), save_all=True, append_images=others, lossless=True)
        assert_quarters(decode(path).pixels, 24)


TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.avif"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientations(tmp_path: Path, name: str, orientation: int) -> None:
    turn = TURNS[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, name, stored, exif=exif, quality=95)
    decoded = decode(path)
    assert_quarters(decoded.pixels, 24)
    assert (decoded.width, decoded.height) == (80, 60)
    header = read_header(path)
    assert (header.width, header.height, header.orientation) == (80, 60, decoded.orientation)
    if name != "a.avif":  # writes it as a mirror or turn of its own, which may be read back as another number
        assert decoded.orientation == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_impossible_orientations_are_ignored(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    decoded = decode(saved(tmp_path, "a.jpg", quarters(), exif=exif, quality=95))
    assert decoded.orientation == 1
    assert_quarters(decoded.pixels)


@pytest.mark.parametrize(
    ("size", "max_side", "expected"),
    [
        ((4000, 3000), 1280, (960, 1280)),  # JPEG: half scale, then down
        ((2600, 100), 1280, (49, 1280)),
        ((300, 200), 1280, (200, 300)),  # never enlarged
        ((3001, 2001), 320, (213, 320)),
    ],
)
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_sizes(tmp_path: Path, name: str, size: tuple[int, int], max_side: int, expected: tuple[int, int]) -> None:
    path = saved(tmp_path, name, quarters(*size), quality=95)
    decoded = decode(path, max_side=max_side)
    assert decoded.pixels.shape[:2] == expected
    assert (decoded.width, decoded.height) == size
    assert_quarters(decoded.pixels)


def test_srgb_profiles_change_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path, "a.png", quarters(), icc_profile=profile)
    assert_quarters(decode(path).pixels, 0)


@pytest.mark.parametrize(
    "profile",
    [b"", b"not a profile", b"\x00" * 200, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()],
)
def test_profiles_that_are_broken_or_do_not_fit_are_ignored(tmp_path: Path, profile: bytes) -> None:
    assert_quarters(decode(saved(tmp_path, "a.png", quarters(), icc_profile=profile)).pixels, 0)


def linear_profile() -> bytes:
    """The sRGB profile with its curves replaced by straight ones: a profile whose effect is known exactly."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(struct.unpack(">I", profile[128:132])[0]):
        name, offset, _size = struct.unpack(">4sII", profile[132 + 12 * index : 144 + 12 * index])
        if name in {b"rTRC", b"gTRC", b"bTRC"}:
            # a parametric curve of type 0, gamma 1
            profile[offset : offset + 16] = b"para" + bytes(4) + bytes(4) + struct.pack(">i", 1 << 16)
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profiles_are_applied(tmp_path: Path, mode: str) -> None:
    grey = Image.new("RGB", (8, 8), (55, 55, 55)).convert(mode)
    pixels = decode(saved(tmp_path, "a.png", grey, icc_profile=linear_profile())).pixels
    # linear light 55/255 is 128 in sRGB (IEC 61966-2-1)
    assert np.abs(pixels.astype(int) - 128).max() <= 2


def test_heif_ignores_the_orientation_of_exif_as_its_standard_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, "a.heic", quarters(), exif=exif, quality=95)
    decoded = decode(path)
    assert (decoded.width, decoded.height, decoded.orientation) == (80, 60, 1)
    assert_quarters(decoded.pixels, 16)
    assert read_header(path).orientation == 1
