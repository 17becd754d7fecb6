"""Joining what several threads want run, with a plain function in the place of a GPU."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from resources.batching import Batcher
from tagging_assets.domain.errors import ModelFailed

NOTHING_ASKED = ()


class Doubler:
    """Doubles each array's first number; remembers its batches, and fails or dawdles where it is told to."""

    def __init__(self, *, seconds: float = 0.0, fails: Callable[[Sequence[Any]], bool] = lambda _batch: False) -> None:
        self.batches: list[list[tuple[int, ...]]] = []
        self.at_once = self.most_at_once = 0
        self._seconds = seconds
        self._fails = fails
        self._lock = threading.Lock()

    def __call__(self, arrays: Sequence[np.ndarray], _outputs: tuple[str, ...]) -> list[float]:
        with self._lock:
            self.batches.append([array.shape for array in arrays])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self._seconds)
        with self._lock:
            self.at_once -= 1
        if self._fails(arrays):
            raise ModelFailed("the GPU is on fire")
        return [2 * float(array.flat[0]) for array in arrays]


def arrays(*numbers: float, shape: tuple[int, ...] = (2,)) -> list[np.ndarray]:
    return [np.full(shape, number, dtype=np.float32) for number in numbers]


@pytest.mark.parametrize(
    ("given", "size", "batches"),
    [
        ([], 4, []),  # nothing is no batch
        (arrays(1), 4, [1]),  # one alone does not wait: nobody else was ever seen
        (arrays(1, 2, 3), 4, [3]),  # all fit
        (arrays(1, 2, 3, 4, 5), 2, [2, 2, 1]),  # the last one is not full
    ],
)
def test_one_thread_has_its_results_in_order(given: list[np.ndarray], size: int, batches: list[int]) -> None:
    run = Doubler()
    began = time.monotonic()
    assert Batcher(run, size, linger=5).run(given, NOTHING_ASKED) == [2 * float(one[0]) for one in given]
    assert [len(batch) for batch in run.batches] == batches
    assert time.monotonic() - began < 2


def test_only_arrays_of_one_shape_type_and_question_share_a_batch() -> None:
    run = Doubler()
    batcher = Batcher(run, 8, leaders=1)
    mixed = [*arrays(1), *arrays(2, shape=(3,)), *arrays(3), np.array([4, 4], dtype=np.float64), *arrays(5, shape=(3,))]
    assert batcher.run(mixed, ("a",)) == [2, 4, 6, 8, 10]
    assert sorted(map(len, run.batches)) == [1, 2, 2]
    assert all(len(set(batch)) == 1 for batch in run.batches)


def test_many_threads_share_batches_and_each_gets_its_own() -> None:
    run = Doubler(seconds=0.002)
    batcher = Batcher(run, 16, linger=0.02)

    def call(thread: int) -> None:
        for turn in range(10):
            numbers = [float(1000 * thread + 10 * turn + place) for place in range(1 + thread % 4)]
            assert batcher.run(arrays(*numbers), NOTHING_ASKED) == [2 * number for number in numbers]

    with ThreadPoolExecutor(12) as pool:
        for done in [pool.submit(call, thread) for thread in range(12)]:
            done.result(timeout=30)
    sizes = [len(batch) for batch in run.batches]
    assert sum(sizes) == 10 * sum(1 + thread % 4 for thread in range(12))
    assert max(sizes) > 4, "no thread gives more than four at once: the rest is of others"
    assert max(sizes) <= 16
    assert run.most_at_once <= 2


def test_a_failure_is_told_to_all_who_share_the_batch_and_to_nobody_else() -> None:
    run = Doubler(seconds=0.01, fails=lambda batch: any(float(one.flat[0]) == 13 for one in batch))
    batcher = Batcher(run, 4, linger=0.0)

    def call(number: int) -> float:
        # Of shapes of their own, the others never share a batch with the thirteenth.
        return batcher.run(arrays(number, shape=(number,)), NOTHING_ASKED)[0]

    with ThreadPoolExecutor(8) as pool:
        futures = {number: pool.submit(call, number) for number in range(9, 17)}
        assert {number: future.result(10) for number, future in futures.items() if number != 13} == {
            number: 2.0 * number for number in range(9, 17) if number != 13
        }
        with pytest.raises(ModelFailed, match="on fire"):
            futures[13].result(10)
    assert batcher.run(arrays(1), NOTHING_ASKED) == [2], "it works on after a failure"


def test_no_thread_hangs_when_every_batch_fails() -> None:
    batcher = Batcher(Doubler(seconds=0.002, fails=lambda _batch: True), 8)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(batcher.run, arrays(1, 2, 3), NOTHING_ASKED) for _ in range(24)]
        assert all(isinstance(future.exception(timeout=10), ModelFailed) for future in futures)


def test_too_few_results_are_an_error_and_no_deadlock() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Batcher(lambda _arrays, _outputs: [1.0], 8).run(arrays(1, 2), NOTHING_ASKED)


def test_an_unfull_batch_waits_for_those_who_are_likely_to_come() -> None:
    run = Doubler()
    batcher = Batcher(run, 2, linger=5)
    other = threading.Thread(target=lambda: batcher.run(arrays(1, 1), NOTHING_ASKED))
    other.start()
    other.join()
    late = threading.Timer(0.05, lambda: batcher.run(arrays(3), NOTHING_ASKED))
    late.start()
    began = time.monotonic()
    assert batcher.run(arrays(2), NOTHING_ASKED) == [4]
    late.join()
    assert [len(batch) for batch in run.batches] == [2, 2]
    assert time.monotonic() - began < 4
