import io
import os
import struct
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_pictures import saved

from resources.decoding import decode, read_header
from tagging_assets.domain.errors import (
    EmptyFile,
    ImageError,
    ImageGone,
    ImageTooLarge,
    UnreadableImage,
    UnsupportedFormat,
)

CORPUS = Path(os.environ.get("TAGGING_CORPUS", "no-corpus"))
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="TAGGING_CORPUS points at no corpus")


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("empty.jpg", b"", EmptyFile, "no bytes"),
        ("text.jpg", b"these are words, and no picture at all" * 9, UnsupportedFormat, "no image format"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UnsupportedFormat, "EPS"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormat, "SVG"),
        ("a.jpg", b"%PDF-1.7 and so on", UnsupportedFormat, "PDF"),
        ("a.jxl", b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(50), UnsupportedFormat, "JPEG XL"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(60), UnreadableImage, "PNG"),
        ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(60), UnreadableImage, "JPEG"),
        ("a.tif", b"II*\x00\x08\x00\x00\x00" + b"\xff" * 60, UnreadableImage, "TIFF"),
        ("a.nef", b"II*\x00\x08\x00\x00\x00" + b"\xff" * 60, UnreadableImage, "TIFF"),
        ("a.cr3", b"\x00\x00\x00\x18ftypcrx " + b"\xff" * 60, UnreadableImage, "CR3"),
        ("a.raw", b"whatever this is, no camera wrote it" * 9, UnsupportedFormat, "no image format"),
    ],
)
def test_what_cannot_be_decoded(tmp_path: Path, name: str, content: bytes, error: type[ImageError], words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for read in (decode, read_header):
        with pytest.raises(error, match=words) as raised:
            read(path)  # type: ignore[operator]
        assert "\n" not in str(raised.value)
        assert not raised.value.retryable


def test_files_that_are_away_may_come_back(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "no such.jpg", tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(ImageGone) as raised:
            decode(path)
        assert raised.value.retryable


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"quality": 95}),
        ("progressive.jpg", {"quality": 95, "progressive": True}),
        ("a.png", {}),
        ("a.webp", {}),
        ("a.gif", {}),
        ("a.tif", {}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
        ("a.bmp", {}),
        ("a.jp2", {}),
        ("a.heic", {}),
        ("a.avif", {}),
    ],
)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated_files_are_never_half_a_picture(
    tmp_path: Path, name: str, options: dict[str, object], part: float
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    path = saved(tmp_path, name, Image.fromarray(noise), **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UnreadableImage):
        decode(path)
    # even where the picture is decoded at an eighth of its size
    with pytest.raises(UnreadableImage):
        decode(path, max_side=20)


def test_a_download_into_reserved_space_is_half_a_picture(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)
    path = saved(tmp_path, "a.jpg", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(UnreadableImage, match="zeros"):
        decode(path)
    # zeros after the end are padding
    path.write_bytes(content + bytes(200_000))
    assert decode(path).width == 600


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp", "a.heic"])
def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, name, Image.new("RGB", (1200, 1000)))
    with pytest.raises(ImageTooLarge, match=r"1\.2 megapixels, over the limit of 1; raise max_megapixels"):
        decode(path, max_megapixels=1)
    assert decode(path, max_megapixels=1.2).width == 1200
    assert read_header(path, max_megapixels=1.2).width == 1200


def test_pictures_hidden_in_an_icon_are_limited_too(tmp_path: Path) -> None:
    inner = io.BytesIO()
    Image.new("L", (3000, 3000)).save(inner, "PNG")
    content = inner.getvalue()
    icon = b"\x00\x00\x01\x00\x01\x00" + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 8, len(content), 22) + content
    path = tmp_path / "a.ico"
    path.write_bytes(icon)
    with pytest.raises(ImageTooLarge):
        decode(path, max_megapixels=2)


@needs_corpus
def test_the_odd_corpus_is_survived() -> None:
    import resource

    kinds: Counter[str] = Counter()
    messages: list[str] = []
    for path in sorted((CORPUS / "odd").iterdir()):
        try:
            decoded = decode(path)
        except ImageError as error:
            kinds[error.kind] += 1
            messages.append(str(error))
            continue
        kinds["ok"] += 1
        header = read_header(path)
        assert (header.width, header.height) == (decoded.width, decoded.height), path.name
    assert not [message for message in messages if "\n" in message or len(message) > 300]
    assert kinds["ok"] >= 0.7 * kinds.total(), kinds
    assert kinds["ImageTooLarge"] >= 3, kinds
    assert kinds["ImageGone"] == 0, kinds
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000
