"""The detector takes YOLO files as they come: every variant of the outside finds the same light cells."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resources.model_in_use import ModelInUse
from resources.onnx_session import close_sessions
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.errors import ModelFailed, WeightsMissing
from tagging_assets.domain.models import Detection, RgbImage
from tests.yolo_files import answering, in_use, light_finder

#: Nothing is asked of these files; that is another test's matter.
EASY = {"photo": "astronaut.jpg", "finds": ["cat"], "least": 0}

Make = Callable[..., YoloDetector]


@pytest.fixture
def make(tmp_path: Path):
    """A detector of a file made by a function of ``yolo_files``."""

    def made(write: Callable[..., Path], *given: Any, entry: dict[str, Any] | None = None, **said: Any) -> YoloDetector:
        path = write(tmp_path / "model.onnx", *given, **said)
        return YoloDetector(in_use(path, tmp_path / "cache", **(entry or {})))

    yield made
    close_sessions()


def photo(width: int = 128, height: int = 64) -> RgbImage:
    """Black, its second cell of 32 pixels red, the one below the first green."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:32, 32:64, 0] = 230
    image[32:64, :32, 1] = 153
    return image


def told(found: list[Detection]) -> list[tuple[str, tuple[int, ...], float]]:
    return [(one.label, tuple(round(edge) for edge in one.box_xyxy), round(one.score, 2)) for one in found]


LIGHT = [("person", (32, 0, 64, 32), 0.9), ("cat", (0, 32, 32, 64), 0.6)]


@pytest.mark.parametrize(
    "variant",
    [
        {},  # as ultralytics exports with dynamic=True …
        {"metadata": {"batch": "1", "imgsz": "[128, 128]", "stride": "32"}},  # … its metadata say otherwise
        {"batch": 1},
        {"batch": 4},  # a fixed batch is filled up
        {"transposed": True},
        {"half": True},
        {"names": '{"0": "person", "1": "cat", "2": "dog"}'},  # JSON
        {"names": "['person', 'cat', 'dog']"},
        {"names": "{0: 'Person', 1: ' cat ', 2: ''}"},  # people as others write them; a class without a name
        {"extra": 32, "metadata": {"task": "segment"}},
        {"extra": 51, "metadata": {"task": "pose", "kpt_shape": "[17, 3]"}},
        {"extra": 8, "metadata": {"task": "pose", "kpt_shape": "[4, 2]"}},
    ],
    ids=str,
)
def test_every_variant_finds_the_same(make: Make, variant: dict[str, Any]) -> None:
    detector = make(light_finder, entry={"self_test": EASY, **_pixels(128)}, **variant)
    assert [told(one) for one in detector.detect([photo(), photo()])] == [LIGHT, LIGHT]
    assert detector.provider == "CPUExecutionProvider"


def _pixels(side: int) -> dict[str, Any]:
    return {"knobs": {"input_pixels": {"says": "long side of the input", "default": side}}}


@pytest.mark.parametrize(
    ("size", "shape", "box"),
    [
        ("side", (3, 64, 128), (32, 0, 64, 32)),  # a rectangle, to the next multiple of 32
        (128, (3, 128, 128), (32, 0, 64, 32)),  # a square of fixed size, padded above and below
        (256, (3, 256, 256), (32, 0, 48, 16)),  # as large as it fits: a cell of the input is half as large in the photo
    ],
)
def test_inputs_are_as_small_as_the_file_allows(
    make: Make, size: int | str, shape: tuple[int, ...], box: tuple[int, ...]
) -> None:
    detector = make(light_finder, size=size, entry={"self_test": EASY, **_pixels(128)})
    assert detector.prepare(photo()).shape == shape
    (found,) = detector.detect([photo()])
    assert box in [one[1] for one in told(found) if one[0] == "person"]


def test_photos_of_all_shapes_go_together_and_keep_their_order(make: Make) -> None:
    detector = make(light_finder, entry={"self_test": EASY, **_pixels(128)})
    found = detector.detect([photo(), photo(64, 64)[:1], photo(64, 128), np.zeros((5, 5, 3), np.uint8)])
    # A strip of one row is mostly padding, whose grey is light enough for these files.
    assert [len(one) for one in found] == [2, 4, 2, 0]
    assert detector.detect([]) == []


def test_classes_are_what_the_catalogue_says(make: Make) -> None:
    """Classes of one label are one thing; classes that are not named do not count."""
    entry = {"labels": {"person": "person", "cat": "person"}, **_pixels(128)}
    detector = make(light_finder, entry={"self_test": {**EASY, "finds": ["person"]}, **entry})
    assert {one.label for one in detector.detect([photo()])[0]} == {"person"}


FINAL = np.zeros((1, 300, 6), np.float32)
FINAL[0, 0] = [32, 0, 64, 32, 0.6, 1]
FINAL[0, 1] = [0, 0, 64, 64, 0.9, 0]
FINAL[0, 2] = [0, 0, 10, 10, 0.04, 2]  # below the floor


