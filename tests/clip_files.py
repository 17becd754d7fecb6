"""A CLIP small enough to be read: real ONNX files, a real tokenizer and notes, laid out as an export leaves them.

A picture's vector is its mean colour (three numbers); a text's is the sum of what its tokens stand for: red, green,
blue, and nothing for all other words.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.catalogue import Catalogue
from resources.clip_tokens import clip_tokenizer
from resources.model_in_use import ModelInUse, derived_folder
from resources.model_notes import ModelNotes, NotedFile, Preprocessing, TextTower, write_notes
from resources.onnx_session import OnnxOptions
from resources.weights import WeightsStore

SIDE, CONTEXT = 8, 6
PICTURES = Preprocessing(height=SIDE, width=SIDE, fit="shortest", interpolation="bicubic")
SOFTMAX = TextTower(context=CONTEXT, logit_scale=20.0, activation="softmax")
SIGMOID = TextTower(context=CONTEXT, pad=1, logit_scale=20.0, logit_bias=-10.0, activation="sigmoid")
#: What makes whole words of colours; everything else stays in letters.
MERGES = [
    *(("r", "e"), ("re", "d</w>"), ("g", "re"), ("gre", "e"), ("gree", "n</w>")),
    *(("b", "l"), ("bl", "u"), ("blu", "e</w>")),
]
_COLOURS = ("red</w>", "green</w>", "blue</w>")


def tiny_clip(
    cache: Path, text: TextTower = SOFTMAX, *, fixed_context: bool = False, knobs: Mapping[str, Any] | None = None
) -> ModelInUse:
    """The model, made."""
    model = unmade(cache, "open_clip", ["image_embedding", "zero_shot"], knobs or {})
    tokenizer = clip_tokenizer(MERGES)
    table = np.zeros((tokenizer.get_vocab_size(), 3), dtype=np.float32)
    for channel, word in enumerate(_COLOURS):
        table[tokenizer.token_to_id(word), channel] = 1.0
    context = CONTEXT if fixed_context else "context"
    files = {
        "image.onnx": _network("images", ["n", 3, SIDE, SIDE]),
        "text.onnx": _network("tokens", ["n", context], table=table),
        "tokenizer.json": tokenizer.to_str().encode(),
    }
    finish(model, files, {"preprocessing": PICTURES, "text": text, "dimensions": 3})
    return model


def tiny_timm(
    cache: Path,
    names: Sequence[str],
    weights: NDArray[np.float32],
    *,
    knobs: Mapping[str, Any] | None = None,
    activation: str = "softmax",
) -> ModelInUse:
    """A classifier of mean colours: logits are ``weights`` (3, classes) times the mean colour."""
    model = unmade(cache, "timm", ["tagging", "image_embedding"], knobs or {})
    said = {
        "preprocessing": PICTURES,
        "names": tuple(names),
        "dimensions": 3,
        "options": {"activation": activation},
    }
    finish(model, {"model.onnx": _network("images", ["n", 3, SIDE, SIDE], head=weights)}, said)
    return model


def unmade(cache: Path, adapter: str, tasks: Sequence[str], knobs: Mapping[str, Any]) -> ModelInUse:
    """A model whose checkpoint was never exported."""
    file = {"name": "tiny.pt", "role": "checkpoint", "sha256": "0" * 64, "size": 1, "sources": ["file:/tiny.pt"]}
    entry = {
        "tasks": list(tasks),
        "adapter": adapter,
        "licence": "none",
        "preprocessing": "unknown/1",
        "knobs": knobs,
        "export": {"exporter": adapter, "model": "tiny"},
        "files": [file],
    }
    catalogue = Catalogue.model_validate({"version": 1, "entries": {"tiny": entry}, "profiles": {}})
    store = WeightsStore(catalogue, cache_dir=cache, offline=True)
    return ModelInUse(store, catalogue.entry("tiny"), OnnxOptions(provider="cpu", threads=1))


def finish(model: ModelInUse, files: Mapping[str, bytes], said: Mapping[str, Any]) -> None:
    """Make what was unmade: files by name, each of the role that its name begins with, and notes.

    Args:
        model: as :func:`unmade` gives it.
        files: their content.
        said: fields of the notes.
    """
    folder = derived_folder(model.store, model.entry, "fp32")
    folder.mkdir(parents=True)
    noted = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        role = name.partition(".")[0]
        noted[role] = NotedFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    notes = ModelNotes(entry="tiny", made_by="hand", made_from={}, files=noted, opset=13, **said)
    write_notes(folder, notes)


def _network(
    taken: str,
    shape: Sequence[int | str],
    *,
    table: NDArray[np.float32] | None = None,
    head: NDArray[np.float32] | None = None,
) -> bytes:
    """``embedding``: mean colours, or the sum of a table's rows; ``logits``, where there is a head."""
    from onnx import TensorProto, checker, helper, numpy_helper

    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3])]
    if table is None:
        kind, constants = TensorProto.FLOAT, []
        nodes = [helper.make_node("ReduceMean", [taken], ["embedding"], axes=[2, 3], keepdims=0)]
    else:
        kind, constants = TensorProto.INT64, [numpy_helper.from_array(table, "table")]
        # Axes of a sum are an input, those of a mean an attribute: so opset 13 has it.
        constants.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"))
        nodes = [
            helper.make_node("Gather", ["table", taken], ["found"]),
            helper.make_node("ReduceSum", ["found", "axes"], ["embedding"], keepdims=0),
        ]
    if head is not None:
        constants.append(numpy_helper.from_array(head, "head"))
        nodes.append(helper.make_node("MatMul", ["embedding", "head"], ["logits"]))
        outputs.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", head.shape[1]]))
    inputs = [helper.make_tensor_value_info(taken, kind, list(shape))]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def renamed(model: ModelInUse, **said: Any) -> ModelInUse:
    """The same model, other knobs chosen."""
    return replace(model, said=said)
