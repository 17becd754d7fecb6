"""ONNX files of a few nodes that look to the outside like the models that people have."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: A box over most of a 640 x 640 square: centre, size.
_BOX = (320.0, 320.0, 400.0, 500.0)


def yolo(path: Path, *, names: Mapping[int, str] | None = None, score: float = 0.9, boxes: int = 50) -> Path:
    """A detector that gives the same box for every picture, of its first class, with one score."""
    classes = {0: "person", 1: "cat"} if names is None else names
    rows = np.zeros((1, 4 + max(len(classes), 1), boxes), np.float32)
    rows[0, :4] = np.array(_BOX, np.float32)[:, None]
    rows[0, 4, 0] = score
    metadata = {"task": "detect", "names": str(dict(classes)), "stride": "32", "license": "MIT License"}
    return _constant(path, "images", [1, 3, 640, 640], "output0", rows, metadata)


def wd(path: Path, scores: Sequence[float], side: int = 32) -> Path:
    """A tagger with WD's contract that gives the same scores for every picture."""
    return _constant(path, "input_1:0", ["n", side, side, 3], "predictions", np.array([scores], np.float32), {})


def table(path: Path, names: Sequence[str]) -> Path:
    """A tag table with one rating first, then general tags."""
    rows = [f"{place},{name},{9 if place == 0 else 0},1" for place, name in enumerate(names)]
    path.write_text("\r\n".join(["tag_id,name,category,count", *rows]) + "\r\n", encoding="utf-8", newline="")
    return path


def _constant(
    path: Path,
    name: str,
    shape: Sequence[int | str],
    output: str,
    value: np.ndarray,
    metadata: Mapping[str, str],
) -> Path:
    """A graph that reads its input, forgets it, and gives a constant."""
    nodes = [
        helper.make_node("ReduceMean", [name], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["value", "nothing"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, value.shape)],
        [numpy_helper.from_array(np.array(0, np.float32), "zero"), numpy_helper.from_array(value, "value")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata))
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
