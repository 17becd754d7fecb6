"""Buffers that are lent, and I/O binding: it works on the CPU too, where it can be compared with plain runs."""

import gc
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from resources.onnx_binding import Binding, Buffers, pinned_memory
from resources.onnx_runtime import load_onnxruntime


class Memory:
    """Ordinary memory, counted; none where it is told so."""

    def __init__(self, *, has_any: bool = True) -> None:
        self.sizes: list[int] = []
        self._has_any = has_any

    def __call__(self, size: int) -> np.ndarray | None:
        self.sizes.append(size)
        return np.zeros(size, dtype=np.uint8) if self._has_any else None


def session(path: Path, node: str, **attributes: object) -> object:
    """ONNX Runtime's session of one node from ``x`` (n, 2) to ``y``."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    kind = TensorProto.INT64 if node == "NonZero" else TensorProto.FLOAT
    y = helper.make_tensor_value_info("y", kind, ["a", "b"])
    graph = helper.make_graph([helper.make_node(node, ["x"], ["y"], **attributes)], node, [x], [y])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return load_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_buffers_are_used_again_and_never_by_two_at_once() -> None:
    memory = Memory()
    buffers = Buffers(memory)
    with buffers.lent((3, 5), np.float32) as first, buffers.lent((15,), np.float32) as second:
        first[:] = 1
        second[:] = 2
        assert first.shape == (3, 5)
        assert (first == 1).all()
    with buffers.lent((2, 2, 4), np.float32) as third:
        assert third.dtype == np.float32
    assert memory.sizes == [64, 64]


def test_without_pinned_memory_ordinary_memory_serves() -> None:
    with Buffers(Memory(has_any=False)).lent((2, 2), np.float16) as room:
        room[:] = 1
        assert room.sum() == 4


def test_where_there_is_no_cuda_runtime_nothing_is_pinned() -> None:
    assert pinned_memory("0.0")(64) is None


def test_a_bound_run_says_what_a_plain_one_says(tmp_path: Path) -> None:
    plain = session(tmp_path / "neg.onnx", "Neg")
    memory = Memory()
    binding = Binding(plain, Buffers(memory))
    kept = []
    for rows in (3, 3, 3, 1, 1):
        feeds = {"x": np.random.default_rng(rows).random((rows, 2), dtype=np.float32)}
        kept.append((feeds["x"], binding.run(feeds, ["y"])[0]))
    gc.collect()
    # A buffer lent to a later run has not changed what an earlier one gave.
    assert all((made == -given).all() for given, made in kept)
    assert memory.sizes == [32, 8]


def test_inputs_need_not_be_contiguous(tmp_path: Path) -> None:
    binding = Binding(session(tmp_path / "neg.onnx", "Neg"), Buffers(Memory()))
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert (binding.run({"x": turned}, ["y"])[0] == -turned).all()


@pytest.mark.parametrize("first", [2, 0])
def test_outputs_whose_shape_depends_on_the_input_itself(tmp_path: Path, first: int) -> None:
    binding = Binding(session(tmp_path / "nonzero.onnx", "NonZero"), Buffers(Memory()))
    for count in (first, 4, 1, 4):
        x = np.zeros((2, 2), dtype=np.float32)
        x.flat[:count] = 1
        assert binding.run({"x": x}, ["y"])[0].shape == (2, count)
