"""What happened to the photos since the last look: new, changed, moved, gone, back again.

Two pure steps with the hashing of a few files between them:

1. :func:`needs_hash` says which files differ from what is known and have come to rest;
2. :func:`scan`, given their hashes, decides.

An image's identity follows its bytes first and its place second. Each known image whose place holds its bytes no
more is *displaced*; a file with a displaced image's bytes is that image, moved. This covers renaming, renumbering
a whole series and swapping two files. A place with new bytes that nothing displaced explains is the same image,
changed. Copies side by side are two images.

Nothing is taken for deleted that may only be out of sight: below a folder that cannot be read, below a root that
is not there, or below an empty folder that was last modified before the photo was first seen there (what a mount
point looks like when its disk is away: deleting the photo would have modified the folder).
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tagging_assets.domain.folders import CLOCK_SLACK_NS, ancestors
from tagging_assets.domain.identity import ImageRef, is_local, is_within, last_place, path_of

#: Size and modification time: what tells two looks at a file apart.
Look = tuple[int, int]


#: File systems know years that 64 bits of nanoseconds do not (1677 to 2262, and no sum may leave them either).
_FARTHEST_NS = 2**63 - 1 - CLOCK_SLACK_NS


def storable_ns(time_ns: int) -> int:
    """A file's time as tables can hold it: the nearest one that they can."""
    return max(-_FARTHEST_NS, min(time_ns, _FARTHEST_NS))


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A photo file as a listing found it.

    Attributes:
        uri: its place, as ``identity.uri_of`` writes it.
        bytes: size.
        mtime_ns: modification time.
        sidecar_mtime_ns: newest modification time of its sidecars, 0 where it has none.
        ctime_ns: time of the last change of the inode, which copying programs cannot set back; 0 if unknown.
    """

    uri: str
    bytes: int
    mtime_ns: int
    sidecar_mtime_ns: int = 0
    ctime_ns: int = 0

    @property
    def look(self) -> Look:
        """What must be the same at two looks for the file to be at rest."""
        return self.bytes, self.mtime_ns


@dataclass(frozen=True, slots=True)
class Listing:
    """What a walk over the roots, or over some folders below them, found; folders are absolute paths, not URIs.

    Attributes:
        roots: folders and single files that were asked for.
        files: photos, each place once.
        unreadable: folder or file to the reason why it could not be looked at.
        vanished: roots (or the folder of a single file) that are not there.
        empty: folders without any entry, to their modification time in nanoseconds.
        ignored: files that are no photos by their name, and no sidecars either; and what is no file at all.
        folders: all folders that were listed, to their modification time in nanoseconds, read before.
    """

    roots: tuple[str, ...]
    files: tuple[SeenFile, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    vanished: tuple[str, ...] = ()
    empty: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    folders: Mapping[str, int] = field(default_factory=dict)

    def covers(self, path: str) -> bool:
        """Whether the path is one of the roots or below one."""
        return any(path == root or is_within(path, root) for root in self.roots)

    def hides(self, path: str, first_seen_ns: int) -> bool:
        """Whether a photo that was not listed may still be there, only out of sight."""
        if path in self.unreadable:
            return True
        blind = (self.unreadable.keys(), self.vanished)
        for folder in ancestors(path):
            if any(folder in folders for folders in blind):
                return True
            if folder in self.empty and self.empty[folder] < first_seen_ns - CLOCK_SLACK_NS:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Found:
    """A file that no known image explains."""

    file: SeenFile
    content_hash: str


@dataclass(frozen=True, slots=True)
class Change:
    """A known image and the file it is now.

    Attributes:
        image: as it was known; ``image.uri`` is the old place.
        file: as it is now.
        content_hash: SHA-256 of the file's bytes, hex; the known one where the file needed no hashing.
    """

    image: ImageRef
    file: SeenFile
    content_hash: str | None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What to do; each image is in at most one of the lists.

    Attributes:
        new: images never seen.
        changed: same place, new bytes (whether the pixels changed is found when they are decoded).
        moved: same bytes, new place; also images that were gone and turn up elsewhere.
        gone: not there any more.
        metadata_only: same bytes, but a sidecar came, changed or went.
        retimed: same bytes, new modification time: nothing to do but to remember it.
        restored: were gone, are back in their place with the same bytes.
        unstable: files still being written; look again.
        away: known images that may only be out of sight; nothing is done about them.
    """

    new: tuple[Found, ...] = ()
    changed: tuple[Change, ...] = ()
    moved: tuple[Change, ...] = ()
    gone: tuple[ImageRef, ...] = ()
    metadata_only: tuple[Change, ...] = ()
    retimed: tuple[Change, ...] = ()
    restored: tuple[Change, ...] = ()
    unstable: tuple[SeenFile, ...] = ()
    away: tuple[ImageRef, ...] = ()

    @property
    def facts(self) -> int:
        """How many changes to the manifest this is."""
        lists = (self.new, self.changed, self.moved, self.gone, self.metadata_only, self.retimed, self.restored)
        return sum(map(len, lists))

    @property
    def is_empty(self) -> bool:
        """Whether the manifest is up to date as it is."""
        return not self.facts

    def looks(self) -> dict[str, Look]:
        """What the next scan must be given as ``previous`` to tell which of these files came to rest."""
        return {file.uri: file.look for file in self.unstable}


