"""The ledger: every question put to a chat model, what came of it and what it cost.

What does not belong here: what an answer means; the ledger keeps the words.
"""

import decimal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from resources.tables import llm_call
from tagging_assets.domain.errors import DatabaseUnavailable, StorageError
from tagging_assets.domain.llm import ANSWERED


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was sent.

    Attributes:
        request_hash: SHA-256 of everything sent.
        provider: who was asked.
        model: which of its models.
        prompt_id: the prompt's name.
        prompt_hash: the prompt's content.
        parameters: sampling parameters and response format, JSON-able.
        outcome: see ``domain.models.ChatReply``.
        error: one line, or ``""``.
        finish_reason: as the provider says.
        reply: the words; ``None`` where there are none.
        prompt_tokens: as the provider counts.
        completion_tokens: as the provider counts.
        cost_usd: by the prices in the settings; ``None`` where there are none.
        latency_seconds: from asking to answer.
        asked_at: aware UTC.
    """

    request_hash: str
    provider: str
    model: str
    prompt_id: str
    prompt_hash: str
    parameters: Mapping[str, Any]
    outcome: str
    error: str
    finish_reason: str | None
    reply: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: decimal.Decimal | None
    latency_seconds: float
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class PastReply:
    """An answer that was had before; its words are read anew, so a better reader costs no new question."""

    outcome: str
    reply: str | None
    finish_reason: str | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls of one model with one outcome came to."""

    provider: str
    model: str
    outcome: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: decimal.Decimal
    latency_seconds: float


class Ledger:
    """Reads and writes ``tagging.llm_call``; safe to use from several threads.

    Args:
        engine: on the project's Postgres, migrated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, call: Call) -> None:
        """Keep a call.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        values = {name: getattr(call, name) for name in Call.__slots__}
        for name in ("error", "reply", "finish_reason"):
            if values[name] is not None:
                values[name] = values[name].replace("\0", "\ufffd")  # Postgres texts hold no NUL
        with _translated(), self._engine.begin() as connection:
            connection.execute(llm_call.insert().values(values))

    def answered(self, request_hash: str) -> PastReply | None:
        """The latest answer to this very question; ``None`` where it has none that stands.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        query = (
            sa.select(llm_call.c.outcome, llm_call.c.reply, llm_call.c.finish_reason)
            .where(llm_call.c.request_hash == request_hash, llm_call.c.outcome.in_(sorted(ANSWERED)))
            .order_by(llm_call.c.call_id.desc())
            .limit(1)
        )
        with _translated(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else PastReply(row.outcome, row.reply, row.finish_reason)

    def spent(self, since: datetime | None = None) -> list[Spent]:
        """Calls, tokens and money per provider, model and outcome, in that order.

        Args:
            since: aware; only calls from then on.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        table = llm_call.c
        query = (
            sa.select(
                table.provider,
                table.model,
                table.outcome,
                sa.func.count(),
                sa.func.coalesce(sa.func.sum(table.prompt_tokens), 0),
                sa.func.coalesce(sa.func.sum(table.completion_tokens), 0),
                sa.func.coalesce(sa.func.sum(table.cost_usd), 0),
                sa.func.sum(table.latency_seconds),
            )
            .group_by(table.provider, table.model, table.outcome)
            .order_by(table.provider, table.model, table.outcome)
        )
        if since is not None:
            query = query.where(table.asked_at >= since)
        with _translated(), self._engine.connect() as connection:
            return [Spent(*row) for row in connection.execute(query)]

    def mean_cost(self, provider: str, model: str) -> float | None:
        """US dollars of a call of a model on average; ``None`` where no call has a known price.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        query = sa.select(sa.func.avg(llm_call.c.cost_usd)).where(
            llm_call.c.provider == provider, llm_call.c.model == model
        )
        with _translated(), self._engine.connect() as connection:
            mean = connection.execute(query).scalar_one()
        return None if mean is None else float(mean)

    def outcomes(self) -> dict[str, int]:
        """How many calls had which outcome.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        query = sa.select(llm_call.c.outcome, sa.func.count()).group_by(llm_call.c.outcome)
        with _translated(), self._engine.connect() as connection:
            return {outcome: count for outcome, count in connection.execute(query)}


@contextmanager
def _translated() -> Iterator[None]:
    """Postgres' own errors as the project's."""
    try:
        yield
    except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
        line = str(error.orig).strip().splitlines()[0]
        raise DatabaseUnavailable(f"the ledger is out of reach: {line}; is Postgres running?") from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        line = str(error).strip().splitlines()[0]
        raise StorageError(f"the ledger refuses: {line}; are the migrations up to date?") from error
