import dataclasses
import decimal
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.ledger import ASKING, Call, Ledger, PastReply
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.errors import DatabaseUnavailable, StorageError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALL = Call(
    request_hash="h",
    provider="embedded",
    model="m",
    prompt_id="select",
    prompt_hash="p",
    parameters={"temperature": 0.0},
    outcome="ok",
    error="",
    finish_reason="stop",
    reply='{"tags": ["cat"]}',
    prompt_tokens=100,
    completion_tokens=10,
    cost_usd=decimal.Decimal("0.00001234"),
    latency_seconds=1.5,
    asked_at=NOON,
    cached_tokens=60,
    cost_source="prices of 2026-01-01",
)
USAGE = Usage(100, 10, 60, decimal.Decimal("0.00001234"), "prices of 2026-01-01", 1.5)


@pytest.fixture
def ledger(database: Database) -> Ledger:
    with database.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE tagging.llm_call"))
    return Ledger(database.engine)


def a_call(**changes: object) -> Call:
    return dataclasses.replace(CALL, **changes)  # type: ignore[arg-type]


def test_an_answer_is_found_again(ledger: Ledger) -> None:
    ledger.record(CALL)
    assert ledger.answered("h") == PastReply("ok", '{"tags": ["cat"]}', "stop", USAGE)
    assert ledger.answered("g") is None


@pytest.mark.parametrize(
    ("changed", "stands"),
    [
        ({"outcome": "ok"}, True),
        ({"outcome": "empty"}, True),  # nothing fits: an answer too
        ({"outcome": "refused"}, True),  # it was paid for, and would be said again
        ({"outcome": "invalid"}, True),  # a better reader may make something of it
        ({"outcome": "truncated", "finish_reason": "length"}, True),
        ({"outcome": "truncated", "finish_reason": "length", "reply": None}, True),  # all tokens went into thinking
        ({"outcome": "refused", "finish_reason": "content_filter", "reply": None}, True),
        ({"outcome": "refused", "provider_batch": "b"}, True),  # in a batch, too
        ({"outcome": "invalid", "reply": "", "provider_batch": "b"}, True),
        ({"outcome": "failed", "reply": None, "provider_batch": "b"}, False),
        ({"outcome": "invalid", "reply": None}, False),  # nothing was said: a mishap
        ({"outcome": "invalid", "reply": ""}, False),
        ({"outcome": "asking", "reply": None}, False),  # not answered yet
        ({"outcome": "timed_out", "reply": None}, False),
        ({"outcome": "rate_limited", "reply": None}, False),
        ({"outcome": "failed", "reply": None}, False),
    ],
)
def test_what_the_model_said_stands(ledger: Ledger, changed: dict[str, object], stands: bool) -> None:
    ledger.record(a_call(**changed))
    assert (ledger.answered("h") is not None) is stands


def test_the_latest_answer_counts(ledger: Ledger) -> None:
    for reply in ("[]", '["dog"]'):
        ledger.record(a_call(reply=reply))
    ledger.record(a_call(outcome="failed", reply=None))
    assert ledger.answered("h") == PastReply("ok", '["dog"]', "stop", USAGE)


def test_what_postgres_cannot_hold_is_replaced(ledger: Ledger) -> None:
    ledger.record(a_call(reply="a\0b", error="c\0d"))
    assert ledger.answered("h") == PastReply("ok", "a\ufffdb", "stop", USAGE)


def test_every_attempt_is_counted_by_outcome(ledger: Ledger) -> None:
    for outcome in ("rate_limited", "rate_limited", "ok"):
        ledger.record(a_call(outcome=outcome))
    assert ledger.outcomes() == {"rate_limited": 2, "ok": 1}


def test_tokens_and_money_add_up_per_model_and_outcome(ledger: Ledger) -> None:
    ledger.record(CALL)
    ledger.record(a_call(request_hash="g", asked_at=NOON + timedelta(hours=1)))
    ledger.record(a_call(outcome="failed", prompt_tokens=None, completion_tokens=None, cost_usd=None))
    reserved = decimal.Decimal("0.5")
    ledger.record(a_call(outcome="timed_out", cost_usd=None, reserved_usd=reserved, asked_at=NOON - timedelta(days=1)))
    failed, fine, unknown = ledger.spent()
    assert (fine.outcome, fine.calls, fine.prompt_tokens, fine.completion_tokens) == ("ok", 2, 200, 20)
    assert fine.cost_usd == decimal.Decimal("0.00002468")
    assert fine.latency_seconds == pytest.approx(3.0)
    assert (failed.outcome, failed.calls, failed.prompt_tokens) == ("failed", 1, 0)
    assert failed.cost_usd == decimal.Decimal(0)
    assert unknown.cost_usd == reserved, "what it may have cost, where nobody knows"
    assert [spent.calls for spent in ledger.spent(since=NOON + timedelta(minutes=1))] == [1]


@pytest.mark.parametrize(
    ("call", "unpriced"),
    [
        ({"cost_usd": None}, 1),
        ({"cost_usd": None, "outcome": "refused"}, 1),  # the provider worked for that, too
        ({"cost_usd": None, "outcome": "rate_limited"}, 0),  # for this it did not
        ({"cost_usd": None, "reserved_usd": decimal.Decimal("0.5")}, 0),  # counted as what it may have cost
        ({"cost_usd": decimal.Decimal(0)}, 0),  # free is known
        ({"cost_usd": None, "asked_at": NOON - timedelta(days=1)}, 0),  # earlier
    ],
)
def test_answers_that_nobody_knows_the_cost_of_are_counted(
    ledger: Ledger, call: dict[str, object], unpriced: int
) -> None:
    ledger.record(a_call(**call))
    assert ledger.unpriced(NOON) == unpriced


def test_a_call_is_written_down_before_it_is_sent_and_completed_after(ledger: Ledger, database: Database) -> None:
    before = a_call(outcome=ASKING, reply=None, cost_usd=None, reserved_usd=decimal.Decimal("0.5"))
    with database.engine.begin() as connection:
        number = ledger.enter(connection, before)
    assert (ledger.outcomes(), ledger.answered("h")) == ({"asking": 1}, None)
    ledger.complete(number, a_call(reply="a\0b"))
    assert ledger.outcomes() == {"ok": 1}
    assert ledger.answered("h") == PastReply("ok", "a\ufffdb", "stop", USAGE)


def test_the_mean_cost_is_of_calls_whose_cost_is_known(ledger: Ledger) -> None:
    assert ledger.mean_cost("embedded", "m") is None
    for cost in (decimal.Decimal("0.1"), decimal.Decimal("0.3"), None):
        ledger.record(a_call(cost_usd=cost))
    assert ledger.mean_cost("embedded", "m") == pytest.approx(0.2)


def test_a_database_out_of_reach_says_so_in_one_line() -> None:
    engine = sa.create_engine("postgresql+psycopg2://nobody@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable, match="is Postgres running"):
        Ledger(engine).answered("h")
    engine.dispose()


def test_a_missing_table_is_a_storage_error(database: Database) -> None:
    engine = sa.create_engine(database.engine.url.set(database="postgres"))
    with pytest.raises(StorageError, match="migrations"):
        Ledger(engine).record(CALL)
    engine.dispose()
