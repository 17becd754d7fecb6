"""Who an image is: its id, its place as a URI, and the batch it belongs to.

Belongs here: the value that stands for one row of the manifest, and the arithmetic of names. Does not belong here:
deciding what happened to a file (``scan``), hashing files or talking to the database (``resources``).
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_from_bytes, unquote_to_bytes

#: Images a batch holds before the next one is opened.
BATCH_SIZE = 1000

_QUOTED = "file://"
_BURIED = "gone:"


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One photo as the manifest knows it.

    Attributes:
        image_id: 32 hex digits, given at first sight, kept for good.
        uri: where it is (or was last seen); see :func:`uri_of`.
        batch: the partition it belongs to for good, e.g. ``b000001``.
        bytes: size of the file.
        mtime_ns: modification time of the file, nanoseconds since the epoch.
        content_hash: SHA-256 of the file's bytes, hex; None where the source gives no bytes.
        sidecar_mtime_ns: newest modification time of its sidecars, 0 where it has none.
        first_seen_ns: when it was first seen, nanoseconds since the epoch.
        pixel_id: SHA-256 of the proxy's pixels, once a proxy was made.
        gone_at: when the file was found missing; None while it is there.
    """

    image_id: str
    uri: str
    batch: str
    bytes: int
    mtime_ns: int
    content_hash: str | None = None
    sidecar_mtime_ns: int = 0
    first_seen_ns: int = 0
    pixel_id: str | None = None
    gone_at: datetime | None = None

    @property
    def gone(self) -> bool:
        """Whether the file was missing at the last look."""
        return self.gone_at is not None


def uri_of(path: str) -> str:
    """The URI of an absolute local path: the path itself wherever Unicode can say it.

    File names are bytes on most systems, and Python smuggles bytes that are not UTF-8 through ``str`` as lone
    surrogates (PEP 383), which neither Postgres nor Parquet can store. Such paths become ``file://`` with percent
    escapes, so that every file has exactly one URI and the URI leads back to the file.

    Args:
        path: absolute path, as ``os.fsdecode`` gives it.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        return _QUOTED + quote_from_bytes(path.encode("utf-8", "surrogateescape"), safe="/")
    return path


def endings_of(name: str) -> tuple[str, ...]:
    """What URIs of files end in whose path ends in a name; none where no file can be called that.

    Args:
        name: of a file, or the end of a path, as ``os.fsdecode`` gives it.
    """
    try:
        quoted = quote_from_bytes(name.encode("utf-8", "surrogateescape"), safe="/")
        plain = uri_of(name)
    except UnicodeEncodeError:
        return ()
    if "\x00" in name:
        return ()
    return (name, quoted) if plain == name and quoted != name else (quoted,)


def path_of(uri: str) -> str:
    """The local path a URI stands for; the inverse of :func:`uri_of`.

    Raises:
        ValueError: the URI is not of a local file (``https:``, a buried one …).
    """
    if uri.startswith(_QUOTED):
        return unquote_to_bytes(uri.removeprefix(_QUOTED)).decode("utf-8", "surrogateescape")
    if not is_local(uri):
        raise ValueError(f"not the URI of a local file: {uri!r}")
    return uri


def is_local(uri: str) -> bool:
    """Whether the URI is a path of this machine (POSIX, Windows drive or UNC)."""
    return uri.startswith(("/", "\\\\", _QUOTED)) or (uri[1:2] == ":" and uri[2:3] in {"/", "\\"})


def buried_uri(image_id: str, uri: str) -> str:
    """The URI of a lost image whose place is now another image's: ``gone:<image_id>:<last place>``.

    A URI names one image at a time, and the image that was there keeps its row, tags and decisions.
    """
    return uri if is_buried(uri) else f"{_BURIED}{image_id}:{uri}"


def is_buried(uri: str) -> bool:
    """Whether another image has taken this one's place."""
    return uri.startswith(_BURIED)


def last_place(uri: str) -> str:
    """The URI without the mark of :func:`buried_uri`."""
    return uri.split(":", 2)[2] if is_buried(uri) else uri


def is_within(path: str, folder: str) -> bool:
    """Whether ``path`` lies strictly below ``folder``; both absolute, either kind of slash."""
    stem = folder.rstrip("/\\")
    return len(path) > len(stem) + 1 and path.startswith(stem) and path[len(stem)] in "/\\"


def batch_name(number: int) -> str:
    """The name of the n-th batch, counted from 1: ``b000001``; sorts as it counts."""
    if not 1 <= number <= 999_999:
        raise ValueError(f"batch numbers run from 1 to 999999, not {number}")
    return f"b{number:06d}"


def batch_number(name: str) -> int:
    """The number of a batch; the inverse of :func:`batch_name`.

    Raises:
        ValueError: not the name of a batch.
    """
    if len(name) != 7 or name[0] != "b" or not name[1:].isascii() or not name[1:].isdigit():
        raise ValueError(f"not the name of a batch: {name!r}")
    return int(name[1:])


def assign_batches(count: int, *, newest: str | None, held: int, batch_size: int = BATCH_SIZE) -> list[str]:
    """The batches of ``count`` new images, in order: the newest one until it is full, then fresh ones.

    Args:
        count: how many images are new.
        newest: name of the newest batch, None when there is none yet.
        held: images in it, gone ones included (they may come back, and never change their batch).
        batch_size: images a batch may hold, at least 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    number, filled = (batch_number(newest), held) if newest else (1, 0)
    first = number * batch_size - batch_size + min(filled, batch_size)
    return [batch_name(position // batch_size + 1) for position in range(first, first + count)]
