"""Whatever a provider's batch comes to: a real queue in Postgres, a real server, as good as providers are and worse."""

import decimal
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.provider_batches import ENDED_HERE
from resources.tables import chat_ability
from resources.waiting_questions import ATTEMPTS
from tagging_assets.domain.errors import SettingsError
from tests.batch_office import HASHES, PRICE, A, B, C, D, Office, open_office
from tests.batch_stub import DONE_AND_HUNG_UP, BatchStub, answer, error, expired

DOCUMENT = Path(__file__).parents[2] / "docs" / "llm.md"


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    with open_office(database) as opened:
        yield opened


#: What a batch of four questions came to; what the ledger has then, and what waits for the next batch.
#: Each row: name, how it ended, questions answered, questions that wait and their attempts.
ENDS: list[tuple[str, Callable[[BatchStub], None], tuple[str, ...], dict[str, int]]] = [
    (
        "unordered",
        lambda stub: stub.end(stub.last, [answer(D), answer(B), answer(A), answer(C)]),
        HASHES,
        {},
    ),
    (
        "missing rows",
        lambda stub: stub.end(stub.last, [answer(A), answer(C)]),
        (A, C),
        {B: 1, D: 1},
    ),
    (
        "duplicate rows",
        lambda stub: stub.end(stub.last, [answer(A), answer(A), answer(B), answer(C), answer(D), answer(A)]),
        HASHES,
        {},
    ),
    (
        "answer and error row for one question",
        lambda stub: stub.end(stub.last, [answer(A), answer(B), answer(C), answer(D)], [error(A, 500)]),
        HASHES,
        {},
    ),
    (
        "error rows (429, 500)",
        lambda stub: stub.end(stub.last, [answer(A), answer(B)], [error(C, 429), error(D, 500)]),
        (A, B),
        {C: 1, D: 1},
    ),
    (
        "error row (400): the question's own fault",
        lambda stub: stub.end(stub.last, [answer(A), answer(B), answer(C)], [error(D, 400, "picture too large")]),
        (A, B, C),
        {D: ATTEMPTS},
    ),
    (
        "expired with partial output",
        lambda stub: stub.end(stub.last, [answer(A)], [expired(B), expired(C), expired(D)], state="expired"),
        (A,),
        {B: 1, C: 1, D: 1},
    ),
    (
        "failed validation",
        lambda stub: stub.end(stub.last, state="failed", code="invalid_json_line"),
        (),
        {A: 1, B: 1, C: 1, D: 1},
    ),
    (
        "failed: the provider's queue is full",
        lambda stub: stub.end(stub.last, state="failed", code="token_limit_exceeded"),
        (),
        {A: 0, B: 0, C: 0, D: 0},
    ),
    (
        "cancelled elsewhere",
        lambda stub: stub.end(stub.last, [answer(A)], state="cancelled"),
        (A,),
        {B: 1, C: 1, D: 1},
    ),
    (
        "half a file, for good",
        lambda stub: stub.end(stub.last, text=half(answer(A), answer(B)), completed=4, ago=3600),
        (A,),
        {B: 1, C: 1, D: 1},
    ),
    (
        "rows of another batch",
        lambda stub: stub.end(stub.last, [answer("f" * 64), answer(A)]),
        (A,),
        {B: 1, C: 1, D: 1},
    ),
    (
        "rows that are no rows",
        lambda stub: stub.end(stub.last, text=b'[]\n{"custom_id": 3}\nnull\n\n{"custom_id": "' + A.encode() + b'"}\n'),
        (),
        {A: 1, B: 1, C: 1, D: 1},
    ),
    (
        "no file at all",
        lambda stub: stub.end(stub.last),
        (),
        {A: 1, B: 1, C: 1, D: 1},
    ),
    (
        "batch unknown to the provider",
        lambda stub: stub.batches.clear(),
        (),
        {A: 1, B: 1, C: 1, D: 1},
    ),
]


def half(*rows: dict[str, Any]) -> bytes:
    """A file that breaks off within its last line."""
    whole = "\n".join(json.dumps(row) for row in rows)
    return whole[:-40].encode()


@pytest.mark.parametrize(("name", "end", "answered", "left"), ENDS, ids=[row[0] for row in ENDS])
def test_whatever_a_batch_comes_to_nothing_is_lost_or_paid_twice(
    office: Office, name: str, end: Callable[[BatchStub], None], answered: tuple[str, ...], left: dict[str, int]
) -> None:
    office.put(*HASHES)
    office.work()
    end(office.stub)
    office.work()
    assert office.answered() == dict.fromkeys(answered, 1)
    assert {key: attempts for key, (_, attempts, _) in office.waiting().items()} == left
    # The next batch brings the rest, once.
    office.work(after=1200)
    again = [key for key, attempts in left.items() if attempts < ATTEMPTS]
    if again:
        assert office.stub.custom_ids(office.stub.last) == again
        office.stub.end(office.stub.last, [answer(key) for key in again])
    office.work()
    assert office.answered() == dict.fromkeys({*answered, *again}, 1)
    cost = sum(call["cost_usd"] or 0 for call in office.calls())
    assert cost == PRICE * len({*answered, *again})
    assert set(office.waiting()) == set(left) - set(again)
    counts = (len(answered), len(again), len(left) - len(again), max(office.answered().values()))
    published = f"| {name} | {' | '.join(map(str, counts))} | ${cost:.4f} |"
    assert published in DOCUMENT.read_text(encoding="utf-8"), f"docs/llm.md should have: {published}"


