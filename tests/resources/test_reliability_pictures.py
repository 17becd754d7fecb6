"""Reliability diagrams: pictures of the promised size that differ where what they show differs."""

import base64
import io

import pytest
from PIL import Image

from resources.reliability import reliability_markdown, reliability_png
from tagging_assets.domain.calibration import IDENTITY
from tagging_assets.domain.fitted import Fit, Fitted
from tagging_assets.domain.teaching import Lesson, Pupil, Teacher

PUPIL = Pupil("1", IDENTITY)


def fitted(count: int = 90) -> Fitted:
    """One fit a category, of a model that is half as often right as it says."""
    lessons = [
        Lesson(
            f"{category} {place}",
            category,
            place % 20 < 10 * (0.4 + 0.6 * place / count),
            [{"source": "tagger", "model": "eff", "revision": "1", "score": 0.4 + 0.6 * place / count}],
        )
        for category in ("object", "scene", "style")
        for place in range(count)
    ]
    return Teacher({("tagger", "eff"): PUPIL}).teach(lessons)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fitted().fits[0]


@pytest.mark.parametrize("scale", [1, 2])
def test_a_diagram_is_a_picture(fit: Fit, scale: int) -> None:
    picture = Image.open(io.BytesIO(reliability_png(fit, IDENTITY, scale=scale)))
    assert (picture.format, picture.size) == ("PNG", (860 * scale, 460 * scale))
    colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24) or ()}
    assert {(0x1B, 0x6E, 0x47), (0x8A, 0x91, 0x9B)} <= colours


def test_the_same_fit_is_the_same_picture_and_another_another(fit: Fit) -> None:
    first = reliability_png(fit, IDENTITY)
    assert reliability_png(fit, IDENTITY) == first
    assert reliability_png(fit, fit.curve) != first
    assert reliability_png(fit.model_copy(update={"lowest": -1.0, "highest": 2.0}), IDENTITY) != first


def test_diagrams_in_markdown_and_the_names_of_those_left_out() -> None:
    fits = fitted().fits
    assert len(fits) == 3
    said = reliability_markdown(fits, lambda _: IDENTITY, most=2)
    first, second, rest = said.split("\n\n")
    assert rest == "Not drawn: tagger · style (eff)"
    data = first.split("base64,")[1].removesuffix(")")
    assert base64.b64decode(data) == reliability_png(fits[0], IDENTITY)
    assert second.startswith("![tagger · scene](data:image/png;base64,")
    assert reliability_markdown([], lambda _: IDENTITY) == ""
