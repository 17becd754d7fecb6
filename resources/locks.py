"""Locks by name across processes: advisory locks of Postgres, which frees them when their holder's connection ends.

Whoever waits for one can be interrupted and says who holds it; whoever holds one learns that it was lost with its
connection, as when Postgres is restarted, and stops instead of going on unprotected.
"""

import contextlib
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from resources.statements import guard
from resources.waiting import Notice, say, wait_until
from tagging_assets.domain.errors import DatabaseUnavailable

#: Postgres keeps no more of an application's name.
_LONGEST_NAME = 63

#: The rows of ``pg_locks`` about the lock of a name. Looking takes no lock, as trying would.
_ABOUT = """locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint = (hashtextextended({name}, 0) >> 32) & 4294967295
    AND objid::bigint = hashtextextended({name}, 0) & 4294967295"""

_HOLDER = """
    SELECT activity.pid, activity.application_name, activity.state_change
    FROM pg_locks JOIN pg_stat_activity AS activity USING (pid) WHERE
"""


def held_sql(name: str) -> str:
    """A condition in SQL: whether somebody holds the lock of the name that an expression in SQL gives."""
    return f"EXISTS (SELECT FROM pg_locks WHERE {_ABOUT.replace('{name}', name)})"


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        who: command, process and machine, as its connection calls itself.
        since: when it last did something with the connection that holds the lock, in Postgres' own time.
    """

    who: str
    since: datetime | None

    def __str__(self) -> str:
        return self.who if self.since is None else f"{self.who}, since {self.since:%Y-%m-%d %H:%M:%S %Z}"


def process_name() -> str:
    """This process as others are told of it: ``tagging run, process 123 on host``."""
    command = [word for word in sys.argv[1:2] if word.isalpha()]
    program = "tagging" if Path(sys.argv[0]).stem in ("tagging", "cli") else Path(sys.argv[0]).stem or "python"
    name = f"{' '.join([program, *command])}, process {os.getpid()} on {socket.gethostname()}"
    return name.encode("ascii", "replace").decode()[:_LONGEST_NAME]


def lock_transaction(connection: sa.Connection, key: int, what: str, notice: Notice = say) -> None:
    """Let one process at a time do something, to the end of the transaction.

    Args:
        connection: in a transaction.
        key: of the lock.
        what: the lock is for, in case it is waited for.
        notice: is told of that.
    """
    tried = sa.select(sa.func.pg_try_advisory_xact_lock(key))
    wait_until(
        lambda: bool(connection.execute(tried).scalar_one()), lambda: f"another command to finish {what}", notice=notice
    )


class Lock:
    """A lock that is held.

    Args:
        name: of the lock.
        connection: holds it, and is used for nothing else.
    """

    def __init__(self, name: str, connection: sa.Connection) -> None:
        self.name = name
        self._connection = connection

    def check(self) -> None:
        """See that it is held still; asks Postgres nothing while its connection is quiet.

        Raises:
            DatabaseUnavailable: it was lost with its connection.
        """
        if self._is_lost():
            raise DatabaseUnavailable(
                f"the connection to Postgres that held the lock {self.name} was lost, so this command stops; "
                "the same command continues"
            )

    def end(self) -> None:
        """Free it, in any case: with its connection where Postgres does not answer."""
        try:
            self._connection.execute(sa.select(sa.func.pg_advisory_unlock(sa.func.hashtextextended(self.name, 0))))
            self._connection.commit()
        except sa.exc.DBAPIError:
            # Gone with the connection; a pool must not hand that one out again.
            self._connection.invalidate()
        except BaseException:
            # Interrupted half-way: ending the connection frees the lock for certain.
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._connection.invalidate()
            raise
        finally:
            self._connection.close()

    def _is_lost(self) -> bool:
        wire = self._connection.connection.dbapi_connection
        if wire is None or wire.closed:
            return True
        watch = select.poll()
        watch.register(wire.fileno(), select.POLLIN)
        if not watch.poll(0):
            return False
        # Postgres said something unasked: its last words, or that a parameter has changed.
        try:
            wire.cursor().execute("SELECT 1")
            wire.rollback()
        except self._connection.dialect.loaded_dbapi.Error:
            return True
        return False


class Locks:
    """Locks of a database.

    Args:
        engine: of the database.
        notice: is told what is waited for.
    """

    def __init__(self, engine: sa.Engine, notice: Notice = say) -> None:
        self._engine = engine
        self._notice = notice
        self._held: dict[int, Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def hold(self, name: str) -> Iterator[Lock]:
        """Hold a lock while this lasts; freed by Postgres if the process dies.

        Raises:
            DatabaseUnavailable: this lock or one that this process held before was lost, or Postgres does not answer.
        """
        lock = self.take(name)
        try:
            yield lock
            lock.check()
        finally:
            self.give_back(lock)

    def take(self, name: str) -> Lock:
        """Take a lock, to be given back by :meth:`give_back` or the end of the process.

        Raises:
            DatabaseUnavailable: a lock that this process held before was lost, or Postgres does not answer.
        """
        self.check()
        key = sa.func.hashtextextended(name, 0)
        with guard():
            connection = self._engine.connect()
            try:
                wait_until(
                    lambda: self._tried(connection, key),
                    lambda: f"{name}, held by {self.holder(name) or 'nobody any more'}",
                    notice=self._notice,
                )
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
        lock = Lock(name, connection)
        with self._guard:
            self._held[id(lock)] = lock
        return lock

    def give_back(self, lock: Lock) -> None:
        """Let the next one have it."""
        with self._guard:
            del self._held[id(lock)]
        lock.end()

    def check(self) -> None:
        """See that every lock that is held here is held still.

        Raises:
            DatabaseUnavailable: one was lost with its connection.
        """
        with self._guard:
            held = list(self._held.values())
        for lock in held:
            lock.check()

    def is_held(self, name: str) -> bool:
        """Whether somebody holds the lock of that name now."""
        with guard(), self._engine.connect() as connection:
            return bool(connection.execute(sa.text("SELECT " + held_sql(":name")), {"name": name}).scalar_one())

    def holder(self, name: str) -> Holder | None:
        """Who holds the lock of that name; ``None`` where nobody does."""
        with guard(), self._engine.connect() as connection:
            row = connection.execute(sa.text(_HOLDER + _ABOUT.replace("{name}", ":name")), {"name": name}).first()
        return (
            None if row is None else Holder(row.application_name or f"a process (backend {row.pid})", row.state_change)
        )

    def _tried(self, connection: sa.Connection, key: sa.ColumnElement[int]) -> bool:
        # Another lock may be lost while this one is waited for.
        self.check()
        got = bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one())
        connection.commit()
        return got
