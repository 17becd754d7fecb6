"""Arrays through a model, in batches by shape: the one inference loop of all adapters.

Adapters make one array per picture and read one picture's outputs; how many go through the model at once is decided
here. On a CPU every calling thread runs its own pictures, one by one; on a GPU pictures of all threads that call at the
same time are joined (``batching``), so that some threads prepare while others wait for the GPU. What does not belong
here: threads over pictures (``workbench``) and what the runtime runs on (``onnx_session``).
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.batching import Batcher
from resources.onnx_providers import GPU_BATCH
from resources.onnx_session import DEFAULT_OPTIONS, NOT_LOADED, OnnxSession, Session

Array = NDArray[Any]
#: What each output asked for says of one picture.
Outputs = tuple[Array, ...]

#: On a CPU batches gain nothing, and a picture alone gives the same bits whatever else is in the partition.
_CPU_BATCH = 1


class Inference:
    """A model of one picture input, opened at first use, by whichever thread comes first. Safe for threads.

    Args:
        load: opens the session.
        batch: pictures per run at most; 0 for what the session's options say, or else what suits the provider. A model
            whose first dimension is fixed has its own, and its last batch is filled up.
        callers: threads that may run it at once on a CPU; 0 for what the session's options say.
        check: asked once the session is open, with this very object; raises where the model does not work.
    """

    def __init__(
        self,
        load: Callable[[], Session],
        *,
        batch: int = 0,
        callers: int = 0,
        check: Callable[["Inference"], None] | None = None,
    ) -> None:
        self._load = load
        self._batch = batch
        self._callers = callers
        self._check = check
        self._opened: _Opened | None = None
        self._lock = threading.RLock()

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._opened.session.provider if self._opened else NOT_LOADED

    @property
    def session(self) -> Session:
        """The session; opens and checks it if need be.

        Raises:
            ModelError: it cannot be had, or does not work.
        """
        return self._open().session

    def run(self, arrays: Sequence[Array], outputs: Sequence[str] | None = None) -> list[Outputs]:
        """Per array, what each output says of it, the batch's axis gone.

        Args:
            arrays: one per picture, without a batch axis; of any shapes that the model takes.
            outputs: names of the outputs wanted; all of them, in the model's order, if ``None``.

        Raises:
            ModelError: the model cannot be had, or the runtime fails.
        """
        return self._open().run(arrays, tuple(outputs or ())) if arrays else []

    def _open(self) -> "_Opened":
        with self._lock:
            if self._opened is None:
                self._opened = _Opened(self._load(), self._batch, self._callers)
                if self._check is not None:
                    try:
                        self._check(self)
                    except BaseException:
                        self._opened = None
                        raise
            return self._opened


class _Opened:
    """A session and how it is run."""

    def __init__(self, session: Session, batch: int, callers: int) -> None:
        self.session = session
        self._input, shape = next(iter(session.inputs.items()))
        options = session.options if isinstance(session, OnnxSession) else DEFAULT_OPTIONS
        self._on_cpu = on_cpu = session.provider.startswith("CPU")
        self._fixed = shape[0] if shape and isinstance(shape[0], int) else 0
        self._size = self._fixed or batch or options.batch or (_CPU_BATCH if on_cpu else GPU_BATCH)
        self._batcher = None if on_cpu else Batcher[Outputs](self._run_batch, self._size)
        at_once = callers or options.callers
        self._turn: AbstractContextManager[Any] = threading.BoundedSemaphore(at_once) if at_once else nullcontext()

    def run(self, arrays: Sequence[Array], outputs: tuple[str, ...]) -> list[Outputs]:
        if self._batcher is not None:
            return self._batcher.run(arrays, outputs)
        results: dict[int, Outputs] = {}
        for places in _by_shape(arrays, self._size):
            with self._turn:
                made = self._run_batch([arrays[place] for place in places], outputs)
            results.update(zip(places, made, strict=True))
        return [results[place] for place in range(len(arrays))]

    def _run_batch(self, arrays: Sequence[Array], outputs: tuple[str, ...]) -> list[Outputs]:
        """Arrays of one shape, as many as a batch holds at most."""
        count = self._fixed or len(arrays)
        if self._on_cpu and count == 1:
            # A picture alone is a batch already, and the CPU needs no memory of its own kind.
            made = self.session.run({self._input: arrays[0][np.newaxis]}, list(outputs) or None)
            return [tuple(one[0] for one in made)]
        with _room(self.session, (count, *arrays[0].shape), arrays[0].dtype) as batch:
            np.stack(arrays, out=batch[: len(arrays)])
            batch[len(arrays) :] = arrays[-1]
            made = self.session.run({self._input: batch}, list(outputs) or None)
        return [tuple(one[row] for one in made) for row in range(len(arrays))]


def _room(session: Session, shape: tuple[int, ...], dtype: np.dtype[Any]) -> AbstractContextManager[Array]:
    if isinstance(session, OnnxSession):
        return session.room(shape, dtype)
    return nullcontext(np.empty(shape, dtype=dtype))


def _by_shape(arrays: Sequence[Array], size: int) -> list[list[int]]:
    """Places of the arrays, those of one shape and type together, at most ``size`` at once."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, array in enumerate(arrays):
        groups.setdefault((array.shape, array.dtype), []).append(place)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]
