"""``tagging experiment run``: choose photos, ask every contestant, score, report."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.choices import entries_in_use
from resources.experiments import Paid
from resources.interviews import NEEDS
from tagging_assets.commands.batches import run_batches
from tagging_assets.commands.console import print_note, styled
from tagging_assets.commands.experiment_planning import Planned, Typed, plan
from tagging_assets.commands.experiment_results import board_json, show_board
from tagging_assets.commands.exporting import make_missing
from tagging_assets.commands.in_process import executing
from tagging_assets.commands.models import ensure
from tagging_assets.commands.session import Session
from tagging_assets.domain.chat import ANSWERED
from tagging_assets.domain.chat_settings import EMBEDDED
from tagging_assets.domain.errors import LlmError, ModelError, SettingsError, TaggingError
from tagging_assets.domain.experiments import UNASKED, Experiment, names_of
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.scoreboard import Scoreboard
from tagging_assets.domain.scoreboard_words import count
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.standings import NOT_ASKED
from tagging_assets.domain.standings_text import money

__all__ = ["Done", "Typed", "run", "say"]


@dataclass(frozen=True)
class Done:
    """What came of a run.

    Attributes:
        planned: the experiment as it was asked.
        board: as it was scored.
        paid: requests sent now, and what they cost.
        asked: answers that were asked for now.
        known: answers that were known before.
        unasked: answers for which there was no question to put: nothing spoke for any tag.
        held_back: questions that were not put yet: over budget, or waiting for a provider's batch.
        missing: photos that could not be asked about: gone, or no photos that can be read.
        failed: contestants that could not be asked, to the reason.
        silent: contestants without a single answer.
        reports: files.
    """

    planned: Planned
    board: Scoreboard
    paid: Paid
    asked: int
    known: int
    unasked: int
    held_back: int
    missing: int
    failed: Mapping[str, str]
    silent: tuple[str, ...]
    reports: Sequence[Path]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "experiment": self.planned.experiment.name,
            "photos": len(self.planned.experiment.image_ids),
            "photos_missing": self.missing,
            "calls": self.paid.calls,
            "cost_usd": float(self.paid.cost_usd),
            "calls_of_unknown_cost": self.paid.unknown,
            "answers_asked": self.asked,
            "answers_known": self.known,
            "answers_without_question": self.unasked,
            "answers_held_back": self.held_back,
            "failed": dict(self.failed),
            "silent": list(self.silent),
            "reports": [str(path) for path in self.reports],
            "reference_unknown": list(self.planned.unknown),
            "scoreboard": board_json(self.board),
        }


def run(session: Session, name: str, paths: Sequence[Path], typed: Typed, *, who: str) -> Done:
    """Run an experiment; what was asked before is not asked again.

    Args:
        session: open.
        name: of an experiment, or its file.
        paths: photos or folders to choose from; all photos there are by default.
        typed: goes before what the file says.
        who: is at the keyboard.

    Raises:
        SettingsError: it makes no sense, or there are no photos.
        TaggingError: what concerns all contestants: the database, the disk, a model of the line; or what the first
            contestant failed for, where nobody could be asked.
    """
    tools, began = session.toolbox, datetime.now(UTC)
    make_missing(session)
    planned = plan(session, name, paths, typed)
    experiment = planned.experiment
    tools.experiments.keep(experiment, who=who, now=began)
    operation = tools.history.begin("experiment", who, experiment.name, now=began)
    _bring_up_to_date(session, experiment, operation)
    failed = _ask(session, experiment, operation)
    rows = tools.interviews.answers(experiment)
    if failed and not rows:
        raise next(iter(failed.values()))
    _execute(session, "score_benchmark", "experiment", [experiment.name], operation)
    put = [row for row in rows if row["cost_source"] != UNASKED]
    answered = Counter(row["configuration"] for row in put if row["outcome"] in ANSWERED)
    # Where a contestant could not be asked, what it said in an earlier run stands.
    asked = sum(row["asked"] for row in rows if row["configuration"] not in failed)
    unasked = len(rows) - len(put)
    held_back = sum(row["outcome"] in NOT_ASKED for row in put)
    return Done(
        planned=planned,
        board=tools.scoreboards.read(experiment.name),
        paid=tools.experiments.paid({experiment.purpose_of_calls}, began),
        asked=asked,
        known=len(rows) - asked - unasked - held_back,
        unasked=unasked,
        held_back=held_back,
        missing=len(set(experiment.image_ids) - {row["image_id"] for row in rows}),
        failed={label: f"{error.kind}: {error}" for label, error in failed.items()},
        silent=tuple(one.label for one in experiment.configurations if not answered[one.label]),
        reports=tools.scoreboards.reports(experiment.name),
    )


def _bring_up_to_date(session: Session, experiment: Experiment, operation: str) -> None:
    """Compute what contestants are told about photos, as far as it is missing; no chat model is asked."""
    stages, now = _above(NEEDS), datetime.now(UTC)
    batches = session.toolbox.decisions.batches(experiment.image_ids)
    unsettled = session.line.stale_batches(batches, now=now, retrying=Retrying.NOW)
    stale = session.line.stale(unsettled, now=now, retrying=Retrying.NOW, only=stages)
    weights = session.toolbox.weights
    local = {one.model for one in experiment.configurations if _is_local(session, one.model)}
    if todo := sorted({one.batch for one in stale}):
        profile = entries_in_use(weights.catalogue, session.settings)
        local |= {entry.name for task, entry in profile.items() if task != "chat"}
    ensure(weights, sorted(local))
    if todo:
        session.observe_recipes()
        run_batches(session, todo, operation=operation, stages=stages).check()


def _above(stages: Iterable[str]) -> list[str]:
    """Stages with all that is above them, in the order of the line."""
    wanted: set[str] = set()
    waiting = list(stages)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += STAGES[name].needs
    return [name for name in STAGES if name in wanted]


def _is_local(session: Session, model: str) -> bool:
    return session.settings.llm.find(model).provider == EMBEDDED


def _ask(session: Session, experiment: Experiment, operation: str) -> dict[str, TaggingError]:
    """Ask one contestant after the other; what one fails for does not keep the others.

    Returns:
        The errors by label.
    """
    failed: dict[str, TaggingError] = {}
    for key in experiment.keys:
        try:
            _execute(session, "ask_benchmark", "contestant", [key], operation)
        except (LlmError, ModelError, SettingsError) as error:
            failed[names_of(key)[1]] = error
    return failed


def _execute(session: Session, job: str, partitions: str, keys: Sequence[str], operation: str) -> None:
    """Run a job over partitions, one after the other, each by one process at a time."""
    session.instance.add_dynamic_partitions(partitions, keys)
    with executing(session, job, operation) as execute:
        for key in keys:
            with session.database.lock(f"{partitions}/{key}"):
                execute(key, {}, None)


def say(done: Done) -> None:
    """Tell a person."""
    show_board(done.board)
    for label, error in done.failed.items():
        print_note(styled("not asked", "red"), f" {label}: {error}")
    for label in done.silent:
        print_note(styled("no answer at all", "yellow"), f" from {label}")
    if done.missing:
        print_note(f"Left out, as gone or not readable: {count(done.missing, 'photo')}.")
    if done.planned.unknown:
        names = ", ".join(done.planned.unknown[:5]) + (" …" if len(done.planned.unknown) > 5 else "")
        told = f"Names of the reference that mean none of the photos, or several: {names}"
        print_note(told)
    unknown = f" and that of {done.paid.unknown} unknown" if done.paid.unknown else ""
    unasked = f", {done.unasked} without a question as nothing spoke for any tag" if done.unasked else ""
    held_back = f", {done.held_back} not asked yet" if done.held_back else ""
    print_note(
        f"Answers: {done.asked} asked now, {done.known} known before{unasked}{held_back}. "
        f"Calls {done.paid.calls}, cost {money(float(done.paid.cost_usd))}{unknown}.",
    )
    pages = [path for path in done.reports if path.suffix == ".html"] or done.reports
    for path in pages:
        print_note(f"Report: {path}")
