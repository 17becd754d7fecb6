"""Dagster runs within this process, one after the other: models stay warm from run to run."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tagging_assets import run_tags
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import CheckFailed, RunFailed, TaggingError

if TYPE_CHECKING:
    import dagster as dg

#: The console is for progress and results; the events are in the Dagster instance.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

#: Runs the job, over a partition if it has such, with further tags, all its assets or only some; gives the run's id.
Execute = Callable[[str | None, Mapping[str, str], Collection[str] | None], str]


def broken_checks(instance: "dg.DagsterInstance", run_id: str) -> str:
    """Which blocking checks failed in a run, and why; empty where none did."""
    import dagster as dg

    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [one.dagster_event.asset_check_evaluation_data for one in events if one.dagster_event]
    return "; ".join(
        f"{one.asset_key.to_user_string()} breaks the check {one.check_name}: {one.description}"
        for one in found
        if not one.passed and one.severity is dg.AssetCheckSeverity.ERROR
    )


@contextmanager
def executing(session: Session, job: str, operation: str) -> Iterator[Execute]:
    """Be ready to run a job; while this lasts, other processes know that its runs are alive.

    Args:
        session: open.
        job: of the definitions.
        operation: id of what the runs are part of (see ``resources.history``).

    Raises:
        CheckFailed: what a step made breaks a blocking check.
        TaggingError: something that concerns more than one image.
        KeyboardInterrupt: somebody wants it to end.
    """
    import dagster as dg
    from dagster._core.errors import DagsterAssetCheckFailedError

    from tagging_assets.assets.runs import bury_the_dead, lock_of_process
    from tagging_assets.definitions import build_defs

    definitions = build_defs(resource_overrides={"toolbox": session.toolbox}).resolve_job_def(job)
    bury_the_dead(session.instance, session.database)
    process = uuid.uuid4().hex

    def execute(key: str | None, tags: Mapping[str, str], assets: Collection[str] | None) -> str:
        run_id = str(uuid.uuid4())
        try:
            definitions.execute_in_process(
                instance=session.instance,
                partition_key=key,
                asset_selection=None if assets is None else [dg.AssetKey(asset) for asset in assets],
                run_config=_QUIET,
                tags={run_tags.OPERATION: operation, run_tags.PROCESS: process, **tags},
                run_id=run_id,
            )
        except DagsterAssetCheckFailedError as error:
            raise CheckFailed(broken_checks(session.instance, run_id)) from error
        return run_id

    with session.database.lock(lock_of_process(process)):
        try:
            yield execute
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        except dg.DagsterError as error:
            raise _ours(error) from error


def _ours(error: BaseException) -> TaggingError:
    """What Dagster's error comes down to: one of this project's that it was raised for, else its first line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TaggingError):
            return cause
        cause = getattr(cause, "user_exception", None) or cause.__cause__
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return RunFailed(f"Dagster ended the run: {line}; the same command continues")
