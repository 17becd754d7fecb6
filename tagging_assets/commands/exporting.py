"""``tagging models export``: checkpoints to ONNX, one Dagster run per model; and before a run, what it lacks."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from resources.catalogue import Entry
from resources.exporting import exported, missing_extra
from resources.model_notes import ModelNotes
from resources.parity import LIMITS
from tagging_assets.commands.console import print_note, print_table
from tagging_assets.commands.in_process import executing
from tagging_assets.commands.models import ensure
from tagging_assets.commands.session import Session, user
from tagging_assets.domain.errors import ModelError, SettingsError, WeightsMissing

_LOGGER = "tagging_assets.assets.exported_models"


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    Attributes:
        model: entry of the catalogue.
        state: ``exported``, ``ready`` (it was made before) or ``failed``.
        notes: about the files; ``None`` where it failed.
        seconds: wall time; 0 where nothing was done.
        error: why it failed, one line.
        run_id: the Dagster run; ``""`` where there was none, or it failed.
    """

    model: str
    state: str
    notes: ModelNotes | None = None
    seconds: float = 0.0
    error: str = ""
    run_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        notes = self.notes
        return {
            "model": self.model,
            "state": self.state,
            "error": self.error,
            "run_id": self.run_id,
            "seconds": round(self.seconds, 1),
            "megabytes": _megabytes(notes) if notes else None,
            "parity": dict(notes.parity) if notes else {},
            "sha256": dict(notes.sha256) if notes else {},
            "libraries": dict(notes.libraries) if notes else {},
            "opset": notes.opset if notes else None,
            "options": dict(notes.options) if notes else {},
        }


def unmade(session: Session) -> list[str]:
    """Models that the settings use, and that are yet to be exported."""
    tools = session.toolbox
    models = [model for task in tools.entries if (model := tools.model(task)) and model.entry.export]
    # What is there at the precision in use needs no other.
    waiting = {one.entry.name for one in models if one.notes is None and exported(one.store, one.entry) is None}
    return sorted(waiting)


def export(session: Session, names: Sequence[str], *, again: bool = False, who: str = "") -> list[Outcome]:
    """Export models, one after the other; what one fails for does not keep the others.

    Args:
        session: open.
        names: entries of the catalogue; what the settings use and is not made yet, if empty.
        again: also those that were made before.
        who: is at the keyboard.

    Raises:
        SettingsError: there is no such model, or it runs as it is.
    """
    store = session.toolbox.weights
    entries = [_exportable(session, name) for name in (names or unmade(session))]
    before = {entry.name: None if again else exported(store, entry) for entry in entries}
    todo = [entry for entry in entries if before[entry.name] is None]
    outcomes = {name: Outcome(name, "ready", notes) for name, notes in before.items() if notes}
    if todo:
        operation = session.toolbox.history.begin(
            "export", who or user(), ", ".join(entry.name for entry in todo), now=datetime.now(UTC)
        )
        with executing(session, "export_models", operation) as execute, _progress():
            for entry in todo:
                began = time.monotonic()
                try:
                    ensure(store, [entry.name])
                    with session.database.lock(f"export/{entry.name}"):
                        run_id = execute(entry.name, {}, None)
                except ModelError as error:
                    outcome = Outcome(entry.name, "failed", None, time.monotonic() - began, str(error))
                else:
                    notes = exported(store, entry)
                    outcome = Outcome(entry.name, "exported", notes, time.monotonic() - began, run_id=run_id)
                outcomes[entry.name] = outcome
    return [outcomes[entry.name] for entry in entries]


def make_missing(session: Session) -> None:
    """Export what the settings use and is not made yet. To be asked before anything else asks for recipes.

    Raises:
        WeightsMissing: something is missing, and the extra that makes it is not installed.
        ModelError: the first that could not be made says why.
    """
    missing = unmade(session)
    if not missing:
        return
    lacking = [name for name in missing if missing_extra(session.toolbox.weights.catalogue.entry(name))]
    if lacking:
        raise WeightsMissing(
            f"the settings use {', '.join(lacking)}, which must be exported once: install the export extra, pip "
            "install 'tagging-assets[export]', or copy the weights folder of a machine that has it"
        )
    print_note(f"To be exported first, once: {', '.join(missing)}")
    for outcome in export(session, missing):
        if outcome.state == "failed":
            raise WeightsMissing(outcome.error)


def is_well(outcomes: Sequence[Outcome]) -> bool:
    """Whether every model can be used."""
    return all(outcome.state != "failed" for outcome in outcomes)


def show(outcomes: Sequence[Outcome]) -> None:
    """Tell a person."""
    if not outcomes:
        print_note("Nothing is left to export; name a model to export it, --again to do so anew.")
        return
    rows = [(one.model, one.state, *_figures(one)) for one in outcomes]
    print_table("exported models", ["model", "state", "MB", "seconds", "parity"], rows)


def _figures(outcome: Outcome) -> tuple[object, object, str]:
    seconds = f"{outcome.seconds:.1f}" if outcome.seconds else "-"
    if outcome.notes is None:
        return ("-", seconds, outcome.error)
    told = "; ".join(f"{LIMITS[name].says} {value:.6g}" for name, value in outcome.notes.parity.items())
    return (_megabytes(outcome.notes), seconds, told)


def _megabytes(notes: ModelNotes) -> float:
    return round(sum(file.size for file in notes.files.values()) / 1e6, 1)


def _exportable(session: Session, name: str) -> Entry:
    entry = session.toolbox.weights.catalogue.entry(name)
    if entry.export is None:
        raise SettingsError(f"{name} runs as it is; there is nothing to export")
    return entry


class _ToStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print_note(record.getMessage())


@contextmanager
def _progress() -> Iterator[None]:
    """While this lasts, what the asset says of its progress is seen."""
    logger, handler = logging.getLogger(_LOGGER), _ToStderr()
    level, passed_on = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = passed_on
