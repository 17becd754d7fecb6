"""Keeps two askers off the same question: threads of this process always, other processes where it costs money.

What does not belong here: locks of batches and tables (``resources/database.py``).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from resources.cancelling import Cancellation
from resources.statements import guard

#: Another process that asks the same question is looked for again after so long.
_LOOK_SECONDS = 0.25


class QuestionLocks:
    """Locks by request hash; one object per process, safe to use from several threads.

    All locks of a process are held on one connection of its own, so that hundreds of questions under way take none
    from the pool; Postgres frees them where the process dies.

    Args:
        engine: on the project's Postgres; without one only the threads of this process are kept apart.
        cancellation: ends every wait.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        engine: sa.Engine | None = None,
        cancellation: Cancellation | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._cancellation = cancellation or Cancellation()
        self._clock = clock
        self._turn = threading.Condition()
        self._asking: set[str] = set()
        self._wire = threading.Lock()
        self._connection: sa.Connection | None = None

    @contextmanager
    def hold(self, digest: str, seconds: float, *, everywhere: bool) -> Iterator[bool]:
        """Hold a question.

        Args:
            digest: the request's hash.
            seconds: to wait at most while others hold it.
            everywhere: against other processes too.

        Yields:
            Whether it is held; not where time ran out first, or all was cancelled.

        Raises:
            DatabaseUnavailable: Postgres does not answer.
        """
        until = self._clock() + seconds
        if not self._hold_here(digest, until):
            yield False
            return
        try:
            if not everywhere or self._engine is None:
                yield True
            elif self._hold_everywhere(digest, until):
                try:
                    yield True
                finally:
                    self._call(sa.func.pg_advisory_unlock(_key(digest)))
            else:
                yield False
        finally:
            with self._turn:
                self._asking.discard(digest)
                self._turn.notify_all()

    def close(self) -> None:
        """Give the connection back; a later lock opens another."""
        with self._wire:
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None

    def _hold_here(self, digest: str, until: float) -> bool:
        with self._turn:
            while digest in self._asking:
                left = until - self._clock()
                if left <= 0 or self._cancellation.happened:
                    return False
                self._turn.wait(min(left, _LOOK_SECONDS))
            self._asking.add(digest)
            return True

    def _hold_everywhere(self, digest: str, until: float) -> bool:
        while not self._call(sa.func.pg_try_advisory_lock(_key(digest))):
            left = until - self._clock()
            if left <= 0 or self._cancellation.happened:
                return False
            self._cancellation.wait(min(left, _LOOK_SECONDS))
        return True

    def _call(self, function: sa.Function[bool]) -> bool:
        with self._wire, guard():
            if self._connection is None or self._connection.invalidated:
                if self._engine is None:
                    return False
                self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                return bool(self._connection.scalar(sa.select(function)))
            except sa.exc.DBAPIError:
                # The server freed the locks with the connection; whoever comes next gets another one.
                self._connection.close()
                self._connection = None
                raise


def _key(digest: str) -> sa.Function[int]:
    return sa.func.hashtextextended(f"question/{digest}", 0)
