"""Names that become names of files or folders: partitions, experiments, contestants.

Anybody who may start a run may name its partition, so a name is checked where it becomes part of a path, and nowhere
else: there it cannot be forgotten.
"""

import re

from tagging_assets.domain.errors import UnsafeName

#: Letters, digits and a few marks, of ASCII alone, so that two names that look the same are the same; no first dot,
#: so neither ``..`` nor hidden files; and, with what is put behind it, no longer than a file system takes.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@-]{0,127}")

_SHOWN = 40


def path_name(name: str) -> str:
    """The name, where it can be one part of a path and nothing more.

    Raises:
        UnsafeName: it cannot.
    """
    if not _NAME.fullmatch(name):
        # As ASCII, for it may hold anything: line ends, marks that turn the direction of writing.
        shown = ascii(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
        raise UnsafeName(
            f"{shown} names no partition or experiment; write at most 128 letters, digits and ._+=@- of ASCII, "
            "and no dot first"
        )
    return name
