"""Whoever dies, and when: what Dagster holds for a run is freed with it; a command that waits says for what."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from resources.database import Database
from tests.commands.command_line import Project, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes under /proc"),
]

#: Stages that have their turn in the pool of the GPU.
IN_POOL = ("detections", "embeddings", "landmarks", "tagger_scores")

_HELD = "SELECT run_id, step_key FROM concurrency_slots WHERE run_id IS NOT NULL"
_PENDING = "SELECT run_id, step_key FROM pending_steps"


@pytest.fixture
def three(project: Project, sample_photos: Mapping[str, Path]) -> Iterator[Project]:
    """Three small photos, no chat model."""
    quick = Project(project.folder, extra="llm: {enabled: false}\n")
    for name in ("chelsea.png", "bus.jpg", "astronaut.png"):
        with Image.open(sample_photos[name]) as photo:
            small = photo.convert("RGB")
        small.thumbnail((400, 400))
        small.save(quick.photos / f"{Path(name).stem}.jpg", quality=92)
    yield quick
    for left in quick.processes():
        os.kill(left, signal.SIGKILL)


@pytest.fixture
def opened(three: Project) -> Iterator[Database]:
    """The project's database, kept up while its commands are killed."""
    database = Database.open(three.data, None)
    yield database
    database.close()


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def holds(database: Database, stage: str) -> bool:
    """Whether a run holds a place in a pool for a stage."""
    with database.engine.connect() as connection:
        there = connection.scalar(sa.text("SELECT to_regclass('public.concurrency_slots')"))
    return there is not None and stage in [row[1] for row in rows(database, _HELD)]


def kill_in(project: Project, database: Database, stage: str) -> None:
    with project.started("run", project.photos) as process:

        def reached() -> bool:
            assert process.poll() is None, project.said()
            return holds(database, stage)

        wait_for(reached, 120, project.said)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert holds(database, stage), "the killed run has left its place behind"


def test_a_run_killed_in_any_stage_of_the_pool_leaves_nothing_held(three: Project, opened: Database) -> None:
    for stage in IN_POOL:
        kill_in(three, opened, stage)
    done = three.run("run", three.photos, "--json")
    assert done.code == 0, done.err
    assert (done.json["images"], done.json["failed"]) == (3, [])
    assert rows(opened, _HELD) == rows(opened, _PENDING) == []
    statuses = [status for (status,) in rows(opened, "SELECT status FROM runs ORDER BY id")]
    assert statuses == ["FAILURE"] * len(IN_POOL) + ["SUCCESS"]
