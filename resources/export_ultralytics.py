"""YOLO checkpoints of ultralytics to ONNX: detection, segmentation and pose.

Runs in the exporting process only. Such a checkpoint is a pickle of a whole module, which could run any code where it
is loaded. Three things stand before that: the file's SHA-256 is the catalogue's; ultralytics is told to load it with
``weights_only`` and its own list of known classes (``ULTRALYTICS_SAFE_LOAD``), so that anything else in it is refused;
and it all happens in a process of its own.
"""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resources.export_job import CONFIDENCE, IOU, Job, Made, Original, Report
from tagging_assets.domain.models import RgbImage

_SIDE = 640


def make(job: Job, photos: Sequence[RgbImage], original: Original, say: Report) -> Made:
    """Export with free batch, height and width, without NMS, ultralytics' own metadata kept.

    Raises:
        RuntimeError: this ultralytics cannot load a checkpoint safely.
    """
    import ultralytics

    _insist_on_safe_loading()
    options = {"imgsz": _SIDE, "simplify": False, **job.export.options}
    yolo: Any = ultralytics.YOLO(str(job.checkpoint))
    # Where the library writes to, and nothing else.
    yolo.model.pt_path = str(job.folder / "model.pt")
    say(f"writing ONNX of {job.export.model}")
    yolo.export(
        format="onnx", dynamic=True, nms=False, opset=job.export.opset, device="cpu", batch=1, verbose=False, **options
    )
    target = job.folder / "model.onnx"
    _without_date(target)
    say(f"asking ultralytics about {len(photos)} photos")
    judge: Any = ultralytics.YOLO(str(job.checkpoint))
    _note_graph(judge, photos[0], original)
    for place, photo in enumerate(photos):
        # The library takes arrays as OpenCV reads them: BGR.
        (found,) = judge.predict(
            photo[..., ::-1], imgsz=options["imgsz"], conf=CONFIDENCE, iou=IOU, device="cpu", verbose=False, save=False
        )
        original.arrays[f"boxes/{place}"] = found.boxes.data.cpu().numpy().astype(np.float32).reshape(-1, 6)
    return Made(
        files={"model": target.name},
        options=options,
        libraries={name: metadata.version(name) for name in ("ultralytics", "torch", "onnx")},
        names=tuple(str(judge.names[place]) for place in sorted(judge.names)),
    )


def _insist_on_safe_loading() -> None:
    import torch
    import ultralytics

    safe = getattr(ultralytics.utils, "SAFE_LOAD", False) and hasattr(
        torch.serialization, "get_unsafe_globals_in_checkpoint"
    )
    if not safe:
        raise RuntimeError("this ultralytics cannot load checkpoints safely; install 8.4.190 or newer")


def _without_date(path: Path) -> None:
    """Take the date out, so that the same checkpoint gives the same bytes, and photos need not be looked at again."""
    import onnx

    model = onnx.load(path)
    kept = [one for one in model.metadata_props if one.key != "date"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, path)


def _note_graph(judge: Any, photo: RgbImage, original: Original) -> None:
    """A batch of two, no square, and what the unfused network makes of it, masks and keypoints included."""
    import torch

    small = np.asarray(Image.fromarray(photo).resize((224, 160)), np.float32).transpose(2, 0, 1) / 255
    images = np.stack([small, small[..., ::-1]])
    with torch.inference_mode():
        answered = judge.model.float().eval()(torch.from_numpy(images))
    # (what is predicted, what the loss needs); a segmenter predicts boxes with coefficients, and prototypes.
    predicted = answered[0] if isinstance(answered, (tuple, list)) else answered
    heads = predicted if isinstance(predicted, (tuple, list)) else [predicted]
    outputs = {f"output{place}": head.numpy() for place, head in enumerate(heads)}
    original.graph("model", {"images": images}, outputs)