def test_an_export_with_suppression_is_known_by_its_shape(make: Make) -> None:
    detector = make(answering, [FINAL], metadata={"end2end": "False"}, entry={"self_test": EASY})
    (found,) = detector.detect([photo(64, 64)])
    assert told(found) == [("person", (0, 0, 64, 64), 0.9), ("cat", (32, 0, 64, 32), 0.6)]


def test_nothing_is_loaded_before_the_first_photo(make: Make) -> None:
    detector = make(light_finder, entry=_pixels(128))
    assert detector.card.name == "yolo"
    assert detector.card.parameters == {"score_floor": 0.05, "iou": 0.7, "input_pixels": 128}
    assert detector.detect([]) == []
    assert detector.provider == "not loaded"


@pytest.mark.parametrize(
    ("variant", "entry", "says"),
    [
        ({"names": None}, {}, "does not say what its classes are"),
        ({"names": "{0: 'person', 2: 'cat', 3: 'dog'}"}, {}, "not numbered from 0"),
        ({"names": "__import__('os').getcwd()"}, {}, "does not say what its classes are"),
        ({"names": "{0: 'person'}"}, {}, "with 1 classes there must be 5"),
        ({"metadata": {"task": "classify"}}, {}, "made for classify"),
        ({}, {"labels": {"sheep": "person"}}, "no class sheep; it has person, cat, dog"),
        # who looks for people, and knows none
        ({"names": "['car', 'cat', 'dog']"}, {}, "finds no people, only car, cat, dog"),
        ({}, {"labels": {"cat": "cat"}}, "finds no people, only cat"),
        # a photo with nobody in it, to be sure
        ({}, {"self_test": {"photo": "chelsea.jpg", "finds": ["zebra"], "least": 0.2}}, "must find zebra"),
        ({}, {"self_test": {"photo": "nobody.jpg", "finds": ["person"], "least": 0.2}}, "there is no photo nobody.jpg"),
    ],
)
def test_files_that_do_not_serve_are_refused_in_one_line(
    make: Make, variant: dict[str, Any], entry: dict[str, Any], says: str
) -> None:
    detector = make(light_finder, entry={**_pixels(128), **entry}, **variant)
    with pytest.raises(Exception, match=says) as refused:
        detector.detect([photo()])
    assert "\n" not in str(refused.value)


def test_a_detector_of_things_serves_where_its_entry_says_what_it_finds(make: Make) -> None:
    detector = make(light_finder, names="['car', 'cat', 'dog']", entry={"self_test": EASY, **_pixels(128)})
    assert [one[0] for one in told(detector.detect([photo()])[0])] == ["car", "cat"]


def test_weights_that_are_missing_say_how_to_get_them(tmp_path: Path) -> None:
    store = WeightsStore(cache_dir=tmp_path, offline=True)
    detector = YoloDetector(ModelInUse(store, store.catalogue.entry("person-yolov8s")))
    with pytest.raises(WeightsMissing, match="tagging models pull"):
        detector.detect([photo()])


@pytest.fixture(scope="module")
def embedded(weights_store: WeightsStore) -> YoloDetector:
    return YoloDetector(ModelInUse(weights_store, weights_store.catalogue.entry("person-yolov8s")))


@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("bus.jpg", [(217, 394, 349, 890), (695, 347, 810, 883), (34, 384, 219, 910)]),
        ("zidane.jpg", [(699, 0, 1280, 718), (18, 171, 1151, 720)]),
        ("motorcycle_left.png", []),
        ("rocket.jpg", []),
    ],
)
def test_the_embedded_one_finds_the_people(
    embedded: YoloDetector,
    sample_images: dict[str, RgbImage],
    name: str,
    people: list[tuple[float, float, float, float]],
) -> None:
    (found,) = embedded.detect([sample_images[name]])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    likely = sorted(one.box_xyxy for one in found if one.score > 0.5)
    assert np.array(likely) == pytest.approx(np.array(sorted(people)), abs=12)
    assert {one.label for one in found} <= {"person"}


CORPUS = Path(os.environ.get("TAGGING_CORPUS", ""))
with_corpus = pytest.mark.skipif("TAGGING_CORPUS" not in os.environ, reason="TAGGING_CORPUS is not set")
COCO_TEST = {"photo": "chelsea.jpg", "finds": ["cat"], "least": 0.4}


@with_corpus
def test_a_real_coco_model_finds_people_and_things(tmp_path: Path, sample_images: dict[str, RgbImage]) -> None:
    path = CORPUS / "models" / "yolov8n-coco-int8.onnx"
    detector = YoloDetector(in_use(path, tmp_path, self_test=COCO_TEST))
    (found,) = detector.detect([sample_images["bus.jpg"]])
    assert {one.label for one in found if one.score > 0.5} == {"bus", "person"}


@with_corpus
def test_a_model_that_finds_nothing_is_refused(tmp_path: Path, sample_images: dict[str, RgbImage]) -> None:
    path = CORPUS / "models" / "yolov8n-coco-broken.onnx"
    detector = YoloDetector(in_use(path, tmp_path, self_test=COCO_TEST))
    with pytest.raises(ModelFailed, match=r"^yolo does not work: .* must find cat .* found nothing at all"):
        detector.detect([sample_images["bus.jpg"]])
