"""Models to measure speed with, made where the real ones cannot be downloaded: a part of ``speed.py``.

    python benchmarks/speed_models.py FOLDER --photos DIR [--yolov8n MODEL.onnx]

Needs the extra ``export``. What is made, once, under FOLDER:

- ``yolov8s``: real weights, those of the embedded person detector (``yolo_weights.py``);
- ``yolov8n``: the weights of an ONNX file that is given, or seeded random ones, which find nothing;
- ``vit-b-32`` (open_clip's ViT-B-32), ``resnet50`` (timm) and ``wd-swinv2-tiny`` (a SwinV2-tiny at 256 pixels with the
  inputs and outputs of a WD tagger): seeded random weights. They say how fast a network runs, and nothing else.

Each but the last goes through the product's own export, with its comparison with the original, and all of them
through its own static quantisation, calibrated on the photos, whatever that costs: random weights say nothing of
accuracy. ``weights.json`` in FOLDER says which weights are which.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.catalogue import Catalogue
from resources.decoding import decode
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxOptions
from resources.weights import WeightsStore
from tagging_assets.domain.errors import TaggingError
from tagging_assets.domain.models import RgbImage

_KNOBS: Mapping[str, Any] = {
    "precision": {"says": "of the weights", "default": "fp32", "choices": ["fp32", "fp16", "int8"]}
}
_WD_KNOBS: Mapping[str, Any] = {
    **_KNOBS,
    "threshold_general": {"says": "", "default": 0.26, "least": 0, "most": 1},
    "threshold_character": {"says": "", "default": 0.75, "least": 0, "most": 1},
    "threshold_mode": {"says": "", "default": "published", "choices": ["published", "mcut"]},
}
_PEOPLE = {"Normal": "person", "Fall": "person"}

#: Model to task, adapter, checkpoint, how it is exported, and what its weights are.
_MADE: Mapping[str, tuple[str, str, str, dict[str, Any], str]] = {
    "yolov8s": (
        *("person_detection", "yolo", "yolov8s.pt", {"exporter": "ultralytics", "model": "yolov8s"}),
        "real: of the embedded person-yolov8s",
    ),
    "yolov8n": (
        *("person_detection", "yolo", "yolov8n.pt", {"exporter": "ultralytics", "model": "yolov8n"}),
        "seeded random: finds nothing",
    ),
    "vit-b-32": (
        *("image_embedding", "open_clip", "vit-b-32.pt", {"exporter": "open_clip", "model": "ViT-B-32"}),
        "seeded random",
    ),
    "resnet50": ("tagging", "timm", "resnet50.pt", {"exporter": "timm", "model": "resnet50"}, "seeded random"),
}
WD = "wd-swinv2-tiny"
#: Side of its input, pixels, and how many tags it has: as many as wd-swinv2-tagger-v3.
WD_SIDE, WD_TAGS = 256, 10_861


#: Photos that models are made with at most, and how many of them exports are compared on.
_PHOTOS, _PARITY = 48, 4
_TUNING_SECONDS = 10.0


def names() -> list[str]:
    """Of all models."""
    return [*_MADE, WD]


def prepare(folder: Path, photos: list[RgbImage], yolov8n: Path | None) -> None:
    """Make what is not there yet, and say so."""
    from resources.exporting import export, exported

    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names() if not (folder / _checkpoint(name)).is_file()]
    if missing:
        print(f"making {', '.join(missing)} in {folder}", file=sys.stderr, flush=True)
        arguments = [str(Path(__file__)), str(folder), "--checkpoints", *missing]
        more = ["--yolov8n", str(yolov8n.resolve())] if yolov8n else []
        environment = {
            **os.environ,
            "YOLO_CONFIG_DIR": str(folder),
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
        }
        subprocess.run([sys.executable, *arguments, *more], check=True, env=environment)
    store = store_of(folder)
    for name in names():
        entry = store.catalogue.entry(name)
        if name in _MADE and exported(store, entry) is None:
            print(f"exporting {name}", file=sys.stderr, flush=True)
            export(store, entry, photos[:_PARITY], lambda said: print(f"  {said}", file=sys.stderr, flush=True))
        if in_use(folder, name, "int8").notes is None:
            print(f"quantising {name}", file=sys.stderr, flush=True)
            _quantise(store, name, photos)
        for precision in ("fp32", "int8"):
            _tune(in_use(folder, name, precision), photos[0])


def _quantise(store: WeightsStore, name: str, photos: list[RgbImage]) -> None:
    """In static int8, whatever it costs; a model that cannot be had in it is named and left out."""
    from resources.calibration_photos import Photos
    from resources.quantising import quantising

    half = len(photos) * 2 // 3
    apart = Photos(photos[:half], photos[half:], "", "the benchmark's photos")
    try:
        with quantising(store, store.catalogue.entry(name), "int8", apart, lambda said: None) as made:
            made.accept(min_agreement=0.0)
            print(f"  agreement with fp32 {made.cost.agreement:.3f}", file=sys.stderr, flush=True)
    except TaggingError as error:
        print(f"  {name} in int8: {error}", file=sys.stderr, flush=True)


def _tune(model: ModelInUse, photo: RgbImage) -> None:
    """As `tagging models tune` does; what was found before is kept."""
    from resources.adapters import DETECTORS, ENCODERS, TAGGERS
    from resources.onnx_session import OnnxSession
    from resources.tuning import Tuning, subject_of
    from resources.tuning_search import search

    if model.is_derived and model.notes is None:
        return
    role = "image" if model.has("image") else "model"
    path, sha256 = model.path(role), model.sha256(role)
    tuning, subject = Tuning(model.store.cache_dir), subject_of(sha256, model.options)
    if tuning.kept(subject) is None:
        print(f"tuning {model.entry.name} {model.precision}", file=sys.stderr, flush=True)
        adapter: Any = {**TAGGERS, **ENCODERS, **DETECTORS}[model.entry.adapter](model)
        array = adapter.prepare(photo)
        found = search(
            model.entry.name,
            subject,
            array,
            lambda wanted: OnnxSession(path, wanted, sha256=sha256),
            model.options,
            _TUNING_SECONDS,
        )
        print(f"  {found.chosen}, {found.gain:.2f} x the default", file=sys.stderr, flush=True)
        tuning.keep(found)


def store_of(folder: Path) -> WeightsStore:
    """The models of a folder that :func:`prepare` has filled."""
    entries: dict[str, Any] = {}
    for name, (task, adapter, checkpoint, export, _) in _MADE.items():
        labels = {"labels": _PEOPLE} if name == "yolov8s" else {}
        entries[name] = {
            **{"tasks": [task], "adapter": adapter, "licence": "none", "preprocessing": "its own/1"},
            **{"export": export, "knobs": dict(_KNOBS), "files": [_file(folder / checkpoint, "checkpoint")], **labels},
        }
    entries[WD] = {
        **{"tasks": ["tagging"], "adapter": "wd", "licence": "none", "preprocessing": "white-square-bgr/1"},
        "knobs": dict(_WD_KNOBS),
        "files": [_file(folder / f"{WD}.onnx", "model"), _file(folder / "selected_tags.csv", "labels")],
    }
    catalogue = Catalogue.model_validate({"version": 1, "entries": entries, "profiles": {}})
    return WeightsStore(catalogue, folder / "cache", offline=True)


def in_use(folder: Path, name: str, precision: str = "fp32", provider: str = "cpu") -> ModelInUse:
    """A model as the product would use it by default."""
    store = store_of(folder)
    options = OnnxOptions(provider=provider, threads=1)  # type: ignore[arg-type]
    return ModelInUse(store, store.catalogue.entry(name), options, {"precision": precision})


def weights_said(folder: Path) -> dict[str, str]:
    """What the weights of each model are."""
    found: dict[str, str] = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    return found


def _checkpoint(name: str) -> str:
    return f"{WD}.onnx" if name == WD else _MADE[name][2]


def _file(path: Path, role: str) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = path.stat().st_size
    return {"name": path.name, "role": role, "sha256": digest, "size": size, "sources": [f"file:{path.resolve()}"]}


def _write_checkpoints(folder: Path, wanted: list[str], yolov8n: Path | None) -> None:
    """In a process of its own: torch is not unloaded."""
    import torch

    torch.manual_seed(0)
    said = weights_said(folder) if (folder / "weights.json").is_file() else {}
    for name in wanted:
        if name == WD:
            _write_wd(folder)
            said[name] = "seeded random"
        elif name == "yolov8s":
            _restore(_embedded_detector(), name, folder)
            said[name] = _MADE[name][4]
        elif name == "yolov8n" and yolov8n is not None:
            _restore(yolov8n, name, folder)
            said[name] = f"real: of {yolov8n.name}"
        else:
            torch.save(_random(name), folder / _MADE[name][2])
            said[name] = _MADE[name][4]
    (folder / "weights.json").write_text(json.dumps(said, indent=1), encoding="utf-8")


def _embedded_detector() -> Path:
    return WeightsStore().path("person-yolov8s")


def _restore(onnx_file: Path, name: str, folder: Path) -> None:
    from yolo_weights import save_checkpoint

    save_checkpoint(onnx_file, name, folder / f"{name}.pt")


def _random(name: str) -> Any:
    if name == "yolov8n":
        from ultralytics.nn.tasks import DetectionModel

        model = DetectionModel("yolov8n.yaml", verbose=False)
        model.names = {**model.names, 0: "person"}
        return {"model": model.eval(), "ema": None, "train_args": {}}
    if name == "vit-b-32":
        import open_clip

        return open_clip.create_model("ViT-B-32", pretrained=None).state_dict()
    import timm

    return timm.create_model(name, pretrained=False).state_dict()


def _write_wd(folder: Path) -> None:
    """NHWC BGR 0 to 255 in, probabilities out, as the files of the WD taggers are."""
    import timm
    import torch

    class Contract(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = timm.create_model("swinv2_tiny_window8_256", pretrained=False, num_classes=WD_TAGS)

        def forward(self, batch: Any) -> Any:
            return torch.sigmoid(self.net((batch.flip(-1).permute(0, 3, 1, 2) / 127.5) - 1.0))

    lines = ["tag_id,name,category,count", *(f"{place},rating_{place},9,1" for place in range(4))]
    lines += [f"{place},thing_{place},0,1" for place in range(4, WD_TAGS)]
    (folder / "selected_tags.csv").write_text("\r\n".join([*lines, ""]), encoding="utf-8")
    torch.onnx.export(
        Contract().eval(),
        (torch.zeros(1, WD_SIDE, WD_SIDE, 3),),
        str(folder / f"{WD}.onnx"),
        input_names=["input"],
        output_names=["output"],
        dynamo=False,
        opset_version=17,
    )


def main() -> None:
    """Make the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--yolov8n", type=Path, help="an ONNX export of YOLOv8n whose weights are taken")
    parser.add_argument("--checkpoints", nargs="*", help="only these checkpoints, and no export")
    parser.add_argument("--photos", type=Path, help="a folder: to compare on, and to calibrate int8")
    options = parser.parse_args()
    if options.checkpoints is not None:
        _write_checkpoints(options.folder, options.checkpoints, options.yolov8n)
        return
    if options.photos is None:
        parser.error("name a folder with --photos")
    paths = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})[:_PHOTOS]
    prepare(options.folder, [decode(path).pixels for path in paths], options.yolov8n)


if __name__ == "__main__":
    main()
