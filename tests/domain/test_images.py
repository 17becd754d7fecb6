import numpy as np
import pytest

from tagging_assets.domain.captions import Caption
from tagging_assets.domain.identity import ImageRef
from tagging_assets.domain.images import (
    Header,
    camera_name,
    exif_time,
    extension,
    image_row,
    is_photo_name,
    phash,
    phash_distance,
    pixel_id,
    proxy_row,
    proxy_size,
    sniff,
    upright_size,
)
from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.schemas import IMAGES, PROXIES


def scene(height: int = 240, width: int = 320, seed: int = 1) -> RgbImage:
    """A smooth picture with structure at low frequencies, as photos have."""
    grid = np.random.default_rng(seed).uniform(0, 255, (5, 6, 3))
    rows = np.linspace(0, 3.999, height)
    columns = np.linspace(0, 4.999, width)
    y, x = rows.astype(int), columns.astype(int)
    dy, dx = (rows - y)[:, None, None], (columns - x)[None, :, None]
    top = grid[y][:, x] * (1 - dx) + grid[y][:, x + 1] * dx
    bottom = grid[y + 1][:, x] * (1 - dx) + grid[y + 1][:, x + 1] * dx
    return np.asarray(top * (1 - dy) + bottom * dy, np.uint8)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "JPEG"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "WEBP"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),  # a sound in the same container
        (b"II*\x00\x08\x00\x00\x00", "TIFF"),
        (b"MM\x00+\x00\x08\x00\x00", "TIFF"),  # BigTIFF
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "CR2"),  # a TIFF, but not for Pillow
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "HEIF"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00", "AVIF"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00", "CR3"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00", "MP4"),
        (b"FUJIFILMCCD-RAW 0201", "RAF"),
        (b"%!PS-Adobe-3.0 EPSF", "EPS"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"hello", None),
        (b"", None),
    ],
)
def test_sniff(head: bytes, expected: str | None) -> None:
    assert sniff(head) == expected


@pytest.mark.parametrize(
    ("name", "ext", "photo"),
    [
        ("a.jpg", ".jpg", True),
        ("A.JPEG", ".jpeg", True),  # case does not matter
        ("a.b.NEF", ".nef", True),
        ("a.jxl", ".jxl", True),  # cannot be decoded, and must be named
        ("a.txt", ".txt", False),
        ("a.jpg.xmp", ".xmp", False),  # a sidecar
        ("jpg", "", False),
        (".jpg", "", False),  # a hidden file without extension
        (".a.jpg", ".jpg", False),  # hidden
        ("folder.d/file", "", False),
    ],
)
def test_names(name: str, ext: str, photo: bool) -> None:
    assert extension(name) == ext
    assert is_photo_name(name) is photo


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [
        ((4000, 3000), 1280, (1280, 960)),
        ((3000, 4000), 1280, (960, 1280)),
        ((1280, 960), 1280, (1280, 960)),  # exactly
        ((640, 480), 1280, (640, 480)),  # never enlarged
        ((50_000, 2), 1280, (1280, 1)),  # a line stays a line
        ((1, 1), 1, (1, 1)),
        ((1001, 1000), 100, (100, 100)),
    ],
)
def test_proxy_size(size: tuple[int, int], limit: int, expected: tuple[int, int]) -> None:
    assert proxy_size(*size, limit) == expected
    assert proxy_size(*expected, limit) == expected


