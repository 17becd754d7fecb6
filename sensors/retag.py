"""Finds what a changed recipe, decision or failed run has left stale, and asks for as many runs as there is room for.

A sweep, not an event: it looks at how things stand, so nothing is lost that happened while a run was under way, a
process was down or a tick was missed. What was asked for in vain is asked for again, more and more seldom.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from resources.claims import Claims
from resources.database import Database
from resources.history import History
from resources.ledger import Ledger
from tagging_assets import run_tags
from tagging_assets.assets.line import Line
from tagging_assets.assets.runs import batches_under_way
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import PUBLISHED, Stale, recipes_mark, with_below
from tagging_assets.jobs import tag_images
from tagging_assets.partitions import image_batches
from tagging_assets.settings import Retag

NAME = "retag"

#: Batches that one tick looks into; the next one goes on behind them.
_LOOK = 200
_DAY = timedelta(days=1)

#: US dollars per image of the stages that may cost money; ``None`` where nobody knows.
Prices = Mapping[str, float | None]


@dataclass
class Purse:
    """What may be spent unasked.

    Attributes:
        left: US dollars; ``None`` for no limit.
        prices: of the stages that may cost money.
    """

    left: float | None
    prices: Prices

    def too_dear(self, stale: Sequence[Stale]) -> list[str]:
        """Stages of one batch that there is no money for, or whose price nobody knows; the others are paid for."""
        if self.left is None:
            return []
        dear = []
        for one in stale:
            price = self.prices.get(one.stage, 0.0)
            cost = None if price is None else price * one.at_most
            if one.at_most and (cost is None or cost > self.left):
                dear.append(one.stage)
            elif cost:
                self.left -= cost
        return dear


@dg.sensor(
    name=NAME,
    job=tag_images,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for runs over batches that a changed model, prompt, label set, rule or decision made stale.",
)
def retag(
    context: dg.SensorEvaluationContext,
    line: dg.ResourceParam[Line],
    claims: dg.ResourceParam[Claims],
    database: dg.ResourceParam[Database],
    history: dg.ResourceParam[History],
    ledger: dg.ResourceParam[Ledger],
    prices: dg.ResourceParam[Prices],
    retag_limits: dg.ResourceParam[Retag],
) -> dg.SensorResult | dg.SkipReason:
    """Look, claim, ask."""
    now = datetime.now(UTC)
    under_way = batches_under_way(context.instance, database)
    room = retag_limits.batches_at_once - len(under_way)
    if room <= 0:
        return dg.SkipReason(f"{len(under_way)} batches are under way, and no more than so many at a time")
    stale = [batch for batch in line.stale_batches(now=now) if batch not in under_way]
    if not stale:
        return dg.SkipReason("everything is fresh")
    cursor = _cursor(context.cursor, line)
    looked = _from(stale, cursor["after"])[:_LOOK]
    purse = Purse(_left(retag_limits, ledger, now), prices)
    wanted = dict(_affordable(looked, line.stale(looked, now=now), purse))
    versions = line.versions(list(wanted))
    taken: list[str] = []
    for batch in wanted:
        if len(taken) < room:
            taken += claims.take({batch: versions[batch]}, by=f"sensor {NAME}", now=now)
    cursor["after"] = looked[-1]
    if not taken:
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(_why_nothing(len(stale), len(looked), len(wanted)))
    cursor["operation"] = cursor["operation"] or history.begin("retag", f"sensor {NAME}", now=now)
    return dg.SensorResult(
        run_requests=[_request(batch, wanted[batch], cursor["operation"]) for batch in taken],
        dynamic_partitions_requests=[image_batches.build_add_request(taken)],
        cursor=json.dumps(cursor),
    )


def _cursor(said: str | None, line: Line) -> dict[str, Any]:
    """Where the last tick stopped; one change of the recipes is one operation, over however many ticks."""
    mark = recipes_mark(line.recipes)
    last = json.loads(said) if said else {}
    if last.get("recipes") != mark:
        return {"recipes": mark, "operation": None, "after": ""}
    return {"recipes": mark, "operation": last["operation"], "after": last["after"]}


def _from(batches: Sequence[str], after: str) -> list[str]:
    """The batches behind one, then those before it."""
    return [*(one for one in batches if one > after), *(one for one in batches if one <= after)]


def _left(limits: Retag, ledger: Ledger, now: datetime) -> float | None:
    if limits.budget_usd is None:
        return None
    return limits.budget_usd - float(sum(one.cost_usd for one in ledger.spent(now - _DAY)))


def _affordable(
    batches: Sequence[str], stale: Sequence[Stale], purse: Purse
) -> Iterator[tuple[str, Sequence[str] | None]]:
    """Batches with something to do that there is money for, and the stages that run; ``None`` for the whole line."""
    by_batch: dict[str, list[Stale]] = {batch: [] for batch in batches}
    for one in stale:
        by_batch[one.batch].append(one)
    for batch, ones in by_batch.items():
        dear = purse.too_dear(ones)
        if not dear:
            yield batch, None
            continue
        waiting = set(with_below(dear)) - {PUBLISHED}
        if any(one.stage not in waiting for one in ones):
            yield batch, [name for name in (*STAGES, PUBLISHED) if name not in waiting]


def _request(batch: str, stages: Sequence[str] | None, operation: str) -> dg.RunRequest:
    return dg.RunRequest(
        partition_key=batch,
        asset_selection=None if stages is None else [dg.AssetKey(stage) for stage in stages],
        tags={run_tags.OPERATION: operation, run_tags.RETRYING: Retrying.DUE.value},
    )


def _why_nothing(stale: int, looked: int, wanted: int) -> str:
    dear = looked - wanted
    money = f"; {dear} of {looked} wait for money: raise retag.budget_usd, or run `tagging retag`" if dear else ""
    asked = f"; {wanted} were asked for already" if wanted else ""
    return f"{stale} batches are stale{asked}{money}"
