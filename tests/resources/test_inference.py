"""The one loop over pictures: on a fake session, and on a tiny real model."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, save

from resources.inference import Inference
from resources.onnx_binding import Binding, Buffers
from resources.onnx_session import NOT_LOADED, OnnxOptions, OnnxSession
from tagging_assets.domain.errors import ModelFailed


class FakeSession:
    """Gives each picture's sum and mean; remembers its batches."""

    def __init__(self, provider: str = "FakeExecutionProvider", batch: int | str = "n") -> None:
        self.inputs: Mapping[str, tuple[int | str | None, ...]] = {"x": (batch, 2, "w")}
        self.provider = provider
        self.batches: list[int] = []
        self.fails = False

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        batch = feeds["x"]
        self.batches.append(len(batch))
        if self.fails:
            raise ModelFailed("out of memory")
        made = {"sum": batch.sum(axis=(1, 2)), "mean": batch.mean(axis=(1, 2))}
        return [made[name] for name in outputs or made]


def pictures(*widths: int) -> list[NDArray[np.float32]]:
    return [np.full((2, width), number, dtype=np.float32) for number, width in enumerate(widths)]


CPU_PROVIDER = "CPUExecutionProvider (wanted CUDAExecutionProvider: no driver)"


@pytest.mark.parametrize(
    ("session", "batch", "widths", "batches"),
    [
        (FakeSession(CPU_PROVIDER), 0, (3, 3, 3), [1, 1, 1]),  # one by one on the CPU
        (FakeSession(CPU_PROVIDER), 2, (3, 3, 3), [2, 1]),  # unless it is told otherwise
        (FakeSession(), 0, (3,) * 40, [32, 8]),  # as a GPU likes it
        (FakeSession(), 0, (3, 5, 3, 5, 3), [3, 2]),  # by shape
        (FakeSession(CPU_PROVIDER), 4, (3, 5, 3, 5, 3), [3, 2]),  # there too
        (FakeSession(batch=4), 0, (3,) * 5, [4, 4]),  # a fixed batch is filled up
        (FakeSession(CPU_PROVIDER, batch=4), 1, (3,) * 5, [4, 4]),  # whatever it is told
        (FakeSession(batch=1), 0, (3, 3), [1, 1]),  # to the one there is
        (FakeSession(), 0, (), []),  # nothing
    ],
)
def test_results_are_each_pictures_own_and_in_order(
    session: FakeSession, batch: int, widths: tuple[int, ...], batches: list[int]
) -> None:
    given = pictures(*widths)
    made = Inference(lambda: session, batch=batch).run(given, ["sum"])
    assert made == [(one.sum(),) for one in given]
    assert session.batches == batches


def test_all_outputs_come_where_none_is_named() -> None:
    given = pictures(3, 3)
    assert Inference(FakeSession).run(given) == [(one.sum(), one.mean()) for one in given]


def test_nothing_is_loaded_for_no_pictures() -> None:
    inference = Inference(lambda: pytest.fail("loads"))
    assert inference.run([]) == []
    assert inference.provider == NOT_LOADED


def test_threads_share_one_session_and_on_a_gpu_its_batches() -> None:
    session = FakeSession()
    loads = []
    inference = Inference(lambda: loads.append(1) or session)

    def call(thread: int) -> None:
        given = pictures(*(3 + thread % 2,) * 8)
        for _ in range(5):
            assert inference.run(given, ["mean"]) == [(one.mean(),) for one in given]

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(call, thread) for thread in range(8)]:
            future.result(timeout=30)
    assert loads == [1]
    assert sum(session.batches) == 8 * 5 * 8
    assert inference.provider == "FakeExecutionProvider"


def test_a_failing_run_reaches_every_thread() -> None:
    session = FakeSession()
    session.fails = True
    inference = Inference(lambda: session)
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(inference.run, pictures(3, 3)) for _ in range(12)]
        assert all(isinstance(future.exception(timeout=10), ModelFailed) for future in futures)


def test_a_model_that_does_not_pass_its_check_is_not_kept() -> None:
    asked = []

    def check(inference: Inference) -> None:
        asked.append(inference.run(pictures(3), ["sum"]))
        if len(asked) == 1:
            raise ModelFailed("it finds nothing")

    inference = Inference(FakeSession, check=check)
    with pytest.raises(ModelFailed, match="finds nothing"):
        inference.run(pictures(3))
    assert inference.provider == NOT_LOADED
    inference.run(pictures(3))
    inference.run(pictures(3))
    assert len(asked) == 2


class Crowd(FakeSession):
    """Counts how many are in it at once."""

    def __init__(self) -> None:
        super().__init__("CPUExecutionProvider")
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.005)
        with self.lock:
            self.inside -= 1
        return super().run(feeds, outputs)


@pytest.mark.parametrize(
    ("callers", "most"),
    [
        (0, 4),  # as many as come
        (1, 1),  # as tuned for one session on all cores
        (2, 2),
    ],
)
def test_no_more_threads_run_a_model_on_the_cpu_than_suit_it(callers: int, most: int) -> None:
    crowd = Crowd()
    inference = Inference(lambda: crowd, callers=callers)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(inference.run, pictures(3, 3, 3)) for _ in range(4)]:
            future.result(timeout=10)
    assert crowd.most == most


@pytest.fixture
def summing(tmp_path: Path) -> Path:
    """A model of its input ``x`` (n, 2, w): the sum over each picture."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("ReduceSum", ["flat", "axes"], ["y"], keepdims=1),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "summing", [x], [y], [axes])
    path = tmp_path / "summing.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("batch", [1, 3])
def test_a_real_model_says_the_same_in_any_batch(summing: Path, batch: int) -> None:
    given = pictures(3, 4, 3, 3, 4, 3)
    inference = Inference(lambda: OnnxSession(summing, OnnxOptions(provider="cpu", threads=1, batch=batch)))
    made = inference.run(given)
    assert [float(one[0][0]) for one in made] == [float(one.sum()) for one in given]
    assert inference.provider == "CPUExecutionProvider"


class Bound(OnnxSession):
    """A session on the CPU that is fed as one on a GPU is: from kept buffers, by I/O binding."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, OnnxOptions(provider="cpu", threads=1, batch=8))
        self.provider = "FakeExecutionProvider"
        self._buffers = Buffers(lambda _size: None)
        self._binding = Binding(self._session, self._buffers)


def test_many_threads_over_bound_buffers_each_get_their_own(summing: Path) -> None:
    session = Bound(summing)
    inference = Inference(lambda: session)

    def call(thread: int) -> None:
        for number in range(thread * 100, thread * 100 + 20):
            given = [np.full((2, 3 + (thread + place) % 3), number, dtype=np.float32) for place in range(5)]
            made = inference.run(given, ["y"])
            assert [float(one[0][0]) for one in made] == [float(one.sum()) for one in given]

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(call, thread) for thread in range(8)]:
            future.result(timeout=60)
