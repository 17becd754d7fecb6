"""Leaves batches to Dagster's daemon as one backfill, a run per batch, and watches it."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tagging_assets import run_tags
from tagging_assets.assets.runs import batches_under_way
from tagging_assets.commands.console import counted, print_note
from tagging_assets.commands.in_process import broken_checks
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import RunFailed
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import PUBLISHED

if TYPE_CHECKING:
    import dagster as dg

_POLL_SECONDS = 1.0
_DAEMONS = ("BACKFILL", "QUEUED_RUN_COORDINATOR")
#: A daemon gives a sign of life twice a minute; Dagster itself believes in one for half an hour after its death.
_SIGN_OF_LIFE_SECONDS = 75.0


@dataclass(frozen=True)
class Launched:
    """A backfill: its id, and the batches it was given."""

    backfill_id: str
    batches: list[str]


def daemon_is_up(instance: "dg.DagsterInstance") -> bool:
    """Whether a daemon would take work on."""
    signs = instance.get_daemon_heartbeats()
    now = time.time()
    # Either way: after a clock was put back, a sign of the future says nothing.
    return all(name in signs and abs(now - signs[name].timestamp) < _SIGN_OF_LIFE_SECONDS for name in _DAEMONS)


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


def follow(instance: "dg.DagsterInstance", backfill: Launched) -> dict[str, str]:
    """Show how a backfill goes on until it is through; leaving (Ctrl-C) leaves it going on.

    Returns:
        Batch to the check that stopped it; its photos were not tagged to the end.

    Raises:
        RunFailed: runs failed for another reason, or the daemon has ended.
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
                return _stopped(instance, tagged)
            if not daemon_is_up(instance):
                raise RunFailed(
                    "the daemon that was to do this work has ended; run the same command again to do it here, "
                    "or start `tagging up`, which goes on with it"
                )
            time.sleep(_POLL_SECONDS)


def _stopped(instance: "dg.DagsterInstance", tagged: Mapping[str, str]) -> dict[str, str]:
    import dagster as dg

    runs = instance.get_runs(dg.RunsFilter(tags=dict(tagged)))
    done = {run.tags.get(run_tags.PARTITION) for run in runs if run.is_success}
    failed = {
        run.tags[run_tags.PARTITION]: run.run_id
        for run in runs
        if run.is_finished and run.tags.get(run_tags.PARTITION, None) not in {None, *done}
    }
    broken = {batch: broken_checks(instance, run_id) for batch, run_id in failed.items()}
    for batch, run_id in failed.items():
        if not broken[batch]:
            raise RunFailed(f"the run over {batch} failed ({_reason(instance, run_id)}); the same command continues")
    return broken


def _reason(instance: "dg.DagsterInstance", run_id: str) -> str:
    import dagster as dg

    for event in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        error = event.dagster_event.step_failure_data.error if event.dagster_event else None
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return error.message.strip().splitlines()[0]
    ends = instance.all_logs(run_id, of_type={dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED})
    return ends[-1].dagster_event.message or "no reason given" if ends and ends[-1].dagster_event else "no reason given"
