"""Writing files so that readers, now or after a crash, see all of a file or nothing of it."""

import errno
import os
import tempfile
from pathlib import Path

from tagging_assets.domain.errors import DiskFull, StorageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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


def storage_error(error: OSError, target: Path) -> StorageError:
    """What a failed write means."""
    if error.errno in _FULL:
        return DiskFull(f"no space left to write {target}; free some, or move the data folder")
    return StorageError(f"cannot write {target}: {error.strerror or error}; check the folder's owner and mount")
