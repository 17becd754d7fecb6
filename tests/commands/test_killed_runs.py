"""Whoever dies, and when: what Dagster holds for a run is freed with it; a command that waits says for what."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from PIL import Image

from resources.database import Database
from tests.commands.command_line import REPOSITORY, Project, wait_for

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


def commands(database: Database) -> int:
    """How many commands are connected."""
    query = "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE application_name LIKE 'tagging run%'"
    return int(str(rows(database, query)[0][0]))


def busy(pid: int, seconds: float = 3) -> float:
    """Share of a processor that a process uses."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / seconds


#: Holds the only place in the pool until it is killed.
_HOLD = """
import sys, time
from resources.dagster_storage import LeasedStorage
storage = LeasedStorage(sys.argv[1]).event_log_storage
storage.set_concurrency_slots("gpu", 1)
assert storage.claim_concurrency_slot("gpu", "f" * 32, "embeddings").is_claimed
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def somebody_holding_the_gpu(project: Project, database: Database) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLD, database.url]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=project.variables(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_says_for_whom_hears_signals_and_outlives_the_holder(
    three: Project, opened: Database, number: signal.Signals
) -> None:
    assert three.run("status").code == 0
    wanted = "waiting for a place in the pool gpu, held by run ffffffff (embeddings) of "
    with somebody_holding_the_gpu(three, opened) as holder:
        with three.started("run", three.photos) as process:
            wait_for(lambda: wanted in three.said() or process.poll() is not None, 120, three.said)
            assert f"process {holder.pid} on " in three.said()
            assert busy(process.pid) < 0.3, "it sleeps while it waits"
            process.send_signal(number)
            assert process.wait(60) == 130, three.said()
        assert three.said().splitlines()[-1] == "Interrupted; the same command continues where this one stopped."
        assert [row[0] for row in rows(opened, _PENDING)] == ["f" * 32], "it waits for nothing any more"
        with three.started("run", three.photos) as process:
            wait_for(lambda: wanted in three.said() or process.poll() is not None, 120, three.said)
            holder.kill()
            assert process.wait(180) == 0, three.said()
    assert rows(opened, _HELD) == rows(opened, _PENDING) == []


def test_two_runs_at_once_and_one_that_is_killed(three: Project, opened: Database) -> None:
    with three.started("run", three.photos) as first:
        wait_for(lambda: holds(opened, "detections") or first.poll() is not None, 120, three.said)
        with subprocess.Popen(
            three.command("run", three.photos),
            cwd=REPOSITORY,
            env=three.variables(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as second:
            wait_for(lambda: commands(opened) > 1 or second.poll() is not None, 120)
            first.kill()
            _, said = second.communicate(timeout=180)
    assert second.returncode == 0, said
    assert rows(opened, _HELD) == rows(opened, _PENDING) == []
