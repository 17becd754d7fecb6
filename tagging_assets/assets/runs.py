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
    return {run.tags[run_tags.PARTITION] for run in bury_the_dead(instance, database) if run_tags.PARTITION in run.tags}


def bury_the_dead(instance: dg.DagsterInstance, database: Database) -> list[dg.DagsterRun]:
    """Report as failed the runs of commands that were killed; nobody else would. The other unfinished runs."""
    living = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = run.tags.get(run_tags.PROCESS)
        if process is None or database.is_held(lock_of_process(process)):
            living.append(run)
        else:
            instance.report_run_failed(run, "the process that ran it was ended; what it had done is kept")
    return living
