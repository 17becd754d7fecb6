"""``tagging models``: the catalogue, what of it is here, and fetching it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources.weights import FileStatus, WeightsStore
from tagging_assets.commands.console import print_table, stderr
from tagging_assets.settings import load_settings


def listing(settings_path: Path | None) -> list[dict[str, Any]]:
    """Every model, with its licence and whether its weights are here; reads no file."""
    store = WeightsStore()
    return [_told(store, name, store.status(name), settings_path) for name in store.catalogue.entries]


def verify(settings_path: Path | None) -> list[dict[str, Any]]:
    """The same, every byte that is here read again."""
    store = WeightsStore()
    return [_told(store, name, store.verify(name), settings_path) for name in store.catalogue.entries]


def pull(settings_path: Path | None, names: Sequence[str]) -> None:
    """Fetch the named models, or those of the profile; licences are shown before the first byte.

    Raises:
        SettingsError: no such model.
        WeightsMissing, WeightsCorrupt, DiskFull: it cannot be had.
    """
    with WeightsStore() as store:
        wanted = names or sorted({entry.name for entry in _profile(store, settings_path).values()})
        ensure(store, wanted)
        for name in wanted:
            stderr.print(f"{name}: ready", highlight=False)


def ensure(store: WeightsStore, names: Sequence[str]) -> None:
    """Fetch what is missing of some models, each after its licence was shown.

    Raises:
        WeightsMissing, WeightsCorrupt, DiskFull: it cannot be had.
    """
    for name in names:
        if all(file.state == "ready" for file in store.status(name)):
            continue
        entry = store.catalogue.entry(name)
        note = f" {entry.licence_note}" if entry.licence_note else ""
        stderr.print(f"{name}: licence {entry.licence}.{note}", highlight=False, soft_wrap=True)
        store.pull(name)


def _profile(store: WeightsStore, settings_path: Path | None) -> dict[str, Any]:
    return dict(store.catalogue.profile(load_settings(settings_path).profile))


def _told(store: WeightsStore, name: str, files: Sequence[FileStatus], settings_path: Path | None) -> dict[str, Any]:
    entry = store.catalogue.entry(name)
    serves = [task for task, one in _profile(store, settings_path).items() if one.name == name]
    states = {file.state for file in files}
    return {
        "model": name,
        "tasks": list(entry.tasks),
        "serves": serves,
        "state": next((state for state in ("damaged", "missing") if state in states), "ready"),
        "megabytes": round(sum(file.size for file in files) / 1e6, 1),
        "licence": entry.licence,
        "licence_note": entry.licence_note,
        "revision": store.catalogue.revision(name),
        "capabilities": dict(entry.capabilities),
        "files": [{"file": file.file, "state": file.state, "path": str(file.path)} for file in files],
    }


def show(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person."""
    print_table(
        "models",
        ["model", "serves", "state", "MB", "licence", "capabilities"],
        [
            (
                one["model"],
                ", ".join(one["serves"]) or "-",
                one["state"],
                one["megabytes"],
                one["licence"],
                ", ".join(f"{name} {value}" for name, value in one["capabilities"].items()),
            )
            for one in told
        ],
    )
