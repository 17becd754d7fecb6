"""``tagging models show``: everything about one model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resources.catalogue import Entry
from resources.model_in_use import derived_folder
from resources.weights import FileStatus, WeightsStore
from tagging_assets.commands import tune
from tagging_assets.commands.console import print_line, print_table
from tagging_assets.commands.models import notes_by_precision, served, tell
from tagging_assets.domain.knobs import Value, form, settings_lines
from tagging_assets.settings import load_settings


def described(settings_path: Path | None, name: str) -> dict[str, Any]:
    """A model with its sources, hashes, knobs and what was made of it.

    Raises:
        SettingsError: there is no such model.
    """
    settings = load_settings(settings_path)
    with WeightsStore() as store:
        entry = store.catalogue.entry(name)
        in_use = served(store, settings_path)
        files = store.status(name)
        told = tell(store, name, files, in_use)
        said = next((settings.models[task].knobs for task in told["serves"] if task in settings.models), {})
        return {
            **told,
            "adapter": entry.adapter,
            "preprocessing": entry.preprocessing,
            "uses": list(entry.uses),
            "labels": entry.labels,
            "files": _files(store, entry, files),
            "export": entry.export.model_dump() if entry.export else None,
            "self_test": entry.self_test.model_dump() if entry.self_test else None,
            "fusion": entry.fusion.model_dump(),
            "knobs": _knobs(entry, said),
            "settings": settings_lines(_to_choose_for(told), name, form(entry.knobs, said)),
            "variants": _variants(store, entry),
            "tuned": [one for one in tune.kept() if one["model"] == name],
        }


def show(told: Mapping[str, Any]) -> None:
    """Tell a person."""
    _say(f"{told['model']}: {told['capabilities'].get('family', told['adapter'])}")
    _say(f"  for {', '.join(told['tasks'])}; serves {', '.join(told['serves']) or 'nothing'} here")
    _say(f"  licence: {told['licence']}. {told['licence_note']}".rstrip())
    facts = ", ".join(f"{name} {value}" for name, value in told["capabilities"].items() if name != "family")
    _say(f"  facts: {facts or 'none'}")
    if told["labels"]:
        _say(f"  labels: {', '.join(f'{name} means {means}' for name, means in told['labels'].items())}")
    _show_files(told["files"])
    if told["export"]:
        _say(f"  made by `tagging models export {told['model']}` with {told['export']['exporter']}")
    if told["knobs"]:
        _show_knobs(told["knobs"])
    _say("in tagging.yaml:")
    for line in told["settings"]:
        _say(f"  {line}")
    if told["variants"]:
        _show_variants(told["variants"])
    if told["tuned"]:
        tune.show(told["tuned"])
    if told["self_test"]:
        test = told["self_test"]
        _say(f"self-test: finds {', '.join(test['finds'])} in {test['photo']} with {test['least']:g} or more")
    curve = ", ".join(f"{raw:g} is worth {worth:g}" for raw, worth in told["fusion"]["calibration"])
    _say(f"among the sources its weight is {told['fusion']['weight']:g}; of its raw scores {curve}")


def _to_choose_for(told: Mapping[str, Any]) -> list[str]:
    """The tasks that its user would name it for: one, but texts are read by the model that read the pictures."""
    pair = ["image_embedding", "zero_shot"]
    if set(pair) <= set(told["tasks"]):
        return pair
    return [*(told["serves"] or told["tasks"])][:1]


def _files(store: WeightsStore, entry: Entry, states: Sequence[FileStatus]) -> list[dict[str, Any]]:
    by_place = {(file.entry, file.file): file for file in states}
    return [
        {
            "file": file.name,
            "of": owner.name,
            "role": file.role,
            "state": by_place[owner.name, file.name].state,
            "path": str(by_place[owner.name, file.name].path),
            "size": file.size,
            "sha256": file.sha256 or None,
            "sources": list(file.sources or file.parts),
        }
        for owner in (entry, *(store.catalogue.entry(used) for used in entry.uses))
        for file in owner.files
    ]


def _knobs(entry: Entry, said: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{**asdict(field), "changed": field.changed, "range": field.range} for field in form(entry.knobs, said)]


def _variants(store: WeightsStore, entry: Entry) -> list[dict[str, Any]]:
    """What was made of the model on this machine, with the figures noted when it was."""
    return [
        {
            "precision": precision,
            "folder": str(derived_folder(store, entry, precision)),
            "made_by": notes.made_by,
            "opset": notes.opset,
            "options": notes.options,
            "libraries": notes.libraries,
            "sha256": dict(notes.sha256),
            "megabytes": round(sum(file.size for file in notes.files.values()) / 1e6, 1),
            "parity": notes.parity,
            "accuracy": notes.accuracy,
        }
        for precision, notes in notes_by_precision(store, entry).items()
    ]


def _show_files(files: Sequence[Mapping[str, Any]]) -> None:
    for file in files:
        digest = file["sha256"] or "nobody has published its SHA-256 (pull it with --trust-first)"
        size = f"{file['size'] / 1e6:.1f} MB, " if file["size"] else ""
        _say(f"  {file['role']}: {file['file']}, {size}{file['state']}")
        _say(f"    {digest}")
        for source in file["sources"]:
            _say(f"    from {source}")


def _show_knobs(knobs: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        "knobs",
        ["knob", "value", "default", "may be", "what it does"],
        [
            (one["name"], f"{one['value']}{'*' if one['changed'] else ''}", one["default"], one["range"], one["says"])
            for one in knobs
        ],
    )


def _show_variants(variants: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        "made here",
        ["precision", "by", "MB", "opset", "near the original", "what it costs"],
        [
            (
                one["precision"],
                one["made_by"],
                one["megabytes"],
                one["opset"],
                _figures(one["parity"]),
                _figures(one["accuracy"]),
            )
            for one in variants
        ],
    )


def _figures(measured: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in measured.items()) or "-"


def _say(line: str) -> None:
    print_line(line)
