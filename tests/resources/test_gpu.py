"""On an NVIDIA GPU the models run there, and say what they say on the CPU.

Off by default: run `pytest -m gpu` where there is a GPU, CUDA 13 and cuDNN 9.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.onnx_session import OnnxOptions, OnnxSession, close_sessions
from resources.person_detector import YoloPersonDetector
from resources.weights import WeightsStore
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
    assert session.provider == CUDA_PROVIDER
    assert not session.fell_back


def test_vectors_agree_with_the_cpu(weights_store: WeightsStore, photos: list[RgbImage]) -> None:
    encoder = EfficientNetEncoder(weights_store, CUDA)
    on_gpu = encoder.encode(photos)
    on_cpu = EfficientNetEncoder(weights_store, CPU).encode(photos)
    assert encoder.provider == CUDA_PROVIDER
    assert on_gpu.shape == on_cpu.shape
    norms = np.linalg.norm(on_gpu, axis=1) * np.linalg.norm(on_cpu, axis=1)
    assert ((on_gpu * on_cpu).sum(axis=1) / norms).min() >= LEAST_COSINE


def test_classes_agree_with_the_cpu(weights_store: WeightsStore, photos: list[RgbImage]) -> None:
    tagger = EfficientNetTagger(weights_store, CUDA)
    on_gpu = tagger.tag(photos)
    on_cpu = EfficientNetTagger(weights_store, CPU).tag(photos)
    assert tagger.provider == CUDA_PROVIDER
    for found, expected in zip(on_gpu, on_cpu, strict=True):
        scores = {score.label: score.score for score in found}
        for score in expected:
            # One under the floor here and over it there differs by less than the limit, too.
            assert scores.get(score.label, 0.05) == pytest.approx(score.score, abs=MOST_SCORE_DIFFERENCE)


def test_people_agree_with_the_cpu(weights_store: WeightsStore, sample_images: dict[str, RgbImage]) -> None:
    images = list(sample_images.values())
    detector = YoloPersonDetector(weights_store, CUDA)
    on_gpu = detector.detect(images)
    on_cpu = YoloPersonDetector(weights_store, CPU).detect(images)
    assert detector.provider == CUDA_PROVIDER
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
