"""The drawing is a well-formed document that needs nothing else, and its texts fit their boxes."""

import itertools
import re
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from tagging_assets.domain.lineage import Edge, Lineage, Node, State
from tagging_assets.domain.lineage_drawing import WIDTH, Thumbnail, draw, shortened, text_width, wrapped

SVG = "{http://www.w3.org/2000/svg}"
JPEG = Thumbnail(b"\xff\xd8\xff\xd9", width=480, height=320)


def lineage(*nodes: Node, edges: str = "") -> Lineage:
    pairs = [one.split(">") for one in edges.split()]
    return Lineage(nodes, tuple(Edge(source, target, 0.5 * target.startswith("tag:")) for source, target in pairs))


def chain(title: str = "dog", *facts: str, state: State = State.OK) -> Lineage:
    return lineage(
        Node("photo", "photo", "a.jpg", State.OK, ("84 kB",)),
        Node("images", "stage", "images", State.OK),
        Node("proxies", "stage", "proxies", State.OK),
        Node("score:1", "score", "tagger", State.OK),
        Node("tag:1", "tag", title, state, facts),
        edges="photo>images images>proxies proxies>score:1 score:1>tag:1",
    )


def parsed(graph: Lineage, thumbnail: Thumbnail | None = JPEG, title: str = "a.jpg") -> Element:
    return fromstring(draw(graph, title, "as it is now", thumbnail))


def texts(root: Element) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]


def test_a_drawing_is_an_image_with_a_title_and_its_words() -> None:
    root = parsed(chain("dog", "0.82 auto"))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == root[0].get("id")
    assert root[0].text == "a.jpg: as it is now. 5 steps from the photo to its tags."
    assert {"a.jpg", "as it is now", "images", "tagger", "dog", "0.82 auto", "84 kB"} <= set(texts(root))


def test_a_drawing_needs_nothing_else() -> None:
    svg = draw(chain(), "a.jpg", "now", JPEG)
    assert re.findall(r'(?:href|src)="([^"]{0,22})', svg) == ["data:image/jpeg;base64"]
    assert "<script" not in svg
    assert "url(" not in svg.replace("url(#lineage-photo)", "")


def test_without_a_picture_there_is_none() -> None:
    assert list(parsed(chain(), thumbnail=None).iter(f"{SVG}image")) == []


LONG = "a-very_long_file_name_that_goes_on_and_on_without_a_space_to_break_it_at.jpeg"


@pytest.mark.parametrize(
    "said",
    [
        "dog",
        # longer than its box
        LONG,
        "many words that together are longer than the box is wide, and then again as long, and once more as long",
        # wide letters
        "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
        "犬と猫が公園で遊んでいる写真の長い説明文です",
        # what would end an element or an attribute
        "<b>\"&'</b>",
        # what XML cannot hold
        "bell \x07 and \udcff",
        "",
    ],
)
def test_texts_fit_their_boxes(said: str) -> None:
    root = parsed(chain(said, said, said), title=said)
    boxes = [one for one in root.iter(f"{SVG}g") if (one.get("class") or "").startswith("node ")]
    assert len(boxes) > 5  # the legend has some too
    for group in boxes:
        rect = next(group.iter(f"{SVG}rect"))
        left, top, width, height = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
        for text in group.iter(f"{SVG}text"):
            size, bold = (13, True) if text.get("class") == "t" else (11, False)
            right = float(text.get("x", "nan")) + text_width(text.text or "", size, bold=bold)
            assert right <= left + width
            assert top < float(text.get("y", "nan")) <= top + height


def test_what_is_cut_is_told_in_full_where_one_points() -> None:
    root = parsed(chain(LONG * 2))
    told = [one.text or "" for one in root.iter(f"{SVG}title")]
    assert any(one.startswith(LONG * 2) for one in told)
    assert LONG * 2 not in texts(root)


@pytest.mark.parametrize(
    ("state", "legend"),
    [
        (State.FAILED, "failed"),
        (State.ABSENT, "nothing there"),
        (State.REVIEW, "to review"),
        (State.SUPERSEDED, "superseded since"),
        (State.LOST, "no longer kept"),
        (State.PEOPLE, "said by people"),
    ],
)
def test_the_legend_names_the_states_that_are_there(state: State, legend: str) -> None:
    found = texts(parsed(chain(state=state)))
    assert legend in found
    assert {"ok", "a thicker line adds more to the tag"} <= set(found)
    assert "made by an earlier recipe or from earlier inputs" not in found


def test_every_state_has_a_colour() -> None:
    for state in State:
        assert parsed(chain(state=state)) is not None


def test_a_stronger_score_has_a_thicker_line() -> None:
    nodes = [Node(f"score:{name}", "score", name, State.OK) for name in "ab"]
    graph = Lineage(
        (*nodes, Node("tag:1", "tag", "dog", State.OK)),
        (Edge("score:a", "tag:1", 0.9), Edge("score:b", "tag:1", 0.2)),
    )
    lines = [one for one in parsed(graph).iter(f"{SVG}path") if one.get("stroke-width") and list(one)]
    widths = {one[0].text: float(one.get("stroke-width", "nan")) for one in lines}
    assert widths["adds 0.90"] > 2 * widths["adds 0.20"]


def test_a_long_line_stays_readable() -> None:
    names = ["photo", *(f"s{number}" for number in range(7))]
    graph = lineage(
        *(Node(name, "stage", name, State.OK) for name in names),
        edges=" ".join(f"{a}>{b}" for a, b in itertools.pairwise(names)),
    )
    assert float(parsed(graph).get("width", "nan")) <= WIDTH


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("dog", 100, ["dog"]),
        # at a space
        ("llm tag suggestions", 90, ["llm tag", "suggestions"]),
        # after a mark, where there is no space
        ("mediapipe-pose-full", 90, ["mediapipe-", "pose-full"]),
        # anywhere, where there is neither
        ("abcdefghijkl", 45, ["abcde", "fghijkl"]),
        # no more lines than three
        ("one two three four", 30, ["one", "two", "th…"]),
        ("", 90, []),
    ],
)
def test_lines_break_where_words_end(text: str, room: float, expected: list[str]) -> None:
    assert wrapped(text, room, 13) == expected


def test_shortened_text_fits() -> None:
    assert shortened("umbrella", 500, 13) == "umbrella"
    assert shortened("umbrella stand", 60, 13).endswith("…")
    assert text_width(shortened("umbrella stand", 60, 13), 13) <= 60