@dataclass(frozen=True, slots=True)
class Stillness:
    """When a file counts as completely written: seen twice alike, or left alone long enough.

    Attributes:
        now_ns: the time of this look, nanoseconds since the epoch.
        settle_ns: how long it must have been left alone; 0 trusts every file at once.
        previous: the looks of files that were not at rest last time (``ScanResult.looks``).
    """

    now_ns: int
    settle_ns: int = 0
    previous: Mapping[str, Look] = field(default_factory=dict)

    def at_rest(self, file: SeenFile) -> bool:
        """Whether the file may be read."""
        if self.settle_ns <= 0 or self.previous.get(file.uri) == file.look:
            return True
        return self.now_ns - max(file.mtime_ns, file.ctime_ns) >= self.settle_ns


def needs_hash(listing: Listing, known: Iterable[ImageRef], stillness: Stillness) -> list[SeenFile]:
    """The files whose bytes must be read before :func:`scan` can decide; none where nothing happened.

    Args:
        listing: what is there.
        known: every image of the manifest in the folders that were listed, gone ones included.
        stillness: which files are at rest.
    """
    by_uri = {image.uri: image for image in known}
    return [file for file in listing.files if not _unmodified(file, by_uri.get(file.uri)) and stillness.at_rest(file)]


def scan(
    listing: Listing,
    known: Sequence[ImageRef],
    hashes: Mapping[str, str],
    stillness: Stillness,
    *,
    elsewhere: Sequence[ImageRef] = (),
) -> ScanResult:
    """Decide what became of every file and every known image.

    Args:
        listing: what is there.
        known: every image of the manifest in the folders that were listed or are lost, gone ones included.
        hashes: URI to SHA-256 of the files that :func:`needs_hash` named; those that could not be read are
            left out and count as unstable.
        stillness: as given to :func:`needs_hash`.
        elsewhere: other known images whose place is certainly empty, or another image's: their bytes may turn up
            here.
    """
    by_uri = {image.uri: image for image in known}
    same: list[Change] = []
    arrivals: list[Found] = []
    unstable: list[SeenFile] = []
    for file in listing.files:
        image = by_uri.get(file.uri)
        if image is not None and _unmodified(file, image):
            same.append(Change(image, file, image.content_hash))
        elif not stillness.at_rest(file) or file.uri not in hashes:
            unstable.append(file)
        elif image is not None and image.content_hash == hashes[file.uri]:
            same.append(Change(image, file, image.content_hash))
        else:
            arrivals.append(Found(file, hashes[file.uri]))
    listed = {file.uri for file in listing.files}
    missing, away = _split_missing(listing, (image for image in known if image.uri not in listed))
    overwritten = [by_uri[found.file.uri] for found in arrivals if found.file.uri in by_uri]
    moved = _match_moves(arrivals, [*missing, *overwritten, *elsewhere])
    new, changed = _match_places(arrivals, moved, by_uri)
    kept = {change.image.image_id for change in (*moved, *changed)}
    return ScanResult(
        new=tuple(new),
        changed=tuple(changed),
        moved=tuple(moved),
        gone=tuple(image for image in (*missing, *overwritten) if image.image_id not in kept and not image.gone),
        metadata_only=tuple(c for c in same if not c.image.gone and _sidecar_differs(c)),
        retimed=tuple(c for c in same if not c.image.gone and not _sidecar_differs(c) and _time_differs(c)),
        restored=tuple(c for c in same if c.image.gone),
        unstable=tuple(unstable),
        away=tuple(image for image in away if not image.gone),
    )


