import numpy as np
import pytest
from drawn_people import draw_eyes, draw_head

from tagging_assets.domain.body_colours import (
    HAIR_COLOURS,
    IRIS_COLOURS,
    hair_colour,
    iris_colour,
    lab_of_rgb,
    named_colour,
)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),  # white
        ((0, 0, 0), (0.0, 0.0, 0.0)),  # black
        ((255, 0, 0), (53.24, 80.09, 67.20)),  # primaries, by Lindbloom's calculator
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),  # middle grey
    ],
)
def test_lab(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(lab_of_rgb(np.array(rgb, np.uint8)), lab, atol=0.03)


@pytest.mark.parametrize("references", [HAIR_COLOURS, IRIS_COLOURS])
def test_a_reference_colour_has_its_own_name(references: tuple) -> None:
    for name, colour in references:
        named = named_colour(np.array([colour], float), references)
        assert named.name == name
        assert named.confidence > 0.5


def test_mixed_pixels_are_less_sure() -> None:
    black, blond = np.array([[12.0, 1, 1]]), np.array([[70.0, 4, 25]])
    pure = named_colour(np.repeat(blond, 10, axis=0), HAIR_COLOURS)
    mixed = named_colour(np.concatenate([np.repeat(blond, 6, axis=0), np.repeat(black, 4, axis=0)]), HAIR_COLOURS)
    assert (pure.name, mixed.name) == ("blond", "blond")
    assert mixed.confidence < pure.confidence


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((60, 35, 22), "brown"),  # dark
        ((95, 60, 35), "brown"),
        ((120, 95, 55), "hazel"),
        ((95, 115, 75), "green"),
        ((95, 125, 150), "blue"),
        ((115, 115, 113), "grey"),
    ],
)
def test_iris_colour(rgb: tuple[int, int, int], name: str) -> None:
    crop, face = draw_eyes(rgb)
    named = iris_colour(crop, face)
    assert named is not None
    assert named.name == name
    assert named.confidence > 0.4


def test_iris_colour_survives_warm_light() -> None:
    crop, face = draw_eyes((95, 125, 150))
    warm = (crop * np.array([1.0, 0.94, 0.84])).astype(np.uint8)
    named = iris_colour(warm, face)
    assert named is not None
    assert named.name == "blue"


@pytest.mark.parametrize(
    ("radius", "lid"),
    [
        (2.5, 10.0),  # too few pixels
        (20.0, 3.0),  # closed
    ],
)
def test_no_iris_where_none_is_seen(radius: float, lid: float) -> None:
    assert iris_colour(*draw_eyes((95, 125, 150), radius, lid)) is None


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((22, 20, 20), "black"),
        ((85, 58, 40), "brown"),
        ((205, 170, 115), "blond"),
        ((140, 65, 35), "red"),
        ((150, 150, 148), "grey"),
        ((225, 225, 222), "grey"),  # white is the light end of grey
        ((60, 90, 200), "dyed"),  # blue
        ((215, 105, 175), "dyed"),  # pink
    ],
)
def test_hair_colour(rgb: tuple[int, int, int], name: str) -> None:
    named = hair_colour(*draw_head(rgb))
    assert named is not None
    assert named.name == name
    assert named.confidence > 0.5


@pytest.mark.parametrize(
    ("hair", "skin"),
    [
        (None, (205, 160, 135)),  # bald
        (None, (95, 62, 48)),  # bald, darker
        ((90, 90, 90), (170, 170, 170)),  # a black-and-white photo has no colours
    ],
)
def test_no_hair_colour(hair: tuple[int, int, int] | None, skin: tuple[int, int, int]) -> None:
    assert hair_colour(*draw_head(hair, skin)) is None


@pytest.mark.parametrize("skin", [(235, 200, 180), (205, 160, 135), (140, 98, 75), (85, 55, 42)])
def test_hair_colour_does_not_depend_on_skin(skin: tuple[int, int, int]) -> None:
    named = hair_colour(*draw_head((22, 20, 20), skin))
    assert named is not None
    assert named.name == "black"


def test_a_bowed_head_shows_no_hairline() -> None:
    crop, face, mask = draw_head((85, 58, 40))
    face[152, 2] = 0.8
    named = hair_colour(crop, face, mask)
    assert named is not None
    assert named.confidence < 0.1
