import math
import random
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from resources.chat_budget import ChatBudget, Limit
from resources.database import Database
from resources.ledger import Call, Ledger
from resources.llm_failures import Exchange
from resources.llm_transport import ChatTransport
from resources.waiting_questions import WaitingQuestion, WaitingQuestions
from tagging_assets.domain.chat import ChatImage
from tagging_assets.domain.errors import SettingsError
from tests.chat_desk import CAT, COST, FREE, PAID, Desk, clear, desk
from tests.llm_stub import fails, half_a_body, hangs_up, in_turn, says

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
CALL = Call("h", "p", "m", "select", "s", {}, "ok", "", "stop", CAT, 100, 10, None, 1.0, NOW)


@pytest.fixture(autouse=True)
def _no_calls(database: Database) -> None:
    clear(database)


def spent(database: Database, limit: Limit) -> Decimal:
    return ChatBudget(database.engine, lambda: NOW).spent(limit)


@pytest.mark.parametrize(
    ("changed", "of_the_day", "of_the_purpose"),
    [
        ({"cost_usd": Decimal("0.5"), "reserved_usd": Decimal(2)}, "0.5", "0"),  # what it cost, once that is known
        ({"reserved_usd": Decimal(2)}, "2", "0"),  # else what was reserved
        ({"outcome": "asking", "reserved_usd": Decimal(2)}, "2", "0"),  # a process that died in between
        ({"outcome": "failed"}, "0", "0"),  # the provider refused: given back
        ({"cost_usd": Decimal("0.5"), "asked_at": NOW - timedelta(hours=1)}, "0", "0"),  # yesterday
        ({"cost_usd": Decimal("0.5"), "purpose": "experiment/x"}, "0.5", "0.5"),
        ({"cost_usd": Decimal("0.5"), "purpose": "experiment/x", "asked_at": NOW - timedelta(9)}, "0", "0.5"),
        ({"cost_usd": Decimal("0.5"), "purpose": "experiment/xy"}, "0.5", "0"),  # another experiment
    ],
)
def test_what_counts(database: Database, changed: dict[str, object], of_the_day: str, of_the_purpose: str) -> None:
    Ledger(database.engine).record(replace(CALL, **changed))  # type: ignore[arg-type]
    assert spent(database, Limit.daily(9)) == Decimal(of_the_day)
    assert spent(database, Limit.of("experiment/x", 9)) == Decimal(of_the_purpose)


def test_questions_that_wait_for_a_batch_count(database: Database) -> None:
    waiting = WaitingQuestions(database.engine)
    for number, purpose in enumerate(("", "experiment/x")):
        waiting.put(WaitingQuestion(str(number), "p", "m", "select", "s", {}, {}, purpose, Decimal("0.25")))
    assert spent(database, Limit.daily(9)) == Decimal("0.5")
    assert spent(database, Limit.of("experiment/x", 9)) == Decimal("0.25")


def test_nothing_is_asked_that_might_cost_more_than_is_left(database: Database) -> None:
    with desk(database, says(CAT), options=PAID, limits=(Limit.daily(0.0001),)) as it:
        reply = it.ask()
        assert (reply.outcome, reply.retryable, reply.asked) == ("over_budget", True, False)
        assert "a day" in reply.error
        assert (it.stub.asked, it.calls) == ([], [])


def test_what_is_known_or_free_needs_no_budget(database: Database) -> None:
    with desk(database, says(CAT), options=PAID) as before:
        before.ask()
    with desk(database, says(CAT), options=PAID, limits=(Limit.daily(0),)) as it:
        assert it.ask().outcome == "ok"
    clear(database)
    with desk(database, says(CAT), options=FREE, limits=(Limit.daily(0),)) as it:
        reply = it.ask()
        assert (reply.outcome, reply.usage.cost_usd, reply.usage.cost_source) == ("ok", Decimal(0), "local")


