"""What people run today, as they write it: a part of ``speed.py``.

    python benchmarks/speed_peers.py CONTESTANT MODELS PHOTO …

Threads are as each library sets them; nothing is tuned, nothing is held back. Contestants that go in batches are run
with several sizes, and the best one counts.
"""

import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from speed_measuring import compete

#: Works through photos and says what is to be known of it.
Work = Callable[[Sequence[Path]], str]


def ultralytics_predict(name: str, models: Path) -> Work:
    """``model.predict(path)``, photo by photo."""
    from ultralytics import YOLO

    model = YOLO(str(models / f"{name}.pt"))

    def work(photos: Sequence[Path]) -> str:
        boxes = sum(len(model.predict(str(photo), verbose=False)[0].boxes) for photo in photos)
        return f"{boxes} boxes"

    return work


def ultralytics_stream(name: str, models: Path) -> Work:
    """``model.predict([paths], stream=True)``."""
    from ultralytics import YOLO

    model = YOLO(str(models / f"{name}.pt"))

    def work(photos: Sequence[Path]) -> str:
        found = model.predict([str(photo) for photo in photos], stream=True, verbose=False)
        return f"{sum(len(one.boxes) for one in found)} boxes"

    return work


def open_clip_batches(size: int, models: Path) -> Work:
    """``encode_image`` over batches."""
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    model.load_state_dict(torch.load(models / "vit-b-32.pt", weights_only=True))
    model.eval()

    def work(photos: Sequence[Path]) -> str:
        with torch.inference_mode():
            for start in range(0, len(photos), size):
                batch = torch.stack([preprocess(Image.open(photo)) for photo in photos[start : start + size]])
                model.encode_image(batch, normalize=True)
        return f"batches of {size}"

    return work


def timm_loop(models: Path) -> Work:
    """The loop of timm's own documentation."""
    import timm
    import torch

    model = timm.create_model("resnet50", pretrained=False)
    model.load_state_dict(torch.load(models / "resnet50.pt", weights_only=True))
    model.eval()
    transform: Any = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)

    def work(photos: Sequence[Path]) -> str:
        with torch.inference_mode():
            for photo in photos:
                model(transform(Image.open(photo).convert("RGB")).unsqueeze(0)).softmax(dim=1).topk(5)
        return ""

    return work


def mediapipe_naive(models: Path) -> Work:
    """New landmarkers for each photo, as many examples have it."""
    from mediapipe import Image as MpImage
    from mediapipe import ImageFormat
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    from resources.weights import WeightsStore

    store = WeightsStore()
    pose_path, face_path = (str(store.path(name)) for name in ("mediapipe-pose-full", "mediapipe-face"))

    def work(photos: Sequence[Path]) -> str:
        found = 0
        for photo in photos:
            image = MpImage(image_format=ImageFormat.SRGB, data=np.asarray(Image.open(photo).convert("RGB")))
            pose_options = vision.PoseLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=pose_path), output_segmentation_masks=True
            )
            with vision.PoseLandmarker.create_from_options(pose_options) as pose:
                found += len(pose.detect(image).pose_landmarks)
            face_options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=face_path))
            with vision.FaceLandmarker.create_from_options(face_options) as face:
                found += len(face.detect(image).face_landmarks)
        return f"{found} poses and faces"

    return work


def wd_script(models: Path) -> Work:
    """The script that goes with the WD taggers: Pillow, one photo at a time, a session with its defaults."""
    # The script's own import would tell the vendor about its sessions.
    from resources.onnx_runtime import load_onnxruntime

    model = str(models / "wd-swinv2-tiny.onnx")
    session = load_onnxruntime().InferenceSession(model, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    side = given.shape[1]

    def work(photos: Sequence[Path]) -> str:
        for photo in photos:
            image = Image.open(photo).convert("RGB")
            largest = max(image.size)
            square = Image.new("RGB", (largest, largest), (255, 255, 255))
            square.paste(image, ((largest - image.width) // 2, (largest - image.height) // 2))
            if largest != side:
                square = square.resize((side, side), Image.Resampling.BICUBIC)
            array = np.asarray(square, dtype=np.float32)[:, :, ::-1]
            scores = session.run(None, {given.name: np.expand_dims(array, axis=0)})[0][0]
            sorted(zip(scores[4:], range(len(scores) - 4), strict=True), reverse=True)
        return ""

    return work


def pillow_full(models: Path) -> Work:
    """Every pixel decoded, then made small, then saved."""
    from PIL import ImageOps

    from tagging_assets.domain.images import PROXY_SIDE, proxy_size

    def work(photos: Sequence[Path]) -> str:
        for photo in photos:
            with Image.open(photo) as image:
                upright = ImageOps.exif_transpose(image.convert("RGB"))
                small = upright.resize(proxy_size(*upright.size, PROXY_SIDE), Image.Resampling.LANCZOS)
                small.save(io.BytesIO(), "JPEG", quality=95, subsampling=0)
        return ""

    return work


CONTESTANTS: dict[str, Callable[[Path], Work]] = {
    "ultralytics-yolov8n": partial(ultralytics_predict, "yolov8n"),
    "ultralytics-yolov8n-stream": partial(ultralytics_stream, "yolov8n"),
    "ultralytics-yolov8s": partial(ultralytics_predict, "yolov8s"),
    **{f"open_clip-batch-{size}": partial(open_clip_batches, size) for size in (1, 8, 32, 64)},
    "timm-loop": timm_loop,
    "mediapipe-naive": mediapipe_naive,
    "wd-script": wd_script,
    "pillow-full": pillow_full,
}

if __name__ == "__main__":
    compete(CONTESTANTS, sys.argv[1:])
