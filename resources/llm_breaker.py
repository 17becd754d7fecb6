"""Spares a server that does not answer, and the photos that would wait for it one after another."""

import threading
import time
from collections.abc import Callable


class Breaker:
    """Opens after some questions in a row went unanswered; lets one through now and then to see.

    (Nygard, "Release It!", 2007.) Safe to use from several threads.

    Args:
        failures: so many in a row open it.
        rest_seconds: so long nothing is asked then.
        clock: monotonic seconds.
    """

    def __init__(
        self, failures: int = 3, rest_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._rest = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_at = 0.0

    def resting(self) -> float:
        """Seconds until the next question may be put; 0 for now, and then only this caller may."""
        with self._lock:
            left = self._closed_at - self._clock()
            if self._failures < self._limit:
                return 0.0
            if left > 0:
                return left
            self._closed_at = self._clock() + self._rest
            return 0.0

    def note(self, *, answered: bool) -> None:
        """Tell how a question ended."""
        with self._lock:
            self._failures = 0 if answered else self._failures + 1
            if self._failures >= self._limit:
                self._closed_at = self._clock() + self._rest
