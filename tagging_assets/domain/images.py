"""What an image is, whatever decoded it: formats, names, sizes, hashes, the rows of ``images`` and ``proxies``.

Does not belong here: reading files and decoding them (``resources/decoding.py``), captions (``captions``).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.captions import Caption
from tagging_assets.domain.identity import ImageRef
from tagging_assets.domain.keywords import union
from tagging_assets.domain.models import RgbImage

#: Long side of a proxy, pixels.
PROXY_SIDE = 1280

_RAW = "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
_PHOTO = "avif bmp dds gif heic heif hif icns ico j2k jfif jp2 jpe jpeg jpf jpg jpx jxl mpo png psd tga tif tiff webp"

#: Extensions of camera raw files, lower case; what LibRaw knows.
RAW_EXTENSIONS = frozenset(f".{name}" for name in _RAW.split())

#: Extensions of the files a folder is searched for, lower case. JPEG XL has no decoder here, and is among them so
#: that such a photo is a named failure and not a silent gap.
PHOTO_EXTENSIONS = RAW_EXTENSIONS | frozenset(f".{name}" for name in _PHOTO.split())

#: Raw formats that their first bytes give away; most others are TIFF by their first bytes.
RAW_FORMATS = frozenset({"CR2", "CR3", "CRW", "MRW", "ORF", "RAF", "RW2", "X3F"})

#: Formats that :func:`sniff` knows by name only to say that they are not supported.
UNSUPPORTED_FORMATS = frozenset({"EPS", "JPEG XL", "MP4", "PDF", "SVG", "WMF"})

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"8BPS", "PSD"),
    (8, b"WEBP", "WEBP"),
    (8, b"CR\x02", "CR2"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"FUJIFILMCCD-RAW", "RAF"),
    (6, b"HEAPCCDR", "CRW"),
    (0, b"IIRO", "ORF"),
    (0, b"IIRS", "ORF"),
    (0, b"MMOR", "ORF"),
    (0, b"IIU\x00", "RW2"),
    (0, b"FOVb", "X3F"),
    (0, b"\x00MRM", "MRW"),
    (0, b"DDS ", "DDS"),
    (0, b"icns", "ICNS"),
    (0, b"qoif", "QOI"),
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),
    (0, b"BM", "BMP"),
)

#: Major brands of ISO base media files (ISO/IEC 14496-12); whatever else says ``ftyp`` is a video.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys(
        (
            b"heic",
            b"heix",
            b"hevc",
            b"hevx",
            b"heim",
            b"heis",
            b"hevm",
            b"hevs",
            b"mif1",
            b"mif2",
            b"mif3",
            b"msf1",
        ),
        "HEIF",
    ),
    b"crx ": "CR3",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself before any pixel is decoded.

    Attributes:
        format: ``JPEG``, ``PNG``, ``HEIF`` …; of raw files the kind, e.g. ``NEF``.
        width: pixels, upright, as a viewer shows it.
        height: pixels, upright.
        orientation: the EXIF orientation found, 1 to 8; 1 where there is none.
        captured_at: ISO 8601 local time, with offset where the camera wrote one; None if unknown.
        camera: make and model; None if unknown.
        captions: embedded caption per source: ``xmp``, ``iptc``, ``exif``; without empty ones.
        creator: embedded name of the author; None if unknown.
        keywords: embedded ones, as ``keywords.union`` leaves them.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    captured_at: str | None = None
    camera: str | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    creator: str | None = None
    keywords: tuple[str, ...] = ()


def sniff(head: bytes) -> str | None:
    """The format by the first bytes of a file (16 or more), or None; extensions lie too often to be asked."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "MP4")
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    return None


def extension(name: str) -> str:
    """The extension of a file name or path, lower case, with its dot; ``""`` where there is none."""
    stem, dot, last = name.replace("\\", "/").rsplit("/", 1)[-1].rpartition(".")
    return (dot + last).lower() if stem else ""


