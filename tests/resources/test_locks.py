"""Locks across processes: who waits says for whom, and who lost one learns of it."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.locks import Locks, lock_transaction
from resources.waiting import PATIENCE_SECONDS, wait_until
from tagging_assets.domain.errors import DatabaseUnavailable

REPOSITORY = Path(__file__).parents[2]

_HOLD = """
import sys, time
from resources.database import Database
with Database(sys.argv[1]).lock(sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def holder(database: Database, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLD, database.url, name]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def cut_off(database: Database) -> None:
    """End every other connection, as a restart of Postgres does."""
    ending = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(ending)).scalar_one()


def test_who_waits_says_for_whom_and_gets_it_when_the_holder_is_killed(database: Database) -> None:
    said: list[str] = []
    with holder(database, "batch/b7") as process:

        def told(line: str) -> None:
            said.append(line)
            process.kill()

        with Locks(database.engine, told).hold("batch/b7"):
            assert database.is_held("batch/b7")
    assert len(said) == 1
    assert said[0].startswith("waiting for batch/b7, held by ")
    assert f"process {process.pid} on " in said[0]
    assert ", since 20" in said[0]
    assert not database.is_held("batch/b7")


def test_a_wait_can_be_interrupted_and_leaves_nothing(
    database: Database, press_ctrl_c: Callable[[float], None]
) -> None:
    with holder(database, "batch/b8") as process:
        press_ctrl_c(0.5)
        with pytest.raises(KeyboardInterrupt), database.lock("batch/b8"):
            raise AssertionError("it is held")
        process.kill()
        process.wait()
        with database.lock("batch/b8"):
            pass
    assert not database.is_held("batch/b8")


def test_a_lock_that_was_lost_ends_what_it_protects(database: Database) -> None:
    outer = database.locks.take("outer")
    outer.check()
    cut_off(database)
    with pytest.raises(DatabaseUnavailable, match="lock outer was lost"), database.lock("inner"):
        raise AssertionError("nothing more is begun")
    database.locks.give_back(outer)
    with pytest.raises(DatabaseUnavailable, match="lock whole was lost"), database.lock("whole"):
        cut_off(database)
    with database.lock("outer"):  # and the next command goes on
        assert database.is_held("outer")
    assert not database.is_held("outer")


def test_what_postgres_says_unasked_is_no_loss(database: Database) -> None:
    with database.locks.hold("quiet") as lock:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Every session is told of a parameter that changes.
            connection.execute(sa.text("ALTER SYSTEM SET timezone = 'Asia/Tokyo'"))
            connection.execute(sa.text("SELECT pg_reload_conf()"))
            connection.execute(sa.text("SELECT pg_sleep(0.5)"))
            connection.execute(sa.text("ALTER SYSTEM RESET timezone"))
            connection.execute(sa.text("SELECT pg_reload_conf()"))
        lock.check()


def test_a_transaction_that_waits_says_for_what(database: Database) -> None:
    said: list[str] = []
    done = threading.Event()

    def first() -> None:
        with database.engine.begin() as connection:
            lock_transaction(connection, 77, "the first")
            begun.set()
            done.wait(60)

    begun = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(60)

    def told(line: str) -> None:
        said.append(line)
        done.set()

    with database.engine.begin() as connection:
        lock_transaction(connection, 77, "the second", told)
    thread.join()
    assert said == ["waiting for another command to finish the second"]


def test_nothing_is_said_of_short_waits_and_a_change_is_said_again() -> None:
    looks, said = iter([False, False, True]), list[str]()
    wait_until(lambda: next(looks), lambda: "nothing", notice=said.append)
    assert said == []
    assert PATIENCE_SECONDS == 2
    whom = iter(["a", "a", "b", "b", "b"])
    looks = iter([False] * 5 + [True])
    wait_until(lambda: next(looks), lambda: next(whom), notice=said.append, patience=0)
    assert said == ["waiting for a", "waiting for b"]


def test_sigterm_is_heard_while_waiting(database: Database) -> None:
    with holder(database, "batch/b9"), holder_waiting(database, "batch/b9") as waiting:
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(60) == 130


@contextmanager
def holder_waiting(database: Database, name: str) -> Iterator[subprocess.Popen[str]]:
    script = (
        "from tagging_assets import interrupts\ninterrupts.arm('__main__')\nwith interrupts.watched():\n"
        + "\n".join(f"    {line}" for line in _HOLD.strip().splitlines())
    )
    command = [sys.executable, "-c", script, database.url, name]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(f"waiting for {name}, held by ")
            yield process
        finally:
            process.kill()
