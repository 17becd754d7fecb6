"""Calibrations in Postgres: appended, the newest in use; and the verdicts they learn from."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from resources.calibrations import Calibrations
from resources.database import Database
from resources.tables import calibration, decision, image
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.fitted import Fit, Fitted
from tagging_assets.domain.reliability import Quality
from tests.lessons import NOON, decide_on
from tests.workshop import clear

LATER = NOON + timedelta(hours=1)
NO_QUALITY = Quality(ece=0.0, brier=0.0, bins=())


def body(*confidences: float) -> Fitted:
    """One fit, with that confidence at the top."""
    fits = tuple(
        Fit(
            source="tagger",
            model="eff",
            revision="1",
            category="object",
            serves=("object",),
            decisions=60,
            right=30,
            points=((0.0, 0.0), (1.0, one)),
            threshold=None,
            lowest=0.4,
            highest=0.9,
            before=NO_QUALITY,
            after=NO_QUALITY,
        )
        for one in confidences
    )
    return Fitted(precision=0.9, min_decisions=50, fits=fits)


@pytest.fixture
def kept(database: Database) -> Iterator[Calibrations]:
    clear(database)
    yield Calibrations(database.engine)
    clear(database)


def count(database: Database) -> int:
    with database.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(calibration)).scalar_one()


def test_the_newest_is_in_use_and_the_same_again_is_not_kept(kept: Calibrations, database: Database) -> None:
    assert (kept.latest(), kept.latest_hash()) == (None, "")
    assert kept.keep(body(0.5), "run 1", NOON)
    assert not kept.keep(body(0.5), "run 2", LATER)
    latest = kept.latest()
    assert latest is not None
    assert (latest.body, latest.hash, latest.run_id, latest.made_at) == (body(0.5), body(0.5).hash, "run 1", NOON)
    assert kept.latest_hash() == latest.hash
    assert kept.keep(body(0.6), "run 3", LATER)
    assert kept.keep(body(0.5), "run 4", LATER), "what was in use before is another one again"
    assert count(database) == 3


def test_nothing_is_kept_of_nothing_unless_it_replaces_something(kept: Calibrations, database: Database) -> None:
    assert not kept.keep(body(), "run 1", NOON)
    assert count(database) == 0
    kept.keep(body(0.5), "run 2", NOON)
    assert kept.keep(body(), "run 3", LATER), "decisions were taken back: the catalogue holds again"


def test_going_back_adds_a_copy(kept: Calibrations, database: Database) -> None:
    assert kept.revert("op", NOON) is None
    kept.keep(body(0.5), "run 1", NOON)
    kept.keep(body(0.6), "run 2", NOON)
    for expected in (body(0.5), body(0.6), body(0.5)):
        back = kept.revert("op", LATER)
        assert back is not None
        assert (back.body, back.hash, back.run_id) == (expected, expected.hash, "op")
    assert count(database) == 5


def test_before_the_first_there_was_the_catalogue(kept: Calibrations) -> None:
    kept.keep(body(0.5), "run 1", NOON)
    back = kept.revert("op", LATER)
    assert back is not None
    assert back.body.fits == ()
    again = kept.revert("op", LATER)
    assert again is not None
    assert again.body == body(0.5)


def test_a_form_of_another_version_is_named(kept: Calibrations, database: Database) -> None:
    with database.engine.begin() as connection:
        row = {"hash": "h", "body": {"version": 99}, "made_at": NOON, "run_id": "r"}
        connection.execute(sa.insert(calibration).values(row))
    assert kept.latest_hash() == "h"
    with pytest.raises(StorageError, match="tagging calibrate"):
        kept.latest()


SOURCE = {"source": "tagger", "model": "eff", "revision": "1", "score": 0.8, "label_set": ""}


def say(database: Database, *verdicts: tuple[str, str, str], sources: list[dict[str, Any]] | None = None) -> None:
    """(photo, tag, verdict), in this order; photo "b2" is a copy of "b1"."""
    with database.engine.begin() as connection:
        for name, pixels in (("a", "pixels a"), ("b1", "pixels b"), ("b2", "pixels b"), ("c", None)):
            row = {"image_id": name, "uri": f"/{name}", "batch": "b1", "bytes": 1, "mtime_ns": 1, "pixel_id": pixels}
            connection.execute(sa.insert(image).values(**row, first_seen=NOON, changed_at=NOON))
        for name, tag, verdict in verdicts:
            said = {"image_id": name, "tag": tag, "verdict": verdict, "category": "object", "who": "anna", "at": NOON}
            more = {"operation": "op", "sources": [SOURCE] if sources is None else sources}
            connection.execute(sa.insert(decision).values(**said, **more))


@pytest.mark.parametrize(
    ("verdicts", "lessons"),
    [
        ([], []),  # nobody said anything
        ([("a", "cat", "accepted")], [("pixels a", True)]),
        ([("a", "cat", "accepted"), ("a", "cat", "rejected")], [("pixels a", False)]),  # the newest holds
        ([("a", "cat", "accepted"), ("a", "cat", "withdrawn")], []),  # taken back
        ([("a", "cat", "added")], []),  # the machine had not said it
        ([("a", "cat", "rejected"), ("a", "dog", "accepted")], [("pixels a", False), ("pixels a", True)]),
        ([("b1", "cat", "accepted"), ("b2", "cat", "rejected")], [("pixels b", False)]),  # copies are one
        ([("b1", "cat", "accepted"), ("b2", "cat", "withdrawn")], [("pixels b", True)]),  # nothing is said of the copy
        ([("c", "cat", "accepted")], [("c", True)]),  # pixels not known
    ],
)
def test_verdicts_that_hold_teach(
    kept: Calibrations, database: Database, verdicts: list[tuple[str, str, str]], lessons: list[tuple[str, bool]]
) -> None:
    say(database, *verdicts)
    assert [(one.photo, one.right) for one in kept.lessons()] == lessons
    assert all((one.category, one.sources) == ("object", [SOURCE]) for one in kept.lessons())


def test_a_verdict_on_what_no_machine_said_teaches_nothing(kept: Calibrations, database: Database) -> None:
    say(database, ("a", "cat", "accepted"), sources=[])
    assert kept.lessons() == []


def test_photos_that_are_gone_still_teach(kept: Calibrations, database: Database) -> None:
    decide_on(database, "tagger", "eff", count=3)
    assert len(kept.lessons()) == 3