def test_a_price_that_nobody_knows_cannot_keep_within_a_budget(database: Database) -> None:
    unknown = replace(PAID, price=None)
    with desk(database, says(CAT), options=unknown, limits=(Limit.daily(1),)) as it:
        with pytest.raises(SettingsError, match=r"nobody knows what stub/m costs.*price_table"):
            it.ask()
        assert it.stub.asked == []
    with desk(database, says(CAT), options=unknown) as it:
        reply = it.ask()
        assert (reply.outcome, reply.usage.cost_usd, reply.usage.cost_source) == ("ok", None, "")


def test_what_the_provider_says_it_cost_counts_before_any_table(database: Database) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "cost": 0.0005}
    for options in (PAID, replace(PAID, price=None)):
        clear(database)
        with desk(database, says(CAT, usage=usage), options=options) as it:
            reply = it.ask()
            assert (reply.usage.cost_usd, reply.usage.cost_source) == (Decimal("0.0005"), "provider")


def test_a_batch_is_reserved_at_its_price_and_only_within_the_budget(database: Database) -> None:
    batch = replace(PAID, batch=True)
    with desk(database, says(CAT), options=batch, limits=(Limit.daily(0.005),)) as it:
        outcomes = [it.ask(caption=str(number)).outcome for number in range(8)]
        assert set(outcomes) == {"waiting", "over_budget"}
        assert spent(database, Limit.daily(1)) <= Decimal("0.005")
        assert it.stub.asked == []


def test_a_picture_is_reserved_generously(database: Database) -> None:
    with desk(database, says(CAT), options=PAID) as it:
        it.ask(images=(ChatImage("k", lambda: b"jpeg"),))
        assert it.calls[0]["reserved_usd"] > Decimal("0.04"), "40,000 tokens at a dollar a million"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_budget_is_never_exceeded_whatever_happens(database: Database, seed: int) -> None:
    """Threads of two processes, against a server that answers, fails and breaks off at random."""
    chance = random.Random(seed)
    usages = [{"prompt_tokens": chance.randrange(1, 900), "completion_tokens": chance.randrange(60)} for _ in range(40)]
    moves = [chance.choice([says(CAT, usage=one), fails(500), half_a_body(), hangs_up(), fails(429)]) for one in usages]
    usd = 0.02
    limit = Limit.daily(usd)
    options = replace(PAID, attempts=3)
    with (
        desk(database, in_turn(*moves), options=options, limits=(limit,)) as one,
        desk(database, in_turn(*reversed(moves)), options=options, limits=(limit,)) as two,
        ThreadPoolExecutor(8) as pool,
    ):
        over = threading.Event()

        def ask(number: int) -> str:
            it: Desk = chance.choice((one, two))
            reply = it.ask(caption=f"{seed} {number}")
            assert ChatBudget(database.engine).spent(limit) <= Decimal(str(usd))
            if reply.outcome == "over_budget":
                over.set()
            return reply.outcome

        outcomes = set(pool.map(ask, range(60)))
        assert over.is_set(), outcomes
        assert ChatBudget(database.engine).spent(limit) <= Decimal(str(usd))
        assert len(one.stub.asked) + len(two.stub.asked) == len(one.calls), "every request is in the ledger"


class Dying(ChatTransport):
    """Ends with the process, just when the request is on its way."""

    def send(self, body: Mapping[str, Any], timeout_seconds: float = math.inf) -> Exchange:
        raise SystemExit


def test_a_process_that_dies_while_it_asks_leaves_its_reservation(database: Database) -> None:
    with desk(database, says(CAT), options=PAID, sends=Dying) as it:
        with pytest.raises(SystemExit):
            it.ask()
        (call,) = it.calls
        assert (call["outcome"], call["cost_usd"]) == ("asking", None)
        assert call["reserved_usd"] > COST
        assert ChatBudget(database.engine).spent(Limit.daily(1)) == call["reserved_usd"]
