"""Part maps: what models' classes become, and which pixels of a crop are meant."""

import numpy as np
import pytest
from drawn_people import Figure

from tagging_assets.domain.body_features import FEATURES, body_features
from tagging_assets.domain.clothes_colours import clothes_colour
from tagging_assets.domain.landmarks import landmark_rows, stored_landmarks
from tagging_assets.domain.models import ModelCard, PersonLandmarks, RgbImage, Wanted
from tagging_assets.domain.parts import ATR, LIP, LOWER, UPPER, Part, from_classes, shares, where


def test_every_model_has_every_class_once() -> None:
    assert (len(LIP), len(ATR)) == (20, 18)
    assert len(set(LIP)) == 20
    assert len(set(ATR)) == 18
    assert set(LIP) | set(ATR) == set(Part)


@pytest.mark.parametrize(
    ("order", "number", "part"),
    [
        (LIP, 0, Part.BACKGROUND),
        (LIP, 2, Part.HAIR),
        (LIP, 13, Part.FACE),
        (LIP, 19, Part.RIGHT_SHOE),
        (ATR, 0, Part.BACKGROUND),
        (ATR, 3, Part.SUNGLASSES),  # LIP has gloves there
        (ATR, 8, Part.BELT),  # LIP has none
        (ATR, 11, Part.FACE),
        (ATR, 16, Part.BAG),
        (ATR, 17, Part.SCARF),
    ],
)
def test_classes_become_parts(order: tuple[Part, ...], number: int, part: Part) -> None:
    made = from_classes(np.full((2, 3), number), order)
    assert (made.shape, made.dtype) == ((2, 3), np.uint8)
    assert (made == part).all()


@pytest.mark.parametrize("size", [(4, 6), (40, 60), (2, 3)])
def test_a_map_covers_the_crop_at_any_resolution(size: tuple[int, int]) -> None:
    parts = np.zeros((4, 6), np.uint8)
    parts[:2], parts[2:] = Part.COAT, Part.SKIRT
    upper = where(parts, UPPER, size)
    assert upper.shape == size
    assert upper[: size[0] // 2].all()
    assert not upper[size[0] // 2 :].any()
    np.testing.assert_array_equal(where(parts, LOWER, size), ~upper)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([[0, 0], [0, 0]], []),  # the ground is no part
        ([[2, 2], [0, 13]], [("hair", 0.5), ("face", 0.25)]),
        ([[21]], [("bag", 1.0)]),
    ],
)
def test_shares(values: list[list[int]], told: list[tuple[str, float]]) -> None:
    assert shares(np.array(values, np.uint8)) == told


def dressed(rgb: tuple[int, int, int], noise: float = 4.0) -> tuple[RgbImage, np.ndarray]:
    """A crop whose upper half is a shirt of a colour, and its part map at half the resolution."""
    random = np.random.default_rng(3)
    crop = np.full((120, 80, 3), 128.0)
    crop[:60] = rgb
    parts = np.zeros((60, 40), np.uint8)
    parts[:30] = Part.UPPER_CLOTHES
    return (crop + random.normal(0, noise, crop.shape)).clip(0, 255).astype(np.uint8), parts


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((20, 20, 22), "black"),
        ((240, 240, 238), "white"),
        ((120, 121, 122), "grey"),
        ((180, 25, 30), "red"),
        ((230, 120, 30), "orange"),
        ((245, 215, 50), "yellow"),
        ((40, 120, 50), "green"),
        ((30, 60, 160), "blue"),
        ((30, 35, 70), "blue"),  # navy
        ((110, 50, 140), "purple"),
        ((240, 160, 185), "pink"),
        ((100, 65, 35), "brown"),
    ],
)
def test_colours_of_clothes(rgb: tuple[int, int, int], name: str) -> None:
    colour = clothes_colour(*dressed(rgb), UPPER)
    assert colour is not None
    assert colour.name == name
    assert colour.confidence > 0.5


def test_a_garment_of_many_colours_is_unsure() -> None:
    crop, parts = dressed((180, 25, 30))
    plain = clothes_colour(crop, parts, UPPER)
    crop[:60:2] = (30, 60, 160)
    striped = clothes_colour(crop, parts, UPPER)
    assert plain is not None
    assert striped is not None
    assert striped.confidence < 0.7 * plain.confidence


def test_a_garment_that_is_hardly_seen_has_no_colour() -> None:
    crop, parts = dressed((180, 25, 30))
    assert clothes_colour(crop, parts, LOWER) is None


@pytest.mark.parametrize("known", [False, True])
def test_clothes_have_colours_where_parts_are_known(known: bool) -> None:
    crop, parts = dressed((180, 25, 30))
    seen = PersonLandmarks(Figure().pose(), None, Figure().mask(), parts if known else None)
    features = {feature.name: feature for feature in body_features(crop, seen)}
    assert list(features) == list(FEATURES)
    assert features["upper_clothes_colour"].label == ("red" if known else None)
    assert features["lower_clothes_colour"].label is None


class Parsing:
    """Sees a dressed figure, and remembers how much was asked for."""

    card = ModelCard("parsing", "0", "none")
    provider = "none"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def landmarks(self, crop: RgbImage, wanted: Wanted = "parts") -> PersonLandmarks:
        self.asked.append(wanted)
        parts = np.full((8, 6), Part.COAT, np.uint8) if wanted == "parts" else None
        return PersonLandmarks(Figure().pose(), None, Figure().mask(), parts)


@pytest.mark.parametrize(
    ("keep", "asked"),
    [
        (True, ["parts", "points"]),  # the mirror image is for points alone
        (False, ["shape", "points"]),  # what may not be kept is not looked at
    ],
)
def test_parts_are_kept_where_points_are(keep: bool, asked: list[str]) -> None:
    box = {"detection_id": 0, "score": 0.9, "x0": 10, "y0": 10, "x1": 90, "y1": 190}
    landmarker = Parsing()
    (row,) = landmark_rows(np.zeros((200, 100, 3), np.uint8), [box], landmarker, keep_points=keep)
    assert landmarker.asked == asked
    kept = stored_landmarks(row).parts
    assert (kept is not None) is keep
    if kept is not None:
        np.testing.assert_array_equal(kept, np.full((8, 6), Part.COAT, np.uint8))


def test_rows_of_before_there_were_parts_have_none() -> None:
    assert stored_landmarks({"pose": None, "face": None, "mask_png": None}).parts is None
