import html.parser
import re
from dataclasses import replace

import numpy as np
import pytest

from tagging_assets.domain.contact_sheet import (
    Entry,
    Grid,
    SheetBox,
    SheetTag,
    fit,
    render_html,
    summary,
)
from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.page import readable

GREY: RgbImage = np.full((60, 80, 3), 128, dtype=np.uint8)
DOG = SheetTag("dog", 0.82, "auto", "only tagger says so", ("tagger: raw 0.61 ≥ 0.40",))
CAT = SheetTag("cat", 0.6, "needs_review", "0.60 is below 0.70")
PHOTO = Entry("a.jpg", GREY, (SheetBox((0.25, 0.5, 0.75, 1.0), 0.9),), (DOG, CAT))
BROKEN = Entry("b.jpg", None, error="EmptyFile: no bytes; copy it again")


class Reader(html.parser.HTMLParser):
    """Collects tags with their attributes, and complains about ones left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.found if name == tag]


def encode(image: RgbImage) -> bytes:
    return b"jpeg of %d" % image.size


def page(*entries: Entry, title: str = "Demo", seconds: float | None = None) -> str:
    return render_html(entries, title, encode_jpeg=encode, seconds=seconds)


@pytest.mark.parametrize(
    ("entries", "seconds", "line"),
    [
        ((), None, "0 photos · 0 tags · 0 to review"),  # nothing
        ((PHOTO,), None, "1 photo · 2 tags · 1 to review"),  # one is one
        ((replace(PHOTO, tags=(DOG, replace(CAT, status="rejected"))),), None, "1 photo · 1 tag · 0 to review"),
        ((PHOTO, PHOTO, BROKEN), 8.44, "3 photos · 4 tags · 2 to review · 1 failed · 8.4 s"),  # all of it
    ],
)
def test_the_summary_counts(entries: tuple[Entry, ...], seconds: float | None, line: str) -> None:
    assert summary(entries, seconds) == line
    assert line in page(*entries, seconds=seconds)


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    text = page(PHOTO, BROKEN)
    reader = Reader(text)
    assert reader.open == []
    assert reader.all("script") == reader.all("link") == []
    links = [value for _, attrs in reader.found for name, value in attrs.items() if name in ("src", "href")]
    assert links
    assert all(link.startswith("data:image/jpeg;base64,") for link in links)
    assert re.findall(r"https?:|url\(|@import", text) == []
    assert "default-src 'none'" in text


def test_a_photo_has_its_box_tags_and_reasons() -> None:
    text = page(PHOTO)
    reader = Reader(text)
    assert reader.all("img")[0]["alt"] == "a.jpg: dog, cat"
    boxes = [attrs for attrs in reader.all("rect") if attrs["class"] == "over"]
    assert [(box["x"], box["y"], box["width"], box["height"]) for box in boxes] == [("20.0", "30.0", "40.0", "30.0")]
    chips = [attrs for attrs in reader.all("li") if "title" in attrs]
    assert [chip["class"] for chip in chips] == ["auto", "needs_review"]
    assert chips[0]["title"] == "dog 0.82, sure\nonly tagger says so\ntagger: raw 0.61 ≥ 0.40"
    assert "width:82%" in text
    assert len(reader.all("table")) == 1
    assert text.count("<li>tagger: raw 0.61 ≥ 0.40</li>") == 1


def test_a_failed_photo_is_listed_with_its_error_and_has_no_card() -> None:
    text = page(BROKEN)
    assert "1 photo failed" in text
    assert "EmptyFile: no bytes; copy it again" in text
    assert Reader(text).all("article") == []


def test_a_photo_that_failed_late_is_shown_with_its_error() -> None:
    text = page(Entry("late.jpg", GREY, (), (), "LlmUnavailable: timed out"))
    assert len(Reader(text).all("article")) == 1
    assert text.count("LlmUnavailable: timed out") == 2


def test_a_photo_without_tags_says_so() -> None:
    assert Reader(page(Entry("c.jpg", GREY))).all("img")[0]["alt"] == "c.jpg: no tags"


@pytest.mark.parametrize(
    "hostile",
    [
        '<script>alert("1")</script>',  # markup
        "\"' onload='x",  # a way out of an attribute
        "{title} {0} %s",  # placeholders
        b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),  # a file name that is no UTF-8
    ],
)
def test_text_from_outside_stays_text(hostile: str) -> None:
    tag = SheetTag(hostile, 0.9, "auto", hostile, (hostile,))
    text = page(Entry(hostile, GREY, (), (tag,)), Entry(hostile, None, error=hostile), title=hostile)
    reader = Reader(text)
    assert reader.all("script") == []
    assert reader.open == []
    assert all("onload" not in attrs for _, attrs in reader.found)
    assert reader.all("img")[0]["alt"] == readable(f"{hostile}: {hostile}")
    text.encode("utf-8")


def test_boxes_beyond_the_photo_are_cut_to_it() -> None:
    (box,) = [
        attrs
        for attrs in Reader(page(Entry("d", GREY, (SheetBox((-1, -1, 2, 2), 0.5),)))).all("rect")
        if attrs["class"] == "over"
    ]
    assert (box["x"], box["y"], box["width"], box["height"]) == ("0.0", "0.0", "80.0", "60.0")


@pytest.mark.parametrize(
    ("size", "room", "place"),
    [
        ((400, 300), (200, 150), (0, 0, 200, 150)),  # the same proportions
        ((300, 400), (200, 150), (44, 0, 156, 150)),  # upright: as high as the room
        ((800, 200), (200, 150), (0, 50, 200, 100)),  # a panorama: as wide as the room
        ((10, 10), (200, 100), (50, 0, 150, 100)),  # small ones grow
        ((10000, 1), (200, 150), (0, 74, 200, 75)),  # never thinner than a pixel
    ],
)
def test_pictures_fit_their_room(
    size: tuple[int, int], room: tuple[int, int], place: tuple[int, int, int, int]
) -> None:
    assert fit(*size, *room) == place


def test_the_grid_fills_the_width() -> None:
    grid = Grid(width=1600, columns=4, margin=28, gap=20)
    assert grid.cell_width == 371
    assert grid.origin(0, 300, 96) == (28, 96)
    assert grid.origin(3, 300, 96) == (28 + 3 * 391, 96)
    assert grid.origin(3, 300, 96)[0] + grid.cell_width == 1600 - 28
    assert grid.origin(4, 300, 96) == (28, 96 + 320)


@pytest.mark.parametrize(
    ("count", "height"),
    [
        (0, 96 + 28),  # only the header
        (1, 96 + 300 + 28),  # one row
        (4, 96 + 300 + 28),  # one full row
        (5, 96 + 620 + 28),  # two rows and a gap
    ],
)
def test_the_grid_is_as_high_as_its_rows(count: int, height: int) -> None:
    assert Grid(width=1600, columns=4, margin=28, gap=20).height(count, 300, 96) == height
