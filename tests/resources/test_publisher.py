"""Publishing: replace by batch, withdraw what no longer stands, write nothing twice, and keep every change."""

import time
from datetime import datetime

import pytest
import sqlalchemy as sa

from resources.tables import tag_event
from tests.resources.publishing import HOUR, NOON, Desk, decided, row


@pytest.fixture
def desk(database):
    return Desk(database)


def test_publishing_twice_changes_nothing(desk):
    first = desk.publish(decided("a", cat=0.9, sofa=0.6), run="run1")
    assert (first.live, first.written, first.withdrawn) == (2, 2, 0)
    again = desk.publish(decided("a", "run2", cat=0.9, sofa=0.6), run="run2")
    assert (again.live, again.written, again.withdrawn) == (2, 0, 0)
    assert {row["run_id"] for row in desk.publisher.tags()} == {"run1"}
    assert desk.is_current()
    assert desk.changes("a") == [("published", "cat", "run1"), ("published", "sofa", "run1")]


@pytest.mark.parametrize(
    ("records", "gone", "expected"),
    [
        ([decided("a", cat=0.8)], [], {("a", "cat"): 0.8}),  # rescored, sofa dropped
        ([decided("a")], [], {}),  # decided: no tag
        ([], [], {("a", "cat"): 0.9, ("a", "sofa"): 0.6}),  # the decision failed: what was published stands
        ([], ["a"], {}),  # the photo is gone
        ([decided("a", cat=0.9, sofa=0.6)], ["a"], {}),  # the photo is gone, and its decision lies there still
        ([decided("b", dog=0.7)], ["a"], {("b", "dog"): 0.7}),  # one goes, one comes
        # a person rejected it: kept to be explained, not to be read
        ([decided("a", rows=[row("a", "cat", 0.9, status="rejected")], sofa=0.6)], [], {("a", "sofa"): 0.6}),
    ],
)
def test_what_stands_afterwards(desk, records, gone, expected):
    desk.publish(decided("a", cat=0.9, sofa=0.6), run="run1")
    assert desk.publisher.is_current("b1", records, gone) is (not records and not gone)
    desk.publish(*records, gone=gone, run="run2")
    assert desk.live() == expected
    assert desk.is_current(gone=gone)


@pytest.mark.parametrize(
    ("said", "news"),
    [
        ({}, False),  # the same
        ({"sources": [{"source": "tagger", "score": 0.5, "run_id": "run9"}]}, False),  # another run said the same
        ({"sources": [{"source": "tagger", "score": 0.5, "recipe": "r9"}]}, False),  # made another way, said the same
        ({"sources": [{"source": "tagger", "score": 0.6, "run_id": "run1"}]}, True),  # another raw score
        ({"sources": []}, True),  # no reason to believe it
        ({"category": "animal"}, True),
        ({"status": "needs_review"}, True),
        ({"reason": "another"}, True),
    ],
)
def test_only_what_a_tag_says_is_news(desk, said, news):
    one = {"sources": [{"source": "tagger", "score": 0.5, "run_id": "run1"}]}
    desk.publish(decided("a", rows=[row("a", "cat", 0.9, **one)]), run="run1")
    record = decided("a", "run2", rows=[row("a", "cat", 0.9, **(one | said))])
    assert desk.publisher.is_current("b1", [record], []) is not news
    assert desk.publish(record, run="run2").written == int(news)


def test_withdrawn_is_not_erased_and_can_come_back(desk):
    desk.publish(decided("a", cat=0.9), run="run1")
    desk.publish(gone=["a"], run="run2")
    assert [one[-1] for one in desk.table()] == [NOON + 2 * HOUR]
    back = desk.publish(decided("a", cat=0.9), run="run3")
    assert (back.live, back.written) == (1, 1)
    assert desk.changes("a") == [
        ("published", "cat", "run1"),
        ("withdrawn", "cat", "run2"),
        ("published", "cat", "run3"),
    ]


def test_an_event_holds_the_tag_before_and_after(desk):
    desk.publish(decided("a", cat=0.9, sofa=0.6, lamp=0.5), run="run1", operation="op1")
    verdict = row("a", "sofa", 0.6, status="rejected", reason="rejected by anna")
    desk.publish(decided("a", "run2", rows=[verdict], cat=0.8), run="run2", operation="op2")
    desk.publish(gone=["a"], run="run3")
    by_tag = {tag: desk.history.events("a", tag) for tag in ("cat", "lamp", "sofa")}
    first, second, third = by_tag["cat"]
    assert (first["before"], first["after"]["run_id"], first["operation"]) == (None, "run1", "op1")
    assert second["before"] == first["after"]
    assert (second["change"], second["at"], second["batch"]) == ("changed", NOON + 2 * HOUR, "b1")
    assert second["after"]["score"] == pytest.approx(0.8)
    assert datetime.fromisoformat(second["after"]["published_at"]) == NOON + 2 * HOUR
    assert (third["before"], third["after"]) == (second["after"], None)
    # what was decided in the place of each that was withdrawn
    told = {tag: (events[-1]["instead"]["status"], events[-1]["instead"]["reason"]) for tag, events in by_tag.items()}
    assert told == {
        "cat": ("gone", "the photo is gone"),
        "lamp": ("dropped", "decided no longer"),
        "sofa": ("rejected", "rejected by anna"),
    }


@pytest.mark.parametrize("statement", [sa.update(tag_event).values(tag="dog"), sa.delete(tag_event)])
def test_history_is_never_changed_or_erased(desk, statement):
    desk.publish(decided("a", cat=0.9), run="run1")
    with desk.database.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="never changed"):
        connection.execute(statement)


def test_a_batch_of_a_thousand_photos_takes_seconds(desk):
    names = [f"photo{number:04d}" for number in range(1000)]
    desk.add_photos(*names, batch="b3")
    source = {"source": "tagger", "model": "m", "revision": "0" * 64, "label": "x", "score": 0.5, "recipe": "1" * 64}
    tags = [f"tag{number}" for number in range(20)]
    records = [decided(name, rows=[row(name, tag, 0.5, sources=[source, source]) for tag in tags]) for name in names]
    started = time.perf_counter()
    assert desk.publish(*records, run="run1", batch="b3").written == 20_000
    assert desk.is_current("b3")
    assert desk.undo("run1").way.restored == 20_000
    # a few on an idle core; the limit only catches a statement a row
    assert time.perf_counter() - started < 30


def test_what_is_never_tagged_is_not_shown_whatever_made_the_row(desk):
    desk.publish(
        decided("a", rows=[row("a", "nude", 0.9), row("a", "sofa", 0.9, category="muslim")], cat=0.9), run="run1"
    )
    assert desk.live() == {("a", "cat"): 0.9}