def test_proxy_size_of_nothing() -> None:
    with pytest.raises(ValueError, match="0x5"):
        proxy_size(0, 5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_size(orientation: int) -> None:
    assert upright_size(40, 30, orientation) == ((40, 30) if orientation < 5 else (30, 40))


def test_pixel_id_depends_on_pixels_and_shape_only() -> None:
    picture = scene()
    assert pixel_id(picture) == pixel_id(picture.copy())
    assert pixel_id(picture) == pixel_id(np.asfortranarray(picture))  # not on the layout in memory
    other = picture.copy()
    other[0, 0, 0] ^= 1
    assert pixel_id(other) != pixel_id(picture)
    assert pixel_id(picture.reshape(320, 240, 3)) != pixel_id(picture)
    assert len(pixel_id(picture)) == 64


@pytest.mark.parametrize(
    ("name", "other", "near"),
    [
        ("itself", scene(), True),
        ("half the size", scene()[::2, ::2], True),
        ("brighter", np.clip(scene().astype(int) + 12, 0, 255).astype(np.uint8), True),
        ("noisy", (scene() // 16 * 16).astype(np.uint8), True),
        ("another scene", scene(seed=2), False),
        ("mirrored", scene()[:, ::-1], False),
    ],
)
def test_phash_tells_near_copies_from_other_pictures(name: str, other: RgbImage, near: bool) -> None:
    distance = phash_distance(phash(scene()), phash(other))
    assert distance <= 6 if near else distance >= 16, name


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 500), (500, 1), (31, 33), (32, 32), (3, 2000)],
)
def test_phash_of_any_shape(shape: tuple[int, int]) -> None:
    value = phash(scene()[: shape[0], : shape[1]] if min(shape) > 3 else np.full((*shape, 3), 90, np.uint8))
    assert len(value) == 16
    assert int(value, 16) >= 0


def test_phash_of_flat_pictures_is_steady() -> None:
    # only the constant term is above the median; rounding noise must not set bits
    hashes = {phash(np.full((50, 70, 3), level, np.uint8)) for level in (1, 77, 128, 255)}
    assert hashes == {"8000000000000000"}


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("2024:05:01 12:30:00", "", "2024-05-01T12:30:00"),
        ("2024:05:01 12:30:00", "+02:00", "2024-05-01T12:30:00+02:00"),
        ("2024:05:01 12:30:00", "   :  ", "2024-05-01T12:30:00"),  # a blank offset
        ("2024-05-01T12:30", "", "2024-05-01T12:30:00"),  # as XMP would write it
        ("2024:05:01 12:30:00\x00", "Z", "2024-05-01T12:30:00Z"),
        ("0000:00:00 00:00:00", "", None),  # a camera without a clock
        ("2024:02:30 12:00:00", "", None),
        ("    :  :     :  :  ", "", None),
        ("", "", None),
    ],
)
def test_exif_time(text: str, offset: str, expected: str | None) -> None:
    assert exif_time(text, offset) == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 7D", "Canon EOS 7D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("SONY", "ILCE-1", "SONY ILCE-1"),
        ("Apple", "", "Apple"),
        ("", "FinePix\x00  ", "FinePix"),
        ("", "", None),
    ],
)
def test_camera_name(make: str, model: str, expected: str | None) -> None:
    assert camera_name(make, model) == expected


def test_rows_have_the_columns_of_the_schema() -> None:
    image = ImageRef("ab" * 16, "/a.jpg", "b000001", 10, 1, "c" * 64)
    header = Header("JPEG", 40, 30, creator="Ada")
    row = image_row(image, header, Caption("a cat", "txt"))
    assert row.keys() == IMAGES.columns.keys()
    assert (row["caption"], row["caption_source"], row["creator"]) == ("a cat", "txt", "Ada")
    bare = image_row(image, Header("PNG", 4, 3), Caption())
    assert (bare["caption"], bare["caption_source"], bare["creator"]) == (None, None, None)
    assert bare["keywords"] == []
    # what stands beside the photo comes first, and each keyword once
    tagged = image_row(image, Header("PNG", 4, 3, keywords=("Pier", "boat")), Caption(), ("lake", "pier"))
    assert tagged["keywords"] == ["lake", "pier", "boat"]
    # a sidecar is newer than what is embedded
    assert image_row(image, header, Caption(creator="Bob"))["creator"] == "Bob"
    proxy = proxy_row("ab" * 16, "d" * 64, "proxies/x.jpg", scene(30, 40))
    assert proxy.keys() == PROXIES.columns.keys()
    assert (proxy["width"], proxy["height"]) == (40, 30)
