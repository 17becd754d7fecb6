import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from resources.efficientnet import build_onnx, fold_batch_norm, load_head, same_padding
from resources.onnx_session import OnnxOptions, OnnxSession
from resources.torch_checkpoint import read_legacy_checkpoint
from resources.weights import WeightsStore
from tagging_assets.domain.errors import WeightsCorrupt

CPU = OnnxOptions(provider="cpu")


@pytest.fixture(scope="module")
def checkpoint(weights_store: WeightsStore) -> Path:
    return weights_store.path("efficientnet-lite0")


@pytest.fixture(scope="module")
def network(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxSession:
    return OnnxSession(build_onnx(checkpoint, tmp_path_factory.mktemp("built") / "lite0.onnx"), CPU)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, 224, 224)).astype(np.float32)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 3, 1, (1, 1)),  # symmetric
        (224, 3, 2, (0, 1)),  # TensorFlow puts the odd pixel after; torch would put it before
        (225, 3, 2, (1, 1)),  # odd sizes need both
        (56, 5, 2, (1, 2)),
        (7, 5, 1, (2, 2)),
        (8, 1, 1, (0, 0)),
        (8, 1, 2, (0, 0)),  # never negative
    ],
)
def test_same_padding(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


def test_folded_batch_norm_does_what_both_did() -> None:
    random = np.random.default_rng(1)
    weight = random.normal(size=(4, 3, 1, 1)).astype(np.float32)
    scale, shift, mean = (random.normal(size=4).astype(np.float32) for _ in range(3))
    variance = random.uniform(0.1, 2, size=4).astype(np.float32)
    x = random.normal(size=3).astype(np.float32)
    folded, bias = fold_batch_norm(weight, scale=scale, shift=shift, mean=mean, variance=variance)
    before = (weight[:, :, 0, 0] @ x - mean) / np.sqrt(variance + 1e-3) * scale + shift
    assert folded[:, :, 0, 0] @ x + bias == pytest.approx(before, abs=1e-5)


def test_the_checkpoint_is_read_whole(checkpoint: Path) -> None:
    tensors = read_legacy_checkpoint(checkpoint)
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_bn0.num_batches_tracked"].dtype == np.int64
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


def _pickles(*values: object) -> bytes:
    buffer = io.BytesIO()
    for value in values:
        pickle.dump(value, buffer, protocol=2)
    return buffer.getvalue()


_START = _pickles(0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        _pickles(1, 1001, {}),  # another magic number
        _pickles(0x1950A86A20F9469CFC6C, 1001, {"little_endian": False}),
        _START,  # ends before the tensors
        _START + b"cposix\nsystem\n(X\x02\x00\x00\x00idtR.",  # would run a command
        _START + b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.",  # would run code
        _START + b"ctorch\nload\n.",  # not even torch's own functions
        _START + _pickles({"weight": 1}, []),  # something that is no tensor
        _START + b"(X\x05\x00\x00\x00wrongtQ.",  # a storage of another kind
        b"PK\x03\x04" + b"\0" * 100,  # torch's newer format
    ],
)
def test_what_is_no_plain_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=r"weights\.pth is not a torch checkpoint"):
        read_legacy_checkpoint(path)


@pytest.mark.parametrize("kept", [10, 1000, 60_000, 18_000_000])
def test_a_truncated_checkpoint_is_refused(checkpoint: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(WeightsCorrupt):
        read_legacy_checkpoint(path)


def test_the_network_has_both_outputs_for_any_batch(network: OnnxSession) -> None:
    for count in (1, 3):
        embedding, logits = network.run({"images": noise(count)})
        assert embedding.shape == (count, 1280)
        assert logits.shape == (count, 1000)
        assert embedding.min() >= 0  # pooled behind a ReLU6
        assert embedding.max() <= 6


def test_the_head_turns_embeddings_into_logits(network: OnnxSession, checkpoint: Path) -> None:
    weights, bias = load_head(checkpoint)
    embedding, logits = network.run({"images": noise(2)})
    assert embedding @ weights + bias == pytest.approx(logits, abs=1e-4)


def test_building_is_reproducible_and_done_once(checkpoint: Path, tmp_path: Path) -> None:
    first, second = (build_onnx(checkpoint, tmp_path / name / "m.onnx") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    written = first.stat().st_mtime_ns
    assert build_onnx(tmp_path / "not needed", first).stat().st_mtime_ns == written
    assert [path.name for path in first.parent.iterdir()] == ["m.onnx"]


# torch and its companions warn about each other's and Python's deprecations.
@pytest.mark.filterwarnings("ignore")
def test_the_network_is_the_one_of_timm(network: OnnxSession, checkpoint: Path) -> None:
    torch = pytest.importorskip("torch")
    timm = pytest.importorskip("timm")
    reference = timm.create_model("tf_efficientnet_lite0").eval()
    state = reference.state_dict()
    ours = [v for k, v in read_legacy_checkpoint(checkpoint).items() if not k.endswith("num_batches_tracked")]
    theirs = [k for k in state if not k.endswith("num_batches_tracked")]
    state.update({k: torch.from_numpy(v.copy()) for k, v in zip(theirs, ours, strict=True)})
    reference.load_state_dict(state, strict=True)
    ramp = np.linspace(-1, 1, 3 * 224 * 224, dtype=np.float32).reshape(1, 3, 224, 224)
    images = np.concatenate([noise(2, seed=7), ramp, np.clip(noise(1, seed=8) / 4, -1, 1)])
    with torch.no_grad():
        features = reference.forward_features(torch.from_numpy(images))
        expected = reference.forward_head(features, pre_logits=True).numpy()
        expected_logits = reference(torch.from_numpy(images)).numpy()
    embedding, logits = network.run({"images": images})
    assert np.abs(embedding - expected).max() < 1e-3
    assert np.abs(logits - expected_logits).max() < 1e-3
