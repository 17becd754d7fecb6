"""How far the values inside a network reach on real photos, and which part of that is worth eight bits.

ONNX Runtime's own calibration takes the extremes, which leaves a YOLOv8n 90 % of its boxes; ranges of least squared
error leave it 95 % (figures in docs/decisions/0018). It is also in no need of photos of one shape. What does not
belong here: which nodes go to integers (``quantising_graph``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.onnx_session import OnnxOptions, OnnxSession
from tagging_assets.domain.errors import ModelFailed

Array = NDArray[Any]
Floats = NDArray[np.float64]

_BINS = 2048
#: Of each value and photo about so many numbers are counted, evenly spread: an odd stride meets every column.
_SAMPLED = 16_384
#: Values that are looked at together at most, so that a large network does not fill the memory.
_BYTES_AT_ONCE = 512 << 20
#: How many, while it is not known how large they are.
_LOOKED_AT_ONCE = 64
#: How much of each end is kept, in the search for the best: from all of it down.
_LOW_ENDS = tuple(np.linspace(1.0, 0.02, 25).tolist())
_HIGH_ENDS = tuple(np.linspace(1.0, 0.2, 25).tolist())
_LEVELS = 255


@dataclass(frozen=True)
class Spread:
    """How often a value was how large.

    Attributes:
        low: smallest seen; likewise ``high``.
        counts: (2048,) of bins whose centres lie evenly from ``low`` to ``high``.
    """

    low: float
    high: float
    counts: Floats


def spreads(model: Any, names: Sequence[str], arrays: Sequence[Array], work: Path) -> dict[str, Spread]:
    """Run the photos through a model twice: for the extremes, then for what lies between.

    Args:
        model: ``onnx.ModelProto``.
        names: values inside it, the input included.
        arrays: inputs, each of one photo, without a batch axis.
        work: folder for a copy of the model that lets the values out.

    Raises:
        ModelFailed: the runtime refuses it, or a value is no number.
    """
    watched = _Watched(model, names, arrays, work)
    lows = {name: np.inf for name in names}
    highs = {name: -np.inf for name in names}
    for name, value in watched.values():
        lows[name] = min(lows[name], float(value.min(initial=np.inf)))
        highs[name] = max(highs[name], float(value.max(initial=-np.inf)))
    for name in names:
        if not (np.isfinite(lows[name]) and np.isfinite(highs[name])):
            raise ModelFailed(f"the value {name} inside the model is no number on these photos; it cannot be quantised")
    counts = {name: np.zeros(_BINS) for name in names}
    for name, value in watched.values():
        step = (highs[name] - lows[name]) / (_BINS - 1)
        some = value.ravel()[:: value.size // _SAMPLED | 1]
        places = ((some - lows[name]) / step + 0.5).astype(np.int32) if step > 0 else np.zeros(1, np.int32)
        counts[name] += np.bincount(places, minlength=_BINS)[:_BINS]
    return {name: Spread(lows[name], highs[name], counts[name]) for name in names}


class _Watched:
    """A model that lets values out, some at a time."""

    def __init__(self, model: Any, names: Sequence[str], arrays: Sequence[Array], work: Path) -> None:
        import onnx
        from onnx import helper

        opened = onnx.ModelProto()
        opened.CopyFrom(model)
        there = {one.name for one in opened.graph.output}
        inputs = {one.name for one in opened.graph.input}
        inside = [name for name in names if name not in there | inputs]
        opened.graph.output.extend(
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inside]
        )
        path = work / "watched.onnx"
        onnx.save(opened, str(path))
        self._session = OnnxSession(path, OnnxOptions(provider="cpu"))
        path.unlink()
        self._arrays = arrays
        self._input = next(iter(self._session.inputs))
        self._seen_as_input = [name for name in names if name in inputs]
        self._groups = list(self._grouped([name for name in names if name not in inputs]))

    def values(self) -> Iterator[tuple[str, Array]]:
        """Every value for every photo."""
        for array in self._arrays:
            batch = array[np.newaxis]
            yield from ((name, batch) for name in self._seen_as_input)
            for group in self._groups:
                yield from zip(group, self._session.run({self._input: batch}, group), strict=True)

    def _grouped(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Groups that fit into memory, judged by the first photo."""
        group: list[str] = []
        size = 0
        first = {self._input: self._arrays[0][np.newaxis]}
        for start in range(0, len(names), _LOOKED_AT_ONCE):
            some = list(names[start : start + _LOOKED_AT_ONCE])
            for name, value in zip(some, self._session.run(first, some), strict=True):
                if group and size + value.nbytes > _BYTES_AT_ONCE:
                    yield group
                    group, size = [], 0
                group.append(name)
                size += value.nbytes
        if group:
            yield group


def silu(values: Floats) -> Floats:
    """x·sigmoid(x) ("Sigmoid-weighted linear units", Elfwing et al., 2018)."""
    return np.asarray(values / (1 + np.exp(-values)), np.float64)


def ranges(of: Mapping[str, Spread], gated: set[str]) -> dict[str, tuple[float, float]]:
    """The best range of each value, by name; see :func:`best_range`.

    Args:
        of: by name.
        gated: values of which only x·sigmoid(x) is taken. That is nearly 0 for all that is far below 0, so no levels
            need be spent there.
    """
    return {name: best_range(spread, silu if name in gated else None) for name, spread in of.items()}


def best_range(spread: Spread, then: Callable[[Floats], Floats] | None = None) -> tuple[float, float]:
    """The range whose 256 levels lose least: the smallest sum of squared errors over all that was seen.

    Args:
        spread: what was seen.
        then: what is taken of the value next; the error is that of the result.

    Returns:
        The ends, 0 between them, so that 0 (padding, mostly) is met exactly.
    """
    low, high = min(spread.low, 0.0), max(spread.high, 0.0)
    seen = spread.counts > 0
    values = np.linspace(spread.low, spread.high, len(spread.counts))[seen]
    counts = spread.counts[seen]
    wanted = then(values) if then else values

    def lost(low_end: float, high_end: float) -> float:
        kept = _through_levels(values, low * low_end, high * high_end)
        return float((counts * (wanted - (then(kept) if then else kept)) ** 2).sum())

    low_end = high_end = 1.0
    # End by end, and once more, as the best of one depends a little on the other.
    for _ in range(2):
        low_end = min(_LOW_ENDS if low < 0 else (1.0,), key=lambda end: lost(end, high_end))
        high_end = min(_HIGH_ENDS if high > 0 else (1.0,), key=lambda end: lost(low_end, end))
    return low * low_end, high * high_end


def _through_levels(values: Floats, low: float, high: float) -> Floats:
    """The values as 256 levels from ``low`` to ``high`` tell them."""
    step = (high - low) / _LEVELS
    if step <= 0:
        return np.zeros_like(values)
    zero = round(-low / step)
    return np.asarray((np.clip(np.rint(values / step) + zero, 0, _LEVELS) - zero) * step, np.float64)
