"""timm classifiers to ONNX: logits and the embedding they are made from. Runs in the exporting process only."""

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image

from resources.export_job import Job, Made, Original, Report
from resources.preprocessing import timm_picture_notes
from tagging_assets.domain.models import RgbImage


def make(job: Job, photos: Sequence[RgbImage], original: Original, say: Report) -> Made:
    """Export with a free batch.

    Raises:
        ValueError: the names of the classes are not as many as the classes, or the preprocessing cannot be written
            down.
    """
    import timm
    import torch
    from timm.data import create_transform, resolve_data_config
    from timm.models import load_checkpoint

    options = {"activation": "softmax", "remap": False, **job.export.options}
    classes = int(options.get("classes", 0))
    network: Any = timm.create_model(
        job.export.model, pretrained=False, **({"num_classes": classes} if classes else {})
    )
    load_checkpoint(network, str(job.checkpoint), remap=bool(options["remap"]), weights_only=True)
    both = _with_embedding(network)
    config = resolve_data_config({}, model=network)
    names = _names(job.beside.get("labels"), network)
    example = torch.rand((2, *config["input_size"]), generator=torch.Generator().manual_seed(0))
    say(f"writing ONNX of {job.export.model}")
    torch.onnx.export(
        both,
        (example,),
        str(job.folder / "model.onnx"),
        opset_version=job.export.opset,
        input_names=["images"],
        output_names=["logits", "embedding"],
        dynamic_axes={name: {0: "batch"} for name in ("images", "logits", "embedding")},
        # The other exporter needs onnxscript, and folds less.
        dynamo=False,
    )
    say(f"asking timm about {len(photos)} photos")
    transform = create_transform(**config, is_training=False)
    with torch.inference_mode():
        answered = both(example)
        original.graph(
            "model",
            {"images": example.numpy()},
            {name: one.numpy() for name, one in zip(("logits", "embedding"), answered, strict=True)},
        )
        outputs = [both(transform(Image.fromarray(photo))[None]) for photo in photos]
        logits, embedding = (torch.cat([one[place] for one in outputs]) for place in (0, 1))
        scores = logits.sigmoid() if options["activation"] == "sigmoid" else logits.softmax(-1)
    original.arrays |= {"scores": scores.numpy(), "embedding": embedding.numpy()}
    return Made(
        files={"model": "model.onnx"},
        options=options,
        libraries={name: metadata.version(name) for name in ("timm", "torch", "onnx")},
        preprocessing=timm_picture_notes(config),
        names=names,
        dimensions=int(embedding.shape[1]),
    )


def _with_embedding(network: Any) -> Any:
    """The classifier with its embedding as a second output."""
    import torch

    class Both(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Any) -> tuple[Any, Any]:
            features = self.network.forward_features(images)
            return self.network.forward_head(features), self.network.forward_head(features, pre_logits=True)

    return Both().eval()


def _names(labels: Path | None, network: Any) -> tuple[str, ...]:
    """Of the classes: the file's that came with the checkpoint (text, or a model's config), else ImageNet's."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    classes = int(network.num_classes)
    if labels is not None:
        text = labels.read_text(encoding="utf-8")
        said = json.loads(text)["label_names"] if labels.suffix == ".json" else text.splitlines()
        names = tuple(str(one) for one in said)
    elif subset := infer_imagenet_subset(network):
        names = tuple(ImageNetInfo(subset).label_descriptions())
    else:
        raise ValueError(f"nobody says what the {classes} classes are; add a file with the role labels to the entry")
    if len(names) != classes:
        raise ValueError(f"{len(names)} names for {classes} classes")
    return names