def is_photo_name(name: str) -> bool:
    """Whether a file of this name is looked for in a folder: a photo's extension, and not hidden."""
    return not name.startswith(".") and extension(name) in PHOTO_EXTENSIONS


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height after EXIF orientation 1-8 is applied; 5 to 8 turn by a quarter."""
    return (height, width) if orientation in {5, 6, 7, 8} else (width, height)


def proxy_size(width: int, height: int, max_side: int = PROXY_SIDE) -> tuple[int, int]:
    """The size of the working copy: long side at most ``max_side``, never enlarged, no side below one pixel.

    Raises:
        ValueError: a side or the limit is below 1.
    """
    if min(width, height, max_side) < 1:
        raise ValueError(f"an image of {width}x{height} has no copy of at most {max_side} pixels a side")
    longest = max(width, height)
    if longest <= max_side:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))


def pixel_id(pixels: RgbImage) -> str:
    """SHA-256 over shape and pixels, hex: equal exactly where the pictures are equal.

    Args:
        pixels: (h, w, 3) uint8.
    """
    height, width, channels = pixels.shape
    digest = hashlib.sha256(f"{height}x{width}x{channels};".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def phash(pixels: RgbImage) -> str:
    """Perceptual hash, 16 hex digits: near copies differ in few bits (see :func:`phash_distance`).

    The luma is averaged down to 32 x 32 and transformed (DCT-II); the 64 lowest frequencies give one bit each:
    whether they exceed the median of all but the constant one (Zauner, "Implementation and Benchmarking of
    Perceptual Image Hash Functions", 2010; the same scheme as pHash and imagehash).

    Args:
        pixels: (h, w, 3) uint8, at least 1 x 1.
    """
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    small = _area_mean(_area_mean(luma, 32).T, 32).T
    low = _DCT @ small.astype(np.float64) @ _DCT.T
    # Rounding keeps the noise of floating point from deciding the bits of a flat picture.
    flat = np.round(low, 3).ravel()
    bits = flat > np.median(flat[1:])
    return f"{int.from_bytes(np.packbits(bits).tobytes()):016x}"


def phash_distance(a: str, b: str) -> int:
    """Number of bits (0-64) in which two perceptual hashes differ; up to about 6 is a near copy."""
    return (int(a, 16) ^ int(b, 16)).bit_count()


def _dct_matrix(rows: int, size: int) -> NDArray[np.float64]:
    """The first ``rows`` rows of the orthonormal DCT-II matrix of ``size`` points."""
    k, n = np.mgrid[0:rows, 0:size].astype(np.float64)
    matrix = np.cos(np.pi * (2 * n + 1) * k / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float64)


_DCT = _dct_matrix(8, 32)


def _area_mean(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Rows of (n, m) averaged to (size, m); repeated where there are fewer than ``size``."""
    count = values.shape[0]
    if count < size:
        return np.asarray(values[np.arange(size) * count // size], np.float32)
    edges = np.arange(size + 1) * count // size
    sums = np.add.reduceat(values, edges[:-1], axis=0)
    return np.asarray(sums / np.diff(edges)[:, None], np.float32)


_EXIF_TIME = re.compile(r"(\d{4})[:\-/.](\d{2})[:\-/.](\d{2})[ T](\d{2}):(\d{2})(?::(\d{2}))?")
_EXIF_OFFSET = re.compile(r"[+-]\d{2}:\d{2}|Z")


def exif_time(text: str, offset: str = "") -> str | None:
    """An EXIF date and time as ISO 8601, or None where it says nothing (zeros, blanks, impossible dates).

    Args:
        text: e.g. ``2024:05:01 12:30:00``.
        offset: EXIF offset from UTC, e.g. ``+02:00``; ignored unless well formed.
    """
    match = _EXIF_TIME.search(text)
    if match is None:
        return None
    try:
        # Cameras write local time; without an offset it must stay without one.
        moment = datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    found = _EXIF_OFFSET.fullmatch(offset.strip())
    return moment.isoformat() + (found.group() if found else "")


def camera_name(make: str, model: str) -> str | None:
    """Make and model as people say it: ``NIKON CORPORATION`` + ``NIKON D70`` is ``NIKON D70``."""
    make, model = (" ".join(part.replace("\x00", " ").split()) for part in (make, model))
    if not model:
        return make or None
    first = make.split(" ")[0].lower()
    return model if not make or model.lower().startswith(first) else f"{make} {model}"


def image_row(image: ImageRef, header: Header, caption: Caption, keywords: Sequence[str] = ()) -> dict[str, object]:
    """The row of ``images`` (``schemas.IMAGES``) of one photo.

    Args:
        image: where it is.
        header: what it says about itself.
        caption: the one that wins.
        keywords: those beside the photo; they come before those in its header.
    """
    return {
        "image_id": image.image_id,
        "uri": image.uri,
        "content_hash": image.content_hash,
        "bytes": image.bytes,
        "format": header.format,
        "width": header.width,
        "height": header.height,
        "orientation": header.orientation,
        "captured_at": header.captured_at,
        "camera": header.camera,
        "caption": caption.text or None,
        "caption_source": caption.source or None,
        "creator": caption.creator or header.creator,
        "keywords": list(union(keywords, header.keywords)),
    }


def proxy_row(image_id: str, proxy_id: str, path: str, pixels: RgbImage) -> dict[str, object]:
    """The row of ``proxies`` (``schemas.PROXIES``) of one photo.

    Args:
        image_id: the photo.
        proxy_id: its ``pixel_id``.
        path: where the proxy is, relative to the data folder.
        pixels: (h, w, 3) uint8, what was stored.
    """
    return {
        "image_id": image_id,
        "pixel_id": proxy_id,
        "path": path,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "phash": phash(pixels),
    }
