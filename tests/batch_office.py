"""A queue of questions, a provider with a batch API, and a clock that tests turn."""

import decimal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from resources.batch_client import BatchClient
from resources.database import Database
from resources.llm_transport import remote_endpoint
from resources.provider_batches import ProviderBatches, Worked
from resources.tables import chat_ability, llm_call, provider_batch, waiting_question
from resources.waiting_questions import WaitingQuestion, WaitingQuestions
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.provider_batches import Limits
from tests.batch_stub import BatchStub

HASHES = tuple(f"{number:064x}" for number in range(4))
A, B, C, D = HASHES
PRICE = decimal.Decimal("0.0001")


def pricing(provider: str, model: str, usage: Usage) -> Usage:
    """A ten thousandth of a dollar an answer, by a table."""
    return replace(usage, cost_usd=PRICE, cost_source="prices of test") if usage.cost_usd is None else usage


@dataclass
class Office:
    """A queue, a provider, and a clock that tests turn.

    Attributes:
        engine: of the test database.
        stub: the provider.
        database: the same.
        limits: of a batch.
        ahead: how far the clock is ahead of the world's.
    """

    database: Database
    stub: BatchStub
    limits: Limits = field(default_factory=Limits)
    ahead: timedelta = timedelta(0)
    opened: list[ProviderBatches] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = self.database.engine
        self.queue = WaitingQuestions(self.engine)
        self.restart()

    def restart(self) -> None:
        """As a process begins that knows nothing of the one before."""
        self.batches = ProviderBatches(self.database, self._connect, pricing, limits=self.limits, clock=self.now)
        self.opened.append(self.batches)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def _connect(self, provider: str) -> BatchClient:
        if provider != "stub":
            raise SettingsError(f"{provider}: no such provider under llm.providers")
        return BatchClient(remote_endpoint(self.stub.base_url, "", "local"))

    def put(self, *hashes: str, model: str = "m", provider: str = "stub", words: str = "cat?") -> None:
        for one in hashes:
            body = {"model": model, "messages": [{"role": "user", "content": words}]}
            cost = decimal.Decimal("0.5")
            self.queue.put(WaitingQuestion(one, provider, model, "select", "p1", {"seed": 0}, body, "", cost))

    def work(self, after: float = 120) -> Worked:
        self.ahead += timedelta(seconds=after)
        return self.batches.work()

    def work_on(self, then: Callable[[], None]) -> None:
        """A few rounds, with something happening after each that handed in."""
        for _ in range(4):
            if self.work().submitted:
                then()

    def calls(self) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(llm_call).order_by("call_id")).mappings()]

    def answered(self) -> dict[str, int]:
        """Paid rows of the ledger by question: every number must be 1."""
        rows: dict[str, int] = {}
        for call in self.calls():
            if call["cost_usd"] is not None:
                rows[call["request_hash"]] = rows.get(call["request_hash"], 0) + 1
        return rows

    def waiting(self) -> dict[str, tuple[str | None, int, str]]:
        columns = waiting_question.c
        chosen = sa.select(columns.request_hash, columns.provider_batch, columns.attempts, columns.error)
        with self.engine.connect() as connection:
            return {key: (batch, attempts, why) for key, batch, attempts, why in connection.execute(chosen)}


@contextmanager
def open_office(database: Database) -> Iterator[Office]:
    """An office on an empty queue and ledger."""
    with database.engine.begin() as connection:
        for table in (llm_call, provider_batch, waiting_question, chat_ability):
            connection.execute(sa.delete(table))
    with BatchStub() as stub:
        office = Office(database, stub)
        yield office
        for one in office.opened:
            one.close()
