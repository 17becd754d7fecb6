"""A folder that is watched, and what the manifest knows of it; real files and a real Postgres.

What does not belong here: assertions about what happened.
"""

import os
from pathlib import Path

from resources.database import Database
from resources.folder_watch import Pace
from resources.intake import Intake, Taken
from resources.manifest import Manifest
from resources.photo_folder import walk
from tests.workshop import clear

#: Only what was modified: nothing in turn.
STRICT = Pace(turn_seconds=0)


def write(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or f"content of {path.name}")
    return path


class Library:
    """Watched folders with a manifest."""

    def __init__(self, root: Path, database: Database) -> None:
        clear(database)
        self.root = root / "photos"
        self.root.mkdir()
        self.manifest = Manifest(database.engine)
        self.roots = [self.root]

    def intake(self, pace: Pace = STRICT, settle_seconds: float = 0) -> Intake:
        return Intake(self.manifest, self.roots, batch_size=1000, settle_seconds=settle_seconds, pace=pace)

    def watch(self, pace: Pace = STRICT) -> Taken:
        return self.intake(pace).watch()

    def age(self) -> None:
        """Let the clock of all folders be past its slack."""
        for folder, _, _ in os.walk(self.root.parent):
            mtime_ns = Path(folder).stat().st_mtime_ns - 10**11
            os.utime(folder, ns=(mtime_ns, mtime_ns))

    def settle(self) -> None:
        """Take in all there is; the next look lists only what is modified after this."""
        self.watch()
        self.age()
        self.watch()
        assert self.watch().listed == 0

    def ids(self) -> dict[str, str]:
        """Image id by path below the root, of the images that are there."""
        return {os.path.relpath(ref.uri, self.root): ref.image_id for ref in self.manifest.known() if not ref.gone}

    def listing(self) -> list[str]:
        """What a walk over everything finds now, by path below the root."""
        return sorted(os.path.relpath(file.uri, self.root) for file in walk(self.roots).files)
