"""Proxies on disk: upright sRGB working copies, named by their pixels.

A proxy is a JPEG of quality 95 without chroma subsampling, and its ``pixel_id`` is the hash of the pixels that
come *back* from that file: so whatever reads the file sees exactly the pixels the id stands for, and a damaged
file is found out. Lossless copies are larger and slower (mean of seven photos of 0.41 megapixels, one core: JPEG
177 kB, 2 ms to write, 3 ms to read; PNG 596 kB, 29 and 10 ms; lossless WebP 446 kB, 53 and 6 ms); what JPEG loses
(PSNR 42 dB or more) is small beside what scaling down has lost before.
"""

import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resources.files import storage_error, write_within
from resources.opening import METADATA_ERRORS
from tagging_assets.domain.errors import ImageGone
from tagging_assets.domain.images import PROXY_SIDE, pixel_id
from tagging_assets.domain.models import RgbImage

#: Part of the recipe of ``proxies``.
VERSION = "jpeg-q95-444/1"

_FOLDER = "proxies"
#: Keeps backup programs out (bford.info/cachedir), and our own search for photos.
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Working copies of photos; made again at need.\n"


class StoredProxy(NamedTuple):
    """Where a proxy went.

    Attributes:
        pixel_id: SHA-256 of the stored pixels, hex.
        path: relative to the data folder, with forward slashes.
    """

    pixel_id: str
    path: str


class ProxyStore:
    """Content-addressed proxies under ``DATA/proxies``; safe to share between threads and processes."""

    def __init__(self, data: str | os.PathLike[str]) -> None:
        """Remember the data folder; nothing is created before the first :meth:`put`."""
        self._data = Path(data)

    def put(self, pixels: RgbImage) -> StoredProxy:
        """Store a picture; one that is there already costs nothing but the encoding.

        Args:
            pixels: (h, w, 3) uint8 upright sRGB.

        Raises:
            DiskFull: no space left.
            StorageError: the folder cannot be written.
        """
        encoded = _encode(pixels)
        name = pixel_id(_decode_own(encoded))
        relative = self.path_of(name)
        target = self._data / relative
        try:
            there = target.stat().st_size == len(encoded)
        except FileNotFoundError:
            there = False
        except OSError as error:
            raise storage_error(error, target) from error
        if not there:
            self._mark()
            write_within(self._data / _FOLDER, target, encoded)
        return StoredProxy(name, relative)

    def load(self, path: str) -> RgbImage:
        """The pixels of a proxy, (h, w, 3) uint8 upright sRGB.

        Args:
            path: as :meth:`put` gave it, relative to the data folder.

        Raises:
            ImageGone: the file is not there; the stage ``proxies`` makes it again.
            ImageGone: the file is damaged; retryable too, as it may be deleted and made again.
        """
        from PIL import Image

        try:
            encoded = (self._data / path).read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ImageGone(f"proxy {path} cannot be read ({reason}); run proxies again") from error
        try:
            return _decode(encoded)
        except (Image.DecompressionBombError, *METADATA_ERRORS) as error:
            raise ImageGone(f"proxy {path} is damaged; delete it and run proxies again") from error

    def exists(self, path: str) -> bool:
        """Whether a proxy is there."""
        return (self._data / path).is_file()

    def verify(self, path: str) -> bool:
        """Whether the file still holds the pixels it is named after."""
        try:
            return pixel_id(self.load(path)) == Path(path).stem
        except ImageGone:
            return False

    @staticmethod
    def path_of(name: str) -> str:
        """Where the proxy of a ``pixel_id`` lies, relative to the data folder."""
        return f"{_FOLDER}/{name[:2]}/{name[2:4]}/{name}.jpg"

    def _mark(self) -> None:
        tag = self._data / _FOLDER / "CACHEDIR.TAG"
        if not tag.exists():
            write_within(self._data / _FOLDER, tag, _TAG.encode())


def _encode(pixels: RgbImage) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


def _decode(encoded: bytes) -> RgbImage:
    """What Pillow reads, which tells damaged files from sound ones."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as image:
        if max(image.size) > PROXY_SIDE:
            raise ValueError("no proxy is as large as that")
        return np.ascontiguousarray(np.asarray(image if image.mode == "RGB" else image.convert("RGB"), np.uint8))


def _decode_own(encoded: bytes) -> RgbImage:
    """The same pixels of a file that was just made, a third quicker: both libraries decode with libjpeg-turbo."""
    import cv2

    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
