"""``tagging retag``: what a change has made stale, why, how long it will take; and the work itself."""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tagging_assets.assets.line import StaleSum, summed
from tagging_assets.commands.backfill import daemon_is_up, follow, launch
from tagging_assets.commands.batches import RanBatches, run_batches
from tagging_assets.commands.console import Branch, print_note, print_table, styled
from tagging_assets.commands.models import ensure
from tagging_assets.commands.run import failures, stopped
from tagging_assets.commands.session import Session
from tagging_assets.domain.changes import recipe_differences
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.freshness import Why
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import Stale, with_below
from tagging_assets.domain.text_differences import text_differences

_SHORT = 12
_SHOWN_LINES = 20


@dataclass(frozen=True)
class Wanted:
    """What somebody wants done.

    Attributes:
        stages: only these and what is below them; the whole line where empty.
        limit: most batches.
        since: only batches whose photos or decisions changed since.
        failed: only images that failed, whatever the error.
    """

    stages: tuple[str, ...] = ()
    limit: int | None = None
    since: datetime | None = None
    failed: bool = False

    @property
    def retrying(self) -> Retrying:
        """Which failed images are tried again."""
        return Retrying.ALL if self.failed else Retrying.NOW

    @property
    def selection(self) -> list[str] | None:
        """Assets that run; ``None`` for the whole line."""
        return with_below(self.stages) if self.stages else None


@dataclass(frozen=True)
class Retagging:
    """What is to be done.

    Attributes:
        wanted: as it was asked for.
        batches: with work, in order.
        stale: by batch and stage.
        left_out: batches with work beyond the limit.
    """

    wanted: Wanted
    batches: list[str]
    stale: list[Stale]
    left_out: int


def look(session: Session, wanted: Wanted) -> Retagging:
    """See what is stale; reads only.

    Raises:
        SettingsError: a stage that does not exist.
    """
    unknown = [stage for stage in wanted.stages if stage not in STAGES]
    if unknown:
        raise SettingsError(f'no stage "{unknown[0]}"; there are {", ".join(STAGES)}')
    now = datetime.now(UTC)
    line = session.line
    sums = {one.batch: one for one in line.manifest.batch_sums()}
    if wanted.since is not None:
        sums = {name: one for name, one in sums.items() if one.changed_at >= wanted.since}
    batches = line.stale_batches(list(sums), now=now, retrying=wanted.retrying)
    stale = line.stale(batches, now=now, retrying=wanted.retrying, only=wanted.selection)
    if wanted.failed:
        stale = [one for one in stale if one.why is Why.RETRY]
    touched = {one.batch for one in stale}
    # What was decided and not published yet has no stage of its own.
    chosen = [batch for batch in batches if batch in touched or not (wanted.stages or wanted.failed)]
    kept = chosen[: wanted.limit]
    return Retagging(wanted, kept, [one for one in stale if one.batch in set(kept)], len(chosen) - len(kept))


def told(session: Session, work: Retagging) -> dict[str, Any]:
    """The work in numbers: per stage how many images, why, what changed in the recipe, time and money."""
    past = session.toolbox.states.sums()
    threads = session.toolbox.threads
    prices = session.toolbox.prices
    stages: list[dict[str, Any]] = []
    for one in summed(work.stale):
        before = past.get(one.stage)
        images = before.ok + before.failed if before else 0
        each = before.seconds / images / threads if before and images else None
        price = prices.get(one.stage, 0.0)
        stages.append(
            {
                "stage": one.stage,
                "to_compute": one.certain,
                "at_most": one.at_most,
                "why": {str(why): count for why, count in one.why.items()},
                "recipes": _recipes(session, one),
                "seconds": None if each is None else round(each * one.at_most, 2),
                "cost_usd": None if price is None else round(price * one.at_most, 4),
            }
        )
    seconds = [one["seconds"] for one in stages]
    costs = [one["cost_usd"] for one in stages]
    return {
        "batches": len(work.batches),
        "batches_left_out": work.left_out,
        "stages": stages,
        "seconds": None if None in seconds else round(sum(seconds), 2),
        "cost_usd": None if None in costs else round(sum(costs), 4),
    }


def _recipes(session: Session, one: StaleSum) -> list[dict[str, Any]]:
    new = session.line.recipes[one.stage]
    bodies = session.database.recipes(set(one.recipes))
    now = session.toolbox.source_texts
    texts = {**session.database.texts({text.name for text in now.values()}), **now}
    return [
        {
            "old": old,
            "new": new.hash,
            "images": images,
            "differences": recipe_differences(bodies[old], new.body) if old in bodies else [],
            "texts": text_differences(bodies[old], new.body, texts) if old in bodies else {},
        }
        for old, images in one.recipes.most_common()
    ]