def _unmodified(file: SeenFile, image: ImageRef | None) -> bool:
    return image is not None and (image.bytes, image.mtime_ns) == file.look


def _sidecar_differs(change: Change) -> bool:
    return change.image.sidecar_mtime_ns != change.file.sidecar_mtime_ns


def _time_differs(change: Change) -> bool:
    return change.image.mtime_ns != change.file.mtime_ns


def _split_missing(listing: Listing, images: Iterable[ImageRef]) -> tuple[list[ImageRef], list[ImageRef]]:
    """Images that were not listed: those certainly not in their place, and those perhaps only out of sight."""
    missing: list[ImageRef] = []
    away: list[ImageRef] = []
    for image in images:
        if not is_local(image.uri):
            # Another image has its place: certainly not there.
            missing.append(image)
            continue
        path = path_of(image.uri)
        hidden = not listing.covers(path) or listing.hides(path, image.first_seen_ns)
        (away if hidden else missing).append(image)
    return missing, away


def _match_moves(arrivals: Sequence[Found], displaced: Iterable[ImageRef]) -> list[Change]:
    """Give each displaced image the arrived file with its bytes; the same file name first, then in order of place.

    Empty files are all alike and never taken for one another.
    """
    named: defaultdict[tuple[str, str], deque[Found]] = defaultdict(deque)
    waiting: defaultdict[str, deque[Found]] = defaultdict(deque)
    for found in sorted(arrivals, key=lambda found: found.file.uri):
        if found.file.bytes:
            named[found.content_hash, _file_name(found.file.uri)].append(found)
            waiting[found.content_hash].append(found)
    moved: list[Change] = []
    unnamed: list[ImageRef] = []
    taken: set[str] = set()
    # One that was there at the last look has a better claim than one long gone.
    for image in sorted(displaced, key=lambda image: (image.gone, image.uri)):
        content = image.content_hash or ""
        if namesakes := named.get((content, _file_name(image.uri))):
            found = namesakes.popleft()
            taken.add(found.file.uri)
            moved.append(Change(image, found.file, found.content_hash))
        elif content in waiting:
            unnamed.append(image)
    for image in unnamed:
        files = waiting[image.content_hash or ""]
        while files and files[0].file.uri in taken:
            files.popleft()
        if files:
            found = files.popleft()
            moved.append(Change(image, found.file, found.content_hash))
    return moved


def _match_places(
    arrivals: Sequence[Found], moved: Sequence[Change], by_uri: Mapping[str, ImageRef]
) -> tuple[list[Found], list[Change]]:
    """What is left after the moves: images that are new, and images changed in place."""
    taken = {change.file.uri for change in moved}
    left = {change.image.image_id for change in moved}
    new: list[Found] = []
    changed: list[Change] = []
    for found in arrivals:
        if found.file.uri in taken:
            continue
        image = by_uri.get(found.file.uri)
        if image is None or image.image_id in left:
            new.append(found)
        else:
            changed.append(Change(image, found.file, found.content_hash))
    return new, changed


def _file_name(uri: str) -> str:
    return last_place(uri).replace("\\", "/").rsplit("/", 1)[-1]
