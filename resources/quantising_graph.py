"""A network's graph made ready for integers: folded, its costly detours rewritten, and which of its nodes may go.

What does not belong here: ranges of values (``quantising_ranges``) and the integers themselves (``quantising_int8``).
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.onnx_runtime import load_onnxruntime, raise_typed
from tagging_assets.domain.errors import WeightsCorrupt

#: Nodes that multiply by weights: what integers make fast.
_WEIGHTED = ("Conv", "MatMul", "Gemm")
#: Nodes of convolutional networks that have integer kernels, so that values stay integers between the convolutions.
#: GlobalAveragePool is left out: its mean is a picture's vector, and eight bits are few for that.
_CONVOLUTIONAL = (
    *("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "AveragePool", "Resize", "Split", "Slice"),
    *("Relu", "LeakyRelu", "Clip", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Gemm", "MatMul"),
)
#: Where e^x stops: far beyond any logit that a distribution is made of, and far below what float32 holds.
_EXP_LIMIT = 60.0


def folded(source: Path, target: Path) -> Any:
    """The model with constants computed, its batch norms in the convolutions and every node named.

    Args:
        source: an ONNX file.
        target: where ONNX Runtime writes what it makes of it, with standard operators only.

    Returns:
        An ``onnx.ModelProto`` with the shapes that can be inferred, and with the metadata of the source.

    Raises:
        WeightsCorrupt, ModelFailed: the runtime refuses it.
    """
    import onnx

    ort = load_onnxruntime()
    settings = ort.SessionOptions()
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    settings.optimized_model_filepath = str(target)
    settings.log_severity_level = 3
    try:
        ort.InferenceSession(str(source), settings, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # noqa: BLE001 - re-raised, translated where it is the runtime's
        raise_typed(error, f"cannot load {source.name}")
    model = onnx.load(str(target))
    without_softmax(model)
    name_nodes(model)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load(str(source), load_external_data=False).metadata_props)
    return onnx.shape_inference.infer_shapes(model)


def name_nodes(model: Any) -> None:
    """Give every node a name of its own; quantising goes by names."""
    seen: set[str] = set()
    for place, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{place}_of_{len(model.graph.node)}"
        seen.add(node.name)


def in_order(model: Any) -> None:
    """Put every node behind those it reads from; in place. Nodes that may stay where they are do."""
    graph = model.graph
    known = {one.name for one in (*graph.input, *graph.initializer)} | {""}
    waiting, sorted_nodes = list(graph.node), list[Any]()
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        if not ready:
            raise WeightsCorrupt("the model's graph reads values that no node of it makes")
        for node in ready:
            known.update(node.output)
        sorted_nodes += ready
        waiting = [node for node in waiting if not known.issuperset(node.output)]
    del graph.node[:]
    graph.node.extend(sorted_nodes)


def without_softmax(model: Any) -> list[str]:
    """Compute expected values under a softmax as a ratio of two sums; in place.

    YOLO reads each side of a box as the mean of a distribution over 16 distances ("Generalized Focal Loss", Li et al.,
    NeurIPS 2020): Softmax over the channels, then a convolution with 0…15. ONNX Runtime takes the softmax of each
    short row by itself, which is a ninth of an int8 YOLOv8n's time; sum(i·e^x) / sum(e^x) by one convolution of two
    outputs is the same number, within float32's rounding, for a tenth of that.

    Returns:
        Names of the convolutions that take the sums.
    """
    graph = model.graph
    made = []
    for softmax in [node for node in graph.node if node.op_type == "Softmax"]:
        reader = _only_reader(graph, softmax.output[0])
        weights = _mean_weights(graph, reader) if reader is not None and _axis(softmax) == 1 else None
        if reader is None or weights is None:
            continue
        new = _ratio(graph, softmax, reader, weights)
        place = list(graph.node).index(reader)
        graph.node.remove(reader)
        for offset, node in enumerate(new):
            graph.node.insert(place + offset, node)
        graph.node.remove(softmax)
        made.append(new[2].name)
    return made


def _ratio(graph: Any, softmax: Any, reader: Any, weights: NDArray[np.float32]) -> list[Any]:
    from onnx import helper, numpy_helper

    own = softmax.name or softmax.output[0]
    low, high, sums = f"{own}/low", f"{own}/high", f"{own}/sums"
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(-_EXP_LIMIT, np.float32), low),
            numpy_helper.from_array(np.array(_EXP_LIMIT, np.float32), high),
            numpy_helper.from_array(np.concatenate([weights, np.ones_like(weights)]), f"{sums}/weights"),
        ]
    )
    return [
        helper.make_node("Clip", [softmax.input[0], low, high], [f"{own}/clipped"], f"{own}/clip"),
        helper.make_node("Exp", [f"{own}/clipped"], [f"{own}/raised"], f"{own}/exp"),
        helper.make_node("Conv", [f"{own}/raised", f"{sums}/weights"], [sums], sums, kernel_shape=[1, 1]),
        helper.make_node("Split", [sums], [f"{own}/weighted", f"{own}/total"], f"{own}/split", axis=1),
        helper.make_node("Div", [f"{own}/weighted", f"{own}/total"], [reader.output[0]], f"{own}/mean"),
    ]


def _mean_weights(graph: Any, node: Any) -> NDArray[np.float32] | None:
    """The weights of a 1 x 1 convolution of one output and no bias; ``None`` where the node is none."""
    from onnx import numpy_helper

    if node.op_type != "Conv" or len(node.input) != 2:
        return None
    for one in graph.initializer:
        if one.name == node.input[1]:
            weights = numpy_helper.to_array(one)
            fits = weights.shape[0] == 1 and weights.shape[2:] == (1, 1) and weights.dtype == np.float32
            return weights if fits else None
    return None


def _axis(node: Any) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "axis"), -1)


def _only_reader(graph: Any, value: str) -> Any | None:
    readers = [node for node in graph.node if value in node.input]
    wanted = any(value == output.name for output in graph.output)
    return readers[0] if len(readers) == 1 and not wanted else None


def is_transformer(model: Any) -> bool:
    """Whether most of its weights are in matrix products between layer norms."""
    kinds = [node.op_type for node in model.graph.node]
    return "LayerNormalization" in kinds and len(weighted(model, ("MatMul", "Gemm"))) > kinds.count("Conv")


def weighted(model: Any, kinds: Sequence[str] = _WEIGHTED) -> list[Any]:
    """Nodes of these kinds that multiply by weights."""
    constants = {one.name for one in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type in kinds and node.input[1] in constants]


def chosen(model: Any) -> tuple[list[str], list[str]]:
    """Which nodes go to integers.

    Of a transformer the products with weights alone: layer norms, softmax, GELU and the products of attention stay in
    float32, and so does every product's result. Of a convolutional network everything up to its last layers of
    weights: those and what comes after them (boxes and scores, which share a tensor and must not share a scale) stay
    in float32.

    Returns:
        Names of the nodes, and their kinds.
    """
    if is_transformer(model):
        nodes = weighted(model, ("MatMul", "Gemm"))
        return [node.name for node in nodes], ["MatMul", "Gemm"]
    before = set(before_last_weights(model))
    nodes = [node for node in model.graph.node if node.op_type in _CONVOLUTIONAL and node.name in before]
    return [node.name for node in nodes], sorted({node.op_type for node in nodes})


def before_last_weights(model: Any) -> Iterator[str]:
    """Names of the nodes whose values pass through another layer of weights.

    A layer that only sums up a distribution (see :func:`without_softmax`) counts as none.
    """
    sums = {node.input[0] for node in model.graph.node if node.op_type == "Div"}
    summing = {node.name for node in model.graph.node if node.op_type == "Conv" and _feeds_split(model, node, sums)}
    layers = [node for node in weighted(model) if node.name not in summing]
    makers = {output: node for node in model.graph.node for output in node.output}
    seen: set[str] = set()
    waiting = [value for node in layers for value in node.input]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name not in seen:
            seen.add(maker.name)
            waiting.extend(maker.input)
            yield maker.name


def _feeds_split(model: Any, node: Any, sums: Iterable[str]) -> bool:
    return any(
        reader.op_type == "Split" and node.output[0] in reader.input and set(reader.output) & set(sums)
        for reader in model.graph.node
    )


def gated(model: Any) -> set[str]:
    """Values x of which x·sigmoid(x) is taken (SiLU), and nothing else."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
    found = set()
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            value = node.input[0]
            products = [one for one in readers[value] if one.op_type == "Mul" and node.output[0] in one.input]
            if products and len(readers[value]) == 2:
                found.add(value)
    return found
