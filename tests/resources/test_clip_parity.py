"""Seeded random weights in true architectures: our towers against open_clip's own, from photo and text to score.

Vectors of an untrained network all point one way, so cosines are compared once more with their common part taken out.
"""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from resources import self_testing
from resources.clip import ClipEncoder, ClipTextEncoder
from resources.clip_scorer import ClipScorer
from resources.clip_tokens import write_tokenizer
from resources.model_in_use import ModelInUse
from resources.model_notes import TextTower
from resources.preprocessing import picture_notes
from tagging_assets.domain.models import RgbImage, Vectors
from tests.clip_files import finish, unmade

TEXTS = ["a photo of a cat", "two rockets", "", "a long text " * 30, "naïve 😀 café, it's 100%"]

#: In place of SigLIP's, which has 200 million weights at least: its kind of towers, small.
SMALL_SIGLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
    },
    "init_logit_bias": -10.0,
}


def photos() -> list[RgbImage]:
    noise = np.random.default_rng(0).integers(0, 256, (301, 200, 3), dtype=np.uint8)
    return [self_testing.photo(), self_testing.photo("chelsea.jpg"), noise, np.zeros((50, 90, 3), dtype=np.uint8)]


@pytest.fixture(scope="module", params=["ViT-S-32-alt", "small SigLIP"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, ModelInUse]:
    """open_clip's network and picture transform, and the same weights as this project runs them."""
    torch = pytest.importorskip("torch")
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    if request.param == "small SigLIP":
        network = open_clip.CustomTextCLIP(**SMALL_SIGLIP)
        half = (0.5, 0.5, 0.5)
        config = open_clip.transform.PreprocessCfg(size=32, resize_mode="squash", mean=half, std=half)
        open_clip.model.set_model_preprocess_cfg(network, dataclasses.asdict(config))
    else:
        network = open_clip.create_model(request.param, pretrained=None)
    network.eval()
    config = open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg)
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    model = unmade(tmp_path_factory.mktemp("parity"), "open_clip", ["image_embedding", "zero_shot"], {})
    _export(network, model)
    return network, transform, model


def test_pictures_become_the_same_vectors(pair: tuple[Any, Any, ModelInUse]) -> None:
    network, transform, model = pair
    theirs = _numbers(network.encode_image(_stack([transform(Image.fromarray(one)) for one in photos()])))
    ours = ClipEncoder(model).encode(photos())
    assert _cosines(ours, theirs).min() > 0.9999
    assert _cosines(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)).min() > 0.9999


def test_texts_become_the_same_vectors(pair: tuple[Any, Any, ModelInUse]) -> None:
    network, _transform, model = pair
    theirs = _numbers(network.encode_text(_tokens(network, TEXTS), normalize=True))
    ours = ClipTextEncoder(model).encode(TEXTS)
    assert _cosines(ours, theirs).min() > 0.9999
    assert _cosines(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)).min() > 0.9999


def test_scores_are_the_librarys_own(pair: tuple[Any, Any, ModelInUse]) -> None:
    network, transform, model = pair
    pictures = _stack([transform(Image.fromarray(one)) for one in photos()])
    logits = _numbers(network.get_logits(pictures, _tokens(network, TEXTS[:3]))[0]).astype(np.float64)
    scorer = ClipScorer(model, ClipTextEncoder(model))
    ours = scorer.score(
        ClipEncoder(model).encode(photos()), [[text] for text in TEXTS[:2]], exclusive=True, neutral=[TEXTS[2]]
    )
    if network.logit_bias is None:
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        assert_allclose(ours, (share / share.sum(axis=1, keepdims=True))[:, :2], atol=1e-4)
    else:
        assert_allclose(ours, 1 / (1 + np.exp(-logits[:, :2])), atol=1e-4)


def _export(network: Any, model: ModelInUse) -> None:
    """As ``resources/export_open_clip.py`` does it, without a process of its own."""
    import open_clip

    from resources.clip_towers import has_free_context, image_tower, text_tower

    folder = model.folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(open_clip.get_tokenizer("ViT-B-32"), folder / "tokenizer.json")
    notes = picture_notes(network.visual.preprocess_cfg)
    free = {0: "n", 1: "context"} if has_free_context(network) else {0: "n"}
    bias = network.logit_bias
    files = {
        "image.onnx": _onnx(image_tower(network), "images", _ones(2, 3, notes.height, notes.width), {0: "n"}),
        "text.onnx": _onnx(text_tower(network), "tokens", _tokens(network, TEXTS[:2]), free),
        "tokenizer.json": (folder / "tokenizer.json").read_bytes(),
    }
    text = TextTower(
        context=network.context_length,
        logit_scale=network.logit_scale.exp().item(),
        logit_bias=0.0 if bias is None else bias.item(),
        activation="softmax" if bias is None else "sigmoid",
    )
    finish(model, files, {"preprocessing": notes, "text": text, "dimensions": 32})


def _onnx(tower: Any, taken: str, example: Any, free: dict[int, str]) -> bytes:
    import warnings

    import torch

    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # The exporter that needs no onnxscript is the older one, and says so.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower,
            (example,),
            stream,
            input_names=[taken],
            output_names=["embedding"],
            dynamic_axes={taken: free, "embedding": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    return stream.getvalue()


def _tokens(network: Any, texts: list[str]) -> Any:
    import open_clip

    return open_clip.get_tokenizer("ViT-B-32")(texts, context_length=network.context_length)


def _ones(*shape: int) -> Any:
    import torch

    return torch.ones(shape)


def _stack(pictures: list[Any]) -> Any:
    import torch

    return torch.stack(pictures)


def _numbers(tensor: Any) -> Vectors:
    return np.asarray(tensor.detach().numpy())


def _cosines(ours: Vectors, theirs: Vectors) -> Vectors:
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return np.asarray((ours * theirs).sum(axis=1) / norms)
