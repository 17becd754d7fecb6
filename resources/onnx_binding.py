"""Feeding a GPU: pinned host memory that its copy engine reads without the CPU's help, bound to inputs and outputs.

A copy from ordinary memory goes through a small pinned buffer of the driver, piece by piece, and blocks; from pinned
memory it runs at the speed of the bus, beside the computing of another batch (CUDA C++ Best Practices Guide, "Pinned
Memory"). Pinning is slow, so buffers are kept. What does not belong here: which pictures make a batch (``inference``).
"""

import ctypes
import logging
import math
import threading
import weakref
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

logger = logging.getLogger(__name__)

Array = NDArray[Any]
_Bytes = NDArray[np.uint8]

#: Any context of the process may use the memory (``cudaHostAllocPortable``).
_PORTABLE = 1


class Allocate(Protocol):
    """Gives so many bytes of host memory, or ``None`` where it cannot."""

    def __call__(self, size: int) -> _Bytes | None:
        """(size,) uint8, uninitialised."""
        ...


def pinned_memory(cuda_version: str) -> Allocate:
    """Allocates pinned memory, by the CUDA runtime that ONNX Runtime has loaded.

    Args:
        cuda_version: that ONNX Runtime was built for, such as ``13.0``.
    """
    try:
        cudart = ctypes.CDLL(f"libcudart.so.{cuda_version.partition('.')[0]}")
    except OSError as error:
        logger.info("buffers are not pinned: %s", error)
        return lambda _size: None

    def allocate(size: int) -> _Bytes | None:
        place = ctypes.c_void_p()
        status = cudart.cudaHostAlloc(ctypes.byref(place), ctypes.c_size_t(size), ctypes.c_uint(_PORTABLE))
        if status != 0 or place.value is None:
            logger.info("a buffer of %d bytes is not pinned: CUDA error %d", size, status)
            return None
        held = (ctypes.c_uint8 * size).from_address(place.value)
        # Views of the array hold this object, so the memory goes after the last of them. Not at exit: the driver is
        # shut down by then, and frees everything itself.
        weakref.finalize(held, cudart.cudaFreeHost, ctypes.c_void_p(place.value)).atexit = False
        return np.frombuffer(memoryview(held), dtype=np.uint8)

    return allocate


class Buffers:
    """Host buffers that are lent and come back; safe for threads.

    Args:
        allocate: makes new ones; where it cannot, ordinary memory serves.
    """

    def __init__(self, allocate: Allocate) -> None:
        self._allocate = allocate
        self._free: dict[int, list[_Bytes]] = defaultdict(list)
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, shape: Sequence[int], dtype: DTypeLike) -> Iterator[Array]:
        """An uninitialised array for as long as the context lasts."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        # Whole powers of two: batches of many shapes share few buffers.
        room = 1 << max(size - 1, 1).bit_length()
        with self._lock:
            buffer = self._free[room].pop() if self._free[room] else None
        if buffer is None:
            buffer = self._allocate(room)
            buffer = np.empty(room, dtype=np.uint8) if buffer is None else buffer
        try:
            yield buffer[:size].view(dtype).reshape(shape)
        finally:
            with self._lock:
                self._free[room].append(buffer)


class Binding:
    """Runs a session by I/O binding: inputs from host buffers, outputs straight into host buffers; safe for threads.

    Args:
        session: ONNX Runtime's.
        buffers: for outputs.
    """

    def __init__(self, session: Any, buffers: Buffers) -> None:
        self._session = session
        self._buffers = buffers
        # What the outputs look like once inputs of these shapes have been run; ``None`` where that depends on more.
        self._seen: dict[tuple[Any, ...], tuple[tuple[tuple[int, ...], Any], ...] | None] = {}

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """The named outputs, in memory of their own."""
        shapes = (tuple(outputs), *((name, feeds[name].shape) for name in sorted(feeds)))
        known = self._seen.get(shapes)
        if known is not None:
            try:
                return self._into(feeds, dict(zip(outputs, known, strict=True)))
            except Exception:  # noqa: BLE001 - run again below, which raises unless the outputs were of another shape
                logger.info("outputs are not bound to buffers: their shapes depend on more than the inputs' shapes")
                self._seen[shapes] = None
        binding = self._bound(feeds)
        for name in outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        made = [np.asarray(one) for one in binding.copy_outputs_to_cpu()]
        self._seen.setdefault(shapes, tuple((one.shape, one.dtype) for one in made))
        return made

    def _into(self, feeds: Mapping[str, Array], outputs: Mapping[str, tuple[tuple[int, ...], Any]]) -> list[Array]:
        binding = self._bound(feeds)
        with ExitStack() as stack:
            rooms = [stack.enter_context(self._buffers.lent(shape, dtype)) for shape, dtype in outputs.values()]
            for name, room in zip(outputs, rooms, strict=True):
                binding.bind_output(name, "cpu", 0, room.dtype.type, room.shape, room.ctypes.data)
            self._session.run_with_iobinding(binding)
            return [room.copy() for room in rooms]

    def _bound(self, feeds: Mapping[str, Array]) -> Any:
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        return binding
