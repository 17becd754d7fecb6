"""Tags of Dagster runs that mean something to us."""

from collections.abc import Mapping

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


def operation_of(tags: Mapping[str, str], run_id: str) -> str:
    """What a run is part of; itself where nothing else is said."""
    return tags.get(OPERATION) or tags.get(BACKFILL) or run_id


def retrying_of(tags: Mapping[str, str]) -> Retrying:
    """Which failed images a run tries again; only those that are due where nothing is said."""
    return Retrying(tags.get(RETRYING, Retrying.DUE))
