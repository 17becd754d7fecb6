"""Verdicts in Postgres: appended, newest wins, with the machine's word beside them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.decisions import Decisions
from resources.tables import batch, decision, image, published_tag
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.fusion import fuse
from tagging_assets.domain.rules import parse_rules
from tagging_assets.domain.verdicts import Request, Verdict, edited
from tests.workshop import clear

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACCEPTED, REJECTED, ADDED, WITHDRAWN = Verdict
RULES = parse_rules({"aliases": {"puppy": "dog"}})

#: As a source says it; the rest of the struct plays no part here.
MODEL = {"source": "models", "model": "conse", "score": 0.8, "confidence": 0.8, "weight": 0.9}
PERSON = {"source": "person", "model": "anna", "score": 1.0, "confidence": 1.0, "weight": 1.0}


def photo(name: str, in_batch: str = "b000001") -> dict[str, Any]:
    return {
        "image_id": name,
        "uri": f"/photos/{name}.jpg",
        "batch": in_batch,
        "bytes": 1,
        "mtime_ns": 1,
        "first_seen": NOON,
        "changed_at": NOON,
    }


def shown(name: str, tag: str, *sources: dict[str, Any], withdrawn: datetime | None = None) -> dict[str, Any]:
    return {
        "image_id": name,
        "tag": tag,
        "batch": "b000001",
        "category": "object",
        "score": 0.72,
        "status": "auto",
        "reason": "",
        "sources": list(sources),
        "recipe": "r",
        "run_id": "run",
        "published_at": NOON,
        "withdrawn_at": withdrawn,
    }


@pytest.fixture
def decisions(database: Database) -> Iterator[Decisions]:
    """Photos a and b in one batch, c in another; "dog" on a and b."""
    clear(database)
    with database.engine.begin() as connection:
        connection.execute(sa.insert(image), [photo("a"), photo("b"), photo("c", "b000002")])
        connection.execute(sa.insert(published_tag), [shown("a", "dog", MODEL), shown("b", "dog", MODEL)])
    yield Decisions(database.engine, RULES.canonical)
    clear(database)


def ask(decisions: Decisions, *requests: Request, who: str = "anna", why: str = "", after: int = 0) -> list[int]:
    now = NOON + timedelta(minutes=after)
    return decisions.record(requests, who=who, why=why, operation=f"op{after}", now=now)


def held(decisions: Decisions, name: str = "b000001") -> dict[str, dict[str, str]]:
    return {image_id: {one.tag: one.verdict for one in said} for image_id, said in decisions.standing(name).items()}


def test_the_newest_verdict_of_a_photo_and_tag_holds(decisions: Decisions) -> None:
    assert ask(decisions, Request("a", "dog", REJECTED), Request("b", "kite", ADDED), Request("c", "boat", ADDED)) == [
        1,
        2,
        3,
    ]
    assert held(decisions) == {"a": {"dog": "rejected"}, "b": {"kite": "added"}}
    assert held(decisions, "b000002") == {"c": {"boat": "added"}}
    assert ask(decisions, Request("a", "dog", ACCEPTED), after=1) == [4]
    assert ask(decisions, Request("b", "kite", WITHDRAWN), after=2) == [5]
    assert held(decisions) == {"a": {"dog": "accepted"}}
    assert [(row["verdict"], row["operation"]) for row in decisions.of("a")] == [
        ("rejected", "op0"),
        ("accepted", "op1"),
    ]
    assert [(image_id, one.tag) for image_id, one in decisions.listing()] == [("a", "dog"), ("c", "boat")]
    assert [(image_id, one.tag) for image_id, one in decisions.listing(["c", "b"])] == [("c", "boat")]


def test_who_when_and_why_are_kept(decisions: Decisions) -> None:
    ask(
        decisions,
        Request("a", "dog", REJECTED, why="a cat"),
        Request("b", "dog", REJECTED),
        who=" Anna  B ",
        why="no\ndogs",
    )
    (one,), (other,) = decisions.standing("b000001").values()
    assert (one.who, one.why, one.decided_at, one.category) == ("Anna B", "a cat", NOON, "object")
    assert other.why == "no dogs"


@pytest.mark.parametrize(
    ("first", "again", "new"),
    [
        # the same words of the same person are no news
        (Request("a", "dog", REJECTED), Request("a", "dog", REJECTED), 0),
        (Request("a", "kite", ADDED, category="toy"), Request("a", "kite", ADDED, category="toy"), 0),
        # other words are
        (Request("a", "dog", REJECTED), Request("a", "dog", REJECTED, why="a cat"), 1),
        (Request("a", "kite", ADDED), Request("a", "kite", ADDED, category="toy"), 1),
        # what nobody said cannot be withdrawn; what was withdrawn not again
        (Request("a", "kite", WITHDRAWN), Request("a", "kite", WITHDRAWN), 0),
    ],
)
def test_saying_it_again(decisions: Decisions, first: Request, again: Request, new: int) -> None:
    ask(decisions, first)
    assert len(ask(decisions, again, after=1)) == new
    assert ask(decisions, again, after=2) == []
    assert ask(decisions, first, who="ben", after=3) != [] or first.verdict is WITHDRAWN


def test_a_withdrawn_edit_takes_both_halves_back(decisions: Decisions) -> None:
    ask(decisions, *edited("a", "dog", "wolf"))
    assert held(decisions) == {"a": {"dog": "rejected", "wolf": "added"}}
    assert {one.category for one in decisions.standing("b000001")["a"]} == {"object"}
    assert ask(decisions, *edited("a", "dog", "wolf"), after=1) == []
    assert len(ask(decisions, Request("a", "wolf", WITHDRAWN), after=2)) == 2
    assert held(decisions) == {}


@pytest.mark.parametrize(
    ("published", "score", "sources"),
    [
        # as the world sees it
        (shown("c", "dog", MODEL), fuse([(0.9, 0.8)]), [MODEL]),
        # without what people said before: that would teach the models their own echo
        (shown("c", "dog", PERSON, MODEL), fuse([(0.9, 0.8)]), [MODEL]),
        # nobody but a person says so
        (shown("c", "dog", PERSON), None, []),
        # not shown
        (shown("c", "dog", MODEL, withdrawn=NOON), None, []),
    ],
)
def test_the_machines_word_is_kept_beside(
    decisions: Decisions,
    database: Database,
    published: dict[str, Any],
    score: float | None,
    sources: list[dict[str, Any]],
) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.insert(published_tag), [published])
    ask(decisions, Request("c", "dog", REJECTED))
    (row,) = decisions.of("c")
    assert (row["score"], row["sources"]) == (score, sources)


def test_a_tag_that_was_taken_away_keeps_what_the_machine_said_of_it(decisions: Decisions, database: Database) -> None:
    ask(decisions, Request("a", "dog", REJECTED))
    with database.engine.begin() as connection:
        connection.execute(sa.update(published_tag).values(withdrawn_at=NOON))
    ask(decisions, Request("a", "dog", ACCEPTED), after=1)
    rejected, accepted = decisions.of("a")
    assert rejected["sources"] == accepted["sources"] == [MODEL]
    assert accepted["category"] == "object"


def test_batches_count_what_was_said_about_them(decisions: Decisions, database: Database) -> None:
    assert decisions.revision("b000001") == 0
    ask(decisions, Request("a", "dog", REJECTED), Request("b", "dog", REJECTED))
    assert (decisions.revision("b000001"), decisions.revision("b000002")) == (1, 0)
    ask(decisions, Request("a", "dog", REJECTED), Request("c", "kite", ADDED), after=1)
    assert (decisions.revision("b000001"), decisions.revision("b000002")) == (1, 1)
    ask(decisions, Request("a", "dog", WITHDRAWN), after=2)
    assert decisions.revision("b000001") == 2
    with database.engine.connect() as connection:
        (counted,) = connection.execute(sa.select(batch.c.changed_at).where(batch.c.batch == "b000001")).scalars()
    assert counted == NOON + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("requests", "who", "message"),
    [
        ([Request("a", "dog", REJECTED), Request("z", "dog", REJECTED)], "anna", 'no photo has the image_id "z"'),
        ([Request("y", "d", REJECTED), Request("z", "d", REJECTED)], "anna", "nor of 1 others"),
        ([Request("a", "dog", REJECTED)], " \n", "nobody says so"),
        ([Request("a", "dog", REJECTED), Request("a", "kite", ACCEPTED)], "anna", 'no tag "kite" to accept'),
    ],
)
def test_all_or_none(decisions: Decisions, requests: list[Request], who: str, message: str) -> None:
    for attempt in (decisions.preview, lambda said, who: ask(decisions, *said, who=who)):
        with pytest.raises(SettingsError, match=message):
            attempt(requests, who=who)
    assert decisions.listing() == []
    assert decisions.revision("b000001") == 0


def test_a_preview_writes_nothing(decisions: Decisions) -> None:
    said = [Request("a", "dog", REJECTED), Request("b", "kite", WITHDRAWN)]
    assert decisions.preview(said, who="anna") == [Request("a", "dog", REJECTED, category="object")]
    assert decisions.listing() == []


@pytest.mark.parametrize("statement", [sa.delete(decision), sa.update(decision).values(who="ben")])
def test_what_was_said_is_never_changed_or_erased(
    decisions: Decisions, database: Database, statement: sa.Executable
) -> None:
    ask(decisions, Request("a", "dog", REJECTED))
    with pytest.raises(sa.exc.DBAPIError, match="never changed or erased"), database.engine.begin() as connection:
        connection.execute(statement)


def test_photos_by_tag(decisions: Decisions, database: Database) -> None:
    assert decisions.tagged("Puppy") == {"a": "/photos/a.jpg", "b": "/photos/b.jpg"}
    with database.engine.begin() as connection:
        connection.execute(sa.update(image).where(image.c.image_id == "b").values(gone_at=NOON))
    assert decisions.tagged("dog") == {"a": "/photos/a.jpg"}
    assert decisions.tagged("kite") == {}


def test_ten_thousand_verdicts_take_seconds(decisions: Decisions, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            sa.insert(image), [photo(f"many{number:05}", f"b{number // 1000:06}") for number in range(10_000)]
        )
        connection.execute(
            sa.insert(published_tag), [shown(f"many{number:05}", "dog", MODEL) for number in range(10_000)]
        )
    started = time.monotonic()
    written = ask(decisions, *(Request(f"many{number:05}", "dog", ACCEPTED) for number in range(10_000)))
    seconds = time.monotonic() - started
    assert len(written) == 10_000
    assert seconds < 30, "on a busy machine; two seconds on a quiet one"
    assert len(decisions.standing("b000003")) == 1000
    assert ask(decisions, *(Request(f"many{number:05}", "dog", ACCEPTED) for number in range(10_000)), after=1) == []
