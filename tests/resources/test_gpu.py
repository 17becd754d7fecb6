"""On an NVIDIA GPU the models run there, and say what they say on the CPU.

Off by default: run `pytest -m gpu -s` where there is a GPU, with the extra `cuda`; `-s` shows how fast they are.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.onnx_binding import pinned_memory
from resources.onnx_runtime import load_onnxruntime
from resources.onnx_session import OnnxOptions, OnnxSession, close_sessions, warm_sessions
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.geometry import iou_xyxy
from tagging_assets.domain.models import Detection, RgbImage

pytestmark = pytest.mark.gpu

CUDA = OnnxOptions(provider="cuda")
CPU = OnnxOptions(provider="cpu")
CUDA_PROVIDER = "CUDAExecutionProvider"

# Convolutions on a GPU may round their inputs to TF32's ten bits of mantissa. The limits leave several times
# what that rounding, imitated on the CPU, moved over 24 photos: cosine 0.99998, scores of classes 0.004.
LEAST_COSINE = 0.999
MOST_SCORE_DIFFERENCE = 0.02
LEAST_IOU = 0.9
#: Boxes nearer to the detector's floor than the scores may differ can be there on one provider alone.
SURE = 0.25


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    """No session outlives a test: GPU memory goes back."""
    yield
    close_sessions()


@pytest.fixture
def photos(sample_images: dict[str, RgbImage]) -> list[RgbImage]:
    """Every sample, over and over: two full batches and a part of one."""
    samples = list(sample_images.values())
    return [samples[i % len(samples)] for i in range(70)]


@pytest.mark.parametrize("options", [OnnxOptions(), CUDA], ids=["auto", "cuda"])
def test_the_gpu_is_taken(weights_store: WeightsStore, options: OnnxOptions) -> None:
    session = OnnxSession(weights_store.path("person-yolov8s"), options)
    assert session.provider.startswith(CUDA_PROVIDER)
    assert not session.fell_back


def test_vectors_agree_with_the_cpu(weights_store: WeightsStore, photos: list[RgbImage]) -> None:
    encoder = EfficientNetEncoder(weights_store, CUDA)
    on_gpu = encoder.encode(photos)
    on_cpu = EfficientNetEncoder(weights_store, CPU).encode(photos)
    assert encoder.provider.startswith(CUDA_PROVIDER)
    assert on_gpu.shape == on_cpu.shape
    norms = np.linalg.norm(on_gpu, axis=1) * np.linalg.norm(on_cpu, axis=1)
    assert ((on_gpu * on_cpu).sum(axis=1) / norms).min() >= LEAST_COSINE


def test_classes_agree_with_the_cpu(weights_store: WeightsStore, photos: list[RgbImage]) -> None:
    tagger = EfficientNetTagger(weights_store, CUDA)
    on_gpu = tagger.tag(photos)
    on_cpu = EfficientNetTagger(weights_store, CPU).tag(photos)
    assert tagger.provider.startswith(CUDA_PROVIDER)
    for found, expected in zip(on_gpu, on_cpu, strict=True):
        scores = {score.label: score.score for score in found}
        for score in expected:
            # One under the floor here and over it there differs by less than the limit, too.
            assert scores.get(score.label, 0.05) == pytest.approx(score.score, abs=MOST_SCORE_DIFFERENCE)


def test_people_agree_with_the_cpu(weights_store: WeightsStore, sample_images: dict[str, RgbImage]) -> None:
    images = list(sample_images.values())
    entry = weights_store.catalogue.entry("person-yolov8s")
    detector = YoloDetector(ModelInUse(weights_store, entry, CUDA))
    on_gpu = detector.detect(images)
    on_cpu = YoloDetector(ModelInUse(weights_store, entry, CPU)).detect(images)
    assert detector.provider.startswith(CUDA_PROVIDER)
    assert any(box.score >= SURE for boxes in on_cpu for box in boxes)
    for found, expected in zip(on_gpu, on_cpu, strict=True):
        _check_each_sure_box_is_among(found, expected)
        _check_each_sure_box_is_among(expected, found)


def _check_each_sure_box_is_among(others: list[Detection], boxes: list[Detection]) -> None:
    for box in boxes:
        if box.score < SURE:
            continue
        overlaps = iou_xyxy(np.array([box.box_xyxy]), np.array([other.box_xyxy for other in others]).reshape(-1, 4))[0]
        assert overlaps.max(initial=0) >= LEAST_IOU
        assert others[int(overlaps.argmax())].score == pytest.approx(box.score, abs=MOST_SCORE_DIFFERENCE)


def test_buffers_are_pinned(weights_store: WeightsStore) -> None:
    OnnxSession(weights_store.path("person-yolov8s"), CUDA)
    buffer = pinned_memory(load_onnxruntime().cuda_version)(1 << 20)
    assert buffer is not None
    buffer[:] = 7
    assert (buffer == 7).all()


def test_bound_runs_say_the_same_again_and_again(weights_store: WeightsStore) -> None:
    session = OnnxSession(weights_store.path("person-yolov8s"), CUDA)
    generator = np.random.default_rng(0)
    feeds = [{"images": generator.random((1, 3, 640, 640), dtype=np.float32)} for _ in range(3)]
    first = [session.run(one)[0] for one in feeds]
    # Outputs are bound to kept buffers from the second run on; what was given before must not change.
    for one, expected in zip(feeds * 3, first * 3, strict=True):
        np.testing.assert_allclose(session.run(one)[0], expected, rtol=1e-3, atol=1e-2)


def test_threads_share_batches_and_each_gets_its_own(weights_store: WeightsStore, photos: list[RgbImage]) -> None:
    encoder = EfficientNetEncoder(weights_store, CUDA)
    alone = encoder.encode(photos)
    with ThreadPoolExecutor(10) as pool:
        chunks = [photos[start : start + 7] for start in range(0, 70, 7)]
        together = np.concatenate(list(pool.map(encoder.encode, chunks)))
    norms = np.linalg.norm(alone, axis=1) * np.linalg.norm(together, axis=1)
    assert ((alone * together).sum(axis=1) / norms).min() >= LEAST_COSINE


def test_how_fast(weights_store: WeightsStore, photos: list[RgbImage]) -> None:
    """Pictures per second from decoded photos to results, in chunks of eight as the stages do, and of the model alone.

    Asserts little; the gap between the two is what preparing costs.
    """
    detector = YoloDetector(ModelInUse(weights_store, weights_store.catalogue.entry("person-yolov8s"), CUDA))
    encoder, tagger = EfficientNetEncoder(weights_store, CUDA), EfficientNetTagger(weights_store, CUDA)
    work: dict[str, tuple[Callable[[Sequence[RgbImage]], Any], Callable[[RgbImage], Any]]] = {
        "detections": (detector.detect, detector.prepare),
        "embeddings": (encoder.encode, encoder.prepare),
        "tagger_scores": (tagger.tag, tagger.prepare),
    }
    for name, (function, prepare) in work.items():
        close_sessions()
        function(photos[:8])
        for threads in (1, 4, 8, 16):
            print(f"{name}: {speed(function, photos[:64], threads):.0f} pictures/s from {threads} threads")
        prepared = [prepare(photo) for photo in photos[:64]]
        alone = Inference(lambda: warm_sessions()[0])
        print(f"{name}: {speed(alone.run, prepared, 16):.0f} pictures/s of the model alone")


def speed(function: Callable[[Sequence[Any]], Any], pictures: Sequence[Any], threads: int) -> float:
    """Pictures per second through a function that takes chunks, from several threads."""
    chunks = [pictures[start : start + 8] for start in range(0, 64, 8)] * 8
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        assert len(list(pool.map(function, chunks))) == len(chunks)
        return 64 * 8 / (time.perf_counter() - began)
