"""Tiny models with the inputs and outputs of PP-HumanSeg and SCHP, which go by colour alone and know no people."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from booru_models import model_of
from onnx import TensorProto, helper, numpy_helper

from resources.model_in_use import ModelInUse


def model_file(path: Path, side: int, nodes: list[Any], weights: dict[str, np.ndarray], outputs: list[str]) -> Path:
    """A model of one picture of that side, channels first, as the real files are."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list("bchw")) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


def segmenter(folder: Path, *, logits: bool = False, planes: int = 2, **entry: Any) -> ModelInUse:
    """Takes what is redder than grey for a person: two planes at 192 pixels."""
    kernel = np.zeros((planes, 3, 1, 1), np.float32)
    kernel[-1, 0] = 4.0
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["z"])]
    nodes += [] if logits else [helper.make_node("Softmax", ["z"], ["y"], axis=1)]
    path = model_file(folder / "seg.onnx", 192, nodes, {"kernel": kernel}, ["z" if logits else "y"])
    entry = {"tasks": ["silhouette"], "adapter": "pp-humanseg", **entry}
    return model_of(folder, {"model": path}, **entry)


def parser(folder: Path, side: int, classes: int, **entry: Any) -> ModelInUse:
    """Class 2 is where it is red, class 4 where it is blue, class 0 else; outputs as in the files that go around."""
    kernel = np.zeros((classes, 3, 4, 4), np.float32)
    # blue, green, red: the pictures come blue first
    kernel[2, 2], kernel[2, 0] = 1.0, -1.0
    kernel[4, 0], kernel[4, 2] = 1.0, -1.0
    edges = np.ones((2, classes, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["refined"], strides=[4, 4], pads=[0, 0, 3, 3]),
        helper.make_node("Neg", ["refined"], ["first"]),
        helper.make_node("Conv", ["refined", "edges"], ["edge"]),
    ]
    names = ["first", "refined", "edge"]
    path = model_file(folder / "parsing.onnx", side, nodes, {"kernel": kernel, "edges": edges}, names)
    entry = {"tasks": ["human_parsing"], "adapter": "schp", **entry}
    return model_of(folder, {"model": path}, **entry)
