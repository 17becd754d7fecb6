"""A project of millions of photos for ``scale.py``: real folders of real files, and a manifest that knows them.

The files are hard links to a few small ones, so they take folders and names but no space. Rows are written by
Postgres itself; every stage is told to be through with every batch. No photo is decoded and no model runs.
"""

import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from resources.database import Database
from resources.folder_watch import Pace
from resources.intake import Intake
from resources.tables import batch, image, stage_state
from resources.toolbox import Toolbox
from tagging_assets.commands.session import Session
from tagging_assets.domain.folders import Remembered
from tagging_assets.domain.identity import batch_name
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import DECISIONS, PHOTOS, PUBLISHED, mark
from tagging_assets.partitions import image_batches
from tagging_assets.settings import DEFAULT_SETTINGS, Settings

FILES_PER_FOLDER = 1000
#: ext4 allows 65,000 links to a file.
_LINKS_PER_FILE = 30_000
_LAST_YEAR = 1_700_000_000 * 10**9
_BYTES = 32

_IMAGES = sa.text(
    """
    INSERT INTO tagging.image (image_id, uri, batch, content_hash, bytes, mtime_ns, first_seen, changed_at)
    SELECT lpad(to_hex(number), 32, '0'),
           :root || '/' || lpad((number / :in_folder)::text, 5, '0') || '/' || lpad((number % :in_folder)::text, 4, '0')
                 || '.jpg',
           'b' || lpad((number / :in_batch + 1)::text, 6, '0'),
           md5(number::text) || md5(number::text || 'x'), :bytes, :mtime_ns, :seen, :seen
    FROM generate_series(0, :images - 1) AS number
    """
)
_BATCHES = sa.text(
    """
    INSERT INTO tagging.batch (batch, images, gone, revision, changed_at, done)
    SELECT batch, count(*), 0, 1, :seen, :done FROM tagging.image GROUP BY batch
    """
)
_TAGS = sa.text(
    """
    INSERT INTO tagging.published_tag
        (image_id, tag, batch, category, score, status, reason, sources, recipe, run_id, published_at)
    SELECT image_id, 'tag ' || number, batch, 'object', 0.9, 'auto', '', '[]', '', '', :seen
    FROM tagging.image, generate_series(1, :each) AS number
    """
)


def images_per_batch(images: int) -> int:
    """1,000 batches for a million photos, 5,000 for three, 10,000 for five: Dagster is at ease up to that many."""
    return 1000 if images <= 1_000_000 else 600 if images <= 3_000_000 else 500


@contextmanager
def open_project(folder: Path, images: int, tags_each: int) -> Iterator[Session]:
    """Make a project in an empty folder, and take it away afterwards.

    Args:
        folder: where photos and database are put.
        images: how many photos.
        tags_each: published tags per photo.
    """
    folder.mkdir(parents=True)
    database = None
    try:
        photos = folder / "photos"
        settings = Settings.model_validate(
            {
                "data_dir": folder / "data",
                "sources": [{"path": photos}],
                "prompts_dir": DEFAULT_SETTINGS.parent / "prompts",
                "images": {"settle_seconds": 0, "batch_size": images_per_batch(images)},
            }
        )
        make_files(photos, images)
        database = Database.open(settings.data_dir, None)
        session = Session(DEFAULT_SETTINGS, settings, database, Toolbox(settings, database))
        fill(session, photos.resolve(), images, tags_each)
        try:
            yield session
        finally:
            session.instance.dispose()
            session.toolbox.close()
    finally:
        if database is not None:
            database.close()
        shutil.rmtree(folder)


def make_files(photos: Path, images: int) -> None:
    """Folders of a thousand links each, last modified a year ago."""
    inodes = folder_of_inodes(photos, images)
    for first in range(0, images, FILES_PER_FOLDER):
        place = photos / f"{first // FILES_PER_FOLDER:05d}"
        place.mkdir(parents=True)
        for number in range(min(FILES_PER_FOLDER, images - first)):
            os.link(inodes[(first + number) % len(inodes)], place / f"{number:04d}.jpg")
        os.utime(place, ns=(_LAST_YEAR, _LAST_YEAR))
    os.utime(photos, ns=(_LAST_YEAR, _LAST_YEAR))


