"""open_clip models to ONNX: image and text tower apart, with what texts and scores need. The exporting process only."""

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.clip_tokens import write_tokenizer
from resources.export_job import TEXTS, Job, Made, Original, Report
from resources.model_notes import TextTower
from resources.preprocessing import picture_notes
from tagging_assets.domain.models import RgbImage


def make(job: Job, photos: Sequence[RgbImage], original: Original, say: Report) -> Made:
    """Export both towers with a free batch.

    Raises:
        ValueError: the model needs a tokenizer that its entry does not have.
    """
    import open_clip
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from resources.clip_towers import has_free_context, image_tower, text_tower

    network: Any = open_clip.create_model(job.export.model, pretrained=None, device="cpu", precision="fp32")
    say("reading the weights")
    _load(network, job.checkpoint)
    network.eval()
    said = (open_clip.get_model_config(job.export.model) or {}).get("text_cfg", {})
    cleaning = _write_tokenizer(job, said)
    context, pad = int(network.context_length), _pad(job, network)
    tokens = torch.from_numpy(_tokens(job, said, context, pad, cleaning))
    config = dict(network.visual.preprocess_cfg)
    height, width = (config["size"], config["size"]) if isinstance(config["size"], int) else config["size"]
    example = torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        say("writing ONNX of the image tower")
        _write(job, "image", image_tower(network), {"images": example}, {0: "batch"}, original)
        say("writing ONNX of the text tower")
        free = {0: "batch", 1: "context"} if has_free_context(network) else {0: "batch"}
        _write(job, "text", text_tower(network), {"tokens": tokens}, free, original)
        say(f"asking open_clip about {len(photos)} photos")
        transform = image_transform_v2(PreprocessCfg(**config), is_train=False)
        seen = [network.encode_image(transform(Image.fromarray(photo))[None]) for photo in photos]
        original.arrays["embedding"] = torch.cat(seen).numpy()
        original.arrays["text"] = network.encode_text(tokens).numpy()
    scale, bias = network.logit_scale.exp().item(), network.logit_bias
    return Made(
        files={"image": "image.onnx", "text": "text.onnx", "tokenizer": "tokenizer.json"},
        options={**job.export.options, "clean": cleaning},
        libraries={name: metadata.version(name) for name in ("open_clip_torch", "torch", "onnx")},
        preprocessing=picture_notes(config),
        text=TextTower(
            context=context,
            pad=pad,
            lower=cleaning != "whitespace",
            punctuation=cleaning != "canonicalize",
            logit_scale=scale,
            logit_bias=0.0 if bias is None else bias.item(),
            # What is trained with a bias is trained with the sigmoid loss (Zhai et al., ICCV 2023).
            activation="softmax" if bias is None else "sigmoid",
        ),
        dimensions=int(original.arrays["embedding"].shape[1]),
    )


def _load(network: Any, checkpoint: Path) -> None:
    """Into the network: weights alone, whatever they came in. OpenAI's come as a program, of which nothing is run."""
    import open_clip
    import torch

    if not _is_torchscript(checkpoint):
        open_clip.load_checkpoint(network, str(checkpoint), strict=True, weights_only=True)
        return
    state = torch.jit.load(str(checkpoint), map_location="cpu").state_dict()
    about = ("input_resolution", "context_length", "vocab_size")
    network.load_state_dict({name: value.float() for name, value in state.items() if name not in about})


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _write(
    job: Job, role: str, tower: Any, feeds: Mapping[str, Any], free: Mapping[int, str], original: Original
) -> None:
    """One tower; its axes in ``free`` may have any size."""
    import torch

    ((taken, example),) = feeds.items()
    torch.onnx.export(
        tower,
        (example,),
        str(job.folder / f"{role}.onnx"),
        opset_version=job.export.opset,
        input_names=[taken],
        output_names=["embedding"],
        dynamic_axes={taken: dict(free), "embedding": {0: "batch"}},
        # The other exporter needs onnxscript, and folds less.
        dynamo=False,
    )
    original.graph(role, {taken: example.numpy()}, {"embedding": tower(example).numpy()})


def _write_tokenizer(job: Job, said: Mapping[str, Any]) -> str:
    """Put ``tokenizer.json`` beside the towers; how the library cleans texts before it."""
    import open_clip

    target = job.folder / "tokenizer.json"
    if "hf_tokenizer_name" not in said:
        write_tokenizer(open_clip.get_tokenizer(job.export.model), target)
        return "lower"
    if "tokenizer" not in job.beside:
        raise ValueError(
            f"{job.export.model} reads texts by the tokenizer of {said['hf_tokenizer_name']}; add its tokenizer.json "
            "to the entry, with the role tokenizer"
        )
    shutil.copyfile(job.beside["tokenizer"], target)
    return str(said.get("tokenizer_kwargs", {}).get("clean", "whitespace"))


def _pad(job: Job, network: Any) -> int:
    """The token after a text: the entry's word, the tokenizer's, or the network's."""
    if "pad" in job.export.options:
        return int(job.export.options["pad"])
    told = json.loads((job.folder / "tokenizer.json").read_bytes()).get("padding")
    return int(told["pad_id"]) if told else int(getattr(getattr(network, "text", None), "pad_id", 0) or 0)


def _tokens(job: Job, said: Mapping[str, Any], context: int, pad: int, cleaning: str) -> NDArray[np.int64]:
    """(texts, context) tokens of the texts that towers are compared on, by the library's own tokenizer."""
    import open_clip
    from open_clip.tokenizer import get_clean_fn
    from tokenizers import Tokenizer

    if "hf_tokenizer_name" not in said:
        return np.asarray(open_clip.get_tokenizer(job.export.model)(list(TEXTS)).numpy(), np.int64)
    # The library's own needs transformers, which reads this very file.
    reader = Tokenizer.from_file(str(job.folder / "tokenizer.json"))
    reader.enable_truncation(context)
    reader.enable_padding(length=context, pad_id=pad)
    clean = get_clean_fn(cleaning)
    return np.array([one.ids for one in reader.encode_batch([clean(text) for text in TEXTS])], np.int64)
