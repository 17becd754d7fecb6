"""What is known about models on this machine only: entries that somebody added, and hashes taken at a first fetch.

Both lie in the weights folder: ``local.yaml`` has entries in the form of the catalogue, ``pins.json`` the SHA-256 and
size of files whose maker has published none. What does not belong here: how files are judged (``scanning``).
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from resources.catalogue import Catalogue, Entry, WeightFile, load_catalogue, read_templated
from resources.files import write_output
from tagging_assets.domain.errors import SettingsError, WeightsCorrupt

#: Entries of this machine, in the weights folder.
LOCAL = "local.yaml"

#: Hashes taken at a first fetch, in the weights folder.
PINS = "pins.json"

_HEAD = """\
# Models of this machine, added by `tagging models scan --add`. Same form as the project's own catalogue; an entry may
# be edited or removed by hand.
"""


class Pin(BaseModel):
    """The bytes of a file as they were when it was first fetched.

    Attributes:
        source: that gave them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size: int
    source: str


class _Pins(RootModel[dict[str, Pin]]):
    """By ``ENTRY/FILE``."""


def read_pins(folder: Path) -> Mapping[str, Pin]:
    """Hashes taken at a first fetch, by ``ENTRY/FILE``; none where nothing was ever trusted.

    Raises:
        WeightsCorrupt: the file says something impossible.
    """
    path = folder / PINS
    try:
        return _Pins.model_validate_json(path.read_bytes()).root
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise WeightsCorrupt(f"{path} cannot be read; restore it, or remove it and trust the files again") from error


def pin(folder: Path, entry: str, file: str, taken: Pin) -> None:
    """Hold a file to its bytes from now on; what is pinned already stays as it is."""
    with _held(folder):
        pins = {**read_pins(folder)}
        pins.setdefault(f"{entry}/{file}", taken)
        told = {name: one.model_dump() for name, one in sorted(pins.items())}
        write_output(folder / PINS, json.dumps(told, indent=1).encode())


def pinned(catalogue: Catalogue, pins: Mapping[str, Pin]) -> Catalogue:
    """The catalogue with the hashes that were taken here where it has none of its own."""
    if not pins:
        return catalogue
    entries = {name: _pinned_entry(entry, pins) for name, entry in catalogue.entries.items()}
    return catalogue.model_copy(update={"entries": entries})


def add_entries(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Add entries to those of this machine.

    Args:
        folder: of the weights.
        entries: by name, as YAML would give them.

    Raises:
        SettingsError: a name is taken, or an entry says something impossible; then none is added.
    """
    path = folder / LOCAL
    with _held(folder):
        known = load_catalogue(local=path)
        for name in entries:
            if name in known.entries:
                raise SettingsError(f"the catalogue has a model {name} already; choose another with --name")
        there = read_templated(path)["entries"] if path.exists() else {}
        said = yaml.safe_dump({"entries": {**there, **entries}}, sort_keys=False, allow_unicode=True, width=110)
        _checked(entries)
        write_output(path, (_HEAD + said).encode())


def _checked(entries: Mapping[str, Mapping[str, Any]]) -> None:
    for name, entry in entries.items():
        try:
            Entry.model_validate({"name": name, **entry})
        except ValidationError as error:
            raise SettingsError(f"{name} cannot be added: {error.errors()[0]['msg']}") from error


def _pinned_entry(entry: Entry, pins: Mapping[str, Pin]) -> Entry:
    files = tuple(_pinned_file(file, pins.get(f"{entry.name}/{file.name}")) for file in entry.files)
    return entry if files == entry.files else entry.model_copy(update={"files": files})


def _pinned_file(file: WeightFile, taken: Pin | None) -> WeightFile:
    if taken is None or not file.unpinned:
        return file
    return file.model_copy(update={"sha256": taken.sha256, "size": taken.size})


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One process at a time changes these files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{LOCAL}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
