"""Arrays through a model, in batches by shape: the one inference loop of all adapters.

Adapters make one array per picture and read one picture's outputs; how many go through the model at once is decided
here. What does not belong here: threads over pictures (``workbench``) and what the runtime runs on (``onnx_session``).
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.onnx_session import NOT_LOADED, Session

Array = NDArray[Any]

#: On a CPU batches gain nothing, and a picture alone gives the same bits whatever else is in the partition.
_CPU_BATCH = 1
_GPU_BATCH = 32


class Inference:
    """A model of one picture input, opened at first use, by whichever thread comes first.

    Args:
        load: opens the session.
        batch: pictures per run at most; 0 for what suits the provider. A model whose first dimension is fixed has its
            own, and its last batch is filled up.
        check: asked once the session is open, with this very object; raises where the model does not work.
    """

    def __init__(
        self, load: Callable[[], Session], *, batch: int = 0, check: Callable[["Inference"], None] | None = None
    ) -> None:
        self._load = load
        self._batch = batch
        self._check = check
        self._session: Session | None = None
        self._lock = threading.RLock()

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._session.provider if self._session else NOT_LOADED

    @property
    def session(self) -> Session:
        """The session; opens and checks it if need be.

        Raises:
            ModelError: it cannot be had, or does not work.
        """
        with self._lock:
            if self._session is None:
                self._session = self._load()
                if self._check is not None:
                    try:
                        self._check(self)
                    except BaseException:
                        self._session = None
                        raise
            return self._session

    def run(self, arrays: Sequence[Array], outputs: Sequence[str] | None = None) -> list[tuple[Array, ...]]:
        """Per array, what each output says of it, the batch's axis gone.

        Args:
            arrays: one per picture, without a batch axis; of any shapes that the model takes.
            outputs: names of the outputs wanted; all of them, in the model's order, if ``None``.

        Raises:
            ModelError: the model cannot be had, or the runtime fails.
        """
        session = self.session
        name, shape = next(iter(session.inputs.items()))
        fixed = shape[0] if shape and isinstance(shape[0], int) else 0
        size = fixed or self._batch or (_CPU_BATCH if session.provider.startswith("CPU") else _GPU_BATCH)
        results: dict[int, tuple[Array, ...]] = {}
        for places in _by_shape(arrays, size):
            filled = [arrays[place] for place in places]
            filled += [filled[-1]] * (fixed - len(filled) if fixed else 0)
            made = session.run({name: np.stack(filled)}, outputs)
            for row, place in enumerate(places):
                results[place] = tuple(one[row] for one in made)
        return [results[place] for place in range(len(arrays))]


def _by_shape(arrays: Sequence[Array], size: int) -> list[list[int]]:
    """Places of the arrays, those of one shape together, at most ``size`` at once."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, array in enumerate(arrays):
        groups.setdefault(array.shape, []).append(place)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]
