"""Votes and marks in Postgres: appended, never changed; of marks the newest of each person holds."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.tables import relevance_mark, vote
from resources.votes import Votes
from tagging_assets.domain.errors import DatabaseUnavailable, StorageError
from tagging_assets.domain.voting import Mark, Vote
from tests.workshop import clear

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VOTE = Vote("trial", "a", "one", "two", "left", "hash", "anna", "person", NOON)


@pytest.fixture
def votes(database: Database) -> Iterator[Votes]:
    clear(database)
    yield Votes(database.engine)
    clear(database)


def mark(image_id: str, tag: str, relevant: bool | None, marker: str = "anna", minutes: int = 0) -> Mark:
    return Mark(image_id, tag, relevant, marker, NOON + timedelta(minutes=minutes))


def test_votes_come_back_in_the_order_they_were_given(votes: Votes) -> None:
    judged = replace(VOTE, kind="judge", voter="a-model", why="more exact", request_hash="r", winner="tie")
    other = replace(VOTE, experiment="another")
    votes.record([VOTE, judged])
    votes.record([other])
    votes.record([replace(VOTE, winner="right")])
    assert votes.of("trial") == [VOTE, judged, replace(VOTE, winner="right")]
    assert votes.of("another") == [other]
    assert votes.of("none") == []


def test_nothing_is_nothing(votes: Votes) -> None:
    votes.record([])
    votes.mark([])
    assert votes.marks([]) == []


def test_the_newest_mark_of_each_person_holds(votes: Votes) -> None:
    votes.mark([mark("a", "Big_Dog", True), mark("a", "cat", False), mark("b", "boat", True)])
    votes.mark([mark("a", "big dog", False, "ben")])
    # of equal times the one that was written down later
    votes.mark([mark("a", "cat", True)])
    votes.mark([mark("b", "boat", None, minutes=5)])
    assert votes.marks(["b", "a", "a", "z"]) == [
        mark("a", "big dog", True),
        mark("a", "big dog", False, "ben"),
        mark("a", "cat", True),
        # taken back
        mark("b", "boat", None, minutes=5),
    ]
    assert [one.image_id for one in votes.marks(["b"])] == ["b"]


@pytest.mark.parametrize(
    "statement",
    [
        sa.delete(vote),
        sa.update(vote).values(winner="right"),
        sa.delete(relevance_mark),
        sa.update(relevance_mark).values(relevant=False),
    ],
)
def test_what_was_said_is_never_changed_or_erased(votes: Votes, database: Database, statement: sa.Executable) -> None:
    votes.record([VOTE])
    votes.mark([mark("a", "dog", True)])
    with pytest.raises(sa.exc.DBAPIError, match="never changed or erased"), database.engine.begin() as connection:
        connection.execute(statement)


def test_all_or_none(votes: Votes) -> None:
    nobody: dict[str, Any] = {**asdict(VOTE), "voter": None}
    with pytest.raises(StorageError, match="Postgres refused: null value"):
        votes.record([VOTE, Vote(**nobody)])
    assert votes.of("trial") == []


def test_a_judge_may_say_what_postgres_cannot_hold(votes: Votes) -> None:
    votes.record([replace(VOTE, why="a \0 b")])
    assert votes.of("trial")[0].why == "a \ufffd b"


def test_a_database_that_does_not_answer_is_told_as_one() -> None:
    engine = sa.create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    for attempt in (lambda: Votes(engine).of("trial"), lambda: Votes(engine).record([VOTE])):
        with pytest.raises(DatabaseUnavailable, match="Postgres does not answer"):
            attempt()
    engine.dispose()
