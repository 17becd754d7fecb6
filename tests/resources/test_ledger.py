import dataclasses
import decimal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.ledger import Call, Ledger, PastReply
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
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database.open(tmp_path_factory.mktemp("pg"), None)
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    with database.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE tagging.llm_call"))
    return Ledger(database.engine)


def a_call(**changes: object) -> Call:
    return dataclasses.replace(CALL, **changes)  # type: ignore[arg-type]


def test_an_answer_is_found_again(ledger: Ledger) -> None:
    ledger.record(CALL)
    assert ledger.answered("h") == PastReply("ok", '{"tags": ["cat"]}', "stop")
    assert ledger.answered("g") is None


@pytest.mark.parametrize(
    ("outcome", "reused"),
    [
        ("ok", True),
        ("empty", True),  # nothing fits: an answer too
        ("refused", False),
        ("truncated", False),
        ("invalid", False),
        ("timed_out", False),
        ("rate_limited", False),
        ("failed", False),
    ],
)
def test_only_an_answer_that_stands_is_reused(ledger: Ledger, outcome: str, reused: bool) -> None:
    ledger.record(a_call(outcome=outcome))
    assert (ledger.answered("h") is not None) is reused


def test_the_latest_answer_counts(ledger: Ledger) -> None:
    for reply in ("[]", '["dog"]'):
        ledger.record(a_call(reply=reply))
    ledger.record(a_call(outcome="failed", reply=None))
    assert ledger.answered("h") == PastReply("ok", '["dog"]', "stop")


def test_what_postgres_cannot_hold_is_replaced(ledger: Ledger) -> None:
    ledger.record(a_call(reply="a\0b", error="c\0d"))
    assert ledger.answered("h") == PastReply("ok", "a\ufffdb", "stop")


def test_every_attempt_is_counted_by_outcome(ledger: Ledger) -> None:
    for outcome in ("rate_limited", "rate_limited", "ok"):
        ledger.record(a_call(outcome=outcome))
    assert ledger.outcomes() == {"rate_limited": 2, "ok": 1}


def test_tokens_and_money_add_up_per_model_and_outcome(ledger: Ledger) -> None:
    ledger.record(CALL)
    ledger.record(a_call(request_hash="g", asked_at=NOON + timedelta(hours=1)))
    ledger.record(a_call(outcome="failed", prompt_tokens=None, completion_tokens=None, cost_usd=None))
    failed, fine = ledger.spent()
    assert (fine.outcome, fine.calls, fine.prompt_tokens, fine.completion_tokens) == ("ok", 2, 200, 20)
    assert fine.cost_usd == decimal.Decimal("0.00002468")
    assert fine.latency_seconds == pytest.approx(3.0)
    assert (failed.outcome, failed.calls, failed.prompt_tokens) == ("failed", 1, 0)
    assert failed.cost_usd == decimal.Decimal(0)
    assert [spent.calls for spent in ledger.spent(since=NOON + timedelta(minutes=1))] == [1]


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
