"""Writing files so that readers, now or after a crash, see all of a file or nothing of it, and strangers see nothing.

What is kept for the project (:func:`write_atomically`) can be read by nobody else, whatever the umask says. What a user
names, or shares with others (:func:`write_output`), follows the umask, as the output of any program does.
"""

import errno
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tagging_assets.domain.errors import DiskFull, StorageError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
#: What a program asks for that leaves the rest to the umask.
_OPEN_FILE = 0o666
_OPEN_FOLDER = 0o777
#: Takes every right from everybody else; for programs that make files of their own in the data folder.
PRIVATE_UMASK = 0o077

#: Of an error, what it is called in one line.
_FULL = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "no space left in your quota",
    errno.EFBIG: "no space left under the limit on the size of files (ulimit -f)",
}

_IN_THE_WAY = "a file is where a folder belongs: move it away, or name another data_dir"
_ADVICE = {
    errno.EROFS: "it is mounted read-only: mount it writable, or name another data_dir",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ELOOP: "its links lead in a circle: remove them, or name another data_dir",
    errno.EIO: "the disk fails: see what the system says of it",
}

#: The user's own umask, while :func:`private_files` lasts.
_umask: list[int] = []

#: A folder that nothing was put into for so long belongs to a process that was killed.
_ABANDONED_SECONDS = 24 * 3600


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file of ours, for us alone: readers and crashes see the whole of it or nothing.

    Raises:
        OSError: as the file system says; no temporary file is left behind.
    """
    private_folder(target.parent)
    _replace(target, content, PRIVATE_FILE)


def write_output(target: Path, content: bytes) -> None:
    """Write a file to a place that a user names or shares: whole or not at all, with the rights that the umask leaves.

    As with any program's output, a file that is there keeps its owner and its rights, a link is followed, and what is
    no file (``/dev/stdout``, a named pipe) is written to and not replaced.

    Raises:
        OSError: as the file system says; no temporary file is left behind.
    """
    place = Path(os.path.realpath(target))
    there = place.stat() if place.exists() else None
    if there is not None and not stat.S_ISREG(there.st_mode):
        with place.open("wb") as stream:
            stream.write(content)
        return
    _make_folder(place.parent, _OPEN_FOLDER)
    _replace(place, content, _OPEN_FILE, like=there)


def write_within(root: Path, target: Path, content: bytes) -> None:
    """Write a file of ours that belongs into a folder; see :func:`write_atomically`.

    Args:
        root: the folder.
        target: below it.
        content: of the file.

    Raises:
        DiskFull: no space left; what was there still stands.
        StorageError: the target is not below the folder, be it by dots in its name or by a link that somebody put
            there; or any other refusal of the file system.
    """
    try:
        if root.is_symlink() or not target.parent.resolve().is_relative_to(root.resolve()):
            raise StorageError(f"{target} leads out of {root}; remove the link that is in its way")
        write_atomically(target, content)
    except OSError as error:
        raise storage_error(error, target) from error


def private_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for us alone; what is there stays as it is.

    Raises:
        OSError: as the file system says.
    """
    _make_folder(folder, PRIVATE_FOLDER)
    return folder


def open_log(path: Path) -> IO[bytes]:
    """Open a log of ours for going on with it; nobody else can read it.

    Raises:
        OSError: as the file system says.
    """
    private_folder(path.parent)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, PRIVATE_FILE)
    # One of an earlier version, which everybody could read.
    os.fchmod(descriptor, PRIVATE_FILE)
    return os.fdopen(descriptor, "ab")


@contextmanager
def private_files() -> Iterator[None]:
    """While this lasts, files that libraries make are for us alone; for the whole process, threads included."""
    before = os.umask(PRIVATE_UMASK)
    _umask.append(before)
    try:
        yield
    finally:
        _umask.pop()
        os.umask(before)


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


def storage_error(error: OSError, target: Path | None) -> StorageError:
    """What a failed write means, in one line.

    Args:
        error: of the file system.
        target: what was to be written; ``None`` where nobody knows.
    """
    if error.errno in _FULL:
        where = f" to write {target}" if target else ""
        free = "" if error.errno == errno.EFBIG else _free(target)
        return DiskFull(
            f"{_FULL[error.errno]}{where}{free}; make room, or move the data folder, and run the same command again"
        )
    advice = _ADVICE.get(error.errno or 0, "check the folder's owner and mount")
    return StorageError(f"cannot write {target or 'a file'}: {error.strerror or error}; {advice}")


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no space left."""
    return isinstance(error, OSError) and error.errno in _FULL


def free_bytes(place: Path) -> int | None:
    """How much is free where a path lies, or would lie; ``None`` where nobody knows."""
    for folder in (place, *place.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


def _free(target: Path | None) -> str:
    free = None if target is None else free_bytes(target)
    return "" if free is None or target is None else f" ({free / 1e6:.1f} MB are free in {target.parent})"


def _make_folder(folder: Path, mode: int) -> None:
    missing = []
    place = folder
    while not place.is_dir():
        missing.append(place)
        place = place.parent
    for one in reversed(missing):
        try:
            one.mkdir(mode)
        except FileExistsError:
            # Another process was faster, or it is something else than a folder.
            if not one.is_dir():
                raise
        else:
            if (wanted := _wanted(mode)) is not None:
                one.chmod(wanted)


def _wanted(mode: int) -> int | None:
    """Rights that have to be set because the umask of the moment gives others; ``None`` where it is right."""
    if mode in (PRIVATE_FILE, PRIVATE_FOLDER):
        return mode
    return mode & ~_umask[0] if _umask else None


def _replace(target: Path, content: bytes, mode: int, like: os.stat_result | None = None) -> None:
    """Put a new file in the target's place; ``like`` is the one whose owner and rights it is to have."""
    temporary = target.with_name(f".new-{secrets.token_hex(8)}{target.suffix}")
    # Not by tempfile, which makes files that the umask has no say in.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            _own(stream.fileno(), mode, like)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # A full disk is told of a handle, which has no name.
            error.filename = str(target)
        raise


def _own(handle: int, mode: int, like: os.stat_result | None) -> None:
    if like is None:
        if (wanted := _wanted(mode)) is not None:
            os.fchmod(handle, wanted)
        return
    # Whoever may not give files away keeps it, as with any editor.
    with suppress(PermissionError):
        os.fchown(handle, like.st_uid, like.st_gid)
    os.fchmod(handle, stat.S_IMODE(like.st_mode))
