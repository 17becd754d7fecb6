"""Remembers what each model of each provider understands, so that the next process need not be refused again.

What does not belong here: what there is to understand (``resources/dialect.py``), probing
(``resources/chat_probe.py``).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.dialect import Dialect
from resources.statements import guard
from resources.tables import chat_ability as table


class ChatAbilities:
    """Reads and writes ``tagging.chat_ability``; safe to use from several threads and processes.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError`` where
    it refuses.

    Args:
        engine: on the project's Postgres, migrated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def dialect(self, provider: str, model: str) -> Dialect:
        """What a model was found to understand; everything, where nothing is known."""
        query = sa.select(table.c.dialect).where(table.c.provider == provider, table.c.model == model)
        with guard(), self._engine.connect() as connection:
            return Dialect.remembered(connection.scalar(query) or {})

    def needs(self, provider: str, model: str, dialect: Dialect) -> None:
        """Remember the dialect that a model needed; what was probed of it stays."""
        self._keep(provider, model, {"dialect": dialect.told()})

    def probed(self, provider: str, model: str) -> Mapping[str, Any]:
        """What a probe saw of a model; ``{}`` where it was never probed."""
        query = sa.select(table.c.probed).where(table.c.provider == provider, table.c.model == model)
        with guard(), self._engine.connect() as connection:
            found: Mapping[str, Any] = connection.scalar(query) or {}
        return found

    def saw(self, provider: str, model: str, probed: Mapping[str, Any]) -> None:
        """Remember what a probe saw of a model; the dialect that it needed stays."""
        self._keep(provider, model, {"probed": dict(probed)})

    def _keep(self, provider: str, model: str, found: Mapping[str, Any]) -> None:
        row = {"provider": provider, "model": model, "dialect": {}, **found, "at": datetime.now(UTC)}
        statement = insert(table).values(row)
        changed = {name: statement.excluded[name] for name in (*found, "at")}
        with guard(), self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["provider", "model"], set_=changed))
