"""Tensors out of checkpoints that torch before 1.6 saved, without torch and without running the file's code.

The format is four pickles (magic number, protocol, system, state dict), the pickled storage keys, and per key a
count and raw data. Unpickling can run any code a file names, so the unpickler admits the four names that a state
dict of plain tensors needs, and refuses the rest.
"""

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.errors import WeightsCorrupt

Tensors = dict[str, NDArray[Any]]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _TensorRef:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """A contiguous copy of the tensor out of its storage, which must hold all of it."""
        flat = storages[self.storage.key]
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if min(self.shape, default=1) < 1 or min(self.stride, default=0) < 0 or not 0 <= last < flat.size:
            raise ValueError("a tensor reaches outside its storage")
        view = np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.shape, [s * flat.itemsize for s in self.stride], writeable=False
        )
        return np.ascontiguousarray(view)


def _tensor_ref(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _TensorRef:
    return _TensorRef(storage, offset, tuple(shape), tuple(stride))


class _LegacyUnpickler(pickle.Unpickler):
    """Admits the four names that a state dict of float and long tensors needs, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor_ref
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"the checkpoint asks for {module}.{name}, which is not a tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        tag, dtype, key, _location, count, view = pid
        if tag != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("the checkpoint has a storage of an unknown kind")
        return _Storage(str(key), dtype, int(count))


def read_legacy_checkpoint(path: Path) -> Tensors:
    """Tensors of a state dict that torch before 1.6 saved, in file order.

    Raises:
        WeightsCorrupt: the file is truncated, of another format, or holds anything but plain tensors.
    """
    try:
        with path.open("rb") as file:
            return _read_legacy(file)
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsCorrupt(
            f"{path.name} is not a torch checkpoint of the old format ({error}); run `tagging models verify`"
        ) from error


def _read_legacy(file: BinaryIO) -> Tensors:
    def load() -> Any:
        return _LegacyUnpickler(file).load()

    if load() != _LEGACY_MAGIC or load() != _LEGACY_PROTOCOL or not load().get("little_endian"):
        raise ValueError("wrong magic number, protocol or byte order")
    refs: OrderedDict[str, _TensorRef] = load()
    dtypes = {ref.storage.key: (ref.storage.dtype, ref.storage.count) for ref in refs.values()}
    storages: dict[str, NDArray[Any]] = {}
    for key in load():
        dtype, expected = dtypes[key]
        count = int.from_bytes(file.read(8), "little")
        raw = file.read(expected * dtype.itemsize)
        if count != expected or len(raw) != expected * dtype.itemsize:
            raise ValueError("a storage is shorter than it says")
        storages[key] = np.frombuffer(raw, dtype)
    return {name: ref.read(storages) for name, ref in refs.items()}
