"""A server that behaves badly on purpose: right tags or a typed outcome every time, and nothing paid twice."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from resources.database import Database
from tagging_assets.domain.errors import LlmRejected
from tests.chat_desk import PAID, Desk, clear, desk
from tests.misbehaviours import MISBEHAVIOURS, NOTHING, RESERVED, Misbehaviour, as_markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "llm.md"
OPTIONS = replace(PAID, attempts=3, patience_seconds=60)


def ask(it: Desk, one: Misbehaviour) -> tuple[str, tuple[str, ...], bool]:
    """Outcome, tags, and whether anything was sent."""
    before = len(it.stub.asked)
    try:
        reply = it.ask(caption=one.caption)
    except LlmRejected:
        return "raises LlmRejected", (), True
    assert reply.asked is (len(it.stub.asked) > before)
    return reply.outcome, reply.tags, reply.asked


def cost(it: Desk) -> str:
    """What the ledger says was paid; a cost that is not known is no 0."""
    unknown = [call for call in it.calls if call["cost_usd"] is None and call["reserved_usd"] is not None]
    if unknown:
        assert it.cost == 0
        return RESERVED
    return f"${it.cost.normalize():f}" if it.cost else NOTHING


def measured(database: Database, one: Misbehaviour) -> tuple[str, ...]:
    """A row of the table, as it really goes."""
    clear(database)
    # A busy machine takes its time; only what never answers need not be waited for.
    seconds = 0.15 if one.outcome == "timed_out" else 10.0
    with desk(database, one.does(), options=OPTIONS, timeout_seconds=seconds) as it:
        outcome, tags, _ = ask(it, one)
        requests, calls, paid = len(it.stub.asked), it.outcomes, cost(it)
        assert len(calls) == requests, "every request is in the ledger, and once"
        assert "asking" not in calls
        assert bool(tags) is (outcome == "ok")
        spent = it.cost + it.reserved
        ask(it, one)
        again = len(it.stub.asked) - requests
        if again == 0:
            assert it.cost + it.reserved == spent, "no duplicate cost"
    return one.name, outcome, ", ".join(tags), str(requests), ", ".join(calls), paid, str(again)


def told(one: Misbehaviour) -> tuple[str, ...]:
    """A row of the table, as it should go."""
    return (
        one.name,
        one.outcome,
        ", ".join(one.tags),
        str(one.requests),
        one.ledger,
        one.cost,
        str(one.again),
    )


@pytest.mark.parametrize("one", MISBEHAVIOURS, ids=lambda one: one.name)
def test_a_bad_server_leads_to_right_tags_or_a_typed_outcome(database: Database, one: Misbehaviour) -> None:
    assert measured(database, one) == told(one)


def test_the_published_table_is_the_measured_one() -> None:
    table = as_markdown([told(one) for one in MISBEHAVIOURS])
    assert table in DOCUMENT.read_text(encoding="utf-8"), f"docs/llm.md should have:\n{table}"


def test_nothing_costs_more_than_was_reserved_for_it(database: Database) -> None:
    clear(database)
    with desk(database, MISBEHAVIOURS[0].does(), options=OPTIONS) as it:
        it.ask()
        (call,) = it.calls
    assert Decimal(0) < call["cost_usd"] < call["reserved_usd"]
