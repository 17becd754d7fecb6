"""Sees to it that chat models never cost more than was allowed, however many processes ask.

Before a question is sent, the most that it may cost is reserved: it is compared with what is left, and written into
the ledger, in one step that no other process can come between. Once the cost is known, it takes the reservation's
place; where it never gets known, the reservation goes on counting.

What does not belong here: what a question may cost (``tagging_assets/domain/prices.py``).
"""

import decimal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa

from resources.statements import guard
from resources.tables import llm_call, waiting_question
from resources.waiting_questions import ATTEMPTS

T = TypeVar("T")

_LOCK = 7_401_377_002


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may be spent.

    Attributes:
        usd: US dollars.
        purpose: only calls for this purpose count, whenever they were made; ``None``: all calls of a day (UTC).
    """

    usd: decimal.Decimal
    purpose: str | None = None

    @classmethod
    def daily(cls, usd: float) -> "Limit":
        """Of every day, for whatever purpose."""
        return cls(decimal.Decimal(str(usd)))

    @classmethod
    def of(cls, purpose: str, usd: float) -> "Limit":
        """Of one purpose, for good."""
        return cls(decimal.Decimal(str(usd)), purpose)


class ChatBudget:
    """Reserves money; safe to use from several threads and processes.

    Args:
        engine: on the project's Postgres, migrated.
        today: the moment that says which day it is; aware.
    """

    def __init__(self, engine: sa.Engine, today: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = engine
        self._today = today
        # One connection of the pool is enough to wait for the other processes.
        self._mine = threading.Lock()

    def reserve(self, most: decimal.Decimal, limits: Sequence[Limit], write: Callable[[sa.Connection], T]) -> T | None:
        """Write a question down if all limits leave room for it.

        Args:
            most: US dollars that it may cost.
            limits: all of them hold; where there are none, it is written down whatever it may cost.
            write: enters the question with its reservation, within the transaction.

        Returns:
            What ``write`` returned; ``None`` where a limit leaves no room, and nothing was written then.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        if not limits:
            with guard(), self._engine.begin() as connection:
                return write(connection)
        with self._mine, guard(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            if any(self._spent(connection, limit) + most > limit.usd for limit in limits):
                return None
            return write(connection)

    def spent(self, limit: Limit) -> decimal.Decimal:
        """US dollars that count against a limit now, reservations included."""
        with guard(), self._engine.connect() as connection:
            return self._spent(connection, limit)

    def _spent(self, connection: sa.Connection, limit: Limit) -> decimal.Decimal:
        calls, waiting = llm_call.c, waiting_question.c
        midnight = self._today().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        called = sa.select(sa.func.sum(sa.func.coalesce(calls.cost_usd, calls.reserved_usd)))
        waited = sa.select(sa.func.sum(waiting.reserved_usd)).where(waiting.attempts < ATTEMPTS)
        if limit.purpose is None:
            called = called.where(calls.asked_at >= midnight)
        else:
            called = called.where(calls.purpose == limit.purpose)
            waited = waited.where(waiting.purpose == limit.purpose)
        sums = (connection.scalar(called), connection.scalar(waited))
        return sum((decimal.Decimal(one) for one in sums if one is not None), decimal.Decimal(0))
