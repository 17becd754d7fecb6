"""Checkpoints of true architectures with seeded random weights, as the libraries save them; none of them tags well.

Run as a program, so that torch is loaded in no test process: ``seeded_checkpoints.py KIND FILE``.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from resources.catalogue import Catalogue
from resources.fetch import sha256_of

_PHOTOS = Path(__file__).parents[1] / "resources" / "selftest"

#: How each kind is exported: the entry's tasks, adapter and ``export``.
KINDS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "yolov8n": (
        "person_detection",
        "yolo",
        {"exporter": "ultralytics", "model": "yolov8n", "options": {"imgsz": 160}},
    ),
    "yolov8n-seg": (
        "person_detection",
        "yolo",
        {"exporter": "ultralytics", "model": "yolov8n-seg", "options": {"imgsz": 160}},
    ),
    "yolov8n-pose": (
        "person_detection",
        "yolo",
        {"exporter": "ultralytics", "model": "yolov8n-pose", "options": {"imgsz": 160}},
    ),
    "ViT-S-32-alt": ("image_embedding", "open_clip", {"exporter": "open_clip", "model": "ViT-S-32-alt"}),
    "test_vit": ("tagging", "timm", {"exporter": "timm", "model": "test_vit"}),
}


def make(kind: str, path: Path) -> Path:
    """Write a checkpoint, in a process of its own."""
    environment = {
        **os.environ,
        "YOLO_CONFIG_DIR": str(path.parent),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, __file__, kind, str(path)], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return path


def entry_of(kind: str, checkpoint: Path, **more: Any) -> dict[str, Any]:
    """An entry of a catalogue whose weights are that file."""
    task, adapter, export = KINDS[kind]
    file = {
        "name": checkpoint.name,
        "role": "checkpoint",
        "sha256": sha256_of(checkpoint),
        "size": checkpoint.stat().st_size,
        "sources": [f"file:{checkpoint}"],
    }
    said = {"tasks": [task], "adapter": adapter, "licence": "none", "preprocessing": "its own/1", "export": export}
    return {**said, "files": [file], **more}


def catalogue_of(entries: Mapping[str, Any]) -> Catalogue:
    """A catalogue of those entries alone."""
    return Catalogue.model_validate({"version": 1, "entries": dict(entries), "profiles": {}})


def _yolo(kind: str, path: Path) -> None:
    import torch
    from ultralytics import YOLO

    network: Any = YOLO(f"{kind}.yaml", verbose=False).model
    photos = torch.from_numpy(np.stack([_photo(path, 160) for path in sorted(_PHOTOS.glob("*.jpg"))]))
    photos = torch.cat([photos, photos.flip(3), photos.flip(2), photos.roll(80, 3)])
    # Without statistics of its own the signal dies on the way, and every box scores alike.
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    last = [head[-1] for head in network.model[-1].cv3]
    for layer in last:
        layer.register_forward_hook(_spread)
    with torch.no_grad():
        network.train()(photos)
        network.eval()(photos)
    for layer in last:
        layer._forward_hooks.clear()
    network.names = {**network.names, 0: "person"}
    torch.save({"model": network.eval(), "ema": None, "train_args": {}}, path)


def _photo(path: Path, side: int) -> Any:
    # As ultralytics does it: a network of random weights sees other things in a picture that was resized otherwise.
    photo: Any = cv2.resize(np.asarray(cv2.imread(str(path))), (side, side), interpolation=cv2.INTER_LINEAR)
    return photo[..., ::-1].astype(np.float32).transpose(2, 0, 1) / 255


def _spread(layer: Any, taken: Any, given: Any) -> None:
    """Give a layer logits that are low on the whole, a few of them high, as a trained detector's are."""
    import torch

    if layer.training:
        return
    with torch.no_grad():
        plain = given - layer.bias[:, None, None]
        scale = 12 / (plain.max() - plain.mean())
        layer.bias.fill_(4 - plain.max() * scale)
        layer.weight.mul_(scale)


def _clip(kind: str, path: Path) -> None:
    import open_clip
    import torch

    torch.save(open_clip.create_model(kind, pretrained=None).state_dict(), path)


def _timm(kind: str, path: Path) -> None:
    import timm
    import torch

    network = timm.create_model(kind, pretrained=False)
    with torch.no_grad():
        network.get_classifier().weight.normal_(std=0.5)
    torch.save(network.state_dict(), path)


def _main() -> None:
    import torch

    torch.manual_seed(0)
    kind, path = sys.argv[1], Path(sys.argv[2])
    {"ultralytics": _yolo, "open_clip": _clip, "timm": _timm}[KINDS[kind][2]["exporter"]](kind, path)


if __name__ == "__main__":
    _main()
