"""The page needs nothing but itself and holds every number."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tagging_assets.domain.lineage_drawing import draw
from tagging_assets.domain.lineage_graph import draw_up
from tagging_assets.domain.lineage_page import render_page
from tests.domain.test_lineage import source, story, tag, verdict
from tests.handmade import NOON

_VOID = {"meta", "br", "img"}


class Balanced(HTMLParser):
    """Fails where an element is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def told(**said: Any) -> dict[str, Any]:
    link = {
        **{"stage": "tagger_scores", "status": "ok", "state": "ok", "error": None, "rows": 3, "recipe": "ab" * 32},
        **{"recipe_body": {"stage": "tagger_scores", "model": {"name": "net"}}, "inputs": "i" * 64, "output": "o" * 64},
        **{"run_id": "run-1", "computed_at": NOON, "seconds": 0.1},
    }
    return {
        **{"image": "/p/<a> & b.jpg", "image_id": "f" * 32, "batch": "b000001", "at": None, "chain": [link]},
        **{"tags": [tag("dog & <cat>", "auto", source(), source("zero-shot", weight=0.0))], "decisions": []},
        **{"asked": None, **said},
    }


def page(**said: Any) -> str:
    drawing = draw(draw_up(story(tag())), "a.jpg", "now")
    text = render_page(told(**said), drawing)
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return text


def test_a_page_needs_nothing_else() -> None:
    text = page()
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert re.findall(r"<(?:script|link|iframe|img)", text) == []
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []


def test_numbers_and_names_are_there_and_escaped() -> None:
    text = page()
    for said in ("dog &amp; &lt;cat&gt;", "0.800", "0.300", "0.900", "0.450", "nothing", "tagger scores", "2026-01-01"):
        assert said in text
    assert "<cat>" not in text
    assert "<a>" not in text


EVENT = {
    **{"at": NOON, "change": "changed", "before": {"status": "auto", "score": 0.5}, "kind": "decide", "who": "anna"},
    **{"after": {"status": "accepted", "score": 1.0}, "why": "clear"},
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # a verdict
        ({"tags": [tag("dog", "accepted")], "decisions": [verdict()]}, "accepted by anna on 2026-01-01: clear to see"),
        # a history
        ({"tags": [{**tag(), "history": [EVENT]}]}, "changed: auto 0.50 → accepted 1.00, decide by anna: clear"),
        # no tags
        ({"tags": []}, "No tags"),
        # a tag that is none
        (
            {"tags": [], "asked": {"tag": "bus", "reason": "banned", "scores": [], "history": []}},
            "Why not bus: &lt;a&gt; &amp; b.jpg",
        ),
    ],
)
def test_what_there_is_to_tell(said: dict[str, Any], expected: str) -> None:
    assert expected in page(**said)
