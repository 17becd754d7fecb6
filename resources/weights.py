"""The local store of the catalogue's files: on disk once, verified, fetched when first asked for.

What does not belong here: what there is (``catalogue``), how bytes travel (``fetch``), and what a model does with
them (the adapters).
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from resources.catalogue import Capability, Catalogue, Entry, WeightFile, load_catalogue
from resources.fetch import Fetcher, is_ready, sha256_of, stamp_path
from resources.local_models import LOCAL, Pin, pin, pinned, read_pins
from resources.sources_http import Progress, console_progress
from tagging_assets.domain.errors import WeightsMissing
from tagging_assets.domain.models import ModelCard

logger = logging.getLogger(__name__)

State = Literal["ready", "missing", "damaged", "unpinned"]

#: What a file may have that nobody has told the size of: 20 GB.
_MOST = 20_000_000_000


def default_cache_dir() -> Path:
    """``$TAGGING_WEIGHTS``, else ``tagging/weights`` under ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    own = os.environ.get("TAGGING_WEIGHTS")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "tagging" / "weights"


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of a model as it stands on this machine.

    Attributes:
        state: ``ready``, ``missing`` (not fetched yet), ``damaged`` (other bytes than the catalogue's) or ``unpinned``
            (nobody has published its hash, and none was taken here).
        path: where the file is, or should be put.
        size: bytes by the catalogue.
    """

    entry: str
    file: str
    state: State
    path: Path
    size: int


class WeightsStore:
    """Files of the catalogue's models, on disk once, verified, fetched when first asked for.

    Safe for threads and processes that share a cache folder: files appear whole or not at all.

    Attributes:
        catalogue: what there is.
        cache_dir: where it is kept.
    """

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        cache_dir: Path | None = None,
        *,
        offline: bool | None = None,
        progress: Progress = console_progress,
    ) -> None:
        self.cache_dir = cache_dir or default_cache_dir()
        self.catalogue = pinned(catalogue or load_catalogue(local=self.cache_dir / LOCAL), read_pins(self.cache_dir))
        self._fetcher = Fetcher(
            offline=bool(os.environ.get("TAGGING_OFFLINE")) if offline is None else offline, progress=progress
        )

    def card(self, entry_name: str, parameters: Mapping[str, Capability] | None = None) -> ModelCard:
        """See :meth:`Catalogue.card`."""
        return self.catalogue.card(entry_name, parameters)

    def location(self, entry_name: str, file_name: str | None = None) -> Path:
        """Where the file is kept, or would be; the folder carries the hash, so revisions live side by side."""
        return self._place(entry_name, self.catalogue.entry(entry_name).file(file_name))

    def derived(self, entry_name: str, name: str) -> Path:
        """Where to keep a file made from the entry's files; ``name`` must carry what it was made by."""
        revision = hashlib.sha256(self.catalogue.revision(entry_name).encode()).hexdigest()[:12]
        return self.cache_dir / entry_name / f"derived-{revision}" / name

    def path(self, entry_name: str, file_name: str | None = None) -> Path:
        """The file, verified; fetched if it is not there yet, without any network if it is.

        Args:
            entry_name: entry of the catalogue.
            file_name: one of its files; may be left out where there is but one.

        Raises:
            WeightsMissing: not there, and offline or no source gives it.
            WeightsCorrupt: what the sources give has another hash than the catalogue's.
            SettingsError: there is no such entry or file.
        """
        entry = self.catalogue.entry(entry_name)
        file = entry.file(file_name)
        path = self._place(entry_name, file)
        if file.unpinned:
            raise WeightsMissing(
                f"{entry_name}: nobody has published the SHA-256 of {file.name}; `tagging models pull {entry_name} "
                "--trust-first` fetches it, keeps its hash and holds every later fetch to it"
            )
        if not is_ready(path, file):
            logger.info("%s needs %s; licence: %s", entry_name, file.name, entry.licence)
            self._fetcher.fetch(file, path)
        return path

    def cached(self, group: str, file: WeightFile) -> Path:
        """Any file by hash, verified, kept under the folder ``group``; fetched if it is not there yet.

        Raises:
            WeightsMissing, WeightsCorrupt, DiskFull: as :meth:`resources.fetch.Fetcher.fetch`.
        """
        path = self._place(group, file)
        if not is_ready(path, file):
            self._fetcher.fetch(file, path)
        return path

    def pull(self, entry_name: str) -> list[Path]:
        """Fetch whatever is missing of the entry and of the entries it uses.

        Raises:
            As :meth:`path`.
        """
        return [self.path(owner.name, file.name) for owner in self._owners(entry_name) for file in owner.files]

    def trust(self, entry_name: str) -> dict[str, Pin]:
        """Fetch the entry's files that nobody has published a hash of, and hold them to what came from now on.

        Returns:
            What was taken, by file.

        Raises:
            WeightsMissing, DiskFull: as :meth:`path`.
            SettingsError: there is no such entry.
        """
        taken = {}
        for owner in self._owners(entry_name):
            for file in owner.files:
                if file.unpinned:
                    taken[file.name] = self._trust(owner, file)
        self.catalogue = pinned(self.catalogue, read_pins(self.cache_dir))
        return taken

    def status(self, entry_name: str) -> list[FileStatus]:
        """What is here, by size and stamp; reads no file."""
        return [
            self._status(owner.name, file, is_ready(self.location(owner.name, file.name), file))
            for owner in self._owners(entry_name)
            for file in owner.files
        ]

    def verify(self, entry_name: str) -> list[FileStatus]:
        """What is here, by reading every byte; renews or withdraws the stamps."""
        result = []
        for owner in self._owners(entry_name):
            for file in owner.files:
                path = self.location(owner.name, file.name)
                stamp_path(path).unlink(missing_ok=True)
                result.append(self._status(owner.name, file, is_ready(path, file)))
        return result

    def close(self) -> None:
        """Drop downloads that were kept for other members of the same wheel."""
        self._fetcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _trust(self, owner: Entry, file: WeightFile) -> Pin:
        fresh = self._place(owner.name, file)
        source = self._fetcher.obtain(file.name, file.sources, fresh, _MOST)
        taken = Pin(sha256=sha256_of(fresh), size=fresh.stat().st_size, source=source)
        pin(self.cache_dir, owner.name, file.name, taken)
        final = self._place(owner.name, file.model_copy(update={"sha256": taken.sha256, "size": taken.size}))
        final.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(final)
        return taken

    def _place(self, group: str, file: WeightFile) -> Path:
        return self.cache_dir / group / (file.sha256[:12] or "unpinned") / file.name

    def _owners(self, entry_name: str) -> list[Entry]:
        entry = self.catalogue.entry(entry_name)
        return [entry, *(self.catalogue.entry(used) for used in entry.uses)]

    def _status(self, owner: str, file: WeightFile, ready: bool) -> FileStatus:
        path = self.location(owner, file.name)
        absent: State = "unpinned" if file.unpinned else "missing"
        state: State = "ready" if ready else "damaged" if path.exists() and not file.unpinned else absent
        return FileStatus(owner, file.name, state, path, file.size)
