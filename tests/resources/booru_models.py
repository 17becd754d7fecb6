"""A small WD tagger of the true contract: seeded random weights, its own tag table, in a catalogue of its own.

It tags nothing well: it is there for shapes, channels and arithmetic.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from resources.catalogue import Capability, Catalogue
from resources.model_in_use import ModelInUse
from resources.weights import WeightsStore

SIDE = 64
TAGS = 40

#: Knobs as the catalogue gives them to WD taggers.
KNOBS: dict[str, Any] = {
    "threshold_general": {"says": "", "default": 0.26, "least": 0, "most": 1},
    "threshold_character": {"says": "", "default": 0.75, "least": 0, "most": 1},
    "threshold_mode": {"says": "", "default": "published", "choices": ["published", "mcut"]},
}


def tag_table(tags: int = TAGS) -> str:
    """Four ratings, two characters, the rest general; CRLF."""
    names = [f"{name},9" for name in ("general", "sensitive", "questionable", "explicit")]
    names += [f"hero_{place},4" for place in range(2)] + [f"thing_{place},0" for place in range(tags - 6)]
    return "\r\n".join(["tag_id,name,category,count", *(f"{i},{name},1" for i, name in enumerate(names)), ""])


def random_tagger(path: Path, *, side: int = SIDE, tags: int = TAGS, batch: int | str = "n", seed: int = 7) -> Path:
    """One convolution, its mean and a layer on top: NHWC 0 to 255 in, probabilities out."""
    random = np.random.default_rng(seed)
    weights = {
        "kernel": random.normal(0, 0.02, (8, 3, 5, 5)),
        "head": random.normal(0, 2.0, (8, tags)),
        "bias": random.normal(0, 1.0, (tags,)),
    }
    nodes = [
        helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel"], ["seen"], strides=[4, 4]),
        helper.make_node("Tanh", ["seen"], ["bent"]),
        helper.make_node("GlobalAveragePool", ["bent"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "head", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "wd",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, side, side, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, tags])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


def model_of(
    folder: Path, files: Mapping[str, Path], said: Mapping[str, Capability] | None = None, **entry: Any
) -> ModelInUse:
    """An entry of these files, by role, in a store of its own."""
    told = {
        "tasks": ["tagging"],
        "adapter": "wd",
        "licence": "none",
        "preprocessing": "white-square-bgr/1",
        "files": [
            {
                "name": path.name,
                "role": role,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "size": path.stat().st_size,
                "sources": [f"file:{path}"],
            }
            for role, path in files.items()
        ],
        **entry,
    }
    catalogue = Catalogue.model_validate({"version": 1, "entries": {"small": told}, "profiles": {}})
    store = WeightsStore(catalogue, folder / "cache", offline=True)
    return ModelInUse(store, catalogue.entry("small"), said=dict(said or {}))


def small_wd(folder: Path, *, table: str | None = None, said: Mapping[str, Capability] | None = None, **made: Any):
    """The tagger and its table in use."""
    labels = folder / "selected_tags.csv"
    labels.write_bytes((tag_table() if table is None else table).encode())
    files = {"model": random_tagger(folder / "model.onnx", **made), "labels": labels}
    return model_of(folder, files, said, knobs=KNOBS)
