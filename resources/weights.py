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
from resources.fetch import Fetcher, is_ready, stamp_path
from resources.sources_http import Progress, console_progress
from tagging_assets.domain.models import ModelCard

logger = logging.getLogger(__name__)

State = Literal["ready", "missing", "damaged"]


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
        state: ``ready``, ``missing`` (not fetched yet) or ``damaged`` (other bytes than the catalogue's).
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
        self.catalogue = catalogue or load_catalogue()
        self.cache_dir = cache_dir or default_cache_dir()
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

    def _place(self, group: str, file: WeightFile) -> Path:
        return self.cache_dir / group / file.sha256[:12] / file.name

    def _owners(self, entry_name: str) -> list[Entry]:
        entry = self.catalogue.entry(entry_name)
        return [entry, *(self.catalogue.entry(used) for used in entry.uses)]

    def _status(self, owner: str, file: WeightFile, ready: bool) -> FileStatus:
        path = self.location(owner, file.name)
        state: State = "ready" if ready else "damaged" if path.exists() else "missing"
        return FileStatus(owner, file.name, state, path, file.size)
