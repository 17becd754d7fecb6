"""A network in integers of eight bits, and in floats of sixteen.

Static integers: every scale is fixed here, none is taken from what else is in a batch, so a photo's result does not
depend on its company. Activations are unsigned and weights signed, per output channel: the pair that x86's VNNI
multiplies at once. Older processors add such pairs with saturation; sessions switch to a slower exact way there
(``session.x64quantprecision``), so the same file gives the same results on both. What does not belong here: what the
integers cost (``accuracy``) and where files go (``quantising``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.onnx_runtime import load_onnxruntime
from resources.quantising_graph import chosen, folded, gated, in_order, is_transformer
from resources.quantising_ranges import ranges, spreads
from tagging_assets.domain.errors import ModelFailed

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]

#: Raise it where the same photos would give other integers.
VERSION = 1


def to_int8(source: Path, arrays: Sequence[Array], work: Path) -> bytes:
    """The model with its heavy part in integers.

    Args:
        source: ONNX file in float32.
        arrays: inputs to calibrate on, each of one photo, without a batch axis.
        work: folder for what is made on the way.

    Returns:
        An ONNX file in the QDQ form, which ONNX Runtime turns into its integer kernels when it loads it.

    Raises:
        ModelFailed: the runtime refuses it, or there is nothing in it that integers would make faster.
    """
    model = folded(source, work / "folded.onnx")
    nodes, kinds = chosen(model)
    if not nodes:
        raise ModelFailed(f"{source.name} has no layers that integers make faster; use fp32")
    values = _values(model, set(nodes))
    found = ranges(spreads(model, values, arrays, work), gated(model))
    return _in_integers(model, nodes, kinds, found)


def to_fp16(source: Path) -> bytes:
    """The model in float16, inputs and outputs as they are; for GPUs, CPUs have few such kernels.

    Raises:
        ModelFailed: the converter refuses it.
    """
    import onnx

    load_onnxruntime()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        halved = convert_float_to_float16(onnx.load(str(source)), keep_io_types=True)
        in_order(halved)
        onnx.checker.check_model(halved)
    except Exception as error:
        raise ModelFailed(f"{source.name} cannot be put into float16: {' '.join(str(error).split())}") from error
    return bytes(halved.SerializeToString(deterministic=True))


def _values(model: Any, nodes: set[str]) -> list[str]:
    """The float values that go into these nodes and come out of them."""
    from onnx import TensorProto

    graph = model.graph
    floats = {
        one.name
        for one in (*graph.value_info, *graph.input, *graph.output)
        if one.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    ends = [value for node in graph.node if node.name in nodes for value in (*node.input, *node.output)]
    return [value for value in dict.fromkeys(ends) if value in floats]


def _in_integers(model: Any, nodes: Sequence[str], kinds: Sequence[str], found: Ranges) -> bytes:
    """Through ONNX Runtime's own quantiser, with our ranges."""
    load_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    # Products of a transformer give floats, as the norms after them want them; their kernels can.
    more = {"OpTypesToExcludeOutputQuantization": list(kinds)} if is_transformer(model) else {}
    ends = {name: (np.float32(low), np.float32(high)) for name, (low, high) in found.items()}
    data = TensorsData(CalibrationMethod.MinMax, {name: (np.array(a), np.array(b)) for name, (a, b) in ends.items()})
    kept = list(model.metadata_props)
    quantiser = QDQQuantizer(
        model, True, False, QuantType.QInt8, QuantType.QUInt8, data, list(nodes), [], list(kinds), more
    )
    quantiser.quantize_model()
    made = quantiser.model.model
    del made.metadata_props[:]
    made.metadata_props.extend(kept)
    return bytes(made.SerializeToString(deterministic=True))
