"""`tagging explain` as a user runs it: one tag, drawings, other times."""

import re
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from tests.commands.command_line import Tagged

pytestmark = pytest.mark.slow


def explained(tagged: Tagged, *arguments: str | Path) -> dict[str, Any]:
    done = tagged.project.call("explain", *arguments, "--json")
    assert done.code == 0, done.err
    told: dict[str, Any] = done.json
    return told


def test_one_tag_of_a_real_photo(tagged: Tagged) -> None:
    told = explained(tagged, "chelsea.png", "--tag", "Cat")
    assert [tag["tag"] for tag in told["tags"]] == ["cat"]
    assert told["tags"][0]["history"][0]["change"] == "published"
    nodes = {node["id"]: node for node in told["graph"]["nodes"]}
    edges = {(edge["source"], edge["target"]) for edge in told["graph"]["edges"]}
    for source in told["tags"][0]["sources"]:
        node = nodes[f"score:cat:{source['source']}:{source['model']}"]
        assert (node["recipe"], node["revision"]) == (source["recipe"], source["revision"])
        assert (node["id"], "tag:cat") in edges
    assert nodes["photo"]["title"] == "chelsea.png"
    assert all(one in nodes for edge in edges for one in edge)


def test_a_tag_that_a_photo_does_not_have(tagged: Tagged) -> None:
    told = explained(tagged, "chelsea.png", "--tag", "bicycle")
    assert told["tags"] == []
    assert told["asked"]["tag"] == "bicycle"
    shown = tagged.project.call("explain", "chelsea.png", "--tag", "bicycle")
    assert "bicycle is not a tag: " in shown.out


def test_it_is_drawn(tagged: Tagged, tmp_path: Path) -> None:
    svg, html = tmp_path / "bus.svg", tmp_path / "bus.html"
    done = tagged.project.call("explain", "bus.jpg", "--svg", svg, "--html", html)
    assert done.code == 0, done.err
    assert (done.out, done.err) == ("", f"drawn: {svg}\ndrawn: {html}\n")
    root = fromstring(svg.read_text(encoding="utf-8"))
    said = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"bus.jpg", "detections", "bus", "person", "published"} <= said
    page = html.read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []


def test_a_torn_photo_is_drawn_too(tagged: Tagged, tmp_path: Path) -> None:
    done = tagged.project.call("explain", "torn.jpg", "--svg", tmp_path / "torn.svg")
    assert done.code == 0, done.err
    assert "UnreadableImage" in (tmp_path / "torn.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        # before the photo was known
        (("--at", "2001-02-03"), "was first seen on "),
        # not a time
        (("--at", "soon"), '--at "soon" is no time; write 2026-11-20'),
        # nothing can be written there
        (("--svg", "/dev/null/a.svg"), "cannot write /dev/null/a.svg"),
    ],
)
def test_wrong_use(tagged: Tagged, arguments: tuple[str, ...], says: str) -> None:
    done = tagged.project.call("explain", "chelsea.png", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert says in done.error
