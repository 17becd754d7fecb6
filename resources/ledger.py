"""The ledger: every question put to a chat model, what came of it and what it cost.

What does not belong here: what an answer means; the ledger keeps the words. Whether there is money left
(``resources/chat_budget.py``).
"""

import decimal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from resources.tables import llm_call
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.errors import DatabaseUnavailable, StorageError

#: Outcome of a call that was written down and is not answered yet; for good, where the process died in between.
ASKING = "asking"

# Outcomes of calls in which the model may have spoken; it did where there are words, or the reason why there are none.
# Silence in a batch stands too: nobody is there to ask again at once, and every batch would be asked anew.
_SPOKEN = ("empty", "invalid", "ok", "refused", "truncated")
_ENDED = ("content_filter", "length")


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was sent, or is about to be.

    Attributes:
        request_hash: SHA-256 of everything sent.
        provider: who was asked.
        model: which of its models.
        prompt_id: the prompt's name.
        prompt_hash: the prompt's content.
        parameters: sampling parameters and response format, JSON-able.
        outcome: see ``domain.chat.Outcome``; :data:`ASKING` before there is any.
        error: one line, or ``""``.
        finish_reason: as the provider says.
        reply: the words; ``None`` where there are none.
        prompt_tokens: as the provider counts.
        completion_tokens: as the provider counts.
        cost_usd: ``None`` where nobody knows.
        latency_seconds: from asking to answer.
        asked_at: aware UTC.
        cached_tokens: of the prompt's, those that the provider had seen before.
        cost_source: who says what it cost; see ``domain.chat.Usage``.
        reserved_usd: the most it may cost; counts against budgets until the cost is known, so ``None`` once it is sure
            that nothing is charged.
        purpose: what the money was for: ``""`` for tagging, else ``experiment/NAME``.
        provider_batch: the provider's batch that answered it.
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
    cached_tokens: int | None = None
    cost_source: str = ""
    reserved_usd: decimal.Decimal | None = None
    purpose: str = ""
    provider_batch: str | None = None

    def row(self) -> dict[str, Any]:
        """Columns of ``tagging.llm_call``."""
        values = {name: getattr(self, name) for name in Call.__slots__}
        for name in ("error", "reply", "finish_reason"):
            if values[name] is not None:
                values[name] = values[name].replace("\0", "\ufffd")  # Postgres texts hold no NUL
        return values


@dataclass(frozen=True, slots=True)
class PastReply:
    """An answer that was had before; its words are read anew, so a better reader costs no new question.

    Attributes:
        outcome: what it was taken for then.
        reply: the words; of a refusal in the provider's own field, those.
        finish_reason: as the provider said.
        usage: what it took.
    """

    outcome: str
    reply: str | None
    finish_reason: str | None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls of one model with one outcome came to.

    Of a call whose cost is not known, ``cost_usd`` counts what was reserved for it, or nothing where that is not known
    either.
    """

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

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError`` where
    it refuses.

    Args:
        engine: on the project's Postgres, migrated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, call: Call) -> None:
        """Keep a call that is over."""
        with _translated(), self._engine.begin() as connection:
            connection.execute(llm_call.insert().values(call.row()))

    @staticmethod
    def enter(connection: sa.Connection, call: Call) -> int:
        """Write down, within somebody's transaction, that a call is about to be sent.

        Returns:
            Its number, for :meth:`complete`.
        """
        with _translated():
            entered = connection.execute(llm_call.insert().values(call.row()).returning(llm_call.c.call_id))
            number: int = entered.scalar_one()
        return number

    def complete(self, number: int, call: Call) -> None:
        """Say how a call ended that was entered before it was sent."""
        with _translated(), self._engine.begin() as connection:
            connection.execute(llm_call.update().where(llm_call.c.call_id == number).values(call.row()))

    def answered(self, request_hash: str) -> PastReply | None:
        """What the model last said to this very question; ``None`` where it has said nothing yet.

        Whatever it said was paid for, and asking the same again would say the same: a refusal stands as well, and an
        answer that today's reader makes nothing of may be read by tomorrow's.
        """
        table = llm_call.c
        query = (
            sa.select(
                table.outcome,
                table.reply,
                table.finish_reason,
                table.prompt_tokens,
                table.completion_tokens,
                table.cached_tokens,
                table.cost_usd,
                table.cost_source,
                table.latency_seconds,
            )
            .where(table.request_hash == request_hash, table.outcome.in_(_SPOKEN))
            .where(sa.or_(table.reply != "", table.finish_reason.in_(_ENDED), table.provider_batch.is_not(None)))
            .order_by(table.call_id.desc())
            .limit(1)
        )
        with _translated(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        outcome, reply, finish_reason, *usage = row
        return PastReply(outcome, reply, finish_reason, Usage(*usage))

    def spent(self, since: datetime | None = None) -> list[Spent]:
        """Calls, tokens and money per provider, model and outcome, in that order.

        Args:
            since: aware; only calls from then on.
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
                sa.func.sum(sa.func.coalesce(table.cost_usd, table.reserved_usd, 0)),
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
        """US dollars of a call of a model on average; ``None`` where no call has a known cost."""
        query = sa.select(sa.func.avg(llm_call.c.cost_usd)).where(
            llm_call.c.provider == provider, llm_call.c.model == model
        )
        with _translated(), self._engine.connect() as connection:
            mean = connection.execute(query).scalar_one()
        return None if mean is None else float(mean)

    def unpriced(self, since: datetime) -> int:
        """How many answers from a moment (aware) on have a cost that nobody knows, nor reserved anything for."""
        table = llm_call.c
        query = sa.select(sa.func.count()).where(
            table.asked_at >= since,
            table.outcome.in_(_SPOKEN),
            table.cost_usd.is_(None),
            table.reserved_usd.is_(None),
        )
        with _translated(), self._engine.connect() as connection:
            count: int = connection.execute(query).scalar_one()
        return count

    def outcomes(self) -> dict[str, int]:
        """How many calls had which outcome."""
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
