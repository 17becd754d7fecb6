"""One look at the watched folders that takes the time of folders, not of files.

All remembered folders are asked for their modification time; those that were modified are listed, then some others
in turn (why: ``domain/folders.py``). What does not belong here: what became of the files (``domain/scan.py``) and
the memory itself (``folder_book``).
"""

import os
import stat
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.photo_folder import FolderWalk, mtime_ns, reason_of
from tagging_assets.domain.folders import CLOCK_SLACK_NS, Remembered, in_turn, lost_folders, modified
from tagging_assets.domain.scan import Listing


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one look may do; what is left is done by the next ones.

    Attributes:
        list_seconds: listing folders that were modified; the first is always listed.
        turn_seconds: listing folders again that were not (comparing them takes about twice as long); none is with
            0, or while others wait.
        hash_seconds: reading files that are new or modified.
        files: listed, or judged with their lost folder, before the look ends.
    """

    list_seconds: float = 5.0
    turn_seconds: float = 0.2
    hash_seconds: float = 20.0
    files: int = 20_000


@dataclass(frozen=True, slots=True)
class Lost:
    """Folders below one that stands, whose photos are to be judged.

    Attributes:
        above: the folder that stands.
        folders: those that are lost.
        seen_before_ns: only photos first seen before this may be gone, the others are out of sight; None for all.
    """

    above: str
    folders: tuple[str, ...]
    seen_before_ns: int | None


@dataclass(frozen=True, slots=True)
class Round:
    """What one look found.

    Attributes:
        listing: of the folders that were listed, with the single files that are watched.
        lost: folders whose photos are to be judged; none while folders wait, where their photos may turn up.
        discovered: folders that were found and not listed yet.
        deferred: folders that must be listed again, as what is lost below them was not judged.
        hidden: folders below which remembered ones are out of sight.
        left: how many folders wait for the next look.
    """

    listing: Listing
    lost: tuple[Lost, ...]
    discovered: tuple[str, ...]
    deferred: frozenset[str]
    hidden: tuple[str, ...]
    left: int


def look_round(roots: Sequence[Path], remembered: Mapping[str, Remembered], pace: Pace) -> Round:
    """Look at the watched folders once.

    Args:
        roots: folders and single files.
        remembered: every folder known at or below the roots, each root folder included.
        pace: how much to do.
    """
    walk = FolderWalk()
    for root in roots:
        walk.add_root(os.fspath(root))
    walk.pending.clear()
    present = _ask(walk, remembered)
    waiting = _list_modified(walk, modified(present, remembered), pace)
    if not waiting:
        _list_in_turn(walk, in_turn(present.keys() - walk.folders.keys(), remembered), pace)
    discovered = {*walk.pending, *walk.linked}
    left = len(discovered) + sum(not remembered[folder].deferred for folder in waiting)
    standing = (present.keys() - walk.displaced) | walk.folders.keys() | walk.unreadable.keys()
    lost = lost_folders(remembered.keys(), standing, walk.subfolders, walk.roots)
    judged = () if left else _to_judge(walk, lost, remembered)
    return Round(
        listing=walk.listing(),
        lost=judged,
        discovered=tuple(sorted(discovered)),
        deferred=frozenset(lost.values() if left else ()),
        hidden=() if left else tuple(sorted({*walk.vanished, *lost.values()} - {one.above for one in judged})),
        left=left,
    )


def _ask(walk: FolderWalk, remembered: Mapping[str, Remembered]) -> dict[str, int]:
    """The modification time of every remembered folder that is there."""
    present: dict[str, int] = {}
    for path in remembered:
        try:
            status = os.stat(path)  # noqa: PTH116 - there may be a hundred thousand
        except (FileNotFoundError, NotADirectoryError):
            if Path(path).is_symlink():
                walk.unreadable[path] = "leads nowhere"
        except OSError as error:
            walk.unreadable[path] = reason_of(error)
        else:
            if not stat.S_ISDIR(status.st_mode):
                continue
            if walk.owns(path, (status.st_dev, status.st_ino)):
                present[path] = mtime_ns(status)
            else:
                walk.displaced.add(path)
    walk.known = present.keys() | walk.displaced
    for path in walk.displaced:
        present.pop(path, None)
    return present


def _list_modified(walk: FolderWalk, folders: Sequence[str], pace: Pace) -> Sequence[str]:
    """List folders, and whatever new ones they lead to; those that there was no time for."""
    deadline = time.monotonic() + pace.list_seconds
    for number, folder in enumerate(folders):
        if number and _is_enough(walk, deadline, pace):
            return folders[number:]
        walk.visit(folder)
    while not (walk.folders and _is_enough(walk, deadline, pace)) and walk.step():
        pass
    return ()


def _list_in_turn(walk: FolderWalk, folders: Sequence[str], pace: Pace) -> None:
    if walk.pending or walk.linked or pace.turn_seconds <= 0:
        return
    deadline = time.monotonic() + pace.turn_seconds
    for folder in folders:
        walk.visit(folder)
        if _is_enough(walk, deadline, pace):
            return


def _is_enough(walk: FolderWalk, deadline: float, pace: Pace) -> bool:
    return time.monotonic() >= deadline or len(walk.files) >= pace.files


def _to_judge(walk: FolderWalk, lost: Mapping[str, str], remembered: Mapping[str, Remembered]) -> tuple[Lost, ...]:
    """The lost folders that are known by another path now, and those below folders that were listed.

    Below a folder that is as it was, all was judged when it was listed; if it is empty, its disk may be away.
    """
    judged = [Lost(lost[folder], (folder,), None) for folder in sorted(walk.displaced & lost.keys())]
    below: defaultdict[str, list[str]] = defaultdict(list)
    for folder, above in lost.items():
        if above in walk.folders and folder not in walk.displaced:
            below[above].append(folder)
    for above, folders in sorted(below.items()):
        mtime_ns = walk.empty.get(above)
        if mtime_ns is None:
            judged.append(Lost(above, tuple(folders), None))
        elif above not in remembered or remembered[above].mtime_ns != mtime_ns:
            judged.append(Lost(above, tuple(folders), mtime_ns + CLOCK_SLACK_NS))
    return tuple(judged)
