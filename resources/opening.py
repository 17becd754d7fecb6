"""The edge to the image decoders: how a file is opened, and what their many errors mean here.

Pillow, libheif and LibRaw are given one file at a time, never run anything and never follow a reference: the list
of formats is explicit, and formats that are programs (EPS, SVG, PDF, WMF) are refused by their first bytes.
"""

import errno
import functools
import importlib
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tagging_assets.domain.errors import (
    EmptyFile,
    ImageError,
    ImageGone,
    ImageTooLarge,
    UnreadableImage,
    UnsupportedFormat,
)
from tagging_assets.domain.images import RAW_EXTENSIONS, RAW_FORMATS, UNSUPPORTED_FORMATS, extension, sniff

if TYPE_CHECKING:
    from PIL import Image

#: What Pillow may try; whatever else it knows is a document, a video, or a format no photo comes in.
PILLOW_FORMATS = (
    "AVIF",
    "BMP",
    "DDS",
    "DIB",
    "GIF",
    "HEIF",
    "ICNS",
    "ICO",
    "JPEG",
    "JPEG2000",
    "PNG",
    "PPM",
    "PSD",
    "QOI",
    "TGA",
    "TIFF",
    "WEBP",
)

#: Longest side of a picture, pixels: the most that Photoshop's format for large documents knows. Decoders keep a table
#: of rows, so that a picture one pixel wide takes twenty times the memory that its pixels do.
MAX_SIDE = 300_000

#: Errors that Pillow's metadata readers raise on malformed tags; the picture itself may be sound.
METADATA_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)

