"""Publishing: replace by batch, withdraw what no longer stands, write nothing twice."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from resources.publisher import Publisher
from resources.tables import image, published_tag
from tagging_assets.domain import schemas
from tagging_assets.domain.frames import ImageRecord, typed_rows

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def publisher(database):
    with database.engine.begin() as connection:
        connection.execute(sa.delete(published_tag))
        connection.execute(sa.delete(image))
        connection.execute(
            sa.insert(image),
            [
                {
                    "image_id": name,
                    "uri": f"/photos/{name}.jpg",
                    "batch": "b1",
                    "bytes": 1,
                    "mtime_ns": 1,
                    "first_seen": NOON,
                    "changed_at": NOON,
                }
                for name in ("a", "b")
            ],
        )
    return Publisher(database.engine)


def decided(image_id, run_id="run1", **scores):
    rows = typed_rows(
        schemas.TAGS,
        [
            {
                "image_id": image_id,
                "tag": tag,
                "category": "object",
                "score": score,
                "status": "auto",
                "reason": "",
            }
            | {"sources": []}
            for tag, score in scores.items()
        ],
    )
    return ImageRecord(image_id, "recipe", "inputs", "output", "ok", rows, run_id, NOON, 0.1)


def live(publisher):
    return {(row["image_id"], row["tag"]): round(row["score"], 3) for row in publisher.tags()}


def test_publishing_twice_changes_nothing(publisher, database):
    first = publisher.publish("b1", [decided("a", cat=0.9, sofa=0.6)], [], NOON)
    assert (first.live, first.written, first.withdrawn) == (2, 2, 0)
    again = publisher.publish("b1", [decided("a", "run2", cat=0.9, sofa=0.6)], [], NOON + timedelta(hours=1))
    assert (again.live, again.written, again.withdrawn) == (2, 0, 0)
    assert {row["run_id"] for row in publisher.tags()} == {"run1"}
    assert publisher.is_current("b1", [decided("a", cat=0.9, sofa=0.6)], [])


@pytest.mark.parametrize(
    ("records", "gone", "expected"),
    [
        ([decided("a", cat=0.8)], [], {("a", "cat"): 0.8}),  # rescored, sofa dropped
        ([decided("a")], [], {}),  # decided: no tag
        ([], [], {("a", "cat"): 0.9, ("a", "sofa"): 0.6}),  # the decision failed: what was published stands
        ([], ["a"], {}),  # the photo is gone
        ([decided("b", dog=0.7)], ["a"], {("b", "dog"): 0.7}),  # one goes, one comes
    ],
)
def test_what_stands_afterwards(publisher, records, gone, expected):
    publisher.publish("b1", [decided("a", cat=0.9, sofa=0.6)], [], NOON)
    assert publisher.is_current("b1", records, gone) is (not records and not gone)
    publisher.publish("b1", records, gone, NOON + timedelta(hours=1))
    assert live(publisher) == expected
    assert publisher.is_current("b1", records, gone)


def test_withdrawn_is_not_erased_and_can_come_back(publisher, database):
    publisher.publish("b1", [decided("a", cat=0.9)], [], NOON)
    publisher.publish("b1", [], ["a"], NOON + timedelta(hours=1))
    with database.engine.connect() as connection:
        row = connection.execute(sa.select(published_tag)).mappings().one()
    assert row["withdrawn_at"] == NOON + timedelta(hours=1)
    back = publisher.publish("b1", [decided("a", cat=0.9)], [], NOON + timedelta(hours=2))
    assert (back.live, back.written) == (1, 1)
