"""The product's way of doing what the peers do: a part of ``speed.py``.

    python benchmarks/speed_ours.py CONTESTANT MODELS PHOTO …

The product's own adapters, tuned as `tagging models tune` does it, from JPEG files to results, in the chunks and on
as many threads as the workbench would use: decoding, preparing, the model and what comes after are all in it.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from speed_measuring import compete
from speed_models import WD, in_use

from resources.decoding import decode
from resources.landmarker import MediaPipeLandmarker
from resources.proxy_store import ProxyStore
from resources.weights import WeightsStore
from resources.workbench import chunks_of
from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.stages import STAGES

#: Works through photos and says what is to be known of it.
Work = Callable[[Sequence[Path]], str]

_CHUNK = STAGES["detections"].chunk
#: As ``Stores.threads``.
_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(many: Callable[[Sequence[Path]], int], said: str = "") -> Work:
    """Chunk by chunk, as stages go, from several threads; the numbers that come back are added up."""

    def work(photos: Sequence[Path]) -> str:
        with ThreadPoolExecutor(_THREADS) as pool:
            total = sum(pool.map(many, chunks_of(photos, _CHUNK, _THREADS)))
        return f"{total} {said}" if said else ""

    return work


def _decoded(photos: Sequence[Path]) -> list[RgbImage]:
    return [decode(photo).pixels for photo in photos]


def detection(name: str, precision: str, models: Path) -> Work:
    """Boxes above ultralytics' own floor are counted; more of them are kept."""
    from resources.yolo import YoloDetector

    detector = YoloDetector(in_use(models, name, precision))

    def many(photos: Sequence[Path]) -> int:
        return sum(box.score >= 0.25 for boxes in detector.detect(_decoded(photos)) for box in boxes)

    return in_threads(many, "boxes")


def embedding(precision: str, models: Path) -> Work:
    """Vectors of whole photos."""
    from resources.clip import ClipEncoder

    encoder = ClipEncoder(in_use(models, "vit-b-32", precision))
    return in_threads(lambda photos: len(encoder.encode(_decoded(photos))), "vectors")


def classification(precision: str, models: Path) -> Work:
    """Labels of photos."""
    from resources.timm_tagger import TimmTagger

    tagger = TimmTagger(in_use(models, "resnet50", precision))
    return in_threads(lambda photos: len(tagger.tag(_decoded(photos))), "photos")


def wd(precision: str, models: Path) -> Work:
    """Tags of photos."""
    from resources.wd_tagger import WdTagger

    tagger = WdTagger(in_use(models, WD, precision))
    return in_threads(lambda photos: len(tagger.tag(_decoded(photos))), "photos")


def landmarks(models: Path) -> Work:
    """Poses and faces of the most prominent person; landmarkers are kept, one pair a thread."""
    landmarker = MediaPipeLandmarker.from_weights(WeightsStore())

    def many(photos: Sequence[Path]) -> int:
        seen = [landmarker.landmarks(image) for image in _decoded(photos)]
        return sum((one.pose is not None) + (one.face is not None) for one in seen)

    return in_threads(many, "poses and faces")


def proxies(models: Path) -> Work:
    """Working copies on disk, each read back and named by its pixels."""
    folder = tempfile.TemporaryDirectory()
    store = ProxyStore(folder.name)

    def many(photos: Sequence[Path], kept: object = folder) -> int:
        for photo in photos:
            store.put(decode(photo).pixels)
        return len(photos)

    return in_threads(many)


CONTESTANTS: dict[str, Callable[[Path], Work]] = {
    **{
        f"ours-{name}-{precision}": partial(detection, name, precision)
        for name in ("yolov8n", "yolov8s")
        for precision in ("fp32", "int8")
    },
    **{f"ours-vit-{precision}": partial(embedding, precision) for precision in ("fp32", "int8")},
    **{f"ours-timm-{precision}": partial(classification, precision) for precision in ("fp32", "int8")},
    **{f"ours-wd-{precision}": partial(wd, precision) for precision in ("fp32", "int8")},
    "ours-landmarks": landmarks,
    "ours-proxies": proxies,
}

if __name__ == "__main__":
    compete(CONTESTANTS, sys.argv[1:])
