"""Claims: nobody asks twice, and what is asked for in vain is asked for more and more seldom."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from resources.claims import FIRST, LONGEST, Claims
from resources.database import Database
from resources.states import States
from resources.tables import claim, stage_state
from tests.domain.test_staleness import whole
from tests.handmade import NOON


@pytest.fixture
def claims(database: Database) -> Claims:
    with database.engine.begin() as connection:
        connection.execute(sa.delete(claim))
        connection.execute(sa.delete(stage_state))
    return Claims(database.engine)


def take(claims: Claims, now: datetime = NOON, version: str = "1", by: str = "sweep") -> list[str]:
    return claims.take({"b1": version, "b2": version}, by=by, now=now)


def test_the_second_gets_what_the_first_left(claims: Claims) -> None:
    assert claims.take({"b1": "1"}, by="one", now=NOON) == ["b1"]
    assert take(claims, by="two") == ["b2"]
    assert take(claims) == []
    assert claims.take({}, by="three", now=NOON) == []


def test_many_at_once_get_each_batch_once(claims: Claims) -> None:
    wanted = {f"b{number}": "1" for number in range(200)}
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda name: claims.take(wanted, by=name, now=NOON), "abcdefgh"))
    assert sorted(batch for part in parts for batch in part) == sorted(wanted)


def test_what_comes_to_nothing_is_asked_for_more_and_more_seldom(claims: Claims) -> None:
    now, waits = NOON, []
    for _ in range(5):
        assert take(claims, now) == ["b1", "b2"]
        wait = FIRST
        while not take(claims, now + wait):
            wait += FIRST
        # the one that was let through counts as the next attempt: look at how long it was refused
        waits.append(wait)
        now += wait + LONGEST
    assert waits[:3] == [FIRST, 4 * FIRST, 16 * FIRST]
    assert max(waits) == LONGEST


def test_something_else_waits_only_until_the_first_run_is_to_be_seen(claims: Claims) -> None:
    for attempt in range(4):
        assert take(claims, NOON + attempt * timedelta(hours=1)) == ["b1", "b2"]
    now = NOON + timedelta(hours=3)
    assert take(claims, now + FIRST) == [], "the fourth attempt holds for a while"
    assert take(claims, now + FIRST / 2, version="2") == []
    assert take(claims, now + FIRST, version="2") == ["b1", "b2"]
    # and begins anew
    assert take(claims, now + 2 * FIRST, version="2") == ["b1", "b2"]


def test_a_run_that_has_begun_makes_way_for_something_else(claims: Claims, database: Database) -> None:
    assert take(claims) == ["b1", "b2"]
    soon = NOON + FIRST / 4
    States(database.engine).keep(replace(whole()["images"], updated_at=NOON + FIRST / 8))
    assert take(claims, soon, version="2") == ["b1"], "nobody has seen a run over the other"
    assert take(claims, soon) == []
    assert claims.take({"b1": "2"}, by="sweep", now=soon) == [], "the same again is what was asked for"
