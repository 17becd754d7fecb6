"""Dagster's storage in Postgres, made safe against kills; ``dagster.yaml`` names it, so all its processes have it.

* Its tables are complete, or not there (``dagster_tables``).
* The process that executes a run holds a lock with the run's id from the run's first event to its own end: the run's
  lease. Whoever looks sees which runs are alive, and Postgres frees the lease of one that was killed.
* A place in a pool is worth as much as the lease of the run that holds it. Dagster itself keeps the places of runs
  that were killed for ever, waits for one without a pause, and hears no signal meanwhile.

What does not belong here: what is done about runs that died (``tagging_assets/assets/runs.py``).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.errors import raise_execution_interrupts
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster._utils.concurrency import ConcurrencyClaimStatus
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config

from resources.dagster_tables import make_complete
from resources.locks import Lock, Locks, held_sql, process_name
from resources.waiting import wait_until

#: Runs that hold a place in a pool, or wait for one, and have no lease: they are over, whatever is said of them.
_DEAD_HOLDERS = """
    SELECT run_id FROM (
        SELECT run_id FROM concurrency_slots WHERE run_id IS NOT NULL UNION SELECT run_id FROM pending_steps
    ) AS holders WHERE NOT {held}
""".replace("{held}", held_sql("'run/' || run_id"))

_PLACES = """
    SELECT slots.run_id, slots.step_key, tags.value AS partition
    FROM concurrency_slots AS slots
    LEFT JOIN run_tags AS tags ON tags.run_id = slots.run_id AND tags.key = 'dagster/partition'
    WHERE slots.concurrency_key = :pool AND slots.run_id IS NOT NULL ORDER BY slots.id
"""

_SHORT = 8


def lease_of(run_id: str) -> str:
    """Name of the lock that the process holds which executes a run."""
    return f"run/{run_id}"


class LeasedEventLog(PostgresEventLogStorage):
    """Dagster's event log with leases of runs, and places in pools that are worth as much as these."""

    _leased: tuple[str, Lock] | None = None

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        engine = sa.create_engine(
            postgres_url, poolclass=sa.NullPool, connect_args={"application_name": process_name()}
        )
        self.locks = Locks(engine)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; a run's first one begins its lease, and no step begins without it.

        Raises:
            DatabaseUnavailable: the lease was lost with its connection, or Postgres does not answer.
        """
        kind = event.dagster_event_type if event.is_dagster_event else None
        if kind is dg.DagsterEventType.RUN_START:
            self._lease(event.run_id)
        elif kind is dg.DagsterEventType.STEP_START:
            self.locks.check()
        super().store_event(event)
        # Kept until the next run or the end of the process: that the run is over is not written everywhere yet.
        over = kind in (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)
        if over and self._leased is not None and self._leased[0] == event.run_id:
            self.free_concurrency_slots_for_run(event.run_id)

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> ConcurrencyClaimStatus:
        """Wait for a place in a pool: interruptible, saying for whom; places of the dead are freed meanwhile.

        Raises:
            DatabaseUnavailable: the lease was lost with its connection.
        """
        self._lease(run_id)
        claim = super().claim_concurrency_slot
        status = claim(concurrency_key, run_id, step_key, priority)

        def claimed() -> bool:
            nonlocal status
            self.locks.check()
            self.free_the_dead()
            # Whoever was killed between giving a place back and handing it on left it to nobody.
            if self.has_unassigned_slots(concurrency_key):
                self.assign_pending_steps([concurrency_key])
            status = claim(concurrency_key, run_id, step_key, priority)
            return bool(status.is_claimed)

        if not status.is_claimed:
            with raise_execution_interrupts():
                wait_until(claimed, lambda: self._who_has(concurrency_key))
        return status

    def free_the_dead(self) -> list[str]:
        """Free what runs without a lease hold of pools; the ids of these runs."""
        with self.index_connection() as connection:
            dead = list(connection.scalars(sa.text(_DEAD_HOLDERS)))
        for run_id in dead:
            self.free_concurrency_slots_for_run(run_id)
        return dead

    def has_lease(self, run_id: str) -> bool:
        """Whether a process executes the run now."""
        return self.locks.is_held(lease_of(run_id))

    def dispose(self) -> None:
        """Give the lease back, and what Dagster's own storage holds."""
        self._end_lease()
        super().dispose()

    def _lease(self, run_id: str) -> None:
        if self._leased is not None and self._leased[0] == run_id:
            self._leased[1].check()
            return
        self._end_lease()
        self._leased = (run_id, self.locks.take(lease_of(run_id)))

    def _end_lease(self) -> None:
        if self._leased is not None:
            lease, self._leased = self._leased[1], None
            self.locks.give_back(lease)

    def _who_has(self, pool: str) -> str:
        with self.index_connection() as connection:
            places = list(connection.execute(sa.text(_PLACES), {"pool": pool}))
        holders = [
            f"run {row.run_id[:_SHORT]} ({row.step_key}{f' of {row.partition}' if row.partition else ''}) of "
            f"{self.locks.holder(lease_of(row.run_id)) or 'a process that has ended'}"
            for row in places
        ]
        return f"a place in the pool {pool}, held by {'; '.join(holders) or 'nobody any more'}"


class LeasedStorage(DagsterPostgresStorage):
    """Dagster's storage with complete tables and a :class:`LeasedEventLog`."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        make_complete(postgres_url)
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        self._event_log_storage = LeasedEventLog(postgres_url)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig | Mapping[str, Any]
    ) -> "LeasedStorage":
        """As Dagster makes it from ``dagster.yaml``."""
        return cls(pg_url_from_config(config_value), inst_data)
