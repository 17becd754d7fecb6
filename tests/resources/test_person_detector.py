from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from resources.person_detector import (
    Letterbox,
    YoloPersonDetector,
    decode,
    letterbox,
    suppress,
    to_image,
)
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed, WeightsMissing
from tagging_assets.domain.models import RgbImage


def boxes(*values: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(-1, 4)


def grey(height: int, width: int, value: int = 255) -> RgbImage:
    return np.full((height, width, 3), value, dtype=np.uint8)


class FixedSession:
    """A session that always gives the same output."""

    provider = "FakeExecutionProvider"

    def __init__(self, output: np.ndarray) -> None:
        self.output = output
        self.shapes: list[tuple[int, ...]] = []

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        self.shapes.append(feeds["images"].shape)
        return [self.output]


@pytest.mark.parametrize(
    ("height", "width", "frame"),
    [
        (640, 640, Letterbox(1.0, 0, 0)),  # nothing to do
        (320, 640, Letterbox(1.0, 0, 160)),  # padded above and below
        (1280, 640, Letterbox(0.5, 160, 0)),  # shrunk, padded left and right
        (64, 32, Letterbox(10.0, 160, 0)),  # enlarged
        (1, 5000, Letterbox(0.128, 0, 319)),  # so thin that a row must be kept
    ],
)
def test_letterbox_keeps_the_aspect(height: int, width: int, frame: Letterbox) -> None:
    square, found = letterbox(grey(height, width))
    assert square.shape == (3, 640, 640)
    assert square.dtype == np.float32
    assert found == frame
    assert square[:, frame.top, 320] == pytest.approx(1.0, abs=0.01)
    if frame.left or frame.top:
        assert square[:, 0, 0] == pytest.approx(114 / 255)


RAW = np.array([[320, 320, 100, 200, 0.1, 0.7], [50, 50, 20, 20, 0.3, 0.2]], dtype=np.float32)


@pytest.mark.parametrize(
    "output",
    [
        np.tile(RAW, (4, 1)).T[None],  # (1, 4 + classes, anchors), as ultralytics exports
        np.tile(RAW, (2000, 1))[None],  # the same transposed
        np.array([[[270, 220, 370, 420, 0.7, 1], [40, 40, 60, 60, 0.3, 0]]], dtype=np.float32),  # nms=True
    ],
)
def test_outputs_are_told_apart_by_shape(output: np.ndarray) -> None:
    found, scores = decode(output)
    assert found[:2] == pytest.approx(boxes((270, 220, 370, 420), (40, 40, 60, 60)))
    assert scores[:2] == pytest.approx([0.7, 0.3])


def test_a_suppressed_output_may_be_empty() -> None:
    found, scores = decode(np.zeros((1, 0, 6), dtype=np.float32))
    assert found.shape == (0, 4)
    assert scores.shape == (0,)


@pytest.mark.parametrize("shape", [(1, 8400), (2, 6, 8400), (1, 4, 8400), (1, 3, 80, 80)])
def test_outputs_of_no_yolo_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelFailed, match="the detector gives"):
        decode(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize(
    ("candidates", "scores", "kept"),
    [
        (boxes(), [], []),
        (boxes((0, 0, 10, 10)), [0.5], [0]),
        (boxes((0, 0, 10, 10), (1, 1, 11, 11)), [0.5, 0.9], [1]),  # the better of two that overlap
        (boxes((0, 0, 10, 10), (5, 0, 15, 10)), [0.9, 0.5], [0, 1]),  # a third in common: two people
        (boxes((0, 0, 10, 10), (0, 0, 10, 10)), [0.5, 0.5], [0]),  # twins: the first
        # The middle one goes, and what only the middle one overlaps stays.
        (boxes((0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10)), [0.9, 0.8, 0.7], [0, 2]),
    ],
)
def test_suppression(candidates: np.ndarray, scores: list[float], kept: list[int]) -> None:
    assert suppress(candidates, np.array(scores, dtype=np.float32)).tolist() == kept


def test_boxes_find_back_to_the_image_and_stay_in_it() -> None:
    frame = Letterbox(0.5, 160, 0)
    found = to_image(boxes((160, 0, 480, 640), (0, -10, 200, 20)), frame, 640, 1280)
    assert found == pytest.approx(boxes((0, 0, 640, 1280), (0, 0, 80, 40)))


def test_the_detector_drops_noise_slivers_and_the_padding(tmp_path: Path) -> None:
    rows = [
        [320, 320, 100, 200, 0.2, 0.7],  # a person
        [320, 320, 100, 204, 0.6, 0.1],  # the same again
        [100, 300, 50, 50, 0.04, 0.0],  # below the floor
        [320, 20, 100, 20, 0.9, 0.0],  # in the padding above a wide image
    ]
    session = FixedSession(np.array(rows, dtype=np.float32).T[None].repeat(3, axis=2))
    detector = YoloPersonDetector(WeightsStore(cache_dir=tmp_path, offline=True), session=session)
    (found,) = detector.detect([grey(320, 640)])
    assert [(d.label, d.score) for d in found] == [("person", pytest.approx(0.7))]
    assert found[0].box_xyxy == pytest.approx((270, 60, 370, 260))
    assert detector.provider == "FakeExecutionProvider"


def test_each_image_goes_alone_as_the_model_wants_it(tmp_path: Path) -> None:
    session = FixedSession(np.zeros((1, 6, 8400), dtype=np.float32))
    detector = YoloPersonDetector(WeightsStore(cache_dir=tmp_path, offline=True), session=session)
    assert detector.detect([grey(10, 20), grey(20, 10)]) == [[], []]
    assert session.shapes == [(1, 3, 640, 640)] * 2


def test_nothing_is_loaded_before_the_first_image(tmp_path: Path) -> None:
    detector = YoloPersonDetector(WeightsStore(cache_dir=tmp_path, offline=True))
    assert detector.card.name == "person-yolov8s"
    assert detector.card.parameters == {"score_floor": 0.05, "iou": 0.5}
    assert detector.detect([]) == []
    assert detector.provider == "not loaded"
    with pytest.raises(WeightsMissing, match="tagging models pull"):
        detector.detect([grey(10, 10)])


@pytest.fixture(scope="module")
def detector(weights_store: WeightsStore) -> YoloPersonDetector:
    return YoloPersonDetector(weights_store)


@pytest.mark.parametrize(
    ("photo", "people"),
    [
        ("bus.jpg", [(217, 394, 349, 890), (695, 347, 810, 883), (34, 384, 219, 910)]),
        ("zidane.jpg", [(699, 0, 1280, 718), (18, 171, 1151, 720)]),
        ("motorcycle_left.png", []),
        ("rocket.jpg", []),
    ],
)
def test_it_finds_the_people(
    detector: YoloPersonDetector,
    sample_images: dict[str, RgbImage],
    photo: str,
    people: list[tuple[float, float, float, float]],
) -> None:
    (found,) = detector.detect([sample_images[photo]])
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    likely = [d for d in found if d.score > 0.5]
    assert np.array([d.box_xyxy for d in likely]) == pytest.approx(np.array(people), abs=12)
    assert detector.provider.endswith("ExecutionProvider")


def test_a_photo_is_judged_the_same_in_any_company(
    detector: YoloPersonDetector, sample_images: dict[str, RgbImage]
) -> None:
    bus, rocket = sample_images["bus.jpg"], sample_images["rocket.jpg"]
    assert detector.detect([rocket, bus])[1] == detector.detect([bus])[0]
