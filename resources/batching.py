"""Pictures of several threads, joined into batches for a GPU: what a picture costs there falls with the batch.

No thread of its own: of the threads that wait for results, as many as may run the model at once do so, for all of them
(leader and followers: Schmidt et al., "Pattern-Oriented Software Architecture 2", 2000). What does not belong here:
what runs the batch (``inference``).
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

Array = NDArray[Any]
Result = TypeVar("Result")

#: Runs a batch of arrays of one shape; as many results as arrays.
RunBatch = Callable[[Sequence[Array], tuple[str, ...]], Sequence[Result]]

#: Batches at once: one computes while the next is copied to the GPU.
_LEADERS = 2
#: How long a batch that is not full waits for pictures of threads that are still preparing theirs.
_LINGER_SECONDS = 0.003
#: A thread that came within this time will probably come again.
_LIKELY_SECONDS = 1.0


class _Place(Generic[Result]):
    """One array that waits, and what came of it."""

    __slots__ = ("array", "came", "error", "kind", "outputs", "result")

    def __init__(self, array: Array, outputs: tuple[str, ...], came: float) -> None:
        self.array = array
        self.outputs = outputs
        self.came = came
        #: What arrays of one batch have in common.
        self.kind = (array.shape, array.dtype, outputs)
        self.result: Result | None = None
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.result is not None or self.error is not None


class Batcher(Generic[Result]):
    """Joins what several threads want run; safe for threads.

    Args:
        run: the batch; raises where it fails, which every thread with an array in it is told.
        size: arrays per batch at most.
        linger: seconds that an unfull batch waits at most.
        leaders: batches at once.
    """

    def __init__(
        self, run: RunBatch[Result], size: int, *, linger: float = _LINGER_SECONDS, leaders: int = _LEADERS
    ) -> None:
        self._run = run
        self._size = size
        self._linger = linger
        self._free = leaders
        self._waiting: deque[_Place[Result]] = deque()
        self._changed = threading.Condition()
        self._inside: set[int] = set()
        self._last_seen: dict[int, float] = {}

    def run(self, arrays: Sequence[Array], outputs: tuple[str, ...]) -> list[Result]:
        """A result per array, in order.

        Args:
            arrays: of any shapes.
            outputs: asked of the model; arrays that want others go in other batches.

        Raises:
            BaseException: whatever a batch with one of the arrays raised.
        """
        now = time.monotonic()
        mine = [_Place[Result](array, outputs, now) for array in arrays]
        me = threading.get_ident()
        with self._changed:
            self._inside.add(me)
            self._waiting.extend(mine)
            self._changed.notify_all()
        try:
            while batch := self._lead(mine):
                self._through(batch)
        finally:
            with self._changed:
                self._leave(me, mine)
        return [_result(place) for place in mine]

    def _leave(self, me: int, mine: Sequence[_Place[Result]]) -> None:
        now = time.monotonic()
        self._inside.discard(me)
        self._last_seen = {one: last for one, last in self._last_seen.items() if now - last < _LIKELY_SECONDS}
        self._last_seen[me] = now
        # Interrupted, a thread leaves behind what nobody else is to spend a batch on.
        for place in mine:
            if not place.is_done and place in self._waiting:
                self._waiting.remove(place)

    def _lead(self, mine: Sequence[_Place[Result]]) -> list[_Place[Result]]:
        """The next batch for this thread to run; nothing once all of its own are done."""
        with self._changed:
            while not all(place.is_done for place in mine):
                batch = self._next() if self._free else []
                if batch and (patience := self._patience(batch)) > 0:
                    self._changed.wait(patience)
                elif batch:
                    for place in batch:
                        self._waiting.remove(place)
                    self._free -= 1
                    return batch
                else:
                    self._changed.wait()
            return []

    def _next(self) -> list[_Place[Result]]:
        """A full batch where there is one, else whatever goes with the one that has waited longest."""
        kinds: dict[tuple[Any, ...], list[_Place[Result]]] = {}
        for place in self._waiting:
            group = kinds.setdefault(place.kind, [])
            group.append(place)
            if len(group) == self._size:
                return group
        return next(iter(kinds.values()), [])

    def _patience(self, batch: Sequence[_Place[Result]]) -> float:
        """Seconds that a batch may wait for more; nobody waits for threads that are not likely to come."""
        now = time.monotonic()
        waits = batch[0].came + self._linger - now
        if len(batch) == self._size or waits <= 0:
            return 0.0
        likely = any(now - last < _LIKELY_SECONDS for me, last in self._last_seen.items() if me not in self._inside)
        return waits if likely else 0.0

    def _through(self, batch: Sequence[_Place[Result]]) -> None:
        """Run a batch; an error is everybody's who has an array in it, so that nobody waits for ever."""
        try:
            results = self._run([place.array for place in batch], batch[0].outputs)
            for place, result in zip(batch, results, strict=True):
                place.result = result
        except BaseException as error:
            for place in batch:
                place.error = error
            if not isinstance(error, Exception):
                # Ctrl-C is this thread's own; the others are told as well, as their results will never come.
                raise
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


def _result(place: _Place[Result]) -> Result:
    if place.error is not None:
        raise place.error
    assert place.result is not None  # noqa: S101 - `_lead` returns nothing only once every place is done
    return place.result
