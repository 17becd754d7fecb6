"""Boxes are those of ``ultralytics predict`` on the same weights, photo by photo, masks and joints included."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from resources.weights import WeightsStore
from resources.yolo import Seen, YoloDetector
from resources.yolo_parts import joints_of, masks_of
from tagging_assets.domain.geometry import iou_xyxy
from tagging_assets.domain.models import RgbImage
from tests.yolo_files import in_use

#: What is asked for (docs/performance.md): so many boxes overlap so much, and score so alike.
LEAST_IOU, SHARE, MOST_DIFFERENCE = 0.99, 0.99, 0.01

#: Said by torch about how ultralytics exports, and by its own tracer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Converting a tensor:Warning")

EASY = {"photo": "astronaut.jpg", "finds": ["person"], "least": 0}
CORPUS = Path(os.environ.get("TAGGING_CORPUS", ""))


@pytest.fixture(scope="module", autouse=True)
def quiet_ultralytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """ultralytics without network, settings of its own, or words on the terminal."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLO_OFFLINE", "true")
        patch.setenv("YOLO_VERBOSE", "false")
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("ultralytics")))
        yield pytest.importorskip("ultralytics")


def export(checkpoint: Path, side: int = 640) -> Path:
    """The checkpoint as ONNX that takes any size, as the product exports it."""
    from ultralytics import YOLO

    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        # Options as of resources/export_ultralytics.py; what is compared here is the adapter.
        made = YOLO(str(checkpoint)).export(format="onnx", dynamic=True, simplify=False, opset=17, imgsz=side)
    return Path(made)


def boxes_agree(found: Sequence[tuple[Any, Any]]) -> tuple[float, float, int]:
    """Share of boxes that overlap by 0.99, worst difference of scores, and how many boxes there are.

    Args:
        found: what ultralytics says, and our detections, by photo.
    """
    overlaps, differences = [], []
    for said, ours in found:
        for *corners, score, number in said.boxes.data.numpy().tolist():
            same = [one for one in ours if one.label == said.names[int(number)]]
            mine = np.array([one.box_xyxy for one in same]).reshape(-1, 4)
            overlap = iou_xyxy(np.array([corners]), mine)[0]
            difference = np.abs(np.array([one.score for one in same]) - score)
            # Boxes may lie close together, and those of untrained networks do: scores tell which is which.
            best = int((overlap - difference).argmax()) if same else -1
            overlaps.append(overlap[best] if same else 0.0)
            differences.append(difference[best] if same else 1.0)
    near = np.array(overlaps) >= LEAST_IOU
    return float(near.mean()), float(np.array(differences)[near].max(initial=0)), len(overlaps)


@pytest.mark.parametrize("on_disk", ["sample photos", "corpus"])
def test_boxes_are_those_of_ultralytics(
    weights_store: WeightsStore, sample_images: dict[str, RgbImage], tmp_path: Path, on_disk: str
) -> None:
    from ultralytics import YOLO

    from benchmarks.yolo_weights import save_checkpoint

    if on_disk == "corpus":
        if "TAGGING_CORPUS" not in os.environ:
            pytest.skip("TAGGING_CORPUS is not set")
        source, architecture = CORPUS / "models" / "yolov8n-coco-int8.onnx", "yolov8n"
        photos = [_read(path) for path in sorted((CORPUS / "coco" / "images").iterdir())[::8]]
        finds = "person"
    else:
        source, architecture = weights_store.path("person-yolov8s"), "yolov8s"
        photos = [sample_images[name] for name in ("bus.jpg", "zidane.jpg")]
        finds = "Normal"
    checkpoint = save_checkpoint(source, architecture, tmp_path / "model.pt")
    test = {**EASY, "finds": [finds]}
    detector = YoloDetector(in_use(export(checkpoint), tmp_path / "cache", self_test=test))
    judge = YOLO(str(checkpoint))
    found = [
        (judge.predict(photo[..., ::-1], conf=0.25, iou=0.7, verbose=False, save=False)[0], detector.detect([photo])[0])
        for photo in photos
    ]
    share, difference, boxes = boxes_agree(found)
    assert boxes >= len(photos)
    assert share >= SHARE
    assert difference <= MOST_DIFFERENCE


def _read(path: Path) -> RgbImage:
    with Image.open(path) as photo:
        return np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))


def seeded(architecture: str, folder: Path, bias: float) -> Path:
    """A checkpoint of an untrained network that finds many boxes: its class scores are spread around ``bias``."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    yolo = YOLO(f"{architecture}.yaml")
    for module in yolo.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.6)
            module.bias.data.uniform_(-0.4, 0.4)
    for branch in yolo.model.model[-1].cv3:
        branch[-1].weight.data.normal_(0, 0.4)
        branch[-1].bias.data.fill_(bias)
    path = folder / f"{architecture}.pt"
    torch.save({"model": yolo.model.eval(), "train_args": {"imgsz": 160, "task": yolo.task}, "epoch": -1}, path)
    return path


@pytest.mark.parametrize(
    ("architecture", "bias"),
    [
        ("yolov8n-seg", -1.5),  # the best of 80 classes
        ("yolov8n-pose", 0.0),
    ],
)
def test_masks_and_joints_are_those_of_ultralytics(
    sample_images: dict[str, RgbImage], tmp_path: Path, architecture: str, bias: float
) -> None:
    from ultralytics import YOLO

    checkpoint = seeded(architecture, tmp_path, bias)
    judge = YOLO(str(checkpoint))
    photo = sample_images["bus.jpg"]
    (said,) = judge.predict(
        photo[..., ::-1], imgsz=160, conf=0.25, iou=0.7, retina_masks=True, verbose=False, save=False
    )
    boxes = said.boxes.data.numpy()
    assert len(boxes) >= 5
    test = {**EASY, "finds": [judge.names[0]]}
    pixels = {"input_pixels": {"says": "long side", "default": 160}}
    detector = YoloDetector(in_use(export(checkpoint, 160), tmp_path / "cache", self_test=test, knobs=pixels))
    share, difference, _ = boxes_agree([(said, detector.detect([photo])[0])])
    assert share >= SHARE
    assert difference <= MOST_DIFFERENCE
    (seen,) = detector.look([photo])
    places = [_place(seen, box, said.names) for box in boxes]
    if said.keypoints is not None:
        assert joints_of(seen)[places] == pytest.approx(said.keypoints.data.numpy(), abs=0.5)
    if said.masks is not None:
        assert _masks_agree(masks_of(seen, places) > 127, said.masks.data.numpy().astype(bool)) >= SHARE


def _masks_agree(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Share of the masks, where there is anything of one, that overlap by 0.97."""
    both, either = (ours & theirs).sum(axis=(1, 2)), (ours | theirs).sum(axis=(1, 2))
    return float(np.mean(both[either > 0] >= 0.97 * either[either > 0]))


def _place(seen: Seen, box: np.ndarray, names: dict[int, str]) -> int:
    overlap = iou_xyxy(box[None, :4], seen.boxes_xyxy)[0]
    other = np.array([label != names[int(box[5])] for label in seen.labels])
    return int(np.where(other, -1, overlap - np.abs(seen.candidates.scores - box[4])).argmax())
