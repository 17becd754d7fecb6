"""A short search for how a model runs fastest on this machine, over callers, threads, batch and spinning.

What a model says does not depend on the result: batches are joined on a CPU only where that changes no bit. What does
not belong here: keeping results (``tuning``) and running models (``inference``).
"""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.inference import Inference
from resources.onnx_providers import CPU, GPU_BATCH, TENSORRT, OnnxOptions
from resources.onnx_session import Session
from resources.tuning import Candidate, Measured, Subject, Tuned
from tagging_assets.domain.errors import ModelFailed

Array = NDArray[Any]
#: Opens the model; not the process's warm session, so that its memory goes when the search is over.
Open = Callable[[OnnxOptions], Session]

#: One candidate's turn in a round, at least; noise of a scheduler's time slice is a few per cent of it.
_TURN_SECONDS = 0.25
_ROUNDS = 7
#: What is not faster by this factor is noise: the first candidate, the default, is then kept.
_WORTH = 1.05
#: Share of the rounds that it must win: on a busy machine medians of a few rounds are off by more than that.
_RELIABLY = 0.75
#: Of the thriftiest candidate's pictures per CPU-second: decoding and the other models need the cores as well.
_THRIFT = 0.8
#: Sizes of batches that are tried before any is joined on a CPU: kernels for even, odd and full ones may differ.
_JOINED = (2, 5, 8)
#: Pictures that a thread brings at once, as stages do.
_CHUNK = 8


def candidates(provider: str, cores: int, *, joins: bool, fixed: int = 0) -> list[Candidate]:
    """Ways to be tried, the default first.

    Args:
        provider: that really runs.
        cores: that may be used.
        joins: whether batches may be joined on a CPU.
        fixed: batch that the model is made for; 0 where it takes any.
    """
    if provider != CPU:
        # TensorRT builds an engine, which takes minutes, for each size that it is told of.
        sizes = (fixed,) if fixed else (GPU_BATCH,) if provider == TENSORRT else (GPU_BATCH, 8, 16, 64)
        return [Candidate(0, 1, size) for size in sizes]
    found = [Candidate(cores, 1, 0), Candidate(1, cores, 0), Candidate(1, cores, 0, spin=True)]
    if cores > 2:
        found += [Candidate(-(-cores // 2), 2, 0), Candidate(2, -(-cores // 2), 0)]
    if joins and not fixed:
        found += [Candidate(cores, 1, 4), Candidate(cores, 1, _CHUNK)]
    return list(dict.fromkeys(found))


def search(model: str, subject: Subject, array: Array, open_with: Open, options: OnnxOptions, seconds: float) -> Tuned:
    """Measure candidates in interleaved rounds and choose.

    Args:
        model: name for people.
        subject: from :func:`subject_of`.
        array: a real picture's input, without the batch's axis.
        open_with: opens the model.
        options: everything that is not tuned.
        seconds: about as long as may be spent, loading aside; each candidate is measured once at least.

    Raises:
        ModelFailed: the model does not run, or on another provider than the subject's.
    """
    began = time.monotonic()
    sessions: dict[tuple[int, bool], Session] = {}

    def session_of(one: Candidate) -> Session:
        key = (one.threads, one.spin)
        if key not in sessions:
            sessions[key] = open_with(one.on(options))
        return sessions[key]

    first = session_of(Candidate(0, 1, 0))
    if not first.provider.startswith(subject.provider):
        raise ModelFailed(f"{model} runs on {first.provider}, so it cannot be tuned for {subject.provider}")
    shape = next(iter(first.inputs.values()))
    fixed = shape[0] if shape and isinstance(shape[0], int) else 0
    on_cpu = subject.provider == CPU
    ways = candidates(subject.provider, subject.cores, joins=on_cpu and not fixed and joins(first, array), fixed=fixed)
    runs = {way: _Run(session_of(way), way, array, subject.cores) for way in ways}
    for run in runs.values():
        run.warm_up()
    until = time.monotonic() + seconds
    for _ in range(_ROUNDS):
        for run in runs.values():
            run.turn()
        if time.monotonic() > until:
            break
    default = runs[ways[0]]
    measured = tuple(run.measured(default) for run in runs.values())
    return Tuned(model, subject, array.shape, measured, choose(measured), round(time.monotonic() - began, 1))


def choose(measured: Sequence[Measured]) -> Candidate:
    """The fastest that is not wasteful; the first, the default, where nothing is clearly and reliably faster."""
    default = measured[0]
    thriftiest = max(one.pictures_per_cpu_second for one in measured)
    better = [
        one
        for one in measured
        if one.pictures_per_cpu_second >= _THRIFT * thriftiest
        and one.pictures_per_second > _WORTH * default.pictures_per_second
        and one.wins >= _RELIABLY
    ]
    return max(better, key=lambda one: one.pictures_per_second, default=default).candidate


def joins(session: Session, array: Array) -> bool:
    """Whether a picture's outputs are the same to the last bit whatever else is in its batch, as far as tries tell.

    They are not where a model is quantised dynamically, its scales coming from the whole batch, nor where a matrix
    product adds in another order.
    """
    name = next(iter(session.inputs))
    # Beyond the picture's own range on both sides, as scales come from the extremes.
    other = (np.ascontiguousarray(array[..., ::-1]) * -2).astype(array.dtype)
    alone = session.run({name: array[np.newaxis]})
    for size in _JOINED:
        joined = session.run({name: np.stack([*[other] * (size - 1), array])})
        same = (np.array_equal(many[-1:], one) for one, many in zip(alone, joined, strict=True))
        if not all(same):
            return False
    return True


class _Run:
    """A candidate that takes its turns."""

    def __init__(self, session: Session, candidate: Candidate, array: Array, cores: int) -> None:
        self._candidate = candidate
        batch = candidate.batch or 1
        self._inference = Inference(lambda: session, batch=candidate.batch, callers=candidate.callers)
        # On a GPU enough threads to have two batches under way; each brings a chunk.
        self._threads = candidate.callers or cores + 2 * -(-batch // _CHUNK)
        self._chunk = [array] * (batch if candidate.callers else _CHUNK)
        self._turns: list[tuple[float, float]] = []

    def warm_up(self) -> None:
        self._inference.run(self._chunk)

    def turn(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(self._threads) as pool:
            pictures = sum(pool.map(lambda _: self._work(wall + _TURN_SECONDS), range(self._threads)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self._turns.append((pictures / wall, pictures / max(cpu, 1e-3)))

    def measured(self, default: "_Run") -> Measured:
        speeds, thrift = zip(*self._turns, strict=True)
        won = [mine > theirs for (mine, _), (theirs, _) in zip(self._turns, default._turns, strict=True)]
        speed, thrifty = (round(statistics.median(one), 2) for one in (speeds, thrift))
        return Measured(self._candidate, speed, thrifty, round(sum(won) / len(won), 2))

    def _work(self, until: float) -> int:
        pictures = 0
        while not pictures or time.perf_counter() < until:
            self._inference.run(self._chunk)
            pictures += len(self._chunk)
        return pictures
