"""Tags of Dagster runs that mean something to us."""

import re
from collections.abc import Mapping

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.retrying import Retrying

#: What the run is part of: one command, backfill or sweep; the name by which its changes are undone.
OPERATION = "tagging/operation"

#: Which failed images it tries again; see ``domain/retrying.py``.
RETRYING = "tagging/retry"

#: The process that runs it, where that is a command: told to be alive by the lock it holds.
PROCESS = "tagging/process"

#: Dagster's own, for runs of a backfill.
BACKFILL = "dagster/backfill"
PARTITION = "dagster/partition"


#: Of operations, backfills and runs; what else may be said of a run is kept with every change it makes.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def operation_of(tags: Mapping[str, str], run_id: str) -> str:
    """What a run is part of; itself where nothing else is said.

    Raises:
        SettingsError: the tag names nothing that can be an operation.
    """
    said = tags.get(OPERATION) or tags.get(BACKFILL) or run_id
    if not _ID.fullmatch(said):
        raise SettingsError(f"the run's tag {OPERATION} or {BACKFILL} is no id; start the run without it")
    return said


def retrying_of(tags: Mapping[str, str]) -> Retrying:
    """Which failed images a run tries again; only those that are due where nothing is said.

    Raises:
        SettingsError: the tag says something else.
    """
    said = tags.get(RETRYING, Retrying.DUE.value)
    try:
        return Retrying(said)
    except ValueError as error:
        known = " or ".join(one.value for one in Retrying)
        raise SettingsError(f"the run's tag {RETRYING} must be {known}, not {said[:40]!a}") from error
