"""``tagging models verify``: every byte read again, every model that is here tried, chat models asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources.catalogue import Entry
from resources.fetch import sha256_of
from resources.model_in_use import ModelInUse, derived_folder
from resources.onnx_session import OnnxOptions
from resources.trials import Candidate, Trial, try_model
from resources.weights import WeightsStore
from tagging_assets.commands import chat_abilities
from tagging_assets.commands.console import on_terminal, print_line, print_note
from tagging_assets.commands.models import is_here, notes_by_precision, served, tell, with_chats
from tagging_assets.settings import Settings, load_settings


def verify(
    settings_path: Path | None, names: Sequence[str] = (), *, run: bool = True, chat: bool = True
) -> list[dict[str, Any]]:
    """Read every byte that is here again, try the models, and ask the chat models of the settings what they can do.

    Args:
        settings_path: the settings.
        names: of models; those that are here or in use by default.
        run: whether models are tried.
        chat: whether chat models are asked anything.

    Raises:
        SettingsError: no such model.
        DatabaseUnavailable: Postgres does not answer, where chat models are to be asked.
    """
    settings = load_settings(settings_path)
    with WeightsStore() as store:
        in_use = served(store, settings_path)
        for name in names:
            store.catalogue.entry(name)
        told = [tell(store, name, store.verify(name), in_use) for name in names or store.catalogue.entries]
        told = [one for one in told if names or one["serves"] or is_here(one)]
        for one in told:
            one["files"] += _made_files(store, store.catalogue.entry(one["model"]))
            if any(file["state"] == "damaged" for file in one["files"]):
                one["state"] = "damaged"
            one["trial"] = _trial(store, settings, one).model_dump() if run else None
        if names:
            return with_chats(told, {})
        chats = chat_abilities.probed(settings, store) if chat else chat_abilities.remembered(settings)
    return [{"trial": None, **one} for one in with_chats(told, chats)]


def is_well(told: Sequence[dict[str, Any]]) -> bool:
    """Whether no weights are damaged, every model that was tried works, and the chat model in use answered if asked."""
    return not any(
        one["state"] == "damaged"
        or (one["trial"] and one["trial"]["error"])
        or (one["chat"] and chat_abilities.is_silent(one["chat"]))
        for one in told
    )


def show(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person, a line a model; what failed on stderr, a line each."""
    width = max((len(one["model"]) for one in told), default=0)
    for one in told:
        said = "; ".join(part for part in _parts(one) if part)
        print_line(f"{one['model']:<{width}}  {said}")
    chat_abilities.show({one["chat"]["name"]: one["chat"] for one in told if one["chat"]})
    for one in told:
        for why in _faults(one):
            print_note(f"{one['model']}: {why}")


def _parts(one: dict[str, Any]) -> list[str]:
    parts = [f"bytes {one['state']}"]
    if one["trial"] is None:
        return parts
    trial = Trial.model_validate(one["trial"])
    if trial.error or trial.untried:
        return [*parts, "does not work" if trial.error else f"not tried: {trial.untried}"]
    return [
        *parts,
        "works",
        f"{trial.provider.replace('ExecutionProvider', '')} {trial.precision}".rstrip(),
        f"{trial.milliseconds:.3g} ms a {trial.unit}, {trial.per_second:.3g} a second",
        f"{trial.memory_mb:.0f} MB of memory",
        f"{trial.load_seconds:.1f} s to load",
        f"found {', '.join(trial.found)}" if trial.found else "",
    ]


def _faults(one: dict[str, Any]) -> list[str]:
    damaged = [file["path"] for file in one["files"] if file["state"] == "damaged"]
    faults = [f"{path} has other bytes than it must have; remove it, and pull or make it again" for path in damaged]
    return [*faults, *([one["trial"]["error"]] if one["trial"] and one["trial"]["error"] else [])]


def _made_files(store: WeightsStore, entry: Entry) -> list[dict[str, Any]]:
    """What was exported or quantised here, every byte read again."""
    found = []
    for precision, notes in notes_by_precision(store, entry).items():
        for file in notes.files.values():
            path = derived_folder(store, entry, precision) / file.name
            whole = path.is_file() and sha256_of(path) == file.sha256
            found.append({"file": file.name, "state": "ready" if whole else "damaged", "path": str(path)})
    return found


def _trial(store: WeightsStore, settings: Settings, one: dict[str, Any]) -> Trial:
    entry = store.catalogue.entry(one["model"])
    if "chat" in entry.tasks:
        return Trial(untried="a chat model is asked, not shown a photo")
    said = next((settings.models[task].knobs for task in one["serves"] if task in settings.models), {})
    inference = settings.inference
    options = OnnxOptions(provider=inference.provider, threads=1, device=inference.device)
    model = ModelInUse(store, entry, options, said)
    if why := _missing(model, one["state"]):
        return Trial(untried=why)
    if on_terminal():
        print_note(f"{entry.name}: tried on a photo …")
    return try_model(Candidate(entry.name, store.cache_dir, said, options))


def _missing(model: ModelInUse, state: str) -> str:
    """Why a model cannot be tried; ``""`` where it can."""
    if state == "damaged":
        return "its bytes are wrong"
    if model.is_derived:
        return "" if model.notes else f"not made yet in {model.precision}"
    return "" if state == "ready" else "its weights are not here"
