"""Leaves batches to Dagster's daemon as one backfill, a run per batch, and watches it."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tagging_assets import run_tags
from tagging_assets.assets.runs import batches_under_way
from tagging_assets.commands.console import counted, print_note
from tagging_assets.commands.session import Session
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import PUBLISHED

if TYPE_CHECKING:
    import dagster as dg

_POLL_SECONDS = 1.0
_DAEMONS = ("BACKFILL", "QUEUED_RUN_COORDINATOR")


@dataclass(frozen=True)
class Launched:
    """A backfill: its id, and the batches it was given."""

    backfill_id: str
    batches: list[str]


def daemon_is_up(instance: "dg.DagsterInstance") -> bool:
    """Whether a daemon would take work on."""
    statuses = instance.get_daemon_statuses(_DAEMONS)
    return all(status.healthy for status in statuses.values())


def launch(
    session: Session,
    batches: Sequence[str],
    *,
    stages: Collection[str] | None,
    operation: str,
    retrying: Retrying,
) -> Launched | None:
    """Ask for a run per batch; batches that are under way or asked for already are left out.

    Returns:
        ``None`` where nothing was left to ask for.
    """
    import dagster as dg
    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.utils import make_new_backfill_id

    from tagging_assets.definitions import defs
    from tagging_assets.partitions import image_batches

    instance, now = session.instance, datetime.now(UTC)
    under_way = batches_under_way(instance, session.database)
    versions = session.line.versions([batch for batch in batches if batch not in under_way])
    asked = session.toolbox.claims.take(versions, by=operation, now=now)
    if len(asked) < len(batches):
        print_note(f"{len(batches) - len(asked)} batches were asked for already.")
    if not asked:
        return None
    instance.add_dynamic_partitions(str(image_batches.name), asked)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=defs.resolve_asset_graph(),
        partition_names=asked,
        asset_selection=[dg.AssetKey(name) for name in (*STAGES, PUBLISHED) if stages is None or name in stages],
        backfill_timestamp=now.timestamp(),
        tags={run_tags.OPERATION: operation, run_tags.RETRYING: retrying.value},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title="tagging retag",
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return Launched(backfill.backfill_id, asked)


def follow(instance: "dg.DagsterInstance", backfill: Launched) -> bool:
    """Show how a backfill goes on until it is through; leaving (Ctrl-C) leaves it going on.

    Returns:
        Whether every run of it succeeded.
    """
    import dagster as dg
    from dagster._core.execution.backfill import BulkActionStatus

    tagged = {run_tags.BACKFILL: backfill.backfill_id}
    over = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    going_on = {BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING}
    with counted(f"backfill {backfill.backfill_id}", len(backfill.batches)) as show:
        while True:
            state = instance.get_backfill(backfill.backfill_id)
            show(instance.get_runs_count(dg.RunsFilter(tags=tagged, statuses=over)))
            if state is None or state.status not in going_on:
                return state is not None and state.status is BulkActionStatus.COMPLETED_SUCCESS
            time.sleep(_POLL_SECONDS)
