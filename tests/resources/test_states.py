"""Sums in Postgres: kept, read by batch, and asked which batches have work."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.states import States
from resources.tables import batch, decision, image
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import build_recipes
from tagging_assets.domain.staleness import DECISIONS, PHOTOS
from tests.domain.test_staleness import RECIPES, whole
from tests.handmade import NOON
from tests.workshop import clear

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def states(database: Database) -> States:
    """Three batches: one that never ran, one that is done, one with failures."""
    clear(database)
    with database.engine.begin() as connection:
        connection.execute(
            sa.insert(batch),
            [{"batch": name, "images": 10, "revision": 3, "decisions": 1, "changed_at": NOON} for name in "abc"],
        )
    opened = States(database.engine)
    for name in "bc":
        for state in whole().values():
            opened.keep(rebatched(state, name))
        assert opened.settle(name, RECIPES)
    opened.keep(rebatched(whole()["landmarks"], "c", failed=2, waiting=1, retry_at=LATER))
    return opened


def rebatched(state, name, **said):
    from dataclasses import replace

    return replace(state, batch=name, **said)


def unsettled(states, now=NOON, retrying=Retrying.DUE, recipes=RECIPES, batches=None):
    return states.unsettled(recipes, now=now, retrying=retrying, batches=batches)


def test_what_was_kept_is_read(states):
    found = states.of(["a", "b"])
    assert found["a"] == {}
    assert found["b"] == {name: rebatched(state, "b") for name, state in whole().items()}


def test_keeping_again_replaces(states):
    states.keep(rebatched(whole()["tags"], "b", ok=1, version="tags 2"))
    assert states.of(["b"])["b"]["tags"].ok == 1
    assert not states.settle("b", RECIPES), "published tags have not seen it"
    assert unsettled(states) == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["a"]),
        ({"now": LATER}, ["a", "c"]),  # a retry is due
        ({"retrying": Retrying.NOW}, ["a", "c"]),
        ({"retrying": Retrying.ALL}, ["a", "b", "c"]),  # a torn photo each
        ({"recipes": build_recipes({"tags": {"changed": True}})}, ["a", "b", "c"]),
        ({"batches": ["b", "c"], "now": LATER}, ["c"]),
        ({"batches": []}, []),
    ],
)
def test_batches_with_work(states, asked, expected):
    assert unsettled(states, **asked) == expected


@pytest.mark.parametrize("counter", ["revision", "decisions"])
def test_a_change_unsettles(states, database, counter):
    with database.engine.begin() as connection:
        connection.execute(sa.update(batch).where(batch.c.batch == "b").values({counter: 9}))
    assert unsettled(states) == ["a", "b"]


def test_changes_since_a_stage_ran_are_counted(states, database):
    def photo(name, where, when):
        return {
            "image_id": name,
            "uri": f"/{name}",
            "batch": where,
            "bytes": 1,
            "mtime_ns": 1,
            "first_seen": when,
            "changed_at": when,
        }

    def verdict(name, tag, when):
        return {
            "image_id": name,
            "tag": tag,
            "verdict": "added",
            "who": "ada",
            "at": when,
            "operation": "o",
        }

    before = NOON - timedelta(hours=1)
    with database.engine.begin() as connection:
        photos = [photo("old", "b", before), photo("new", "b", LATER), photo("other", "a", before)]
        connection.execute(sa.insert(image), photos)
        verdicts = [verdict("old", "cat", LATER), verdict("old", "dog", LATER), verdict("new", "cat", before)]
        connection.execute(sa.insert(decision), verdicts)
    changed = states.changed(["a", "b", "c"])
    assert changed == {"a": {PHOTOS: 1}, "b": {PHOTOS: 1, DECISIONS: 1}, "c": {}}


def test_sums_over_all_batches(states):
    sums = states.sums()
    assert (sums["landmarks"].ok, sums["landmarks"].failed, sums["landmarks"].waiting) == (18, 2, 1)
    assert sums["proxies"].seconds == pytest.approx(18)
    assert "published_tags" not in sums
