"""``tagging run PATHS``: take photos in, run the line over the batches they are in, say what came of it."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.photo_folder import canonical
from tagging_assets.commands.batches import RanBatches, run_batches
from tagging_assets.commands.console import print_note, styled
from tagging_assets.commands.exporting import make_missing
from tagging_assets.commands.models import ensure
from tagging_assets.commands.session import Session, user
from tagging_assets.domain.errors import CheckFailed, SettingsError
from tagging_assets.domain.frames import ImageRecord
from tagging_assets.domain.identity import ImageRef
from tagging_assets.domain.images import extension
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import ASKING, STAGES

#: How long a run waits for files that are still being written.
_PATIENCE_SECONDS = 60.0
#: So many reasons of unanswered questions are told.
_REASONS = 3


@dataclass(frozen=True)
class RunReport:
    """What a run came to.

    Attributes:
        images: photos of the paths, by id.
        batches: batches that were run, to the Dagster run that did it.
        computed: images computed per stage.
        failed: uri to the first error of the line.
        seconds: wall time.
        unstable: files that were still being written, and were left for the next run.
        ignored: files that are no photos by their name.
        unreadable: folders and files that could not be looked at, to the reason.
        operation: the name by which its changes are told and undone; ``""`` where nothing was run.
        unanswered: why the chat model gave no answer, to the number of photos; their other tags stand.
    """

    images: dict[str, str]
    batches: dict[str, str]
    computed: Counter[str]
    failed: dict[str, str]
    seconds: float
    unstable: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    operation: str = ""
    unanswered: Counter[str] = field(default_factory=Counter)

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything was fresh."""
        return not (self.batches or self.operation)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "images": len(self.images),
            "batches": self.batches,
            "computed": dict(self.computed),
            "failed": [{"image": uri, "error": error} for uri, error in sorted(self.failed.items())],
            "unstable": self.unstable,
            "ignored": self.ignored,
            "unreadable": self.unreadable,
            "operation": self.operation,
            "unanswered": dict(self.unanswered),
            "seconds": round(self.seconds, 2),
        }


def run_paths(session: Session, paths: Sequence[Path]) -> RunReport:
    """Tag the photos of files and folders.

    Raises:
        SettingsError: a path does not exist.
        TaggingError: something that concerns all photos: a model, the database, the disk, a key.
    """
    started = time.monotonic()
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path} is not there; give a photo or a folder of photos")
    make_missing(session)
    seen = session.toolbox.intake.look_until_stable(paths, patience_seconds=_PATIENCE_SECONDS)
    refs = session.toolbox.manifest.known([canonical(path) for path in paths])
    batches = sorted({*seen.change.touched_batches, *(ref.batch for ref in refs if not ref.gone)})
    stale = session.line.stale_batches(batches, now=datetime.now(UTC), retrying=Retrying.NOW)
    operation, ran = "", RanBatches()
    if stale:
        ensure(session.toolbox.weights, session.toolbox.models)
        session.observe_recipes()
        operation = session.toolbox.history.begin("run", user(), now=datetime.now(UTC))
        ran = run_batches(session, stale, operation=operation)
    images = {ref.image_id: ref.uri for ref in refs if not ref.gone}
    return RunReport(
        images=images,
        batches=dict(ran.runs),
        computed=_computed(session, ran.runs),
        failed={**stopped(refs, ran.blocked), **failures(session, batches, images)},
        seconds=time.monotonic() - started,
        unstable=[file.uri for file in seen.unstable],
        ignored=list(seen.ignored),
        unreadable=seen.unreadable,
        operation=operation,
        unanswered=_unanswered(session, batches, images),
    )


def stopped(refs: Iterable[ImageRef], blocked: Mapping[str, str]) -> dict[str, str]:
    """Photos whose batch a check stopped, to that check."""
    return {
        ref.uri: f"{CheckFailed.__name__}: {blocked[ref.batch]}"
        for ref in refs
        if ref.batch in blocked and not ref.gone
    }


def _computed(session: Session, runs: Mapping[str, str]) -> Counter[str]:
    store = session.toolbox.bench.store
    return Counter(
        {
            stage: sum(
                record.run_id == run_id for batch, run_id in runs.items() for record in store.read(stage, batch).current
            )
            for stage in STAGES
        }
    )


def failures(session: Session, batches: Sequence[str], images: dict[str, str]) -> dict[str, str]:
    """First error along the line of each photo that has one; chat-model failures do not fail a photo."""
    found: dict[str, str] = {}
    for stage in STAGES:
        for batch in batches:
            for record in session.toolbox.bench.store.read(stage, batch).current:
                if record.image_id in images and fails_photo(stage, record):
                    found.setdefault(images[record.image_id], f"{record.error_kind}: {record.error}")
    return found


def _unanswered(session: Session, batches: Sequence[str], images: dict[str, str]) -> Counter[str]:
    store = session.toolbox.bench.store
    return Counter(
        str(record.error)
        for batch in batches
        for record in store.read("llm_tag_suggestions", batch).current
        if record.image_id in images and not record.ok
    )


def fails_photo(stage: str, record: ImageRecord) -> bool:
    """Whether a failed record means that the photo could not be tagged."""
    return not record.ok and stage not in ASKING


def say(report: RunReport) -> None:
    """Tell a person."""
    if report.nothing_to_do:
        print_note(f"Nothing was left to compute: all {len(report.images)} photos are fresh.")
    else:
        rate = len(report.images) / report.seconds
        print_note(f"{len(report.images)} photos in {report.seconds:.1f} s ({rate:.2f} photos/s).")
    for uri, error in sorted(report.failed.items()):
        print_note(styled("failed", "red"), f" {uri}: {error}")
    for error, photos in report.unanswered.most_common(_REASONS):
        who = styled("no answer of the chat model", "yellow")
        print_note(who, f" on {photos} photos, other tags stand: {error}")
    for place, reason in sorted(report.unreadable.items()):
        print_note(styled("cannot be looked at", "yellow"), f" {place}: {reason}")
    if report.ignored:
        kinds = ", ".join(sorted({extension(path) or "no extension" for path in report.ignored}))
        print_note(
            f"{len(report.ignored)} files are no photos by their name ({kinds}); name one on the command line to have "
            "it looked at.",
        )
    for uri in report.unstable:
        print_note(styled("still being written, left for the next run", "yellow"), f" {uri}")
