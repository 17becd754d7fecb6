import os
import struct
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from sample_pictures import assert_quarters, corners, quarters, saved
from sample_raw import dng

from resources.decoding import decode, read_header
from tagging_assets.domain.errors import (
    ImageTooLarge,
    UnreadableImage,
)

CORPUS = Path(os.environ.get("TAGGING_CORPUS", "no-corpus"))
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="TAGGING_CORPUS points at no corpus")


@pytest.mark.parametrize(
    ("name", "format_name", "options", "tolerance"),
    [
        ("a.jpg", "JPEG", {"quality": 95}, 12),
        ("progressive.jpg", "JPEG", {"quality": 95, "progressive": True}, 12),
        ("a.png", "PNG", {}, 0),
        ("a.webp", "WEBP", {"lossless": True}, 0),
        ("a.tif", "TIFF", {}, 0),
        ("lzw.tif", "TIFF", {"compression": "tiff_lzw"}, 0),
        ("a.bmp", "BMP", {}, 0),
        ("a.jp2", "JPEG2000", {}, 4),
        ("a.heic", "HEIF", {"quality": 95}, 16),
        ("a.avif", "AVIF", {"quality": 95}, 16),
        ("png in disguise.jpg", "PNG", {"format": "PNG"}, 0),  # the content counts, not the name
    ],
)
def test_formats(tmp_path: Path, name: str, format_name: str, options: dict[str, object], tolerance: int) -> None:
    path = saved(tmp_path, name, quarters(), **options)
    decoded = decode(path)
    assert (decoded.format, decoded.width, decoded.height, decoded.orientation) == (format_name, 80, 60, 1)
    assert decoded.pixels.shape == (60, 80, 3)
    assert_quarters(decoded.pixels, tolerance)
    header = read_header(path)
    assert (header.format, header.width, header.height, header.orientation) == (format_name, 80, 60, 1)


@pytest.mark.parametrize(
    ("orientation", "turned"), [(1, (400, 300)), (6, (300, 400)), (3, (400, 300)), (8, (300, 400))]
)
@pytest.mark.parametrize("name", ["a.dng", "caf\udce9.dng"])
def test_raw_files_are_developed_upright(tmp_path: Path, name: str, orientation: int, turned: tuple[int, int]) -> None:
    path = tmp_path / name
    path.write_bytes(dng(400, 300, orientation))
    decoded = decode(path)
    assert (decoded.format, decoded.orientation) == ("DNG", orientation)
    assert (decoded.width, decoded.height) == turned
    assert decoded.pixels.shape[:2] == turned[::-1]
    turn = {1: 0, 6: 3, 3: 2, 8: 1}[orientation]
    back = np.array(corners(np.rot90(decoded.pixels, -turn))).argmax(axis=1)
    assert back[:3].tolist() == [0, 1, 2]  # red, green, blue
    assert decode(path, max_side=100).pixels.shape[:2] == (75, 100)[:: 1 if turned[0] > turned[1] else -1]
    header = read_header(path)
    assert (header.width, header.height, header.orientation) == (*turned, orientation)
    assert (header.camera, header.captured_at) == ("Test Model 1", "2024-05-01T12:30:00")
    assert header.captions == {"exif": "a cat"}


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (6, 3), (3, 2), (8, 1)])
@pytest.mark.parametrize("written_twice", [False, True])
def test_a_preview_that_is_large_enough_spares_the_developing(
    tmp_path: Path, orientation: int, turn: int, written_twice: bool
) -> None:
    exif = Image.Exif()
    if written_twice:  # some cameras repeat the orientation in the preview, most do not
        exif[0x0112] = orientation
    # left and right are swapped in the preview, so that it shows which of the two was read
    preview = quarters(400, 300).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    jpeg = saved(tmp_path, "preview.jpg", preview, quality=95, exif=exif).read_bytes()
    path = tmp_path / "a.dng"
    path.write_bytes(dng(400, 300, orientation, preview=jpeg))
    decoded = decode(path)
    assert decoded.orientation == orientation
    assert_quarters(np.rot90(decoded.pixels, -turn)[:, ::-1].copy())
    # cut short, the preview does not count
    path.write_bytes(dng(400, 300, orientation, preview=jpeg[:-900]))
    back = np.array(corners(np.rot90(decode(path).pixels, -turn))).argmax(axis=1)
    assert back[:3].tolist() == [0, 1, 2]