def test_an_answer_is_a_row_of_the_ledger(office: Office) -> None:
    office.put(A, B)
    office.work()
    usage = {"prompt_tokens": 70, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}, "cost": 0.25}
    office.stub.end(office.stub.last, [answer(A, "ca\0t", usage=usage), answer(B, "half a", finish_reason="length")])
    office.work()
    first, second = sorted(office.calls(), key=lambda call: call["request_hash"])
    told = {
        "request_hash": A,
        "provider": "stub",
        "model": "m",
        "prompt_id": "select",
        "prompt_hash": "p1",
        "parameters": {"seed": 0},
        "outcome": "ok",
        "error": "",
        "finish_reason": "stop",
        "reply": "ca\ufffdt",
        "prompt_tokens": 70,
        "completion_tokens": 7,
        "cached_tokens": 5,
        "cost_usd": decimal.Decimal("0.25"),
        "cost_source": "provider",
        "reserved_usd": decimal.Decimal("0.5"),
        "purpose": "",
        "provider_batch": office.stub.last,
    }
    assert {name: first[name] for name in told} == told
    assert first["latency_seconds"] >= 0
    assert (second["outcome"], second["cost_source"]) == ("truncated", "prices of test")
    assert not office.queue.waits(A)
    assert office.queue.reserved() == 0
    (batch,) = office.batches.book.batches()
    assert (batch.state, batch.questions, batch.answered, batch.error) == ("completed", 2, 2, "")


def test_what_fails_three_times_is_told_once_and_may_be_put_again(office: Office) -> None:
    office.put(A)
    for _ in range(ATTEMPTS):
        office.work()
        assert office.queue.waits(A)
        assert office.queue.take_failure(A) is None
        office.stub.end(office.stub.last, errors=[error(A, 500, "out of cards")])
    office.work()
    office.work()
    assert len(office.stub.batches) == ATTEMPTS
    assert not office.queue.waits(A)
    assert office.batches.book.given_up() == 1
    assert office.queue.take_failure(A) == "HTTP 500: out of cards"
    assert office.queue.take_failure(A) is None
    assert [call["outcome"] for call in office.calls()] == ["failed"] * ATTEMPTS
    office.put(A)
    assert office.queue.waits(A)


def test_a_dialect_that_is_refused_is_learnt(office: Office) -> None:
    office.put(A, B)
    office.work()
    refused = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    office.stub.end(office.stub.last, errors=[error(A, 400, refused), error(B, 400, refused)])
    office.work()
    assert office.waiting() == {}, "they will be put in other words"
    with office.engine.connect() as connection:
        assert connection.scalar(sa.select(chat_ability.c.dialect)) == {"token_limit": "max_completion_tokens"}


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize("step", ["take", "name", "record", "close"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_between_any_two_steps_loses_nothing_and_doubles_nothing(
    office: Office, step: str, when: str
) -> None:
    def dies(*arguments: Any, **named: Any) -> None:
        if when == "after":
            done(*arguments, **named)
        raise Killed

    office.put(*HASHES)
    done = getattr(office.batches.book, step)
    setattr(office.batches.book, step, dies)
    with pytest.raises(Killed):
        office.work_on(lambda: office.stub.end(office.stub.last, [answer(A), answer(B), answer(C)], [error(D, 500)]))
    office.restart()
    for _ in range(6):
        office.work()
        for batch in office.stub.batches.values():
            if batch["status"] == "validating":
                rows = [answer(one) for one in office.stub.custom_ids(batch["id"])]
                office.stub.end(batch["id"], rows)
    assert office.answered() == dict.fromkeys(HASHES, 1)
    assert office.waiting() == {}
    handed_in = [one for batch in office.stub.batches for one in office.stub.custom_ids(batch)]
    assert len(handed_in) - len(set(handed_in)) <= 1, "only D, which failed, is handed in twice"


def test_a_file_that_is_short_of_answers_is_read_again_before_they_are_asked_again(office: Office) -> None:
    office.put(A, B)
    office.work()
    office.stub.end(office.stub.last, [answer(A)], completed=2)
    office.ahead = timedelta(0)
    assert office.work(after=120).collected == 0
    assert office.answered() == {A: 1}, "what is there is used at once"
    assert office.waiting()[B][0] == office.stub.last
    office.stub.files[office.stub.batches[office.stub.last]["output_file_id"]] += half(answer(B)) + b" " * 0
    assert office.work(after=70).collected == 0
    office.stub.end(office.stub.last, [answer(B), answer(A)])
    assert office.work(after=70).collected == 1
    assert office.answered() == {A: 1, B: 1}


def test_a_batch_is_asked_after_once_a_minute(office: Office) -> None:
    office.put(A)
    office.work()
    for seconds, polled in ((1, 1), (30, 0), (31, 1)):
        assert office.work(after=seconds).polled == polled
    assert office.batches.work(at_once=True).polled == 1


def test_a_read_that_breaks_off_is_done_again(office: Office) -> None:
    office.put(A)
    office.work()
    office.stub.end(office.stub.last, [answer(A)])
    office.stub.fails["GET /files/*/content"] = [DONE_AND_HUNG_UP, 500, 429]
    for _ in range(3):
        assert office.work().collected == 0
        assert office.waiting()[A] == (office.stub.last, 0, "")
    assert office.work().collected == 1
    assert office.answered() == {A: 1}


def test_a_batch_cancelled_here_is_not_asked_again(office: Office) -> None:
    office.put(A, B)
    office.work()
    assert office.batches.cancel(office.stub.last).state == "cancelling"
    office.work()
    office.stub.end(office.stub.last, [answer(A)], [expired(B)], state="cancelled")
    office.work()
    office.work()
    assert len(office.stub.batches) == 1
    assert office.answered() == {A: 1}
    assert office.queue.take_failure(B) == ENDED_HERE
    with pytest.raises(SettingsError, match="no such batch is under way"):
        office.batches.cancel(office.stub.last)
