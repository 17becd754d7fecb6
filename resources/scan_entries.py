"""What was found in a folder as entries of the catalogue: tried from where it lies, added, or put in its place.

What does not belong here: judging files (``scanning``), and running them (``trials``).
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from resources.catalogue import Capability, Catalogue, Entry
from resources.fetch import sha256_of
from resources.files import storage_error
from resources.local_models import add_entries
from resources.model_in_use import derived_folder
from resources.model_notes import NOTES, read_notes
from resources.onnx_session import DEFAULT_OPTIONS, OnnxOptions
from resources.scanning import Found
from resources.trials import Candidate, Trial, try_model
from resources.weights import WeightsStore
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import PERSON_LABEL

#: Entries that found models are like, by kind: whose knobs, prior and preprocessing they get.
_LIKE = {"yolo": "yolo11s", "wd": "wd-swinv2-tagger-v3"}

#: Stems that say nothing; the folder's name says more.
_PLAIN = {"model", "best", "last", "weights"}

#: For taggers whose published threshold nobody told.
_USUAL_THRESHOLD = 0.35

_PERSON_TEST = {"photo": "astronaut.jpg", "finds": [PERSON_LABEL], "least": 0.3}


def suggested_name(found: Found) -> str:
    """What to call it, where nobody says."""
    stem = found.path.stem if found.path.stem.lower() not in _PLAIN else found.path.parent.name
    return re.sub(r"[^a-z0-9.]+", "-", stem.lower()).strip("-.") or "model"


def entry_of(found: Found, catalogue: Catalogue) -> dict[str, Any]:
    """The entry of a model that was found, as YAML would give it; its file is used from where it lies.

    Args:
        found: a model that can run.
        catalogue: has the entry that it is like.

    Raises:
        SettingsError: it is no model that an entry can be made of.
    """
    if found.kind not in _LIKE or not found.can_run:
        raise SettingsError(f"{found.path} cannot become an entry: {found.problem or found.says}")
    like = catalogue.entry(_LIKE[found.kind])
    entry: dict[str, Any] = {
        "tasks": list(like.tasks),
        "adapter": like.adapter,
        "licence": found.licence or "not said by the file; see where you have it from",
        "preprocessing": like.preprocessing,
        "capabilities": _facts(found, like),
        "knobs": _knobs(found, like),
        "fusion": like.model_dump(mode="json")["fusion"],
        "files": [_file(role, path) for role, path in found.files.items()],
    }
    if found.kind == "wd":
        entry["self_test"] = like.model_dump(mode="json")["self_test"]
        middle = round((1 + _USUAL_THRESHOLD) / 2, 3)
        entry["fusion"]["calibration"] = [[0.0, 0.0], [_USUAL_THRESHOLD, 0.5], [middle, 0.8], [1.0, 0.97]]
    elif PERSON_LABEL in found.names:
        entry["self_test"] = _PERSON_TEST
        entry["person_weighing"] = like.model_dump(mode="json")["person_weighing"]
    return entry


def try_found(name: str, entry: Mapping[str, Any], found: Found, options: OnnxOptions = DEFAULT_OPTIONS) -> Trial:
    """Try a found model from where it lies: nothing of it is copied."""
    with tempfile.TemporaryDirectory(prefix="tagging-scan-") as folder:
        for file, path in zip(entry["files"], found.files.values(), strict=True):
            place = Path(folder) / name / file["sha256"][:12]
            place.mkdir(parents=True, exist_ok=True)
            (place / file["name"]).symlink_to(path.resolve())
        trial = try_model(Candidate(name, Path(folder), {}, options, entry))
    # What would mend a model of the catalogue does not mend a file that lies about.
    return trial.model_copy(update={"error": trial.error.partition("; run `tagging")[0]})


def add(store: WeightsStore, name: str, entry: Mapping[str, Any]) -> None:
    """Add an entry to the models of this machine.

    Raises:
        SettingsError: the name is taken.
    """
    add_entries(store.cache_dir, {name: entry})


def put_in_place(store: WeightsStore, found: Found) -> str:
    """Put a file that the catalogue knows by its bytes, or an exported folder, where its entry looks for it.

    Returns:
        The entry that it serves now.

    Raises:
        SettingsError: the catalogue does not know it, or it was made from other bytes than the catalogue's.
        DiskFull, StorageError: it cannot be copied.
    """
    if found.kind == "exported":
        return _install(store, found)
    entry, _, file = found.known.partition("/")
    if not file:
        raise SettingsError(f"the catalogue does not know {found.path}")
    target = store.location(entry, file)
    _copy(found.path, target)
    return entry


def _install(store: WeightsStore, found: Found) -> str:
    notes = read_notes(found.path)
    if notes is None or found.problem:
        raise SettingsError(f"{found.path} cannot be used: {found.problem or 'it was never finished'}")
    entry = store.catalogue.entry(notes.entry)
    ours = {file.name: file.sha256 for file in entry.files}
    foreign = [name for name, digest in notes.made_from.items() if ours.get(name, digest) != digest]
    # What was quantised was made from an exported file, which has no hash that the catalogue knows.
    unnamed = [name for name in ours if name not in notes.made_from] if notes.precision == "fp32" else []
    if wrong := [*foreign, *unnamed]:
        raise SettingsError(f"{found.path} was not made from {entry.name}'s {wrong[0]}; make it again here")
    target = derived_folder(store, entry, notes.precision)
    for path in found.files.values():
        _copy(path, target / path.name)
    # The notes come last: a folder without them is unfinished.
    _copy(found.path / NOTES, target / NOTES)
    return entry.name


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that the whole of it is there, or nothing."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, fresh)
        fresh.replace(target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        fresh.unlink(missing_ok=True)


def _facts(found: Found, like: Entry) -> dict[str, Capability]:
    classes = PERSON_LABEL if found.names == (PERSON_LABEL,) else f"{len(found.names)} of its own"
    facts: dict[str, Capability] = {"family": found.says.split(":")[0][:80], "classes": classes}
    if found.quantised:
        facts["precision"] = "int8"
    if "input_pixels" in like.capabilities and found.dynamic:
        facts["input_pixels"] = like.capabilities["input_pixels"]
    return facts


def _knobs(found: Found, like: Entry) -> dict[str, Any]:
    knobs = cast("dict[str, Any]", like.model_dump(mode="json", exclude_defaults=True).get("knobs", {}))
    if found.quantised:
        knobs.pop("precision", None)
    if not found.dynamic:
        knobs.pop("input_pixels", None)
    if "threshold_general" in knobs:
        knobs["threshold_general"]["default"] = _USUAL_THRESHOLD
    return knobs


def _file(role: str, path: Path) -> dict[str, Any]:
    resolved = path.resolve()
    name = re.sub(r"[^\w.-]+", "-", resolved.name)
    return {
        "name": name if re.match(r"\w", name) else f"f{name}",
        "role": role,
        "sha256": sha256_of(resolved),
        "size": resolved.stat().st_size,
        "sources": [f"file:{resolved}"],
    }
