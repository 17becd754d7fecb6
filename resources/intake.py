"""From folders to the manifest: look, hash what is new, decide what happened, write it down.

What happened is decided in ``domain/scan.py``; this module only fetches what that needs to know. There are two ways
to look: :meth:`Intake.look` walks everything below some folders; :meth:`Intake.watch` asks the watched folders what
was modified (``folder_watch``), within a time that a sensor has.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resources.folder_watch import Pace, Round, look_round
from resources.manifest import Manifest, ManifestChange
from resources.photo_folder import canonical, hash_files, is_certainly_gone, walk, why_unreadable
from tagging_assets.domain.folders import DEFERRED, NEVER, Remembered, is_watched, to_remember
from tagging_assets.domain.identity import ImageRef, is_buried, path_of
from tagging_assets.domain.scan import Listing, Look, ScanResult, SeenFile, Stillness, needs_hash, scan

_CURSOR_VERSION = 1
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Taken:
    """What one look came to.

    Attributes:
        result: what happened to the files.
        change: what it meant for the manifest.
        unreadable: folder or file to the reason why it could not be looked at.
        ignored: files that are no photos by their name, and what is no file at all.
        postponed: files that there was no time to read; ``result`` counts them as unstable.
        listed: how many folders were listed.
        hidden: folders below which photos are out of sight, as a watch tells it.
        left: folders that there was no time to list.
    """

    result: ScanResult
    change: ManifestChange
    unreadable: dict[str, str]
    ignored: tuple[str, ...] = ()
    postponed: tuple[SeenFile, ...] = ()
    listed: int = 0
    hidden: tuple[str, ...] = ()
    left: int = 0

    @property
    def unstable(self) -> tuple[SeenFile, ...]:
        """Files that are still being written."""
        postponed = set(self.postponed)
        return tuple(
            file for file in self.result.unstable if file not in postponed and path_of(file.uri) not in self.unreadable
        )

    @property
    def looks(self) -> dict[str, Look]:
        """What the next look must be given as ``previous``."""
        postponed = set(self.postponed)
        return {file.uri: file.look for file in self.result.unstable if file not in postponed}

    @property
    def summary(self) -> str:
        """In one line."""
        counts = ", ".join(f"{count} {kind}" for kind, count in self.change.counts.items())
        more = [
            f"{len(self.unstable)} still being written" if self.unstable else "",
            f"{len(self.postponed)} files and {self.left} folders left for the next look"
            if self.postponed or self.left
            else "",
            f"cannot look into {', '.join(sorted(self.unreadable))}" if self.unreadable else "",
            f"{len(self.result.away)} out of sight, their tags stay" if self.result.away else "",
            f"out of sight below {', '.join(self.hidden)}, tags stay" if self.hidden else "",
        ]
        return "; ".join([counts or "nothing new", *filter(None, more)])


class Intake:
    """Takes photos into the manifest.

    Args:
        manifest: where they are written down.
        folders: what is watched.
        batch_size: photos per batch.
        settle_seconds: how long a file must have been left alone to count as complete.
        threads: files hashed at once.
        pace: how much one :meth:`watch` does.
    """

    def __init__(
        self,
        manifest: Manifest,
        folders: Sequence[Path],
        *,
        batch_size: int,
        settle_seconds: float,
        threads: int = 2,
        pace: Pace | None = None,
    ) -> None:
        self._manifest = manifest
        self._book = manifest.folder_book
        self._folders = tuple(folders)
        self._batch_size = batch_size
        self._settle_ns = int(settle_seconds * 1e9)
        self._threads = threads
        self._pace = pace or Pace()

    def look(self, folders: Sequence[Path] | None = None, previous: Mapping[str, Look] | None = None) -> Taken:
        """Look at everything below some folders, once.

        Args:
            folders: photos and folders; what is watched by default.
            previous: looks of files that were not at rest last time.
        """
        listing = walk(self._folders if folders is None else folders)
        stillness = self._stillness(previous)
        known = self._manifest.known(listing.roots)
        taken = self._take(listing, known, stillness)
        self._remember_all(listing, taken, stillness.now_ns)
        return taken

    def watch(self, previous: Mapping[str, Look] | None = None) -> Taken:
        """Look at what was modified in the watched folders, and at some of the rest in turn, once.

        What there is no time for is left for the next look; so is everything, where this one is cut short.

        Args:
            previous: looks of files that were not at rest last time.
        """
        stillness = self._stillness(previous)
        remembered = self._remembered()
        seen = look_round(self._folders, remembered, self._pace)
        listing = seen.listing
        below, cut_short = self._below_lost(seen)
        known = {image.image_id: image for image in (*self._inside(listing), *below)}
        taken = self._take(listing, list(known.values()), stillness, self._pace.hash_seconds)
        lost = {folder for one in seen.lost for folder in one.folders}
        inhabited = self._manifest.inhabited(lost)
        still = {one.above: one for one in seen.lost if not inhabited.isdisjoint(one.folders)}
        # Where no disk can be away, a photo that still stands has only not been judged yet.
        unjudged = {above for above, one in still.items() if one.seen_before_ns is None}
        listed = _remembering(listing.folders, remembered, stillness.now_ns, _restless(listing, taken))
        deferred = (seen.deferred | unjudged | cut_short) & listed.keys()
        self._book.keep(
            dict.fromkeys(seen.discovered, Remembered(NEVER, 0))
            | listed
            | dict.fromkeys(deferred, Remembered(DEFERRED, stillness.now_ns))
        )
        self._book.forget(lost - inhabited)
        hidden = {*seen.hidden, *(still.keys() - unjudged)}
        return replace(taken, hidden=tuple(sorted(hidden)), left=seen.left)

    def look_until_stable(self, folders: Sequence[Path], *, patience_seconds: float) -> Taken:
        """Look until no file is being written any more, or patience ends."""
        deadline = time.monotonic() + patience_seconds
        taken = self.look(folders)
        while taken.unstable and time.monotonic() < deadline:
            if all(self._has_settled(file) for file in taken.unstable):
                break  # at rest and still not hashed: it cannot be read
            time.sleep(_POLL_SECONDS)
            taken = self.look(folders, taken.result.looks())
        return taken

    def _has_settled(self, file: SeenFile) -> bool:
        return time.time_ns() - max(file.mtime_ns, file.ctime_ns) > self._settle_ns + int(2 * _POLL_SECONDS * 1e9)

    def _stillness(self, previous: Mapping[str, Look] | None) -> Stillness:
        return Stillness(time.time_ns(), self._settle_ns, previous or {})

    def _take(
        self, listing: Listing, known: Sequence[ImageRef], stillness: Stillness, seconds: float | None = None
    ) -> Taken:
        """Decide what happened and write it down; files are read for at most so many seconds."""
        hashes, postponed = hash_files(needs_hash(listing, known, stillness), threads=self._threads, seconds=seconds)
        inside = {image.image_id for image in known}
        elsewhere = [
            image
            for image in self._manifest.with_hashes(set(hashes.values()))
            if image.image_id not in inside and (is_buried(image.uri) or is_certainly_gone(image.uri))
        ]
        result = scan(listing, known, hashes, stillness, elsewhere=elsewhere)
        change = self._manifest.apply(result, batch_size=self._batch_size)
        unread = {path_of(file.uri): why_unreadable(file) for file in result.unstable if file not in set(postponed)}
        unreadable = {**listing.unreadable, **{path: why for path, why in unread.items() if why}}
        return Taken(result, change, unreadable, listing.ignored, tuple(postponed), len(listing.folders))

    def _remembered(self) -> dict[str, Remembered]:
        """The watched folders as they were at the last look."""
        roots = [canonical(folder) for folder in self._folders]
        remembered = self._book.at_or_below(roots)
        for root in roots:
            if root not in remembered and Path(root).is_dir():
                begun = self._book.begin(root)
                remembered |= {folder: one for folder, one in begun.items() if is_watched(folder, roots)}
        return remembered

    def _remember_all(self, listing: Listing, taken: Taken, now_ns: int) -> None:
        """Spare the watch what a walk over everything has seen."""
        watched = {canonical(folder) for folder in self._folders}
        before = self._book.at_or_below(listing.roots)
        listed = {folder: mtime_ns for folder, mtime_ns in listing.folders.items() if is_watched(folder, watched)}
        self._book.keep(_remembering(listed, before, now_ns, _restless(listing, taken)))
        out_of_sight = {_folder_of(image) for image in taken.result.away}
        self._book.forget(before.keys() - listing.folders.keys() - out_of_sight)

    def _inside(self, listing: Listing) -> list[ImageRef]:
        """The images of the very folders that were listed, and the single ones that are watched."""
        # A backslash in a name looks like a folder's end in the manifest, which knows paths of Windows too.
        odd = (path_of(file.uri) for file in listing.files if "\\" in file.uri)
        return self._manifest.in_folders(listing.folders.keys(), [*listing.roots, *odd])

    def _below_lost(self, seen: Round) -> tuple[list[ImageRef], set[str]]:
        """Images of lost folders that are to be judged, and the folders above them that have more of these."""
        found: list[ImageRef] = []
        cut_short = set()
        for one in seen.lost:
            room = self._pace.files - len(found)
            images = self._manifest.standing(one.folders, seen_before_ns=one.seen_before_ns, limit=max(1, room))
            found += images
            if len(images) >= room:
                cut_short.add(one.above)
        return found, cut_short


def _remembering(
    folders: Mapping[str, int], before: Mapping[str, Remembered], now_ns: int, restless: Collection[str]
) -> dict[str, Remembered]:
    return {
        folder: to_remember(mtime_ns, now_ns, before.get(folder), restless=folder in restless)
        for folder, mtime_ns in folders.items()
    }


def _restless(listing: Listing, taken: Taken) -> set[str]:
    """Folders that must be looked at again, whatever their time says."""
    if taken.result.facts != sum(taken.change.counts.values()):
        return set(listing.folders)  # another process was there in between
    return {str(Path(path_of(file.uri)).parent) for file in taken.result.unstable}


def _folder_of(image: ImageRef) -> str:
    return str(Path(path_of(image.uri)).parent)


def looks_from_cursor(cursor: str | None) -> dict[str, Look]:
    """Looks of the last tick from a sensor's cursor; none from a cursor of another version."""
    said = json.loads(cursor) if cursor else {}
    if said.get("version") != _CURSOR_VERSION:
        return {}
    return {uri: (look[0], look[1]) for uri, look in said["looks"].items()}


def cursor_from_looks(looks: dict[str, Look]) -> str:
    """A sensor's cursor."""
    return json.dumps({"version": _CURSOR_VERSION, "looks": looks})
