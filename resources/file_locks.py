"""Locks on files between processes: the kernel frees them when the holder dies, whatever killed it."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05


def open_private(path: Path) -> int:
    """Open a lock file that nobody else can open, and so nobody else can hold.

    Raises:
        OSError: it cannot be made or opened.
        PermissionError: it is there and somebody else's.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    folder = path.parent.stat()
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        if os.geteuid() == 0:
            # Whose folder it is can lock, too, where root was there first.
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    except FileExistsError:
        descriptor = os.open(path, flags)
        status = os.fstat(descriptor)
        if status.st_uid not in (os.geteuid(), folder.st_uid):
            os.close(descriptor)
            raise PermissionError(f"{path} belongs to somebody else") from None
        if status.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    return descriptor


def try_lock(descriptor: int, how: int = fcntl.LOCK_EX) -> bool:
    """Lock it if nobody is in the way."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path, waited: Callable[[float], None] = lambda _seconds: None) -> Iterator[int]:
    """Hold a lock; waiting for it can be interrupted, which a blocking call in C could not.

    Args:
        path: the lock file.
        waited: told again and again for how long we have been waiting.

    Yields:
        The descriptor: a child that inherits it holds the lock, too.
    """
    descriptor = open_private(path)
    try:
        began = time.monotonic()
        while not try_lock(descriptor):
            waited(time.monotonic() - began)
            time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)
