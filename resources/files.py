"""Writing files so that readers, now or after a crash, see all of a file or nothing of it."""

import errno
import os
import shutil
import tempfile
import time
from pathlib import Path

from tagging_assets.domain.errors import DiskFull, StorageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: A folder that nothing was put into for so long belongs to a process that was killed.
_ABANDONED_SECONDS = 24 * 3600


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that readers and crashes see the whole of it or nothing.

    Raises:
        OSError: as the file system says; no temporary file is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-", suffix=target.suffix)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; these are shared with the workers of other users.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def work_folder(belongs_in: Path, prefix: str) -> Path:
    """A new folder beside the place where what is made in it goes, so that it can be renamed into it.

    What a killed process left there long ago is cleared away.

    Args:
        belongs_in: the place; the folder that holds it is made.
        prefix: of the folder's name, by which those left behind are known.

    Raises:
        DiskFull, StorageError: it cannot be made.
    """
    try:
        belongs_in.parent.mkdir(parents=True, exist_ok=True)
        for left in belongs_in.parent.glob(f"{prefix}*"):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=belongs_in.parent, prefix=prefix))
    except OSError as error:
        raise storage_error(error, belongs_in) from error


def storage_error(error: OSError, target: Path) -> StorageError:
    """What a failed write means."""
    if error.errno in _FULL:
        return DiskFull(f"no space left to write {target}; free some, or move the data folder")
    return StorageError(f"cannot write {target}: {error.strerror or error}; check the folder's owner and mount")
