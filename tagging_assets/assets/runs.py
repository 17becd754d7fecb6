"""Dagster runs as a sweep sees them: which batches are being worked on, and which runs died with their process."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from resources.claims import Claims
from resources.dagster_storage import LeasedEventLog
from resources.database import Database
from tagging_assets import run_tags

#: A run that was launched has a process of its own, and its lease, after this time; Dagster gives up on it then, too.
_LAUNCHED = timedelta(seconds=180)

#: What a process has begun: such a run has a lease, or is dead.
_BEGUN = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def lock_of_process(process: str) -> str:
    """Name of the lock that a command holds while it runs batches."""
    return f"process/{process}"


def batches_under_way(instance: dg.DagsterInstance, database: Database) -> set[str]:
    """Batches of runs that wait or go on; runs whose process died are no such."""
    return _batches(bury_the_dead(instance, database))


def bury_the_dead(instance: dg.DagsterInstance, database: Database) -> list[dg.DagsterRun]:
    """Report as failed the runs whose process was killed, and free all that is held for them; nobody else would.

    Returns:
        The other unfinished runs.
    """
    living, dead = [], []
    for run in instance.get_runs(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))):
        if is_alive(instance, database, run):
            living.append(run)
        else:
            dead.append(run)
            instance.report_run_failed(run, "the process that ran it was ended; what it had done is kept")
    if isinstance(instance.event_log_storage, LeasedEventLog):
        # Of runs that an earlier version buried, that somebody else called finished, or that were deleted, too.
        instance.event_log_storage.free_the_dead()
    Claims(database.engine).release(_batches(dead) - _batches(living))
    return living


def forget_the_future(instance: dg.DagsterInstance) -> list[str]:
    """Let sensors tick again whose last tick lies ahead, as after a clock was put back; they would wait until then.

    Returns:
        Their names.
    """
    latest = datetime.now(UTC).timestamp() + _LAUNCHED.total_seconds()
    names = []
    for state in instance.all_instigator_state():
        data = state.sensor_instigator_data
        if data is not None and max(data.last_tick_timestamp or 0, data.last_tick_start_timestamp or 0) > latest:
            past = data._replace(
                last_tick_timestamp=0.0, last_tick_start_timestamp=0.0, last_tick_success_timestamp=0.0
            )
            instance.update_instigator_state(state.with_data(past))
            names.append(state.name)
    return sorted(names)


def is_alive(instance: dg.DagsterInstance, database: Database, run: dg.DagsterRun) -> bool:
    """Whether a process goes on with an unfinished run, or will; one that has just finished counts as such."""
    process, storage = run.tags.get(run_tags.PROCESS), instance.event_log_storage
    if process is not None:
        alive = database.is_held(lock_of_process(process))
    elif isinstance(storage, LeasedEventLog) and run.status is not dg.DagsterRunStatus.QUEUED:
        alive = storage.has_lease(run.run_id) or (run.status not in _BEGUN and _just_launched(instance, run.run_id))
    else:
        alive = True
    if alive:
        return True
    # It may have finished, and its process ended, since it was listed.
    now = instance.get_run_by_id(run.run_id)
    return now is None or now.is_finished


def _just_launched(instance: dg.DagsterInstance, run_id: str) -> bool:
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return False
    changed = record.update_timestamp
    aware = changed if changed.tzinfo else changed.replace(tzinfo=UTC)
    # Either way: a clock that was put back must not make it wait for years.
    return abs(datetime.now(UTC) - aware) < _LAUNCHED


def _batches(runs: Iterable[dg.DagsterRun]) -> set[str]:
    return {run.tags[run_tags.PARTITION] for run in runs if run_tags.PARTITION in run.tags}