def folder_of_inodes(photos: Path, images: int) -> list[Path]:
    """The files that all others are links to."""
    inodes = photos.with_name("inodes")
    inodes.mkdir()
    paths = [inodes / f"{number}.jpg" for number in range(max(200, images // _LINKS_PER_FILE + 1))]
    for number, path in enumerate(paths):
        path.write_bytes(f"{number}".encode().ljust(_BYTES))
        os.utime(path, ns=(_LAST_YEAR, _LAST_YEAR))
    return paths


def fill(session: Session, photos: Path, images: int, tags_each: int) -> None:
    """Write down that everything was seen, run and published."""
    seen = datetime.now(UTC) - timedelta(days=1)
    in_batch = images_per_batch(images)
    names = [batch_name(number + 1) for number in range(-(-images // in_batch))]
    told = {
        "root": str(photos),
        "in_folder": FILES_PER_FOLDER,
        "in_batch": in_batch,
        "images": images,
        "bytes": _BYTES,
        "mtime_ns": _LAST_YEAR,
        "seen": seen,
    }
    with session.database.engine.begin() as connection:
        # Indexes that are built at the end take a tenth of the time.
        for index in image.indexes:
            index.drop(connection)
        connection.execute(_IMAGES, told)
        connection.execute(sa.text("SET LOCAL maintenance_work_mem = '512MB'"))
        for index in image.indexes:
            index.create(connection)
        connection.execute(_BATCHES, {"seen": seen, "done": mark(1, 0, session.toolbox.recipes)})
        connection.execute(_TAGS, {"seen": seen, "each": tags_each})
    _fill_states(session, names, in_batch, seen)
    with session.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (image, batch, stage_state):
            connection.execute(sa.text(f"VACUUM ANALYZE {table.schema}.{table.name}"))
    remembered = Remembered(_LAST_YEAR, int(seen.timestamp()) * 10**9)
    session.toolbox.manifest.folder_book.keep(
        {str(place): remembered for place in (photos, *(path for path in photos.iterdir() if path.is_dir()))}
    )
    session.instance.add_dynamic_partitions(str(image_batches.name), names)


def _fill_states(session: Session, names: Sequence[str], in_batch: int, seen: datetime) -> None:
    counters = {"images": {PHOTOS: "1"}, "decisions": {DECISIONS: "0"}}
    with session.database.engine.begin() as connection:
        for stage in (*STAGES, PUBLISHED):
            recipe = session.toolbox.recipes.get(stage)
            above = counters.get(stage) or dict.fromkeys(STAGES[stage].needs if stage in STAGES else ["tags"], "1")
            row = {
                "stage": stage,
                "recipe": recipe.hash if recipe else "",
                "version": "1",
                "above": above,
                "ok": in_batch,
                "failed": 0,
                "seconds": 1.0,
                "run_id": "",
                "updated_at": seen,
            }
            connection.execute(sa.insert(stage_state), [{**row, "batch": name} for name in names])
            if recipe:
                for name in names:
                    place = session.toolbox.tables.path(stage, name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.touch()


def change_files(photos: Path, count: int, dice: random.Random) -> None:
    """Change photos all over the place: half are saved anew, a quarter is deleted, a quarter comes."""
    folders = sorted(path for path in photos.iterdir() if path.is_dir())
    chosen = dice.sample(folders, min(count, len(folders)))
    for number in range(count):
        place = chosen[number % len(chosen)]
        name = f"{dice.randrange(FILES_PER_FOLDER):04d}.jpg"
        content = f"{time.time_ns()} {number}".encode()
        if number % 4 < 2:
            (place / "saved").write_bytes(content)
            (place / "saved").replace(place / name)
        elif number % 4 == 2:
            (place / name).unlink(missing_ok=True)
        else:
            (place / f"new {time.time_ns()}.jpg").write_bytes(content)


def settle(session: Session) -> None:
    """Wait until no folder's time is too fresh to be trusted, and look until nothing waits."""
    time.sleep(2.1)
    watched = [source.path for source in session.settings.sources]
    intake = Intake(session.toolbox.manifest, watched, batch_size=1000, settle_seconds=0, pace=Pace(turn_seconds=0))
    while intake.watch().listed:
        pass
