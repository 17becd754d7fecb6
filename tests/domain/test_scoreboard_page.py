"""The page of a scoreboard: everything on it, nothing but itself, and names that are text."""

import html.parser
import re
from dataclasses import replace

import pytest

from tagging_assets.domain.scoreboard import Options, Scoreboard
from tagging_assets.domain.scoreboard_page import Plot, scoreboard_page
from tests.domain.worked_example import ORIGINAL, worked_example

JPEG = {"p1": b"first", "p2": b"second"}
PLOT = Plot("Score against cost", "what is to be seen", b"light", b"dark")


class Reader(html.parser.HTMLParser):
    """Collects elements, the text of chips, and complains about elements left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        return [attrs for name, attrs in self.found if name == tag and kind in attrs.get("class", "")]


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    text = scoreboard_page(worked_example(), JPEG, (PLOT,))
    reader = Reader(text)
    assert reader.open == []
    assert len(reader.all("script")) == 1
    links = [value for _, attrs in reader.found for name, value in attrs.items() if name in ("src", "srcset", "href")]
    assert len(links) == 4
    assert all(link.startswith("data:image/") for link in links)
    assert not [name for _, attrs in reader.found for name in attrs if name.startswith("on")]


@pytest.mark.parametrize("options", [None, ORIGINAL])
def test_points_and_rules_are_those_of_the_scoreboard(options: Options | None) -> None:
    board = worked_example(options)
    reader = Reader(scoreboard_page(board, JPEG))
    shown = [one for photo in board.photos for given in photo.given for one in (*given.tags, *given.missing)]
    for rule in {one.rule for one in shown}:
        count = sum(one.rule == rule for one in shown)
        # and one each in the legend and in the table of rules
        assert len(reader.all("li", f"chip {rule.replace(' ', '-')}")) == count + 1
    orders = [float(one["data-order"]) for one in reader.all("td") if "data-order" in one]
    scores = [one.score.mean for one in board.standings if one.score]
    assert [one for one in orders if one in scores]
    assert set(scores) <= set(orders)


def test_who_gave_no_answer_says_why() -> None:
    text = scoreboard_page(worked_example(), {})
    assert "No answer (cut off): the reply was cut off at 64 tokens" in text
    assert text.count('class="nothing"') == 3  # no thumbnails


def test_heat_is_by_deciles_and_latency_has_none() -> None:
    reader = Reader(scoreboard_page(worked_example(), {}))
    recall = worked_example()
    cells = sum(1 + len(one.recall_by_batch) for one in recall.standings if one.recall)
    assert len(reader.all("td", "heat")) == cells


HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def hostile() -> Scoreboard:
    """Names that would be markup, wherever one can stand."""
    board = worked_example()
    photos = tuple(
        replace(
            photo,
            title=HOSTILE,
            batch=HOSTILE,
            reference=(HOSTILE,),
            given=tuple(
                replace(one, contestant=HOSTILE, error=HOSTILE, tags=tuple(replace(t, tag=HOSTILE) for t in one.tags))
                for one in photo.given
            ),
        )
        for photo in board.photos
    )
    standings = tuple(
        replace(one, contestant=HOSTILE, model=HOSTILE, prompt=HOSTILE, details=HOSTILE) for one in board.standings
    )
    return replace(board, experiment=HOSTILE, purpose=HOSTILE, standings=standings, photos=photos, notes=(HOSTILE,))


def test_names_and_tags_are_text_not_markup() -> None:
    text = scoreboard_page(hostile(), JPEG, (replace(PLOT, title=HOSTILE, told=HOSTILE),))
    reader = Reader(text)
    assert reader.open == []
    assert len(reader.all("script")) == 1
    assert not [attrs for _, attrs in reader.found if "onerror" in attrs]
    assert not re.search(r"<img src=x", text)


@pytest.mark.parametrize(
    "board",
    [
        replace(worked_example(), standings=(), photos=(), batches=(), pareto=(), notes=(), marks=None, judge=None),
        replace(worked_example(), standings=worked_example().standings[:1]),  # one contestant alone
        replace(worked_example(), purpose="", batches=()),  # no batch columns
    ],
)
def test_little_is_shown_too(board: Scoreboard) -> None:
    assert Reader(scoreboard_page(board, {})).open == []
