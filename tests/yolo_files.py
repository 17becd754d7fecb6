"""Tiny ONNX files that look like YOLO exports in the wild: they find the light parts of a photo.

Real files cannot be had in every variant, and what an adapter must cope with is their outside: names, shapes, types
and metadata. Every anchor of the one stride gives a box of 32 pixels around itself; its class scores are shares of
the mean of one colour each in that cell, so what is found is known from the photo.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resources.catalogue import Catalogue
from resources.fetch import sha256_of
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxOptions
from resources.weights import WeightsStore

CELL = 32
NAMES = "{0: 'person', 1: 'cat', 2: 'dog'}"


def light_finder(
    path: Path,
    *,
    names: str | None = NAMES,
    batch: int | str = "batch",
    size: int | str = "side",
    half: bool = False,
    transposed: bool = False,
    extra: int = 0,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a raw export, (batch, 4 + 3 + extra, anchors); red is its class 0, green 1, blue 2.

    Args:
        path: of the file.
        names: its metadata ``names``; ``None`` for none.
        batch: first dimension of the input, a number where it is fixed.
        size: sides of the input, a number where they are fixed.
        half: whether input and output are float16.
        transposed: whether it gives (batch, anchors, 7).
        extra: zeros after the scores of each anchor.
        metadata: further ones.
    """
    from onnx import TensorProto, checker, helper, numpy_helper, save

    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    sides = (size, size) if isinstance(size, int) else ("height", "width")

    def constant(name: str, value: Any, dtype: Any = np.float32) -> Any:
        return numpy_helper.from_array(np.asarray(value, dtype), name)

    nodes = [
        helper.make_node("Cast", ["images"], ["full"], to=TensorProto.FLOAT),
        # (b, 3, h / 32, w / 32): the mean of each colour in a cell is its class's score
        helper.make_node("AveragePool", ["full"], ["means"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Reshape", ["means", "three_rows"], ["scores"]),
        # Cell numbers: ones added up along each axis.
        helper.make_node("ReduceMax", ["means", "axis_one"], ["one_plane"], keepdims=1),
        helper.make_node("Mul", ["one_plane", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["ones"]),
        helper.make_node("CumSum", ["ones", "three"], ["columns"]),
        helper.make_node("CumSum", ["ones", "two"], ["rows"]),
        helper.make_node("Concat", ["columns", "rows"], ["places"], axis=1),
        helper.make_node("Mul", ["places", "cell"], ["ends"]),
        helper.make_node("Sub", ["ends", "half_cell"], ["centres"]),
        helper.make_node("Concat", ["ones", "ones"], ["pairs"], axis=1),
        helper.make_node("Mul", ["pairs", "cell"], ["sizes"]),
        helper.make_node("Concat", ["centres", "sizes"], ["boxes4"], axis=1),
        helper.make_node("Reshape", ["boxes4", "four_rows"], ["boxes"]),
        helper.make_node("Concat", ["boxes", "scores", *(["zero_row"] * extra)], ["raw"], axis=1),
        helper.make_node("Reshape", ["zeros", "one_row"], ["zero_row"]),
    ]
    nodes.insert(-2, nodes.pop())
    columns: list[int | str] = [7 + extra, "anchors"]
    if transposed:
        nodes.append(helper.make_node("Transpose", ["raw"], ["turned"], perm=[0, 2, 1]))
        columns.reverse()
    last = "turned" if transposed else "raw"
    nodes.append(helper.make_node("Cast", [last], ["output0"], to=kind))
    constants = [
        constant("three_rows", [0, 3, -1], np.int64),
        constant("four_rows", [0, 4, -1], np.int64),
        constant("one_row", [0, 1, -1], np.int64),
        constant("axis_one", [1], np.int64),
        constant("zero", 0.0),
        constant("one", 1.0),
        constant("two", 2, np.int64),
        constant("three", 3, np.int64),
        constant("cell", float(CELL)),
        constant("half_cell", CELL / 2),
    ]
    graph = helper.make_graph(
        nodes,
        "light finder",
        [helper.make_tensor_value_info("images", kind, [batch, 3, *sides])],
        [helper.make_tensor_value_info("output0", kind, [batch, *columns])],
        constants,
    )
    return _save(graph, path, {**({"names": names} if names is not None else {}), **(metadata or {})}, checker, save)


def answering(path: Path, outputs: Sequence[np.ndarray], size: int = 64, metadata: Mapping[str, str] | None = None):
    """Write a model that gives the same outputs for any photo: (1, 300, 6) of an export with suppression, masks …"""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    nodes = [
        helper.make_node("ReduceMax", ["images"], ["top"], keepdims=0),
        helper.make_node("Mul", ["top", "zero"], ["nothing"]),
        *(helper.make_node("Add", [f"known{i}", "nothing"], [f"output{i}"]) for i in range(len(outputs))),
    ]
    known = [numpy_helper.from_array(np.asarray(one, np.float32), f"known{i}") for i, one in enumerate(outputs)]
    graph = helper.make_graph(
        nodes,
        "answering",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])],
        [
            helper.make_tensor_value_info(f"output{i}", TensorProto.FLOAT, list(one.shape))
            for i, one in enumerate(outputs)
        ],
        [numpy_helper.from_array(np.float32(0), "zero"), *known],
    )
    return _save(graph, path, {"names": NAMES, **(metadata or {})}, checker, save)


def _save(graph: Any, path: Path, metadata: Mapping[str, str], checker: Any, save: Any) -> Path:
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, dict(metadata))
    checker.check_model(model, full_check=True)
    save(model, path)
    return path


def in_use(path: Path, cache: Path, *, said: Mapping[str, Any] | None = None, **entry: Any) -> ModelInUse:
    """A model file as an entry of a catalogue of its own."""
    file = {"name": path.name, "sha256": sha256_of(path), "size": path.stat().st_size, "sources": [f"file:{path}"]}
    body = {
        "tasks": ["person_detection"],
        "adapter": "yolo",
        "licence": "none",
        "preprocessing": "letterbox/2",
        "files": [file],
        **entry,
    }
    catalogue = Catalogue.model_validate({"version": 1, "entries": {"yolo": body}, "profiles": {}})
    store = WeightsStore(catalogue, cache, offline=True)
    return ModelInUse(store, catalogue.entry("yolo"), OnnxOptions("cpu", threads=1), said or {})
