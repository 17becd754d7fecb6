"""``tagging models scan``: models in a folder, judged by their contents, tried, and added if asked to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.catalogue import NAME
from resources.onnx_session import OnnxOptions
from resources.scan_entries import add, entry_of, put_in_place, suggested_name, try_found
from resources.scanning import Found
from resources.scanning import scan as look
from resources.weights import WeightsStore
from tagging_assets.commands.console import print_line, print_note
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.knobs import settings_lines
from tagging_assets.settings import load_settings


@dataclass(frozen=True)
class Wanted:
    """What is to be done with what is found.

    Attributes:
        add: whether what works is added to the models of this machine.
        name: what to call it; of the file's name by default.
        run: whether models are tried.
    """

    add: bool = False
    name: str | None = None
    run: bool = True


def scan(settings_path: Path | None, folder: Path, wanted: Wanted = Wanted()) -> list[dict[str, Any]]:
    """Every model file below a folder with a verdict: ``works``, ``added``, ``known``, ``refused`` or ``named``.

    Raises:
        SettingsError: no such folder; ``--name`` that is none, or for several models, or none that is new.
        DiskFull, StorageError: a file cannot be put in its place.
    """
    inference = load_settings(settings_path).inference
    options = OnnxOptions(provider=inference.provider, threads=1, device=inference.device)
    with WeightsStore() as store:
        found = look(folder.expanduser(), store.catalogue)
        if wanted.name and not re.fullmatch(NAME, wanted.name):
            raise SettingsError(f"--name {wanted.name}: letters, digits, dots, - and _ only, and none of - . first")
        new = [one for one in found if one.can_run and not one.known]
        if wanted.name and len(new) != 1:
            known = "".join(f"; {one.path.name} is {one.known} already" for one in found if one.known and not new)
            raise SettingsError(f"--name names one model; in {folder} there are {len(new)} to add{known}")
        return [_treated(store, one, wanted, options) for one in found]


def refused(told: Sequence[dict[str, Any]]) -> bool:
    """Whether any model cannot be used."""
    return any(one["verdict"] == "refused" for one in told)


def show(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person."""
    if not told:
        print_note("no model files there")
    width = max((len(one["verdict"]) for one in told), default=0)
    for one in told:
        print_line(f"{one['verdict']:<{width}}  {one['file']}")
        for line in (one["says"], one["why"]):
            if line:
                print_line(f"{'':<{width}}  {line}")
        for line in one["settings"]:
            print_line(f"{'':<{width}}    {line}")


def _treated(store: WeightsStore, found: Found, wanted: Wanted, options: OnnxOptions) -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": str(found.path),
        "kind": found.kind,
        "task": "",
        "classes": len(found.names),
        "says": found.says,
        "verdict": "named",
        "why": found.problem,
        "model": "",
        "trial": None,
        "settings": [],
    }
    if found.problem:
        return {**told, "verdict": "refused"}
    try:
        if found.known:
            return _known(store, found, wanted, told)
        return _new(store, found, wanted, options, told) if found.can_run else told
    except SettingsError as error:
        # Of several, one that cannot be added keeps nobody from hearing of the others.
        return {**told, "verdict": "refused", "why": str(error)}


def _known(store: WeightsStore, found: Found, wanted: Wanted, told: dict[str, Any]) -> dict[str, Any]:
    name = found.known.partition("/")[0]
    if not wanted.add:
        why = f"the catalogue's {found.known}; --add puts it where it is looked for"
        return {**told, "verdict": "known", "model": name, "why": why}
    return {**told, "verdict": "added", "model": put_in_place(store, found), "why": f"now in place for {name}"}


def _new(
    store: WeightsStore, found: Found, wanted: Wanted, options: OnnxOptions, told: dict[str, Any]
) -> dict[str, Any]:
    name = wanted.name or suggested_name(found)
    entry = entry_of(found, store.catalogue)
    told = {**told, "task": entry["tasks"][0], "model": name}
    if wanted.run:
        trial = try_found(name, entry, found, options)
        told["trial"] = trial.model_dump()
        if trial.error:
            return {**told, "verdict": "refused", "why": trial.error}
        told["why"] = _tried(trial.provider, trial.milliseconds, trial.found, "self_test" in entry)
    if not wanted.add:
        return {**told, "verdict": "works" if wanted.run else "untried"}
    add(store, name, entry)
    return {**told, "verdict": "added", "settings": settings_lines(entry["tasks"][:1], name, ())}


def _tried(provider: str, milliseconds: float, found: Sequence[str], tested: bool) -> str:
    seen = f"found {', '.join(found)}" if found else "found nothing in it"
    doubt = (
        "" if tested else "; no photo is known that it must find something in, so look at its tags before you trust it"
    )
    return f"tried on {provider.replace('ExecutionProvider', '')}: {milliseconds:.3g} ms a picture; {seen}{doubt}"
