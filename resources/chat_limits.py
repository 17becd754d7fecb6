"""How fast a provider may be asked: questions at once, requests a minute, and the pauses that it demands.

One object per provider and process, shared by everybody who asks it. What does not belong here: money
(``resources/chat_budget.py``), giving up on a server (``resources/llm_breaker.py``).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from resources.cancelling import Cancellation

_MINUTE = 60.0
#: Waits for a free place are cut into pieces of so many seconds, to notice cancellation.
_GLANCE_SECONDS = 0.2


class ProviderLimits:
    """Lets requests through one by one; safe to use from several threads.

    Args:
        concurrency: requests at once.
        requests_per_minute: at most, evenly spaced so that no burst meets the provider's own limit.
        cancellation: ends every wait.
        clock: monotonic seconds.
        sleep: waits; by default until the time is up or the cancellation happens.
    """

    def __init__(
        self,
        concurrency: int,
        requests_per_minute: int | None = None,
        cancellation: Cancellation | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._cancellation = cancellation or Cancellation()
        self._spacing = _MINUTE / requests_per_minute if requests_per_minute else 0.0
        self._clock = clock
        self._sleep = sleep or self._cancellation.wait
        self._places = threading.Semaphore(concurrency)
        self._lock = threading.Lock()
        self._next = 0.0
        self._paused_until = 0.0

    @contextmanager
    def turn(self, deadline: float) -> Iterator[bool]:
        """Wait for one's turn, and keep it while the request is under way.

        Args:
            deadline: on the clock; whoever would have to wait longer gets no turn.

        Yields:
            Whether it is one's turn.
        """
        if not self._place(deadline):
            yield False
            return
        try:
            yield self._start(deadline)
        finally:
            self._places.release()

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long: the provider said so."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def wait(self, seconds: float) -> None:
        """Wait outside a turn, between two attempts."""
        self._sleep(seconds)

    def now(self) -> float:
        """What the clock says."""
        return self._clock()

    @property
    def cancelled(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._cancellation.happened

    def _place(self, deadline: float) -> bool:
        while not self.cancelled:
            left = deadline - self._clock()
            if self._places.acquire(timeout=max(0.0, min(left, _GLANCE_SECONDS))):
                return True
            if left <= 0:
                return False
        return False

    def _start(self, deadline: float) -> bool:
        """Wait for the pause and the spacing; the start is booked before the wait, so that waiters line up."""
        while not self.cancelled:
            with self._lock:
                now = self._clock()
                start = max(now, self._next, self._paused_until)
                if start > deadline:
                    return False
                if start <= now:
                    self._next = now + self._spacing
                    return True
            self._sleep(start - now)
        return False
