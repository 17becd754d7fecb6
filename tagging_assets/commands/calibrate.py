"""``tagging calibrate``: fit what raw scores are worth to people's decisions, or go back to the calibration before."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from resources.files import storage_error, write_output
from resources.reliability import reliability_png
from tagging_assets.commands.console import print_note, print_table
from tagging_assets.commands.in_process import executing
from tagging_assets.commands.session import Session
from tagging_assets.domain.calibration_page import calibration_page
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.fitted import Fit, Fitted, Refused

State = Literal["new", "unchanged", "dry run", "reverted"]

_COLUMNS = (
    "source",
    "model",
    "category",
    "decisions",
    "right",
    "calibration error",
    "threshold for {precision:.0%}",
)


@dataclass(frozen=True)
class Calibrated:
    """What came of it.

    Attributes:
        fitted: what was fitted and what was refused.
        state: ``new`` (in use from now on), ``unchanged`` (the one in use says the same), ``dry run`` or ``reverted``
            (an earlier one is in use again).
        run_id: Dagster run that did it; ``None`` where there was none.
    """

    fitted: Fitted
    state: State
    run_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        body = self.fitted.model_dump(mode="json")
        return {"state": self.state, "hash": self.fitted.hash, "run_id": self.run_id, **body}


def preview(session: Session) -> Calibrated:
    """What would be fitted now; reads only."""
    return Calibrated(session.toolbox.teacher.teach(session.toolbox.calibrations.lessons()), "dry run")


def calibrate(session: Session, *, who: str, why: str = "") -> Calibrated:
    """Fit, and put to use what comes of it; one Dagster run.

    Raises:
        DatabaseUnavailable: Postgres does not answer.
    """
    tools = session.toolbox
    before = tools.calibrations.latest_hash()
    operation = tools.history.begin("calibrate", who, why, now=datetime.now(UTC))
    with executing(session, "calibrate", operation) as execute:
        run_id = execute(None, {}, None)
    latest = tools.calibrations.latest()
    if latest is None or latest.hash == before:
        return Calibrated(latest.body if latest else preview(session).fitted, "unchanged", run_id)
    return Calibrated(latest.body, "new", run_id)


def revert(session: Session, *, who: str, why: str = "") -> Calibrated:
    """Put the calibration before the one in use back to use; done twice, it is undone.

    Raises:
        SettingsError: there never was one.
    """
    import dagster as dg

    tools, now = session.toolbox, datetime.now(UTC)
    if not tools.calibrations.latest_hash():
        raise SettingsError("there is no calibration to take back; `tagging calibrate` fits one")
    operation = tools.history.begin("calibrate", who, why or "taken back", now=now)
    latest = tools.calibrations.revert(operation, now)
    if latest is None:
        raise SettingsError("there is no calibration to take back; `tagging calibrate` fits one")
    # Dagster learns that the asset says something else, though no run of its own made it.
    said = dg.AssetMaterialization(
        "calibration", description="taken back", tags={"dagster/data_version": latest.hash, "operation": operation}
    )
    session.instance.report_runless_asset_event(said)
    return Calibrated(latest.body, "reverted")


def write_page(session: Session, calibrated: Calibrated, path: Path) -> Path:
    """Write the diagrams as one HTML page.

    Raises:
        DiskFull: no space left.
        StorageError: the file system refuses.
    """
    pupils = session.toolbox.teacher.pupils

    def draw(fit: Fit) -> bytes:
        # What was fitted to a model that has left the catalogue since has nothing to be compared with.
        pupil = pupils.get((fit.source, fit.model))
        return reliability_png(fit, pupil.curve if pupil else fit.curve, scale=2)

    page = calibration_page(calibrated.fitted, "Calibration", draw_png=draw)
    try:
        write_output(path, page.encode())
    except OSError as error:
        raise storage_error(error, path) from error
    return path


def show(calibrated: Calibrated) -> None:
    """Tell a person."""
    fitted = calibrated.fitted
    told: list[Fit | Refused] = [*fitted.fits, *fitted.refused]
    rows = [_row(one) for one in sorted(told, key=lambda one: (one.source, one.model, one.serves))]
    if rows:
        columns = [column.format(precision=fitted.precision) for column in _COLUMNS]
        print_table(f"{len(fitted.fits)} fitted, {len(fitted.refused)} as in the catalogue", columns, rows)
    elif calibrated.state != "reverted":
        print_note("There are no decisions on what the models in use said; `tagging decide` takes them down.")
    print_note(_VERDICTS[calibrated.state])


_VERDICTS: dict[State, str] = {
    "new": "In use from now on. `tagging retag` applies it to the photos there are; `tagging calibrate --revert` takes "
    "it back.",
    "unchanged": "Nothing changes: what is in use says the same.",
    "dry run": "Nothing was written down.",
    "reverted": "The calibration before is in use again; `tagging retag` applies it. Once decisions change, a new one "
    "is fitted; calibration.use: false in tagging.yaml does without any.",
}


def _row(one: Fit | Refused) -> tuple[object, ...]:
    name = ", ".join(one.serves) or "none"
    if isinstance(one, Refused):
        return (one.source, one.model, name, one.decisions, one.right, f"not fitted: {one.why}", "")
    threshold = "not shown to be met" if one.threshold is None else f"{one.threshold.raw:.3f}"
    error = f"{one.before.ece:.3f} → {one.after.ece:.3f}"
    return (one.source, one.model, name, one.decisions, one.right, error, threshold)
