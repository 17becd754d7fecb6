"""``tagging models quantise``: models in int8 or fp16, made from the project's own photos, with what that costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.calibration_photos import PHOTOS, photos_of
from resources.choices import entries_in_use
from resources.quantising import Lower, check_choice, quantising
from resources.weights import WeightsStore
from tagging_assets.commands.console import print_note, print_table
from tagging_assets.settings import Settings, load_settings


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        precision: of the new files.
        photos: to calibrate on; half as many more are kept to compare on.
        min_agreement: with fp32; the default of the model's kind if ``None``.
    """

    precision: Lower = "int8"
    photos: int = PHOTOS
    min_agreement: float | None = None


def quantise(settings_path: Path | None, name: str, wanted: Wanted) -> dict[str, Any]:
    """Make it, measure it, keep it if it is good enough.

    Args:
        settings_path: the settings; their data folder has the photos.
        name: entry of the catalogue.
        wanted: precision, photos and limit.

    Raises:
        SettingsError: no such model or precision, or no photos.
        WeightsMissing, WeightsCorrupt: the model cannot be had in fp32.
        ModelFailed: it cannot be made, or loses too much.
        DiskFull, StorageError: it cannot be written.
    """
    settings = load_settings(settings_path)
    with WeightsStore() as store:
        entry = store.catalogue.entry(name)
        check_choice(entry, wanted.precision)
        photos = photos_of(settings.data_dir, store, wanted.photos)
        print_note(f"{name}: calibrating on {len(photos.calibrate)} photos of {photos.origin}")
        with quantising(store, entry, wanted.precision, photos, _say) as made:
            notes = made.accept(wanted.min_agreement)
            return {
                "model": name,
                "precision": wanted.precision,
                "agreement": round(made.cost.agreement, 4),
                "agreement_means": made.cost.means,
                "accuracy": notes.accuracy,
                "photos": len(photos.calibrate),
                "photos_of": photos.origin,
                "files": {role: file.model_dump() for role, file in notes.files.items()},
                "folder": str(made.belongs_in),
                "seconds": round(made.seconds, 1),
                "tasks": _tasks(settings, store, name) or list(entry.tasks[:1]),
                "in_use": bool(_tasks(settings, store, name)),
            }


def show(told: dict[str, Any]) -> None:
    """Tell a person what it costs, and how to use it."""
    print_table(
        f"{told['model']} in {told['precision']}, against fp32 on photos it was not calibrated on",
        ["measure", "value"],
        [(name.replace("_", " "), f"{value:g}") for name, value in told["accuracy"].items()],
    )
    megabytes = sum(file["size"] for file in told["files"].values()) / 1e6
    _say(f"{megabytes:.1f} MB in {told['folder']}, made in {told['seconds']:g} s.")
    _say("To use it, say in tagging.yaml:\n  models:")
    for task in told["tasks"]:
        _say(f"    {task}: {{model: {told['model']}, precision: {told['precision']}}}")
    _say("Photos are then done anew where this model has a say; `tagging retag` tells how many before it does any.")


def _tasks(settings: Settings, store: WeightsStore, name: str) -> list[str]:
    return [task for task, entry in entries_in_use(store.catalogue, settings).items() if entry.name == name]


def _say(line: str) -> None:
    print_note(line)
