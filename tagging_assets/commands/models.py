"""``tagging models``: the catalogue, what of it is here, fetching it; and the chat models of the settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from resources.catalogue import Entry
from resources.choices import entries_in_use
from resources.exporting import exported
from resources.model_in_use import derived_folder
from resources.model_notes import ModelNotes, Precision, read_notes
from resources.weights import FileStatus, WeightsStore
from tagging_assets.commands import chat_abilities
from tagging_assets.commands.console import print_line, print_note, styled
from tagging_assets.domain.chat_settings import EMBEDDED
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import load_settings

#: The order in which a person meets tasks; others follow.
TASKS = (
    "person_detection",
    "pose",
    "face",
    "silhouette",
    "human_parsing",
    "image_embedding",
    "zero_shot",
    "tagging",
    "text_embedding",
    "chat",
)

_STATES = ("damaged", "unpinned", "missing")


@dataclass(frozen=True)
class Shown:
    """Which models are listed.

    Attributes:
        task: only those that can do it; ``None`` for all tasks.
        all: those too that are neither here nor in use.
    """

    task: str | None = None
    all: bool = False


def listing(settings_path: Path | None, shown: Shown = Shown()) -> list[dict[str, Any]]:
    """Models with their licence, and whether their weights are here; reads none of them.

    Chat models of the settings come with what the last probe saw.

    Raises:
        SettingsError: no model does such a task.
    """
    settings = load_settings(settings_path)
    store = WeightsStore()
    _check_task(store, shown.task)
    in_use = served(store, settings_path)
    told = [tell(store, name, store.status(name), in_use) for name in store.catalogue.entries]
    told = [one for one in told if shown.task is None or shown.task in one["tasks"]]
    if not shown.all and shown.task is None:
        told = [one for one in told if one["serves"] or is_here(one)]
    chats = chat_abilities.remembered(settings) if shown.task in (None, "chat") else {}
    return sorted(with_chats(told, chats), key=_place)


def served(store: WeightsStore, settings_path: Path | None) -> dict[str, Entry]:
    """Entry per task, as the settings have it."""
    return dict(entries_in_use(store.catalogue, load_settings(settings_path)))


def is_here(one: dict[str, Any]) -> bool:
    """Whether any of a model is on this machine."""
    return bool(one["made"]) or any(file["state"] in ("ready", "damaged") for file in one["files"])


def with_chats(told: Sequence[dict[str, Any]], chats: chat_abilities.Chats) -> list[dict[str, Any]]:
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
                "made": [],
                "licence": "the provider's terms",
                "licence_note": "",
                "revision": "",
                "capabilities": {},
                "files": [],
            }
            told.append(row)
        row["chat"] = {**chat, "state": chat_abilities.state(chat)}
    return told


def pull(settings_path: Path | None, names: Sequence[str], *, trust_first: bool = False) -> None:
    """Fetch the named models, or those of the profile; licences are shown before the first byte.

    Args:
        settings_path: the settings.
        names: of models.
        trust_first: whether files are taken as they come that nobody has published a hash of.

    Raises:
        SettingsError: no such model.
        WeightsMissing, WeightsCorrupt, DiskFull: it cannot be had.
    """
    with WeightsStore() as store:
        wanted = names or sorted({entry.name for entry in served(store, settings_path).values()})
        for name in wanted:
            if trust_first:
                _trust(store, name)
            ensure(store, [name])
            print_note(f"{name}: ready")


def ensure(store: WeightsStore, names: Sequence[str]) -> None:
    """Fetch what is missing of some models, each after its licence was shown.

    Raises:
        WeightsMissing, WeightsCorrupt, DiskFull: it cannot be had.
    """
    for name in names:
        entry = store.catalogue.entry(name)
        # What was exported needs its checkpoint no more.
        if (entry.export and exported(store, entry)) or all(file.state == "ready" for file in store.status(name)):
            continue
        _say_licence(entry)
        store.pull(name)


def tell(store: WeightsStore, name: str, files: Sequence[FileStatus], in_use: dict[str, Entry]) -> dict[str, Any]:
    """One model, for people and programs.

    Args:
        store: knows it.
        name: of the model.
        files: as they stand.
        in_use: entry per task.
    """
    entry = store.catalogue.entry(name)
    states = {file.state for file in files}
    return {
        "model": name,
        "tasks": list(entry.tasks),
        "serves": [task for task, one in in_use.items() if one.name == name],
        "state": next((state for state in _STATES if state in states), "ready"),
        "megabytes": round(sum(file.size for file in files) / 1e6, 1),
        "made": list(notes_by_precision(store, entry)),
        "licence": entry.licence,
        "licence_note": entry.licence_note,
        "revision": store.catalogue.revision(name),
        "capabilities": dict(entry.capabilities),
        "files": [{"file": file.file, "state": file.state, "path": str(file.path)} for file in files],
    }


def notes_by_precision(store: WeightsStore, entry: Entry) -> dict[Precision, ModelNotes]:
    """What was exported or quantised of an entry on this machine."""
    found = {one: read_notes(derived_folder(store, entry, one)) for one in get_args(Precision)}
    return {precision: notes for precision, notes in found.items() if notes is not None}


def show(told: Sequence[dict[str, Any]], *, hidden: int = 0) -> None:
    """Tell a person, a group of lines per task; a star marks what is in use.

    Args:
        told: models, those of one task together.
        hidden: how many there are besides.
    """
    width = max((len(one["model"]) for one in told), default=0)
    group = ""
    for one in told:
        if one["tasks"][0] != group:
            group = one["tasks"][0]
            print_line(styled(group, "bold"))
        print_line(_line(one, width))
    chat_abilities.show({one["chat"]["name"]: one["chat"] for one in told if one["chat"]})
    if hidden:
        print_note(f"{hidden} more: `tagging models list --all`; one in full: `tagging models show NAME`")


def _line(one: dict[str, Any], width: int) -> str:
    size = f"{one['megabytes']:,.1f} MB" if one["megabytes"] else ""
    facts = [
        str(one["capabilities"].get("family") or one["capabilities"].get("method") or ""),
        f"made: {', '.join(one['made'])}" if one["made"] else "",
        one["licence"],
        f"serves {', '.join(one['serves'])}" if one["serves"] not in ([], one["tasks"][:1]) else "",
    ]
    star = "*" if one["serves"] else " "
    said = "; ".join(fact for fact in facts if fact)
    return f"{star} {one['model']:<{width}}  {one['state']:<8}  {size:>10}  {said}"


def count() -> int:
    """How many models the catalogue has."""
    return len(WeightsStore().catalogue.entries)


def _check_task(store: WeightsStore, task: str | None) -> None:
    tasks = {one for entry in store.catalogue.entries.values() for one in entry.tasks}
    if task is not None and task not in tasks:
        raise SettingsError(f"no model does {task}; there are {', '.join(sorted(tasks))}")


def _place(one: dict[str, Any]) -> tuple[int, bool]:
    task = one["tasks"][0]
    return (TASKS.index(task) if task in TASKS else len(TASKS), not one["serves"])


def _trust(store: WeightsStore, name: str) -> None:
    if not any(file.state == "unpinned" for file in store.status(name)):
        return
    _say_licence(store.catalogue.entry(name))
    for file, taken in store.trust(name).items():
        print_note(
            f"{name}: {file} taken from {taken.source}: SHA-256 {taken.sha256}, {taken.size} bytes; held to it from "
            "now on. Nobody vouches for it.",
        )


def _say_licence(entry: Entry) -> None:
    note = f" {entry.licence_note}" if entry.licence_note else ""
    print_note(f"{entry.name}: licence {entry.licence}.{note}")