def test_a_small_preview_is_not_enough(tmp_path: Path) -> None:
    jpeg = saved(tmp_path, "preview.jpg", Image.new("RGB", (160, 120), "white")).read_bytes()
    path = tmp_path / "a.dng"
    path.write_bytes(dng(400, 300, 1, preview=jpeg))
    assert np.array(corners(decode(path).pixels)).argmax(axis=1)[:3].tolist() == [0, 1, 2]
    assert decode(path, max_side=160).pixels.min() > 250, "but it is for a smaller copy"


def test_raw_files_cut_short_are_not_developed(tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    path.write_bytes(dng(400, 300, 1, rows_kept=150))
    with pytest.raises(UnreadableImage):
        decode(path)
    with pytest.raises(ImageTooLarge):
        decode(path, max_megapixels=0.1)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description dc:description="from xmp">'
    b"<dc:subject><rdf:Bag><rdf:li>boat</rdf:li><rdf:li>pier</rdf:li></rdf:Bag></dc:subject>"
    b"<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.heic", "a.avif"])
def test_headers_tell_of_camera_time_caption_creator_and_keywords(tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "from exif"
    exif[0x010F] = "Canon"
    exif[0x0110] = "Canon EOS 7D"
    exif[0x0132] = "2030:01:01 00:00:00"  # when it was edited
    exif[0x9C9E] = "Pier;lake\0".encode("utf-16-le")
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    exif.get_ifd(0x8769)[0x9011] = "+02:00"
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    header = read_header(saved(tmp_path, name, quarters(), exif=exif, xmp=XMP, pnginfo=text))
    assert header.camera == "Canon EOS 7D"
    assert header.captured_at == "2024-05-01T12:30:00+02:00"
    assert header.captions == {"exif": "from exif", "xmp": "from xmp"}
    assert header.creator == "Ada"
    assert header.keywords == ("boat", "pier", "lake")


def test_headers_of_tiff(tmp_path: Path) -> None:
    iptc = b"\x1c\x02\x78\x00\x09from iptc"
    tags = {270: "a cat", 272: "Scanner", 306: "2024:05:01 12:30:00", 315: "Ada", 700: XMP, 33723: iptc}
    header = read_header(saved(tmp_path, "a.tif", quarters(), tiffinfo=tags))
    assert (header.camera, header.captured_at, header.creator) == ("Scanner", "2024-05-01T12:30:00", "Ada")
    assert header.captions == {"xmp": "from xmp", "iptc": "from iptc", "exif": "a cat"}


def test_headers_of_pictures_that_tell_nothing(tmp_path: Path) -> None:
    header = read_header(saved(tmp_path, "a.png", quarters()))
    assert (header.captured_at, header.camera, header.creator, header.captions) == (None, None, None, {})
    assert header.keywords == ()


def test_iptc_in_a_jpeg(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", quarters())
    iptc = b"\x1c\x02\x19\x00\x04boat\x1c\x02\x19\x00\x04pier"
    iptc += b"\x1c\x02\x78\x00\x09from iptc\x1c\x02\x50\x00\x03Ada\x00"
    block = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", len(iptc)) + iptc
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + content[2:])
    header = read_header(path)
    assert header.captions == {"iptc": "from iptc"}
    assert header.keywords == ("boat", "pier")
    assert header.creator == "Ada"


def test_many_threads_decode_alike_and_no_warning_escapes(tmp_path: Path) -> None:
    # a directory that claims 127 entries and has one makes Pillow warn
    exif = Image.Exif()
    exif[0x010E] = "x"
    path = saved(tmp_path, "a.jpg", quarters(1600, 1200), exif=exif, quality=95)
    start = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00"
    content = path.read_bytes()
    assert start + b"\x01" in content
    path.write_bytes(content.replace(start + b"\x01", start + b"\x7f"))
    before = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(decode, [path] * 12))
            headers = list(pool.map(read_header, [path] * 12))
    assert all(np.array_equal(result.pixels, results[0].pixels) for result in results)
    assert {header.width for header in headers} == {1600}
    assert threading.active_count() == before


@needs_corpus
@pytest.mark.parametrize("scene", ["landscape", "portrait"])
def test_one_photo_in_every_orientation_is_one_picture(scene: str) -> None:
    decoded = {path.stem: decode(path).pixels for path in (CORPUS / "orientation").glob(f"{scene}_*")}
    first = decoded.pop(f"{scene}_1")
    assert decoded
    for name, pixels in decoded.items():
        assert pixels.shape == first.shape
        # each file was compressed anew; a wrong turn would differ by more than 50
        assert np.abs(pixels.astype(int) - first).mean() < 6, name
