"""A chat engine on a stub server and a real ledger, with a clock of its own: nobody sleeps.

What does not belong here: assertions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resources.cancelling import Cancellation
from resources.chat_abilities import ChatAbilities
from resources.chat_accounts import Books
from resources.chat_budget import ChatBudget, Limit
from resources.chat_limits import ProviderLimits
from resources.chat_question import ChatOptions
from resources.database import Database
from resources.ledger import Ledger
from resources.llm_engine import ChatEngine, ChatServices
from resources.llm_server import Endpoint
from resources.llm_transport import ChatTransport
from resources.prompt_store import PromptStore
from resources.question_locks import QuestionLocks
from resources.tables import llm_call
from resources.waiting_questions import WaitingQuestions
from tagging_assets.domain.chat import ChatImage, ChatReply, ReplyForm
from tagging_assets.domain.chat_settings import Prices
from tagging_assets.domain.prices import Price
from tagging_assets.domain.reply_forms import TagsForm
from tests.llm_stub import Behaviour, LlmStub

PROMPT = PromptStore(Path(__file__).parents[1] / "prompts" / "llm").get("select")
CAT = '{"tags": ["cat"]}'
#: A dollar per million tokens of the prompt, four of the answer; cached ones a tenth.
PRICE = Price(
    Prices(input_cost_per_token=1e-6, output_cost_per_token=4e-6, cache_read_input_token_cost=1e-7),
    "prices of 2026-01-01",
)
FREE = ChatOptions(model="m", provider="stub", revision="1")
PAID = ChatOptions(model="m", provider="stub", revision="1", free=False, price=PRICE)
#: What the stub's ordinary answer costs: 100 tokens in, 10 out.
COST = Decimal("0.00014")


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class Desk:
    """An engine with all that it leaves behind."""

    stub: LlmStub
    engine: ChatEngine
    database: Database
    clock: Clock
    cancellation: Cancellation = field(default_factory=Cancellation)

    def ask(
        self,
        caption: str = "",
        *,
        form: ReplyForm | None = None,
        images: tuple[ChatImage, ...] = (),
        repeat: int = 0,
        allowed: tuple[str, ...] = ("cat", "dog"),
    ) -> ChatReply:
        values = {"tags": [("cat", 0.8)], "caption": caption, "name": "a.jpg", "allowed": allowed, "max_tags": 2}
        return self.engine.ask(PROMPT, values, form or TagsForm(allowed, 2), images, repeat=repeat)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Rows of the ledger, in order."""
        with self.database.engine.connect() as connection:
            rows = connection.execute(sa.select(llm_call).order_by(llm_call.c.call_id)).mappings()
            return [dict(row) for row in rows]

    @property
    def outcomes(self) -> list[str]:
        return [call["outcome"] for call in self.calls]

    @property
    def cost(self) -> Decimal:
        """What the ledger says that was paid."""
        return sum((call["cost_usd"] or Decimal(0) for call in self.calls), Decimal(0))

    @property
    def reserved(self) -> Decimal:
        """What counts against budgets beyond what is known to be paid."""
        return sum((call["reserved_usd"] or Decimal(0) for call in self.calls if call["cost_usd"] is None), Decimal(0))


def clear(database: Database) -> None:
    """Forget every call."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE tagging.llm_call, tagging.chat_ability, tagging.waiting_question"))


@contextmanager
def desk(
    database: Database,
    *behaviours: Behaviour,
    options: ChatOptions = FREE,
    limits: tuple[Limit, ...] = (),
    timeout_seconds: float = 5.0,
    concurrency: int = 8,
    requests_per_minute: int | None = None,
    sends: type[ChatTransport] = ChatTransport,
) -> Iterator[Desk]:
    """An engine whose server does as told; what the ledger and the abilities hold already stays."""
    clock, cancellation = Clock(), Cancellation()
    engine = database.engine
    with LlmStub(list(behaviours)) as stub:
        transport = sends(lambda: Endpoint(stub.base_url, "k", "stub"), timeout_seconds, cancellation)
        locks = QuestionLocks(engine, cancellation)
        services = ChatServices(
            ProviderLimits(concurrency, requests_per_minute, cancellation, clock, clock.sleep),
            Books(Ledger(engine), ChatBudget(engine), WaitingQuestions(engine), limits),
            ChatAbilities(engine),
            locks,
        )
        chat = ChatEngine(options, transport, services)
        yield Desk(stub, chat, database, clock, cancellation)
        chat.close()
        locks.close()
