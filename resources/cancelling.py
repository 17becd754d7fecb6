"""Lets one thread end the waits of all others at once, as Ctrl-C must."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Cancellation:
    """Happens once; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[threading.Event] = set()
        self._happened = threading.Event()

    @property
    def happened(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._happened.is_set()

    def cancel(self) -> None:
        """End every wait, now and from now on."""
        with self._lock:
            self._happened.set()
            for event in self._watched:
                event.set()

    def wait(self, seconds: float) -> None:
        """Wait, unless it happens."""
        self._happened.wait(seconds)

    @contextmanager
    def sets(self, event: threading.Event) -> Iterator[None]:
        """Set an event, too, where it happens meanwhile or has happened."""
        with self._lock:
            self._watched.add(event)
            if self._happened.is_set():
                event.set()
        try:
            yield
        finally:
            with self._lock:
                self._watched.discard(event)
