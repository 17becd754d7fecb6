import base64
import io

import numpy as np
import pytest
from PIL import Image

from resources.contact_sheet import (
    draw_sheet,
    encode_jpeg,
    histogram_markdown,
    render_png,
    score_histogram_png,
    sheet_markdown,
)
from tagging_assets.domain.contact_sheet import Entry, SheetBox, SheetTag
from tagging_assets.domain.models import RgbImage

BLUE: RgbImage = np.full((300, 400, 3), (20, 60, 200), dtype=np.uint8)
TAGS = (SheetTag("dog", 0.82, "auto"), SheetTag("a tag with a name too long for its cell", 0.6, "needs_review"))
PHOTO = Entry("a.jpg", BLUE, (SheetBox((0.25, 0.25, 0.75, 0.75), 0.9),), TAGS)
BROKEN = Entry(b"b\xff.jpg".decode("utf-8", "surrogateescape"), None, error="UnreadableImage: " + "too short " * 40)
LONG = Entry("w" * 400, np.full((10, 2000, 3), 90, dtype=np.uint8), (), (SheetTag("odd", 1.7, "no such status"),))
NAMED = Entry("new\nline\r\u2028.jpg", BLUE, (), (SheetTag("a\ntag" * 500, 0.5, "auto"),), error="no\nmore")


def noise(count: int) -> list[Entry]:
    """Photos as hard to compress as any."""
    pixels = np.random.default_rng(7).integers(0, 256, (count, 240, 320, 3), dtype=np.uint8)
    return [Entry(f"{index}.jpg", image, (), TAGS) for index, image in enumerate(pixels)]


def has_colour(picture: Image.Image, rgb: tuple[int, int, int]) -> bool:
    return bool(np.any(np.all(np.abs(np.asarray(picture).astype(int) - rgb) <= 4, axis=-1)))


@pytest.mark.parametrize(
    ("entries", "columns"),
    [
        ([PHOTO], 4),  # fewer photos than columns
        ([PHOTO, BROKEN, LONG, PHOTO, PHOTO], 4),  # a failed one, awkward ones, a second row
        ([PHOTO, PHOTO], 1),  # one below the other
        ([NAMED], 2),  # a name of two lines
        ([BROKEN], 3),  # nothing but failures
        ([], 4),  # nothing at all
    ],
)
@pytest.mark.parametrize("title", ["", "Demo"])
def test_a_sheet_is_as_wide_as_asked(entries: list[Entry], columns: int, title: str) -> None:
    sheet = draw_sheet(entries, columns=columns, title=title, seconds=1.0)
    assert (sheet.width, sheet.mode) == (1600, "RGB")


def test_a_sheet_shows_photo_box_and_the_colours_of_both_statuses() -> None:
    sheet = draw_sheet([PHOTO])
    for rgb in ((20, 60, 200), (0xFF, 0xD8, 0x4D), (0x8C, 0xCA, 0xA8), (0xF0, 0xBD, 0x72)):
        assert has_colour(sheet, rgb)
    assert not has_colour(draw_sheet([Entry("a.jpg", BLUE, (), TAGS)]), (0xFF, 0xD8, 0x4D))


def test_the_same_entries_give_the_same_bytes() -> None:
    assert render_png([PHOTO, BROKEN], 2) == render_png([PHOTO, BROKEN], 2)


@pytest.mark.parametrize("count", [1, 6, 24])
def test_a_sheet_for_metadata_keeps_within_its_bytes(count: int) -> None:
    link = sheet_markdown(noise(count))
    assert len(link) <= 200_000
    data = base64.b64decode(link.removeprefix("![contact sheet](data:image/jpeg;base64,").removesuffix(")"))
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.width >= 400


def test_a_sheet_that_cannot_be_that_small_says_so() -> None:
    with pytest.raises(ValueError, match="show fewer"):
        sheet_markdown(noise(6), max_bytes=500)


def test_a_photo_survives_encoding() -> None:
    with Image.open(io.BytesIO(encode_jpeg(BLUE))) as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture).astype(int) - BLUE).max() <= 4


@pytest.mark.parametrize(
    "scores",
    [
        [],  # none yet
        [0.5],  # one
        [0.0, 1.0, -3.0, 7.0],  # at the ends and beyond
        [index / 999 for index in range(1000)],  # many
    ],
)
def test_a_histogram_of_any_scores(scores: list[float]) -> None:
    with Image.open(io.BytesIO(score_histogram_png(scores, marks=[("keep above", 0.5), ("all", 1.0)]))) as picture:
        assert picture.size == (640, 280)
        assert has_colour(picture.convert("RGB"), (0x8C, 0xCA, 0xA8)) is bool(scores)
    assert histogram_markdown(scores).startswith("![histogram of scores](data:image/png;base64,")
