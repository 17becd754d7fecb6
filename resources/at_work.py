"""Who is at work, what Dagster holds for whom, and which runs died; looking changes nothing, and loads no Dagster."""

from dataclasses import dataclass

import sqlalchemy as sa

from resources.locks import held_sql
from resources.statements import guard

#: Other commands that are connected; one has several connections.
_COMMANDS = """
    SELECT DISTINCT application_name FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'tagging%'
        AND application_name <> current_setting('application_name') ORDER BY 1
"""

_THERE = "SELECT to_regclass('concurrency_slots') IS NOT NULL AND to_regclass('run_tags') IS NOT NULL"

_PLACES = """
    SELECT slots.concurrency_key AS pool, slots.run_id, slots.step_key AS step, tags.value AS batch, {held} AS alive
    FROM concurrency_slots AS slots
    LEFT JOIN run_tags AS tags ON tags.run_id = slots.run_id AND tags.key = 'dagster/partition'
    WHERE slots.run_id IS NOT NULL ORDER BY slots.concurrency_key, slots.id
""".replace("{held}", held_sql("'run/' || slots.run_id"))

#: Begun, not ended, and no process has the lease.
_DEAD = """
    SELECT runs.run_id, tags.value AS batch FROM runs
    LEFT JOIN run_tags AS tags ON tags.run_id = runs.run_id AND tags.key = 'dagster/partition'
    WHERE runs.status IN ('STARTED', 'CANCELING') AND NOT {held} ORDER BY runs.id
""".replace("{held}", held_sql("'run/' || runs.run_id"))


@dataclass(frozen=True)
class Place:
    """A place in a pool that a run holds.

    Attributes:
        pool: of Dagster.
        run_id: whose.
        step: what it computes.
        batch: of which images; ``None`` where the run has none, or is forgotten.
        alive: whether a process goes on with the run; else the next run frees the place.
    """

    pool: str
    run_id: str
    step: str
    batch: str | None
    alive: bool


@dataclass(frozen=True)
class AtWork:
    """What is going on.

    Attributes:
        commands: other commands that are connected, by process and machine.
        places: taken in pools.
        dead: runs whose process was ended, to their batch; the next run reports them as failed.
    """

    commands: list[str]
    places: list[Place]
    dead: dict[str, str | None]

    @property
    def left_behind(self) -> set[str]:
        """Runs that died and still hold something, or count as going on."""
        return {*self.dead, *(place.run_id for place in self.places if not place.alive)}


def look(engine: sa.Engine) -> AtWork:
    """See it, in a database in which Dagster may not have any table yet.

    Raises:
        DatabaseUnavailable: Postgres does not answer.
    """
    with guard(), engine.connect() as connection:
        commands = list(connection.scalars(sa.text(_COMMANDS)))
        if not connection.scalar(sa.text(_THERE)):
            return AtWork(commands, [], {})
        places = [Place(**row) for row in connection.execute(sa.text(_PLACES)).mappings()]
        dead = {row.run_id: row.batch for row in connection.execute(sa.text(_DEAD))}
        return AtWork(commands, places, dead)
