"""Silhouettes and parts: shapes, channels, the way to the model's square and back; on tiny models that see nothing.

The references are the steps of the models' own demonstrations, written out with OpenCV.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shape_models import parser, segmenter

from resources.adapters import make_landmarker
from resources.human_parsing import SchpParser, back_on_crop, on_square
from resources.model_in_use import ModelInUse
from resources.self_testing import photo
from resources.shaped_landmarker import ShapedLandmarker
from resources.silhouettes import PpHumanSeg
from tagging_assets.domain.errors import ModelFailed, WeightsCorrupt
from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.parts import Part
from tests.fakes import FakeLandmarker

ASTRONAUT = "astronaut.jpg"


def two_colours(height: int, width: int) -> RgbImage:
    """Red above, blue below."""
    crop = np.zeros((height, width, 3), np.uint8)
    crop[: height // 2, :, 0] = 200
    crop[height // 2 :, :, 2] = 200
    return crop


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((300, 100), (512, 171)),  # in the crop's aspect, the long side as MediaPipe's
        ((90, 260), (177, 512)),
        ((192, 192), (512, 512)),
        ((1, 1), (512, 512)),
    ],
)
def test_a_silhouette_covers_its_crop(
    tmp_path: Path, shape: tuple[int, int], mask: tuple[int, int], logits: bool
) -> None:
    found = PpHumanSeg(segmenter(tmp_path, logits=logits)).silhouette(two_colours(*shape))
    assert (found.shape, found.dtype) == (mask, np.uint8)
    if min(shape) > 1:
        assert (found[: mask[0] // 2 - 9] > 200).all(), "red is a person here"
        assert (found[mask[0] // 2 + 9 :] < 55).all()


def test_the_segmenter_is_shown_what_its_demonstration_shows(tmp_path: Path) -> None:
    import cv2

    image = photo(ASTRONAUT)[:, :300]
    made = PpHumanSeg(segmenter(tmp_path)).prepare(image)
    expected = (cv2.resize(image, (192, 192)).astype(np.float32) / 255.0 - 0.5) / 0.5
    np.testing.assert_allclose(made, expected.transpose(2, 0, 1), atol=1e-6)


def reference_square(crop: RgbImage, side: int) -> np.ndarray:
    """The authors' extraction: the longer side less one is the scale, and three points give the transform."""
    import cv2

    height, width = crop.shape[:2]
    centre, scale = np.array([(width - 1) / 2, (height - 1) / 2]), max(height - 1, width - 1)
    middle = (side - 1) / 2
    source = np.array([centre, centre - (0, scale / 2), centre - (scale / 2, scale / 2)], np.float32)
    target = np.array([[middle, middle], [middle, 0], [0, 0]], np.float32)
    matrix = cv2.getAffineTransform(source, target)
    warped = cv2.warpAffine(crop[:, :, ::-1], matrix, (side, side), flags=cv2.INTER_LINEAR)
    mean, std = np.array([0.406, 0.456, 0.485]), np.array([0.225, 0.224, 0.229])
    return ((warped / 255.0 - mean) / std).transpose(2, 0, 1), matrix


@pytest.mark.parametrize("part", [np.s_[:, 100:300], np.s_[50:250, :], np.s_[:, :], np.s_[100:160, 200:280]])
def test_a_crop_is_put_on_its_square_as_the_authors_do(part: Any) -> None:
    crop = np.ascontiguousarray(photo(ASTRONAUT)[part])
    made, (expected, _) = on_square(crop, 473), reference_square(crop, 473)
    assert (made.shape, made.dtype) == ((3, 473, 473), np.float32)
    # OpenCV rounds places to a 32nd of a pixel, and Pillow rounds levels down: one level of 256.
    assert (np.abs(made - expected).max() * 0.225 * 255) < 1.5


@pytest.mark.parametrize("shape", [(400, 200), (150, 380), (512, 512)])
def test_labels_come_back_where_the_authors_have_them(shape: tuple[int, int]) -> None:
    import cv2

    random = np.random.default_rng(5)
    coarse = random.normal(size=(20, 8, 8)).astype(np.float32)
    logits = np.stack([cv2.resize(plane, (119, 119), interpolation=cv2.INTER_CUBIC) for plane in coarse])
    crop = np.zeros((*shape, 3), np.uint8)
    made = back_on_crop(logits, shape, shape).argmax(axis=0)
    # The reference samples twice: corners on corners to the square, then the square onto the crop.
    corners = np.linspace(0, 118, 473, dtype=np.float32)
    across, down = np.meshgrid(corners, corners)
    large = np.stack([cv2.remap(plane, across, down, cv2.INTER_LINEAR) for plane in logits])
    _, matrix = reference_square(crop, 473)
    backward = cv2.invertAffineTransform(matrix)
    planes = [cv2.warpAffine(plane, backward, (shape[1], shape[0]), flags=cv2.INTER_LINEAR) for plane in large]
    assert (made == np.stack(planes).argmax(axis=0)).mean() > 0.99


