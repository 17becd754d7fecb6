"""EfficientNet-Lite0 from its torch checkpoint to ONNX, without torch.

The network (Tan and Le, "EfficientNet", ICML 2019; the Lite variant of the TensorFlow team has ReLU6 and no
squeeze-and-excite) is laid out node by node with batch norms folded into the convolutions. What does not belong
here: preprocessing and labels; see ``image_classifier``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resources.files import write_output
from resources.torch_checkpoint import Tensors, read_legacy_checkpoint
from tagging_assets.domain.errors import WeightsCorrupt

Array = NDArray[np.float32]

#: Goes into the name of the derived file: raise it when the layout changes, and old files are left alone.
BUILDER_VERSION = 1
INPUT_SIZE = 224
EMBEDDING_SIZE = 1280
CLASSES = 1000

# TensorFlow's epsilon; torch's own default would be 1e-5.
_BATCH_NORM_EPSILON = 1e-3
_OPSET = 17

#: Per block: kernel, stride. Channels and expansion follow from the tensors' shapes.
_BLOCKS: tuple[tuple[int, int], ...] = (
    (3, 1),
    *((3, 2), (3, 1)),
    *((5, 2), (5, 1)),
    *((3, 2), (3, 1), (3, 1)),
    *((5, 1), (5, 1), (5, 1)),
    *((5, 2), (5, 1), (5, 1), (5, 1)),
    (3, 1),
)


def load_head(checkpoint: Path) -> tuple[Array, Array]:
    """The classifier behind the embedding: ``logits = embedding @ weights + bias``.

    Returns:
        weights (1280, 1000) and bias (1000,), float32.

    Raises:
        WeightsCorrupt: the checkpoint cannot be read.
    """
    return _head_of(read_legacy_checkpoint(checkpoint))


def _head_of(tensors: Tensors) -> tuple[Array, Array]:
    weights = np.ascontiguousarray(_take(tensors, "_fc.weight").T)
    bias = _take(tensors, "_fc.bias")
    if weights.shape != (EMBEDDING_SIZE, CLASSES) or bias.shape != (CLASSES,):
        raise WeightsCorrupt(f"the classifier has shape {weights.shape}, not {(EMBEDDING_SIZE, CLASSES)}")
    return weights, bias


def build_onnx(checkpoint: Path, target: Path) -> Path:
    """Write the network as ONNX, atomically; an existing file is returned as it is.

    Input ``images`` (n, 3, 224, 224) float32 in [-1, 1]; outputs ``embedding`` (n, 1280), the pooled features
    before the classifier, and ``logits`` (n, 1000).

    Raises:
        WeightsCorrupt: the checkpoint is not EfficientNet-Lite0.
    """
    if target.is_file():
        return target
    model = _Builder(read_legacy_checkpoint(checkpoint)).model()
    write_output(target, model.SerializeToString(deterministic=True))
    return target


def _take(tensors: Tensors, name: str) -> Array:
    try:
        return np.asarray(tensors[name], dtype=np.float32)
    except KeyError as error:
        raise WeightsCorrupt(f"the checkpoint has no tensor {name}: it is not EfficientNet-Lite0") from error


def fold_batch_norm(weight: Array, *, scale: Array, shift: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
    """Convolution weights and bias that do what the bias-free convolution and its batch norm did.

    Args:
        weight: (out, in, k, k).
        scale: batch norm's gamma, (out,).
        shift: its beta, (out,).
        mean: its running mean, (out,).
        variance: its running variance, (out,).
    """
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + _BATCH_NORM_EPSILON)
    bias = shift - mean * factor
    return (weight * factor[:, None, None, None]).astype(np.float32), bias.astype(np.float32)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding before and after an axis of ``size`` pixels; the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class _Builder:
    """Lays the network out node by node; ``value`` names run along as the nodes' outputs."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._names: Iterator[str] = (f"v{i}" for i in range(10_000))
        self._size = INPUT_SIZE

    def model(self) -> Any:
        """The checked ``onnx.ModelProto``."""
        import onnx
        from onnx import TensorProto, helper

        self._constant("zero", np.float32(0.0))
        self._constant("six", np.float32(6.0))
        value = self._convolve("images", "_conv_stem", "_bn0", stride=2)
        for index, (kernel, stride) in enumerate(_BLOCKS):
            value = self._block(value, index, kernel, stride)
        value = self._convolve(value, "_conv_head", "_bn1")
        value = self._node("GlobalAveragePool", [value])
        self._node("Flatten", [value], output="embedding", axis=1)
        weights, bias = _head_of(self._tensors)
        self._constant("head_weights", weights)
        self._constant("head_bias", bias)
        self._node("Gemm", ["embedding", "head_weights", "head_bias"], output="logits")

        def tensor(name: str, *shape: int | str) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            "efficientnet-lite0",
            [tensor("images", "n", 3, INPUT_SIZE, INPUT_SIZE)],
            [tensor("embedding", "n", EMBEDDING_SIZE), tensor("logits", "n", CLASSES)],
            self._initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=8,
            producer_name="tagging-assets",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _block(self, value: str, index: int, kernel: int, stride: int) -> str:
        """One inverted residual: expand (but in the first block), depthwise, project, and the way around."""
        prefix = f"_blocks.{index}."
        before = value
        if f"{prefix}_expand_conv.weight" in self._tensors:
            value = self._convolve(value, f"{prefix}_expand_conv", f"{prefix}_bn0")
        depthwise = f"{prefix}_depthwise_conv"
        if _take(self._tensors, f"{depthwise}.weight").shape[2] != kernel:
            raise WeightsCorrupt(f"{depthwise} is not {kernel} pixels wide: it is not EfficientNet-Lite0")
        value = self._convolve(value, depthwise, f"{prefix}_bn1", stride=stride, grouped=True)
        value = self._convolve(value, f"{prefix}_project_conv", f"{prefix}_bn2", activation=None)
        channels = _take(self._tensors, f"{prefix}_project_conv.weight").shape[0]
        first = _take(self._tensors, f"{prefix}{'_expand_conv' if index else '_depthwise_conv'}.weight")
        if stride == 1 and channels == (first.shape[1] if index else first.shape[0]):
            value = self._node("Add", [value, before])
        return value

    def _convolve(
        self,
        value: str,
        convolution: str,
        norm: str,
        *,
        stride: int = 1,
        grouped: bool = False,
        activation: Literal["relu6"] | None = "relu6",
    ) -> str:
        weight, bias = fold_batch_norm(
            _take(self._tensors, f"{convolution}.weight"),
            scale=_take(self._tensors, f"{norm}.weight"),
            shift=_take(self._tensors, f"{norm}.bias"),
            mean=_take(self._tensors, f"{norm}.running_mean"),
            variance=_take(self._tensors, f"{norm}.running_var"),
        )
        self._constant(f"{convolution}.weight", weight)
        self._constant(f"{convolution}.bias", bias)
        kernel = weight.shape[2]
        before, after = same_padding(self._size, kernel, stride)
        self._size = -(-self._size // stride)
        value = self._node(
            "Conv",
            [value, f"{convolution}.weight", f"{convolution}.bias"],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=weight.shape[0] if grouped else 1,
        )
        return self._node("Clip", [value, "zero", "six"]) if activation else value

    def _node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        output = output or next(self._names)
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: Array | np.float32) -> None:
        from onnx import numpy_helper

        self._initializers.append(numpy_helper.from_array(np.asarray(value), name))
