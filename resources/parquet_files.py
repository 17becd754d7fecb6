"""Parquet files of derived rows: stamped with their format, and set aside where they are damaged.

What does not belong here: which rows there are, and where (``frame_store.py``, ``row_store.py``).
"""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import polars as pl

from resources.files import write_within
from tagging_assets.domain.errors import DamagedFile, StorageError

T = TypeVar("T")

#: Of the files that are written now: grows when an older version of this product could not read them.
FORMAT = 1
_STAMP = "tagging.format"
#: Begins and ends every Parquet file.
_MAGIC = b"PAR1"
#: What is before the end's mark at the least: the beginning's, and the length of the footer.
_LEAST = 8
#: What polars and reading its rows raise over bytes that are no such file, or not the whole of it.
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, TypeError, KeyError, ValueError)


def write_frame(root: Path, path: Path, frame: pl.DataFrame) -> None:
    """Replace a file below ``root``.

    Raises:
        DiskFull: no space left; the old file still stands.
        StorageError: any other refusal of the file system.
    """
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata={_STAMP: str(FORMAT)})
    write_within(root, path, buffer.getvalue())


def read_frame(path: Path, read: Callable[[pl.DataFrame], T]) -> T | None:
    """What a file holds; ``None`` where there is none.

    Args:
        path: of the file.
        read: makes of the frame what is wanted.

    Raises:
        DamagedFile: it could not be read, and was set aside under another name: what was made can be made again.
        StorageError: it was written by a newer version, or the file system refuses.
    """
    try:
        with path.open("rb") as file:
            content, inode = file.read(), os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}; check its owner and mount") from error
    try:
        found = int(pl.read_parquet_metadata(io.BytesIO(content)).get(_STAMP, FORMAT))
        if found <= FORMAT:
            return read(pl.read_parquet(io.BytesIO(content)))
    except _UNREADABLE as error:
        _set_aside(path, inode, error)
    raise StorageError(
        f"{path} was written by a newer version of this product (format {found}, this one knows {FORMAT}); install "
        "that version, or name another data_dir"
    )


def seems_whole(path: Path) -> bool:
    """Whether a file is there with both its ends, told without reading it: one that was cut off has none."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
            size = file.seek(-len(_MAGIC), os.SEEK_END)
            return begins == _MAGIC == file.read() and size >= _LEAST
    except OSError:
        return False


def _set_aside(path: Path, inode: int, error: BaseException) -> None:
    """Raise, with the file moved out of the way unless another process has put a new one there meanwhile."""
    aside = path.with_name(f"{path.name}.damaged")
    with suppress(OSError):
        if path.stat().st_ino == inode:
            path.replace(aside)
    line = " ".join(str(error).split())[:120] or type(error).__name__
    raise DamagedFile(
        f"{path} cannot be read ({line}); it was set aside as {aside.name}: run the same command again, and what it "
        "held is made anew"
    ) from error
