"""A full disk without being root: a limit on the size of files, beyond which the system refuses."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LIMIT = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses what is beyond, with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def no_file_beyond(size: int) -> tuple[str, ...]:
    """What to put before a command, so that the same holds for it and what it starts."""
    return (sys.executable, "-c", _LIMIT.format(size))
