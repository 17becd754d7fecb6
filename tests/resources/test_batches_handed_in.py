"""How questions get to a provider's batch API, each into one batch, whatever happens on the way."""

import decimal
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.tables import waiting_question
from tagging_assets.domain.errors import LlmRejected
from tagging_assets.domain.provider_batches import Limits
from tests.batch_office import HASHES, A, B, C, Office, open_office
from tests.batch_stub import DONE_AND_HUNG_UP, answer


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    with open_office(database) as opened:
        yield opened


def test_a_question_is_put_once(office: Office) -> None:
    office.put(A, words="first")
    office.put(A, words="second")
    assert office.queue.waits(A)
    assert not office.queue.waits(B)
    assert office.queue.reserved() == decimal.Decimal("0.5")
    office.work()
    assert [one["body"]["messages"][0]["content"] for one in office.stub.questions(office.stub.last)] == ["first"]


def test_a_queue_settles_before_it_is_handed_in(office: Office) -> None:
    office.put(A)
    assert office.work(after=30).submitted == 0
    assert office.work(after=40).submitted == 1
    assert office.waiting()[A][0] == office.stub.last


def test_a_queue_that_never_settles_is_handed_in_all_the_same(office: Office) -> None:
    office.put(A)
    for _ in range(2):
        with office.engine.begin() as connection:
            # Another question comes with every tick.
            connection.execute(sa.update(waiting_question).values(queued_at=office.now()))
        assert office.work(after=30).submitted == 0
    with office.engine.begin() as connection:
        connection.execute(sa.update(waiting_question).values(queued_at=office.now() - timedelta(minutes=20)))
    office.put(B)
    assert office.work(after=30).submitted == 1


def test_providers_and_models_have_batches_of_their_own(office: Office) -> None:
    office.put(A, model="m")
    office.put(B, model="n")
    office.put(C, provider="gone")
    worked = office.work()
    assert [office.stub.custom_ids(one) for one in office.stub.batches] == [[A], [B]]
    assert worked.troubles == ["gone: gone: no such provider under llm.providers"]
    assert office.waiting()[C] == (None, 0, "")


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        (Limits(questions=3), [3, 1]),
        (Limits(bytes=450), [2, 2]),  # a line has about 200
        (Limits(bytes=10), [1, 1, 1, 1]),  # at least one goes
    ],
)
def test_a_long_queue_is_split(office: Office, limits: Limits, sizes: list[int]) -> None:
    office.limits = limits
    office.restart()
    office.put(*HASHES)
    office.work()
    assert [len(office.stub.custom_ids(one)) for one in office.stub.batches] == sizes
    handed_in = [one for batch in office.stub.batches for one in office.stub.custom_ids(batch)]
    assert sorted(handed_in) == list(HASHES)


@pytest.mark.parametrize(
    ("where", "status", "attempts"),
    [
        ("POST /files", 429, 0),  # the provider has enough to do
        ("POST /files", 500, 0),
        ("POST /files", 400, 1),  # it does not take the file
        ("POST /files", DONE_AND_HUNG_UP, 0),  # a file that nobody uses costs nothing
        ("POST /batches", 429, 0),
        ("POST /batches", 400, 1),
        ("POST /batches", 404, 1),  # no batch API there
    ],
)
def test_what_is_not_begun_waits_for_the_next_round(office: Office, where: str, status: int, attempts: int) -> None:
    office.put(A)
    office.stub.fails[where] = [status]
    assert len(office.work().troubles) == 1
    assert office.waiting()[A][:2] == (None, attempts)
    assert office.batches.book.batches() == []
    office.work()
    assert [office.stub.custom_ids(one) for one in office.stub.batches] == [[A]]


@pytest.mark.parametrize("where", ["POST /files", "POST /batches", "GET /batches/*"])
@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_wrong_key_stops_with_one_line_and_loses_nothing(office: Office, where: str, status: int) -> None:
    office.put(A)
    if where.startswith("GET"):
        office.work()
    office.stub.fails[where] = [status]
    with pytest.raises(LlmRejected, match=r"^stub: .*; check "):
        office.work()
    office.work()
    office.stub.end(office.stub.last, [answer(A)])
    office.work()
    assert len(office.stub.batches) == 1
    assert office.answered() == {A: 1}


@pytest.mark.parametrize("status", [DONE_AND_HUNG_UP, 500])
def test_a_batch_that_may_have_been_begun_is_looked_for(office: Office, status: int) -> None:
    office.put(A, B)
    office.stub.fails["POST /batches"] = [status]
    assert "does not answer" in office.work().troubles[0]
    office.put(C)
    office.restart()
    office.work(after=10)
    office.work(after=120)
    begun = [office.stub.custom_ids(one) for one in office.stub.batches]
    assert sorted(begun) == [[A, B], [C]], "each question is in one batch, whatever happened to the first"
    for batch in office.stub.batches:
        office.stub.end(batch, [answer(one) for one in office.stub.custom_ids(batch)])
    office.work()
    assert office.answered() == {A: 1, B: 1, C: 1}


def test_one_among_many_batches_of_others_is_found(office: Office) -> None:
    office.put(A)
    office.stub.fails["POST /batches"] = [DONE_AND_HUNG_UP]
    office.work(after=61)
    mine = office.stub.last
    for _ in range(250):
        office.stub.answer("POST", "/v1/batches", b'{"input_file_id": "file-1", "metadata": {"tagging": "other"}}')
    office.work(after=1)
    assert office.waiting()[A][0] == mine
    assert office.stub.asked.count("GET /batches") == 3


def test_a_provider_without_room_is_left_alone_for_a_while(office: Office) -> None:
    office.put(A)
    office.work()
    office.stub.end(office.stub.last, state="failed", code="token_limit_exceeded")
    office.work()
    assert office.work().submitted == 0
    assert office.work(after=600).submitted == 1


def test_two_workers_do_not_work_at_once(office: Office) -> None:
    office.put(A)
    with office.database.lock("provider batches"):
        assert office.work().troubles == ["another process is at it"]
    assert office.work().submitted == 1
