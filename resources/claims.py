"""Who has asked for a batch to be run: two sweeps at once ask for nothing twice, and what fails is asked for seldom."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.manifest_rows import guard
from resources.tables import claim, stage_state

#: A run is there to be seen within this time after it was asked for; doubled with each time it was asked in vain.
FIRST = timedelta(minutes=2)
LONGEST = timedelta(hours=6)


class Claims:
    """Claims on batches, in Postgres.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take(self, versions: Mapping[str, str], *, by: str, now: datetime) -> list[str]:
        """Claim batches; the ones that nobody holds a claim on.

        A claim ends by itself. One that is made anew for the same version means that the first came to nothing (the
        batch would not be stale any more), so it lasts twice as long as that.

        Args:
            versions: batch to what it is to be brought to (recipes, photos, decisions).
            by: who asks, for people.
            now: aware UTC.
        """
        if not versions:
            return []
        rows = [
            {
                "batch": batch,
                "claimed_by": by,
                "claimed_at": now,
                "version": version,
                "attempts": 1,
                "until": now + FIRST,
            }
            for batch, version in sorted(versions.items())
        ]
        new = insert(claim).values(rows)
        again = sa.case((claim.c.version == new.excluded.version, claim.c.attempts + 1), else_=1)
        # An exponent that stays small: the ceiling is reached long before.
        doubled = FIRST.total_seconds() * sa.func.power(2.0, sa.func.least(again - 1, 20))
        wait = sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.func.least(doubled, LONGEST.total_seconds()))
        statement = new.on_conflict_do_update(
            index_elements=["batch"],
            set_={
                "claimed_by": new.excluded.claimed_by,
                "claimed_at": new.excluded.claimed_at,
                "version": new.excluded.version,
                "attempts": again,
                "until": new.excluded.claimed_at + wait,
            },
            # What is asked for in vain waits; something else only until the run asked for first is there to be seen.
            # One of the future was written before a clock was put back, and would last until it comes again.
            where=sa.or_(
                claim.c.until <= now,
                claim.c.claimed_at > now + FIRST,
                sa.and_(
                    claim.c.version != new.excluded.version, sa.or_(claim.c.claimed_at <= now - FIRST, _answered())
                ),
            ),
        ).returning(claim.c.batch)
        with guard(), self._engine.begin() as connection:
            return sorted(connection.scalars(statement))

    def release(self, batches: Collection[str]) -> None:
        """End claims whose runs died with their process; not where that happened before: what kills runs waits longer.

        Args:
            batches: of the runs that died.
        """
        if not batches:
            return
        first = sa.and_(claim.c.batch.in_(sorted(batches)), claim.c.attempts == 1)
        with guard(), self._engine.begin() as connection:
            connection.execute(sa.update(claim).where(first).values(until=claim.c.claimed_at))


def _answered() -> sa.TextClause:
    """Whether a run has begun on the batch since it was claimed; whoever asks looks for runs under way himself."""
    # Written out: inside ON CONFLICT the library leaves the schema out of every name.
    return sa.text(
        f"EXISTS (SELECT FROM {stage_state.fullname} AS ran WHERE ran.batch = claim.batch"
        " AND ran.updated_at >= claim.claimed_at)"
    )
