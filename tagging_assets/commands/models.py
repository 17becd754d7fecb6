"""``tagging models``: the catalogue, what of it is here, fetching it; and the chat models of the settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources.choices import entries_in_use
from resources.weights import FileStatus, WeightsStore
from tagging_assets.commands import chat_abilities
from tagging_assets.commands.console import print_table, stderr
from tagging_assets.domain.chat_settings import EMBEDDED
from tagging_assets.settings import load_settings


def listing(settings_path: Path | None) -> list[dict[str, Any]]:
    """Every model, with its licence and whether its weights are here; reads none of them.

    Chat models of the settings come with what the last probe saw.
    """
    store = WeightsStore()
    told = [_told(store, name, store.status(name), settings_path) for name in store.catalogue.entries]
    return _with_chats(told, chat_abilities.remembered(load_settings(settings_path)))


def verify(settings_path: Path | None, *, chat: bool = True) -> list[dict[str, Any]]:
    """The same, every byte that is here read again, and the chat models of the settings asked.

    Args:
        settings_path: the settings.
        chat: whether chat models are asked anything.

    Raises:
        DatabaseUnavailable: Postgres does not answer, where chat models are to be asked.
    """
    settings = load_settings(settings_path)
    with WeightsStore() as store:
        told = [_told(store, name, store.verify(name), settings_path) for name in store.catalogue.entries]
        chats = chat_abilities.probed(settings, store) if chat else chat_abilities.remembered(settings)
    return _with_chats(told, chats)


def is_well(told: Sequence[dict[str, Any]]) -> bool:
    """Whether no weights are damaged, and the chat model in use answered when it was asked."""
    return not any(one["state"] == "damaged" or (one["chat"] and chat_abilities.is_silent(one["chat"])) for one in told)


def _with_chats(told: Sequence[dict[str, Any]], chats: chat_abilities.Chats) -> list[dict[str, Any]]:
    """Chat models that run here are in the catalogue already; the others have no weights to speak of."""
    told = [{**one, "chat": None} for one in told]
    rows = {one["model"]: one for one in told}
    for name, chat in chats.items():
        row = rows.get(chat["provider_model"]) if chat["provider"] == EMBEDDED else None
        if row is None:
            row = {
                "model": name,
                "tasks": ["chat"],
                "serves": ["chat"] if chat["in_use"] else [],
                "state": "served",
                "megabytes": None,
                "licence": "the provider's terms",
                "licence_note": "",
                "revision": "",
                "capabilities": {},
                "files": [],
            }
            told.append(row)
        row["chat"] = {**chat, "state": chat_abilities.state(chat)}
    return told


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
    return dict(entries_in_use(store.catalogue, load_settings(settings_path)))


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
                "-" if one["megabytes"] is None else one["megabytes"],
                one["licence"],
                ", ".join(f"{name} {value}" for name, value in one["capabilities"].items()) or "-",
            )
            for one in told
        ],
    )
    chat_abilities.show({one["chat"]["name"]: one["chat"] for one in told if one["chat"]})
