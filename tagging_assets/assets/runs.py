"""Dagster runs as a sweep sees them: which batches are being worked on, and which runs died with their process."""

import dagster as dg

from resources.database import Database
from tagging_assets import run_tags

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def lock_of_process(process: str) -> str:
    """Name of the lock that a command holds while it runs batches."""
    return f"process/{process}"


def batches_under_way(instance: dg.DagsterInstance, database: Database) -> set[str]:
    """Batches of runs that wait or go on; runs whose process died are no such."""
    bury_the_dead(instance, database)
    unfinished = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    return {run.tags[run_tags.PARTITION] for run in unfinished if run_tags.PARTITION in run.tags}


def bury_the_dead(instance: dg.DagsterInstance, database: Database) -> list[str]:
    """Report as failed the runs of commands that were killed; nobody else would. Their ids."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    dead = [
        run
        for run in unfinished
        if run_tags.PROCESS in run.tags and not database.is_held(lock_of_process(run.tags[run_tags.PROCESS]))
    ]
    for run in dead:
        instance.report_run_failed(run, "the process that ran it was ended; what it had done is kept")
    return [run.run_id for run in dead]