@pytest.mark.parametrize(
    ("side", "classes", "below"),
    [
        (473, 20, Part.SUNGLASSES),  # LIP's class 4
        (512, 18, Part.UPPER_CLOTHES),  # ATR's
    ],
)
@pytest.mark.parametrize(("shape", "size"), [((300, 120), (300, 120)), ((200, 1000), (102, 512))])
def test_parts_of_a_crop(
    tmp_path: Path, side: int, classes: int, below: Part, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    parts = SchpParser(parser(tmp_path, side, classes)).parts(two_colours(*shape))
    assert (parts.shape, parts.dtype) == (size, np.uint8)
    assert (parts[: size[0] // 2 - 4] == Part.HAIR).all(), "class 2, of the refined planes"
    assert (parts[size[0] // 2 + 4 :] == below).all()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda folder: SchpParser(parser(folder, 64, 7)).parts, "not a plane for each of 20 parts"),
        (lambda folder: PpHumanSeg(segmenter(folder, planes=3)).silhouette, "not a plane for the ground"),
        # a part model in the silhouette's place
        (lambda folder: PpHumanSeg(parser(folder, 64, 20)).silhouette, "not a plane for the ground"),
    ],
)
def test_models_of_another_kind_are_refused(tmp_path: Path, make: Any, complaint: str) -> None:
    with pytest.raises(WeightsCorrupt, match=complaint) as error:
        make(tmp_path)(two_colours(60, 40))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "test", "complaint"),
    [
        (lambda folder, test: PpHumanSeg(segmenter(folder, self_test=test)).silhouette, ["person"], "person"),
        (lambda folder, test: SchpParser(parser(folder, 473, 20, self_test=test)).parts, ["hair", "scarf"], "scarf"),
    ],
)
def test_models_that_see_nothing_are_refused(tmp_path: Path, make: Any, test: list[str], complaint: str) -> None:
    asked = {"photo": ASTRONAUT, "finds": test, "least": 0.9 if test == ["person"] else 0.01}
    with pytest.raises(ModelFailed, match=rf"small does not work: in astronaut\.jpg it must find.* {complaint}"):
        make(tmp_path, asked)(two_colours(60, 40))


@pytest.fixture
def models(tmp_path: Path) -> tuple[PpHumanSeg, SchpParser]:
    (tmp_path / "s").mkdir()
    (tmp_path / "p").mkdir()
    return PpHumanSeg(segmenter(tmp_path / "s")), SchpParser(parser(tmp_path / "p", 473, 20))


@pytest.mark.parametrize(
    ("wanted", "own_mask", "parts"),
    [
        ("points", True, False),  # of a mirror image nothing else is looked at
        ("shape", False, False),
        ("parts", False, True),
    ],
)
def test_shapes_come_from_their_models(models: Any, wanted: Any, own_mask: bool, parts: bool) -> None:
    crop = two_colours(200, 100)
    fake = FakeLandmarker().landmarks(crop)
    seen = ShapedLandmarker(FakeLandmarker(), *models).landmarks(crop, wanted)
    np.testing.assert_array_equal(seen.pose, fake.pose)
    assert (seen.mask.shape == fake.mask.shape) is own_mask
    assert (seen.parts is not None) is parts


def test_where_nobody_is_no_shape_is_looked_for(models: Any) -> None:
    shaped = ShapedLandmarker(FakeLandmarker(sees_people=False), *models)
    seen = shaped.landmarks(two_colours(200, 100))
    assert (seen.pose, seen.face, seen.mask, seen.parts) == (None, None, None, None)
    assert models[0].provider == "not loaded"


def test_what_looks_is_known_by_all_its_models(models: Any) -> None:
    card = ShapedLandmarker(FakeLandmarker(), *models).card
    assert card.name == "fake-landmarker", "what it is weighed by"
    assert (card.parameters["silhouette"], card.parameters["human_parsing"]) == ("small", "small")
    assert card.revision.endswith("+".join(model.card.revision for model in models))
    assert card != ShapedLandmarker(FakeLandmarker(), models[0]).card
    assert card.parameters["silhouette.mask_side"] == 512


def test_the_settings_choose(tmp_path: Path, weights_store: Any) -> None:
    catalogue = weights_store.catalogue
    chosen = {
        "pose": "mediapipe-pose-full",
        "face": "mediapipe-face",
        "silhouette": "pp-humanseg",
        "human_parsing": "schp-lip",
    }
    landmarker = make_landmarker(lambda task: ModelInUse(weights_store, catalogue.entry(chosen[task])))
    assert landmarker.card.name == "mediapipe-pose-full+mediapipe-face"
    assert {"pp-humanseg", "schp-lip"} < set(landmarker.card.parameters.values())
    assert landmarker.provider == "not loaded"
    landmarker.close()
