"""What each stage holds of each batch, summed up in Postgres: freshness of millions of images in a few rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.manifest_rows import chunks, guard
from resources.tables import batch as batch_table
from resources.tables import decision, image, stage_state
from tagging_assets.domain.retrying import LONGEST_WAIT, Retrying
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.staleness import DECISIONS, PHOTOS, PUBLISHED, StageState, done_mark, recipes_mark

#: The columns of a ``StageState``, in its order.
_COLUMNS = [stage_state.c[field.name] for field in fields(StageState)]


@dataclass(frozen=True, slots=True)
class StageSum:
    """What a stage holds of all batches.

    Attributes:
        ok: images with a result.
        failed: images without.
        waiting: failed ones that are tried again unasked.
        seconds: computing time of all.
    """

    ok: int
    failed: int
    waiting: int
    seconds: float


class States:
    """Reads and writes the sums.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def keep(self, state: StageState) -> None:
        """Remember what a stage holds of a batch now."""
        row = asdict(state)
        statement = insert(stage_state).values(row)
        told = {name: statement.excluded[name] for name in row if name not in ("stage", "batch")}
        with guard(), self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["stage", "batch"], set_=told))

    def of(self, batches: Sequence[str]) -> dict[str, dict[str, StageState]]:
        """States by batch and stage; batches that never ran have none."""
        found: dict[str, dict[str, StageState]] = {batch: {} for batch in batches}
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(batches):
                query = sa.select(*_COLUMNS).where(stage_state.c.batch.in_(chunk))
                for row in connection.execute(query):
                    state = StageState(*row)
                    found[state.batch][state.stage] = state
        return found

    def changed(self, batches: Sequence[str]) -> dict[str, dict[str, int]]:
        """Photos that changed, and decided photos whose decisions did, since their stage last ran, by batch."""
        found: dict[str, dict[str, int]] = {batch: {} for batch in batches}
        counts = {
            PHOTOS: ("images", image.c.batch, sa.func.count(), image, image.c.changed_at),
            DECISIONS: (
                "decisions",
                image.c.batch,
                sa.func.count(decision.c.image_id.distinct()),
                decision.join(image, image.c.image_id == decision.c.image_id),
                decision.c.at,
            ),
        }
        with guard(), self._engine.connect() as connection:
            for name, (stage, batch, count, source, at) in counts.items():
                for chunk in chunks(batches):
                    ran = sa.select(stage_state.c.batch, stage_state.c.updated_at).where(
                        stage_state.c.stage == stage, stage_state.c.batch.in_(chunk)
                    )
                    last = ran.subquery()
                    query = (
                        sa.select(batch, count)
                        .select_from(source)
                        .outerjoin(last, last.c.batch == batch)
                        .where(batch.in_(chunk), sa.or_(last.c.updated_at.is_(None), at >= last.c.updated_at))
                        .group_by(batch)
                    )
                    for key, number in connection.execute(query):
                        found[key][name] = number
        return found

    def unsettled(
        self, recipes: Recipes, *, now: datetime, retrying: Retrying, batches: Sequence[str] | None = None
    ) -> list[str]:
        """Batches whose last complete run was made from something else than there is now, or has failures to retry.

        Args:
            recipes: as things stand.
            now: aware UTC.
            retrying: which failed images would be tried again.
            batches: only of these; all by default.
        """
        told = sa.func.concat(batch_table.c.revision, "/", batch_table.c.decisions, "/", recipes_mark(recipes))
        tried = {
            Retrying.DUE: sa.or_(stage_state.c.retry_at <= now, stage_state.c.retry_at > now + LONGEST_WAIT),
            Retrying.NOW: stage_state.c.waiting > 0,
            Retrying.ALL: stage_state.c.failed > 0,
        }
        again = sa.select(stage_state.c.batch).where(tried[retrying])
        query = (
            sa.select(batch_table.c.batch)
            .where(sa.or_(batch_table.c.done.is_distinct_from(told), batch_table.c.batch.in_(again)))
            .order_by(batch_table.c.batch)
        )
        if batches is not None:
            query = query.where(batch_table.c.batch.in_(batches))
        with guard(), self._engine.connect() as connection:
            return list(connection.scalars(query))

    def settle(self, batch: str, recipes: Recipes) -> bool:
        """Mark a batch as done where nothing is left to do by these recipes; whether it is."""
        done = done_mark(self.of([batch])[batch], recipes)
        with guard(), self._engine.begin() as connection:
            connection.execute(sa.update(batch_table).where(batch_table.c.batch == batch).values(done=done))
        return done is not None

    def sums(self) -> dict[str, StageSum]:
        """What each stage holds of all batches; stages that never ran are left out."""
        total = [sa.func.sum(stage_state.c[name]) for name in ("ok", "failed", "waiting", "seconds")]
        query = sa.select(stage_state.c.stage, *total).where(stage_state.c.stage != PUBLISHED)
        with guard(), self._engine.connect() as connection:
            return {
                stage: StageSum(ok, failed, waiting, seconds)
                for stage, ok, failed, waiting, seconds in connection.execute(query.group_by(stage_state.c.stage))
            }
