from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from resources.onnx_session import OnnxOptions, OnnxSession
from resources.quantising_graph import (
    before_last_weights,
    chosen,
    folded,
    gated,
    is_transformer,
    name_nodes,
    without_softmax,
)

CPU = OnnxOptions(provider="cpu")


def network(
    nodes: Sequence[Any],
    constants: dict[str, np.ndarray],
    shape: Sequence[int | str],
    outputs: Sequence[str] = ("out",),
) -> Any:
    """A model of one float input ``images``."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def written(model: Any, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.2, shape).astype(np.float32)


def distributions(layer: dict[str, np.ndarray], **softmax: int) -> Any:
    """Softmax over the second axis and a convolution after it, as YOLO reads the sides of its boxes."""
    return network(
        [
            helper.make_node("Softmax", ["images"], ["shares"], "shares", **softmax),
            helper.make_node("Conv", ["shares", *layer], ["out"], "mean"),
        ],
        layer,
        ["n", 16, 4, "anchors"],
    )


DISTANCES = np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)


def test_the_mean_of_a_distribution_is_the_same_without_softmax(tmp_path: Path) -> None:
    model = distributions({"distances": DISTANCES}, axis=1)
    logits = np.random.default_rng(1).normal(0, 8, (2, 16, 4, 50)).astype(np.float32)
    before = OnnxSession(written(model, tmp_path / "a.onnx"), CPU).run({"images": logits})[0]
    assert without_softmax(model) == ["shares/sums"]
    after = OnnxSession(written(model, tmp_path / "b.onnx"), CPU).run({"images": logits})[0]
    assert after == pytest.approx(before, abs=1e-4)
    assert "Softmax" not in {node.op_type for node in model.graph.node}


def test_logits_that_no_float_could_raise_stay_numbers(tmp_path: Path) -> None:
    model = distributions({"distances": DISTANCES}, axis=1)
    without_softmax(model)
    logits = np.zeros((1, 16, 4, 1), np.float32)
    logits[:, 3] = 500
    out = OnnxSession(written(model, tmp_path / "a.onnx"), CPU).run({"images": logits})[0]
    assert out == pytest.approx(np.full((1, 1, 4, 1), 3.0), abs=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        distributions({"distances": DISTANCES}, axis=2),  # shares of something else
        distributions({"distances": DISTANCES, "bias": np.zeros(1, np.float32)}, axis=1),  # more than a mean
        distributions({"two": np.concatenate([DISTANCES, DISTANCES])}, axis=1),  # a layer like others
        network([helper.make_node("Softmax", ["images"], ["out"], "alone", axis=1)], {}, [1, 16, 4, 4]),
    ],
)
def test_other_softmaxes_are_left_alone(model: Any) -> None:
    before = model.SerializeToString(deterministic=True)
    assert without_softmax(model) == []
    assert model.SerializeToString(deterministic=True) == before


def small_detector() -> Any:
    """Two layers with SiLU between them, then a last layer per output, joined as YOLO joins boxes and scores."""
    return network(
        [
            helper.make_node("Conv", ["images", "w0", "b0"], ["c0"], "first", pads=[1, 1, 1, 1]),
            helper.make_node("Sigmoid", ["c0"], ["s0"], "gate"),
            helper.make_node("Mul", ["c0", "s0"], ["a0"], "gated"),
            helper.make_node("Conv", ["a0", "w1"], ["boxes"], "boxes"),
            helper.make_node("Conv", ["a0", "w2"], ["logits"], "logits"),
            helper.make_node("Sigmoid", ["logits"], ["scores"], "scores"),
            helper.make_node("Concat", ["boxes", "scores"], ["out"], "together", axis=1),
        ],
        {"w0": weights(8, 3, 3, 3), "b0": weights(8), "w1": weights(4, 8, 1, 1), "w2": weights(2, 8, 1, 1)},
        ["n", 3, "h", "w"],
    )


def small_transformer() -> Any:
    """Layer norms around two products with weights and one without."""
    return network(
        [
            helper.make_node("LayerNormalization", ["images", "scale"], ["n0"], "norm", axis=-1),
            helper.make_node("MatMul", ["n0", "w0"], ["q"], "query"),
            helper.make_node("Transpose", ["n0"], ["k"], "turn", perm=[0, 2, 1]),
            helper.make_node("MatMul", ["q", "k"], ["likeness"], "attention"),
            helper.make_node("Softmax", ["likeness"], ["shares"], "shares"),
            helper.make_node("MatMul", ["shares", "n0"], ["mixed"], "mix"),
            helper.make_node("MatMul", ["mixed", "w1"], ["out"], "project"),
        ],
        {"scale": np.ones(16, np.float32), "w0": weights(16, 16), "w1": weights(16, 16)},
        ["n", 5, 16],
    )


def test_boxes_and_scores_stay_floats() -> None:
    names, kinds = chosen(small_detector())
    assert names == ["first", "gate", "gated"]
    assert kinds == ["Conv", "Mul", "Sigmoid"]
    assert not is_transformer(small_detector())


def test_of_a_transformer_only_products_with_weights_go() -> None:
    names, kinds = chosen(small_transformer())
    assert names == ["query", "project"]
    assert kinds == ["MatMul", "Gemm"]
    assert is_transformer(small_transformer())


def test_a_layer_that_only_sums_up_distributions_is_not_the_last_one() -> None:
    model = network(
        [
            helper.make_node("Conv", ["images", "w0"], ["c0"], "last"),
            helper.make_node("Softmax", ["c0"], ["shares"], "shares", axis=1),
            helper.make_node("Conv", ["shares", "distances"], ["out"], "mean"),
        ],
        {"w0": weights(16, 3, 1, 1), "distances": DISTANCES},
        ["n", 3, "h", "w"],
    )
    without_softmax(model)
    assert list(before_last_weights(model)) == []


@pytest.mark.parametrize(
    ("reader", "found"),
    [
        (helper.make_node("Mul", ["x", "s"], ["out"]), {"x"}),
        (helper.make_node("Mul", ["s", "x"], ["out"]), {"x"}),  # either way round
        (helper.make_node("Mul", ["images", "s"], ["out"]), set()),  # gates something else
        (helper.make_node("Add", ["x", "s"], ["out"]), set()),  # no gate
    ],
)
def test_gates_are_told_apart(reader: Any, found: set[str]) -> None:
    nodes = [helper.make_node("Relu", ["images"], ["x"]), helper.make_node("Sigmoid", ["x"], ["s"]), reader]
    assert gated(network(nodes, {}, [1, 4])) == found


def test_a_value_that_is_read_elsewhere_too_is_no_gate() -> None:
    nodes = [
        helper.make_node("Relu", ["images"], ["x"]),
        helper.make_node("Sigmoid", ["x"], ["s"]),
        helper.make_node("Mul", ["x", "s"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["out"]),
    ]
    assert gated(network(nodes, {}, [1, 4])) == set()


def test_every_node_gets_a_name_of_its_own() -> None:
    nodes = [helper.make_node("Relu", ["images"], ["x"], "a"), helper.make_node("Relu", ["x"], ["out"], "a")]
    model = network(nodes, {}, [1, 4])
    name_nodes(model)
    assert len({node.name for node in model.graph.node}) == 2


def test_what_a_file_says_about_itself_is_kept(tmp_path: Path) -> None:
    model = small_detector()
    helper.set_model_props(model, {"names": "{0: 'person'}"})
    path = written(model, tmp_path / "a.onnx")
    assert [one.value for one in folded(path, tmp_path / "b.onnx").metadata_props] == ["{0: 'person'}"]
