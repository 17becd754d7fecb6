"""From folders to the manifest: look, hash what is new, decide what happened, write it down.

What happened is decided in ``domain/scan.py``; this module only fetches what that needs to know.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.manifest import Manifest, ManifestChange
from resources.photo_folder import hash_files, is_certainly_gone, walk
from tagging_assets.domain.scan import Look, ScanResult, SeenFile, Stillness, needs_hash, scan

_CURSOR_VERSION = 1
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Taken:
    """What one look came to.

    Attributes:
        result: what happened to the files.
        change: what it meant for the manifest.
        unreadable: folder or file to the reason why it could not be looked at.
        ignored: files that are no photos by their name.
    """

    result: ScanResult
    change: ManifestChange
    unreadable: dict[str, str]
    ignored: tuple[str, ...]

    @property
    def unstable(self) -> tuple[SeenFile, ...]:
        """Files that are still being written, or cannot be read."""
        return self.result.unstable

    @property
    def summary(self) -> str:
        """In one line."""
        counts = ", ".join(f"{count} {kind}" for kind, count in self.change.counts.items())
        waiting = f"; {len(self.unstable)} still being written" if self.unstable else ""
        hidden = f"; cannot look into {', '.join(sorted(self.unreadable))}" if self.unreadable else ""
        away = f"; {len(self.result.away)} out of sight, their tags stay" if self.result.away else ""
        return (counts or "nothing new") + waiting + hidden + away


class Intake:
    """Takes photos into the manifest.

    Args:
        manifest: where they are written down.
        folders: what is watched.
        batch_size: photos per batch.
        settle_seconds: how long a file must have been left alone to count as complete.
        threads: files hashed at once.
    """

    def __init__(
        self,
        manifest: Manifest,
        folders: Sequence[Path],
        *,
        batch_size: int,
        settle_seconds: float,
        threads: int = 2,
    ) -> None:
        self._manifest = manifest
        self._folders = tuple(folders)
        self._batch_size = batch_size
        self._settle_ns = int(settle_seconds * 1e9)
        self._threads = threads

    def look(self, folders: Sequence[Path] | None = None, previous: dict[str, Look] | None = None) -> Taken:
        """Look once.

        Args:
            folders: photos and folders; what is watched by default.
            previous: looks of files that were not at rest last time.
        """
        listing = walk(self._folders if folders is None else folders)
        known = self._manifest.known(listing.roots)
        stillness = Stillness(time.time_ns(), self._settle_ns, previous or {})
        hashes = hash_files(needs_hash(listing, known, stillness), threads=self._threads)
        inside = {image.image_id for image in known}
        elsewhere = [
            image
            for image in self._manifest.with_hashes(set(hashes.values()))
            if image.image_id not in inside and is_certainly_gone(image.uri)
        ]
        result = scan(listing, known, hashes, stillness, elsewhere=elsewhere)
        change = self._manifest.apply(result, batch_size=self._batch_size)
        return Taken(result, change, dict(listing.unreadable), listing.ignored)

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


def looks_from_cursor(cursor: str | None) -> dict[str, Look]:
    """Looks of the last tick from a sensor's cursor; none from a cursor of another version."""
    said = json.loads(cursor) if cursor else {}
    if said.get("version") != _CURSOR_VERSION:
        return {}
    return {uri: (look[0], look[1]) for uri, look in said["looks"].items()}


def cursor_from_looks(looks: dict[str, Look]) -> str:
    """A sensor's cursor."""
    return json.dumps({"version": _CURSOR_VERSION, "looks": looks})
