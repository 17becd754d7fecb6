"""Photos by name, many at a time."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.photo_names import PhotoNames
from resources.tables import image
from tests.workshop import clear

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLACES = {"3fa1": "/photos/a.jpg", "77bc": "/photos/sub/a.jpg", "c0de": "/photos/b c.jpg", "d00d": "C:\\photos\\d.jpg"}


@pytest.fixture
def names(database: Database) -> PhotoNames:
    clear(database)
    common = {"batch": "b000001", "bytes": 1, "mtime_ns": 1, "first_seen": NOON, "changed_at": NOON}
    with database.engine.begin() as connection:
        connection.execute(sa.insert(image), [{"image_id": key, "uri": uri, **common} for key, uri in PLACES.items()])
    return PhotoNames(database.engine)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        # whole ids, uris and file names
        (["3fa1", "/photos/b c.jpg", "d.jpg"], {"3fa1": ["3fa1"], "/photos/b c.jpg": ["c0de"], "d.jpg": ["d00d"]}),
        # a name of two photos, a name of none, the beginning of an id
        (["a.jpg", "e.jpg", "3f"], {"a.jpg": ["3fa1", "77bc"]}),
        # twice
        (["3fa1", "3fa1"], {"3fa1": ["3fa1"]}),
        ([], {}),
    ],
)
def test_names(names: PhotoNames, asked: list[str], found: dict[str, list[str]]) -> None:
    assert names.find(asked) == found


def test_places(names: PhotoNames) -> None:
    assert names.uris(["77bc", "c0de", "none", "c0de"]) == {key: PLACES[key] for key in ("77bc", "c0de")}