def show(plan: Mapping[str, Any]) -> None:
    """Tell a person what is stale."""
    if not plan["batches"]:
        print_note("Everything is fresh; there is nothing to retag.")
        return
    more = f" ({plan['batches_left_out']} more are left for another time)" if plan["batches_left_out"] else ""
    print_table(
        f"{_batches(plan['batches'])}{more}: about {_duration(plan['seconds'])}{_money(plan['cost_usd'])}",
        ["stage", "to compute", "at most", "why", "about"],
        [
            (
                one["stage"],
                one["to_compute"],
                one["at_most"],
                ", ".join(f"{why}: {count}" for why, count in one["why"].items()),
                _duration(one["seconds"]) + _money(one["cost_usd"]),
            )
            for one in plan["stages"]
        ],
    )
    if any(one["at_most"] > one["to_compute"] for one in plan["stages"]):
        print_note("“At most”: where what is above turns out the same, nothing is computed below it.")
    _show_recipes(plan["stages"])


def _show_recipes(stages: Sequence[Mapping[str, Any]]) -> None:
    """What changed in the recipes; a text that several of them name is shown once."""
    shown: set[str] = set()
    for one in stages:
        for recipe in one["recipes"]:
            tree = Branch(
                styled(one["stage"], "bold"),
                f" {recipe['old'][:_SHORT]}… → {recipe['new'][:_SHORT]}… ({recipe['images']} images)",
            )
            for difference in recipe["differences"]:
                tree.add(difference)
            for name, lines in recipe["texts"].items():
                if name not in shown:
                    _add_lines(tree.add(name), lines)
                    shown.add(name)
            tree.print()


def _add_lines(text: Branch, lines: Sequence[str]) -> None:
    for line in lines[:_SHOWN_LINES]:
        text.add(styled(line, "green" if line.startswith("+") else "red"))
    if len(lines) > _SHOWN_LINES:
        text.add(f"… {len(lines) - _SHOWN_LINES} lines more")


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count} batches"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _money(usd: float | None) -> str:
    if usd is None:
        return ", cost unknown"
    return f", ${usd:.2f}" if usd else ""


def retag(session: Session, work: Retagging, *, who: str, why: str, detach: bool) -> dict[str, Any]:
    """Do the work: by the daemon where one is up, else here.

    Returns:
        operation, batches (to the Dagster run where it ran here), backfill id or ``None``, changes by kind, failed.

    Raises:
        SettingsError: nobody is there to leave the work to.
        TaggingError: something that concerns all photos.
    """
    by_daemon = daemon_is_up(session.instance)
    if detach and not by_daemon:
        raise SettingsError("no daemon is up to leave the work to; start `tagging up`, or leave out --detach")
    if not work.batches:
        return {"operation": None, "backfill": None, "batches": {}, "changes": {}, "failed": {}, "seconds": 0.0}
    started = time.monotonic()
    operation = session.toolbox.history.begin("retag", who, why, now=datetime.now(UTC))
    session.observe_recipes()
    backfill, ran = None, RanBatches()
    if by_daemon:
        backfill = launch(
            session, work.batches, stages=work.wanted.selection, operation=operation, retrying=work.wanted.retrying
        )
        if backfill and not detach:
            ran = RanBatches(blocked=follow(session.instance, backfill))
    else:
        ensure(session.toolbox.weights, session.toolbox.models)
        ran = run_batches(
            session,
            work.batches,
            operation=operation,
            stages=work.wanted.selection,
            retrying=work.wanted.retrying,
        )
    changes = session.toolbox.history.counts(operation)
    return {
        "operation": operation,
        "backfill": backfill and backfill.backfill_id,
        "batches": dict(ran.runs),
        "changes": dict(changes),
        "failed": _failed(session, work.batches, ran.blocked),
        "seconds": round(time.monotonic() - started, 2),
    }


def _failed(session: Session, batches: Collection[str], blocked: Mapping[str, str]) -> dict[str, str]:
    refs = [ref for batch in batches for ref in session.line.manifest.images(batch) if not ref.gone]
    ids = {ref.image_id: ref.uri for ref in refs}
    return {**stopped(refs, blocked), **failures(session, sorted(batches), ids)}


def say(done: Mapping[str, Any], batches: Sequence[str]) -> None:
    """Tell a person what came of it."""
    if not done["operation"]:
        return
    changes: Counter[str] = Counter(done["changes"])
    told_changes = ", ".join(f"{count} {kind}" for kind, count in changes.items()) or "no published tag changed"
    print_note(f"{_batches(len(batches))} in {_duration(done['seconds'])}: {told_changes}.")
    for uri, error in sorted(done["failed"].items()):
        print_note(styled("failed", "red"), f" {uri}: {error}")
    if changes:
        print_note(f"what changed: tagging diff --run {done['operation'][:_SHORT]}")
        print_note(f"the way back: tagging undo {done['operation'][:_SHORT]}")
