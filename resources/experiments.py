"""Experiments in Postgres, by name, and what their questions cost.

What does not belong here: answers and scores (``row_store``), promotions (``promotions``).
"""

import decimal
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pydantic
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.statements import guard
from resources.tables import experiment as table
from resources.tables import llm_call
from tagging_assets.domain.errors import SettingsError, StorageError
from tagging_assets.domain.experiments import Experiment

_FORM = pydantic.TypeAdapter(Experiment)


@dataclass(frozen=True, slots=True)
class Kept:
    """An experiment, who changed it last and when."""

    experiment: Experiment
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """What questions took.

    Attributes:
        calls: requests that were sent.
        cost_usd: of those whose cost is known.
        unknown: calls of unknown cost.
    """

    calls: int
    cost_usd: decimal.Decimal
    unknown: int


class Experiments:
    """Keeps experiments; the newest body of a name holds.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError`` where
    it refuses.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, name: str) -> Experiment | None:
        """The experiment of that name; ``None`` where none was ever kept."""
        with guard(), self._engine.connect() as connection:
            row = connection.execute(sa.select(table.c.body).where(table.c.name == name)).first()
        return None if row is None else _read(name, row.body)

    def get(self, name: str) -> Experiment:
        """The experiment of that name.

        Raises:
            SettingsError: there is none.
        """
        found = self.find(name)
        if found is None:
            there_are = ", ".join(one.experiment.name for one in self.all()) or "none yet"
            raise SettingsError(
                f"no experiment {name!r} was run; there are: {there_are}; `tagging experiment run {name}`"
            )
        return found

    def all(self) -> list[Kept]:
        """Every experiment, the one that was changed last first."""
        with guard(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.at.desc(), table.c.name)).all()
        return [Kept(_read(row.name, row.body), row.who, row.at) for row in rows]

    def keep(self, experiment: Experiment, *, who: str, now: datetime) -> bool:
        """Write an experiment down.

        Returns:
            Whether it is another than was known.
        """
        body: dict[str, Any] = _FORM.dump_python(experiment, mode="json")
        row = {"name": experiment.name, "body": body, "who": who, "at": now}
        written = insert(table).values(row)
        written = written.on_conflict_do_update(
            index_elements=[table.c.name],
            set_={name: written.excluded[name] for name in ("body", "who", "at")},
            where=table.c.body != written.excluded.body,
        )
        with guard(), self._engine.begin() as connection:
            return connection.execute(written).rowcount > 0

    def paid(self, purposes: Collection[str], since: datetime | None = None) -> Paid:
        """What the questions of some purposes took.

        Args:
            purposes: as the ledger has them.
            since: aware; only calls from then on.
        """
        calls = llm_call.c
        query = sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(calls.cost_usd), 0),
            sa.func.count().filter(calls.cost_usd.is_(None)),
        ).where(calls.purpose.in_(sorted(purposes)))
        if since is not None:
            query = query.where(calls.asked_at >= since)
        with guard(), self._engine.connect() as connection:
            return Paid(*connection.execute(query).one())


def _read(name: str, body: dict[str, Any]) -> Experiment:
    try:
        return _FORM.validate_python(body)
    except pydantic.ValidationError as error:
        raise StorageError(
            f"experiment {name} is not in this version's form; `tagging experiment run {name}` writes it anew"
        ) from error
