"""Dagster runs within this process, one after the other: models stay warm from run to run."""

import sys
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING, Any, TextIO, cast

from resources.faults import understood
from resources.files import private_files
from tagging_assets import run_tags
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import CheckFailed

if TYPE_CHECKING:
    import dagster as dg

#: The console is for progress and results; the events are in the Dagster instance.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

_DAGSTERS_OWN = "Exception while writing logger call to event log"

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


class _Told:
    """stderr without the statements, with all their values, that Dagster prints where its database refuses one.

    The error itself is raised, and told in a line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith(_DAGSTERS_OWN) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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

    with (
        session.database.lock(lock_of_process(process)),
        private_files(),
        redirect_stderr(cast("TextIO", _Told(sys.stderr))),
    ):
        try:
            yield execute
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        except dg.DagsterError as error:
            raise understood(error, session.settings.data_dir) from error