# What the file system says when a file is away rather than damaged; EINVAL is none of them: decoders get it for
# offsets that point nowhere.
_AWAY = frozenset(
    {
        errno.EACCES,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENODEV,
        errno.ENOENT,
        errno.ENOTCONN,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

_PILLOW_MODULES = r"PIL\..*"

_pillows_limit = threading.RLock()


@dataclass(frozen=True, slots=True)
class Source:
    """An open photo file.

    Attributes:
        path: where it is.
        stream: open for reading in binary, at the start.
        format: by its first bytes, None where they say nothing.
        is_raw: whether LibRaw is to read it.
    """

    path: Path
    stream: BinaryIO
    format: str | None
    is_raw: bool


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file for reading, and nothing but a file: opening a pipe could wait for ever, a device could do anything.

    Raises:
        ImageGone: not a file.
        OSError: as the file system says.
    """
    _refuse_at_sight(Path(path).stat())
    # What it is may have changed since; a pipe does not wait for its other end then.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _refuse_at_sight(os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


@contextmanager
def open_source(path: str | os.PathLike[str], stream: BinaryIO | None = None) -> Iterator[Source]:
    """Open a photo; any error inside the block comes out as an ``ImageError``.

    Args:
        path: the file.
        stream: the file, where it is open already; it stays open, and ``path`` is only its name.

    Raises:
        ImageGone: not there, not readable, or not a file.
        EmptyFile: no bytes.
        UnsupportedFormat: a format that no decoder here knows.
        ImageTooLarge: more pixels than the limit, or more memory than there is.
        UnreadableImage: corrupt or truncated.
    """
    place = Path(path)
    found: str | None = None
    try:
        with open_regular(place) if stream is None else nullcontext(stream) as opened:
            if os.fstat(opened.fileno()).st_size == 0:
                raise EmptyFile("the file has no bytes; copy it again from where it came")  # noqa: TRY301
            found = sniff(opened.read(64))
            opened.seek(0)
            yield _source(place, opened, found)
    except ImageError:
        raise
    except Exception as error:
        # Decoders raise nearly every class there is on malformed input; one photo must not stop a run.
        raise translated(error, found) from error


def _refuse_at_sight(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageGone("not a file but a folder, pipe or device")


def _source(place: Path, stream: BinaryIO, found: str | None) -> Source:
    if found in UNSUPPORTED_FORMATS:
        raise UnsupportedFormat(f"{found} is not supported; convert it to JPEG, PNG or TIFF")
    is_raw = found in RAW_FORMATS or (found in {"TIFF", None} and extension(place.name) in RAW_EXTENSIONS)
    return Source(place, stream, found, is_raw)


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Refuse a decompression bomb before it is decoded.

    Raises:
        ImageTooLarge: more pixels than the limit.
        UnreadableImage: a side of no pixels.
    """
    if width < 1 or height < 1:
        raise UnreadableImage(f"corrupt: the header says {width}x{height} pixels")
    if max(width, height) > MAX_SIDE:
        raise ImageTooLarge(
            f"{width}x{height} pixels: no side may be longer than {MAX_SIDE:,}; crop it if it is genuine"
        )
    if width * height > max_megapixels * 1e6:
        raise _too_large(f"{width}x{height} is", width * height, f"{max_megapixels:g}")


@contextmanager
def limited_pillow(max_megapixels: float) -> Iterator[None]:
    """Have Pillow refuse what is hidden in containers, too, while this lasts; one thread of the process at a time.

    Containers (ICO, ICNS, GIF) hide larger frames behind a small header, which Pillow checks against a global: above
    twice its value it raises. The global is everybody's, so it is put back.
    """
    pillow = _pillow()
    with _pillows_limit:
        before = pillow.MAX_IMAGE_PIXELS
        pillow.MAX_IMAGE_PIXELS = int(max_megapixels * 1e6 / 2) + 1
        try:
            yield
        finally:
            pillow.MAX_IMAGE_PIXELS = before


def open_pillow(stream: BinaryIO, max_megapixels: float) -> "Image.Image":
    """Read the header of an image; no pixel is decoded. The caller closes the image.

    Args:
        stream: the file.
        max_megapixels: more pixels than this are refused; those of further frames by :func:`limited_pillow`.

    Raises:
        ImageTooLarge: more pixels than the limit.
        Exception: whatever Pillow raises; call it inside :func:`open_source`.
    """
    pillow = _pillow()
    _silence()
    try:
        image: Image.Image = pillow.open(stream, formats=PILLOW_FORMATS)
    except pillow.DecompressionBombError as error:
        raise _too_large("holds", _bomb_pixels(error), f"{max_megapixels:g}") from error
    check_size(*image.size, max_megapixels)
    return image


@contextmanager
def open_raw(source: Source) -> Iterator[Any]:
    """Open a camera raw file with LibRaw; gives a ``rawpy.RawPy``."""
    import rawpy

    # From the open file, never by its name: whoever decodes may open nothing.
    raw = rawpy.imread(source.stream)
    try:
        yield raw
    finally:
        raw.close()


def load_decoders() -> None:
    """Load every decoder there is, so that none has to be found later."""
    _pillow().init()
    for name in ("PIL.ImageCms", "rawpy", "simplejpeg"):
        importlib.import_module(name)


@functools.cache
def _pillow() -> Any:
    """The module ``PIL.Image`` with the HEIF opener registered, once per process."""
    import pillow_heif
    from PIL import AvifImagePlugin, Image

    # Only single pictures are wanted; the libraries' own threads would multiply with ours.
    pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return Image


def _silence() -> None:
    """Keep Pillow's warnings about odd files out of logs: what matters in them is an error here.

    ``warnings.catch_warnings`` would do it for one call, but is not safe with threads before Python 3.14. Adding a
    filter makes Python forget which warnings it has shown, so it is done only where ours is not the first.
    """
    first = warnings.filters[0] if warnings.filters else None
    if first is None or first[0] != "ignore" or getattr(first[3], "pattern", "") != _PILLOW_MODULES:
        warnings.filterwarnings("ignore", module=_PILLOW_MODULES)


def _too_large(size: str, pixels: int, limit: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{size} {pixels / 1e6:.1f} megapixels, over the limit of {limit}; raise max_megapixels if the photo is genuine"
    )


def _bomb_pixels(error: Exception) -> int:
    """The number of pixels that Pillow's error names."""
    found = re.search(r"(\d+) pixels", str(error))
    return int(found.group(1)) if found else 0


def translated(error: Exception, found: str | None) -> ImageError:
    """What a decoder's error means."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno in _AWAY:
        return ImageGone(f"cannot be read now: {error.strerror or name}")
    if name in {"DecompressionBombError", "LibRawTooBigError"}:
        return _too_large("holds", _bomb_pixels(error), "this project")
    if name in {"UnidentifiedImageError", "LibRawFileUnsupportedError"}:
        if found is None:
            return UnsupportedFormat("no image format that is known here; is it a photo?")
        return UnreadableImage(f"looks like {found}, but no decoder accepts it: corrupt, or an unusual variant")
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return ImageTooLarge("decoding it asks for more memory than it may have: too large here, or made to be")
    return UnreadableImage(f"corrupt or truncated {found or 'image'}: {one_line(error)}")


def one_line(error: BaseException) -> str:
    """An error's message on one line of at most 200 characters; its class where it has none."""
    first = error.args[0] if error.args and isinstance(error.args[0], bytes) else None
    text = first.decode("latin-1") if first is not None else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
