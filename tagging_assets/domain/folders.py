"""Which folders a look at the watched ones must list, and what to remember of them.

A folder that was not modified since the last look has no new, lost or renamed entry, so a look takes the time of
folders, not of files. Two things a folder's modification time does not tell: that a file was rewritten in place, and
that the file system's clock is coarse or another machine's. So every folder is listed again in turn, and a time is
trusted only once it has been at rest for a while (the rule Git has for its index: "racy Git", Documentation/technical).

What does not belong here: reading folders (``resources/folder_watch.py``) and what became of the files (``scan``).
"""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tagging_assets.domain.identity import is_within

# File systems keep time coarsely (FAT: to two seconds) and by the clock of another machine.
CLOCK_SLACK_NS = 2_000_000_000

#: Stands for the time of a folder that is to be listed at the next look, whatever it says then.
NEVER = -1

#: … for what was lost below it and not judged yet. Those come last, and nothing waits for them.
DEFERRED = -2

#: Folders that hold no photos of anybody: thumbnails and rubbish of NAS boxes, Windows and macOS. (Those with a
#: dot in front are skipped as hidden.)
SKIPPED_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found", "__macosx"}
)


#: What the kernel shows as files, and where it leads back to every file there is; some are folders of files after all.
_OF_THE_SYSTEM = ("/proc", "/sys", "/dev")
_OF_PEOPLE = ("/dev/shm",)  # noqa: S108 - named to be told apart, not to be written to


@dataclass(frozen=True, slots=True)
class Remembered:
    """A folder as it was at the last look.

    Attributes:
        mtime_ns: its modification time; negative where it is to be listed again in any case (see :func:`to_remember`).
        looked_at_ns: when that was, nanoseconds since the epoch.
    """

    mtime_ns: int
    looked_at_ns: int

    @property
    def deferred(self) -> bool:
        """Whether it is listed again only for what was lost below it."""
        return self.mtime_ns == DEFERRED


def to_remember(mtime_ns: int, now_ns: int, before: Remembered | None, *, restless: bool = False) -> Remembered:
    """What to remember of a folder that was listed.

    A time within the slack of the present, or ahead of it, cannot tell a change that comes a moment later. It is
    remembered as its negative, which no folder has, and trusted when it is still the same at a later look.

    Args:
        mtime_ns: modification time, read before the folder was listed.
        now_ns: the time of this look.
        before: what was remembered until now; None for a folder never seen.
        restless: something in it must be looked at again, such as a file that is still being written.
    """
    if restless or mtime_ns <= 0:
        return Remembered(NEVER, now_ns)
    at_rest = now_ns - mtime_ns >= CLOCK_SLACK_NS
    seen_alike = before is not None and before.mtime_ns == -mtime_ns and now_ns - before.looked_at_ns >= CLOCK_SLACK_NS
    return Remembered(mtime_ns if at_rest or seen_alike else -mtime_ns, now_ns)


def modified(present: Mapping[str, int], remembered: Mapping[str, Remembered]) -> list[str]:
    """The folders that must be listed, deferred ones last.

    The one looked at longest ago comes first, so that a busy one starves no other.

    Args:
        present: modification time, nanoseconds, by path, of all that are there.
        remembered: by path.
    """
    found = (path for path, mtime_ns in present.items() if remembered[path].mtime_ns != mtime_ns)
    return sorted(found, key=lambda path: (remembered[path].deferred, remembered[path].looked_at_ns, path))


def in_turn(present: Collection[str], remembered: Mapping[str, Remembered]) -> list[str]:
    """All folders, the one looked at longest ago first."""
    return sorted(present, key=lambda path: remembered[path].looked_at_ns)


def lost_folders(
    remembered: Collection[str], present: Container[str], listed: Mapping[str, Collection[str]], roots: Collection[str]
) -> dict[str, str]:
    """Remembered folders that are not part of the watched ones any more.

    Those that are not there, those that a listing of the folder above does not name (it became a cache, a link to
    somewhere else), and all below them. Roots are never lost, only out of sight.

    Args:
        remembered: paths.
        present: those of them that are there, or may be: what cannot be looked at is not lost.
        listed: the sub-folders of each folder that was listed at this look.
        roots: what is watched.

    Returns:
        Lost folder to the nearest folder above it that stands; folders below none that stands are left out.
    """
    lost: dict[str, str] = {}
    known = set(remembered) | listed.keys()
    for path in sorted(remembered, key=len):
        if path in roots:
            continue
        between = [path]
        for above in ancestors(path):
            if above in known:
                break
            between.append(above)
        else:
            continue
        if above in lost:
            lost[path] = lost[above]
        elif above not in present and above not in listed:
            continue  # a root that is not there
        elif path not in present or (above in listed and not any(folder in listed[above] for folder in between)):
            lost[path] = above
    return lost


def is_watched(path: str, roots: Collection[str]) -> bool:
    """Whether a look at the roots comes by a folder: at or below one, and not hidden below it."""
    return any(path == root or (is_within(path, root) and not _hides(path, root)) for root in roots)


def is_skipped(name: str) -> bool:
    """Whether folders of that name are left out."""
    return name.startswith(".") or name.lower() in SKIPPED_FOLDERS


def is_of_the_system(path: str) -> bool:
    """Whether a real path is one of the kernel's own, where there are no photos and no end of links."""

    def lies_in(folders: Sequence[str]) -> bool:
        return any(path == folder or is_within(path, folder) for folder in folders)

    return lies_in(_OF_THE_SYSTEM) and not lies_in(_OF_PEOPLE)


def ancestors(path: str) -> Iterator[str]:
    """Every folder above the path, nearest first, up to the root; either kind of slash."""
    end = max(path.rfind("/"), path.rfind("\\"))
    while end > 0:
        yield path[:end]
        end = max(path.rfind("/", 0, end), path.rfind("\\", 0, end))
    if path.startswith("/"):
        yield "/"
    elif path[1:2] == ":" and len(path) > len("C:/"):
        yield path[: len("C:/")]


def _hides(path: str, root: str) -> bool:
    names = path[len(root) :].replace("\\", "/").split("/")
    return any(is_skipped(name) for name in names if name)
