"""The lineage of a photo as an SVG drawing that needs nothing but itself: no scripts, fonts or other files.

Left to right in the order of the line, the photo first; light or dark as the reader's system is. Text is measured
by its letters, so that it fits its box whatever draws it. What does not belong here: the page around the drawing
(``lineage_page``) and where boxes go (``lineage_layout``).
"""

import base64
import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagging_assets.domain.lineage import Edge, Lineage, Node, State
from tagging_assets.domain.lineage_layout import Placing, Point, Rect, Shape, column_count, place
from tagging_assets.domain.printable import for_line, for_markup


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of the photo: the bytes of a JPEG file, and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


#: Width that drawings keep to, pixels.
WIDTH = 1400

_MARGIN, _HEAD, _LEGEND = 24, 74, 44
_PAD, _TITLE, _FACT = 11, 13, 11
_TITLE_ROW, _FACT_ROW = 17, 15
_BOX = (126, 200)
_GAP = 34
_THINNEST, _THICKEST = 1.4, 10.0
#: Lines that a title or a fact may take in its box.
_LINES = 3

#: State to the name of its colour, in the order of the legend.
_COLOURS = {
    State.OK: "ok",
    State.REVIEW: "review",
    State.PEOPLE: "people",
    State.STALE: "stale",
    State.SUPERSEDED: "past",
    State.LOST: "lost",
    State.UNCOUNTED: "faint",
    State.STOPPED: "bad",
    State.FAILED: "bad",
    State.ABSENT: "none",
}

#: Widths of letters as shares of the size, of a wide face (DejaVu Sans), so that narrower ones fit too.
_NARROW = {**dict.fromkeys("ijl.,'|:; ", 0.34), **dict.fromkeys('()[]ft-/"r!·', 0.42)}
_WIDE = dict.fromkeys("mwMW%@…", 1.0)
_BOLD = 1.12


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line of text takes at most in a usual sans-serif face.

    Args:
        text: one line.
        size: of the font, pixels.
        bold: whether it is bold.
    """
    return sum(_letter(letter) for letter in text) * size * (_BOLD if bold else 1.0)


def _letter(letter: str) -> float:
    if letter in _NARROW:
        return _NARROW[letter]
    if letter in _WIDE or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter.isupper() or unicodedata.category(letter)[0] == "S":
        return 0.84 if unicodedata.category(letter)[0] == "S" else 0.76
    return 0.64


def shortened(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if text_width(text, size, bold=bold) <= room:
        return text
    while text and text_width(f"{text}…", size, bold=bold) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrapped(text: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """The text in a few lines, broken where words end if they do, the last one shortened if need be."""
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < _LINES - 1 and text_width(rest, size, bold=bold) > room:
        count = 1
        while text_width(rest[: count + 1], size, bold=bold) <= room:
            count += 1
        space = max(rest.rfind(" ", 1, count + 1), *(rest.rfind(mark, 1, count) + 1 for mark in "+-_/"))
        cut = space if space > 1 else count
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].strip()
    return [*lines, shortened(rest, room, size, bold=bold)] if rest else lines


def draw(lineage: Lineage, title: str, subtitle: str, thumbnail: Thumbnail | None = None) -> str:
    """An SVG document.

    Args:
        lineage: what led to what.
        title: heading, e.g. the file's name.
        subtitle: the line under it, e.g. of which time the drawing is.
        thumbnail: of the photo; ``None`` where there is none.
    """
    edges = _drawn(lineage)
    stack = [name for name in ("photo", "images", "proxies") if any(node.id == name for node in lineage.nodes)]
    shape = _shape(lineage, edges, stack)
    picture = _picture_height(thumbnail, shape)
    texts = {node.id: _lines(node, shape.box_width - 2 * _PAD) for node in lineage.nodes}
    heights = {node.id: _height(texts[node.id]) + (picture if node.kind == "photo" else 0.0) for node in lineage.nodes}
    placing = place(heights, [(edge.source, edge.target) for edge in edges], shape, stack)
    width = max(placing.width, 560) + 2 * _MARGIN
    legend, rows = _legend(lineage, width)
    height = placing.height + _HEAD + 2 * _MARGIN + _LEGEND + (rows - 1) * 22
    lines = "".join(_line(edge, placing) for edge in sorted(edges, key=lambda one: one.strength))
    boxes = "".join(_node(node, texts[node.id], placing.boxes[node.id], thumbnail, picture) for node in lineage.nodes)
    alt = f"{title}: {subtitle}. {len(lineage.nodes)} steps from the photo to its tags."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lineage" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" aria-labelledby="lineage-title">'
        f'<title id="lineage-title">{for_markup(alt)}</title><style>{STYLE}</style>'
        f'<rect class="paper" width="100%" height="100%"/>'
        f'<text class="h1" x="{_MARGIN}" y="44">'
        f"{for_markup(shortened(for_line(title), width - 2 * _MARGIN, 21, bold=True))}</text>"
        f'<text class="h2" x="{_MARGIN}" y="66">{for_markup(shortened(subtitle, width - 2 * _MARGIN, 13))}</text>'
        f'<g transform="translate({_MARGIN} {_HEAD + _MARGIN})">{lines}{boxes}</g>'
        f'<g transform="translate({_MARGIN} {height - _LEGEND - (rows - 1) * 22 + 14:.0f})">{legend}</g></svg>\n'
    )


def _drawn(lineage: Lineage) -> list[Edge]:
    """Edges that say something: that a person looked at the photo goes without saying where models did too."""
    seen = any(node.kind == "stage" for node in lineage.nodes)
    judged = {node.id for node in lineage.nodes if node.kind == "decision"}
    return [edge for edge in lineage.reduced if not (seen and edge.source == "photo" and edge.target in judged)]


def _shape(lineage: Lineage, edges: Sequence[Edge], stack: Sequence[str]) -> Shape:
    """Boxes as wide as the number of columns allows."""
    count = column_count([node.id for node in lineage.nodes], [(one.source, one.target) for one in edges], stack)
    room = (WIDTH - 2 * _MARGIN - (count - 1) * _GAP) / count
    return Shape(min(_BOX[1], max(_BOX[0], room)), _GAP)


def _picture_height(thumbnail: Thumbnail | None, shape: Shape) -> float:
    if thumbnail is None:
        return 0.0
    return min(shape.box_width * thumbnail.height / thumbnail.width, shape.box_width * 1.4)


#: Lines of the title, and of the facts.
Lines = tuple[list[str], list[str]]


def _lines(node: Node, room: float) -> Lines:
    title = wrapped(for_line(node.title), room, _TITLE, bold=True)
    return title, [line for fact in _facts(node) for line in wrapped(for_line(fact), room, _FACT)]


def _height(lines: Lines) -> float:
    return _PAD * 1.6 + _TITLE_ROW * len(lines[0]) + _FACT_ROW * len(lines[1])


def _facts(node: Node) -> list[str]:
    """What a box says under its title: the facts, and what makes its state no everyday one."""
    facts = list(node.facts[:2])
    if node.kind == "stage" and node.model:
        facts.append(node.model)
    if node.state in (State.SUPERSEDED, State.LOST) and node.state.value not in facts:
        facts.append(node.state.value)
    if node.state is State.STALE:
        facts.append("not as it would be now")
    return facts


def _node(node: Node, lines: Lines, box: Rect, thumbnail: Thumbnail | None, picture: float) -> str:
    size = f'width="{box.width:.1f}" height="{box.height:.1f}"'
    parts = [
        f"<title>{for_markup(_told(node))}</title>",
        f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" {size} rx="9"/>',
    ]
    y = box.y + _PAD * 0.7
    if node.kind == "photo" and thumbnail is not None:
        parts.append(_picture(thumbnail, box, picture))
        y += picture
    else:
        parts.append(f'<path class="bar" d="{_bar(box)}"/>')
    x = box.x + _PAD + 1
    for kind, rows, step in (("t", lines[0], _TITLE_ROW), ("f", lines[1], _FACT_ROW)):
        for line in rows:
            y += step
            parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y - 3:.1f}">{for_markup(line)}</text>')
    return f'<g class="node {node.kind} {_COLOURS[node.state]}">{"".join(parts)}</g>'


def _picture(thumbnail: Thumbnail, box: Rect, height: float) -> str:
    data = base64.b64encode(thumbnail.jpeg).decode("ascii")
    return (
        f'<clipPath id="lineage-photo"><path d="M{box.x},{box.y + height:.1f}v{9 - height:.1f}q0,-9 9,-9'
        f'h{box.width - 18:.1f}q9,0 9,9v{height - 9:.1f}z"/></clipPath>'
        f'<image href="data:image/jpeg;base64,{data}" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{height:.1f}" preserveAspectRatio="xMidYMid slice" clip-path="url(#lineage-photo)"/>'
    )


def _bar(box: Rect) -> str:
    """The coloured left end of a box, round where the box is."""
    return f"M{box.x + 5:.1f},{box.y:.1f}v{box.height:.1f}q-5,-1 -5,-9v{18 - box.height:.1f}q0,-8 5,-9z"


def _told(node: Node) -> str:
    """Everything about a node, line by line, for those who point at it."""
    said = [node.title, node.state.value, *node.facts, node.note]
    if node.model:
        said.append(f"model {node.model}" + (f" @ {node.revision[:12]}…" if node.revision else ""))
    said += [f"{name} {one[:12]}…" for name, one in node.asked.items()]
    said += [f"recipe {node.recipe[:12]}…"] if node.recipe else []
    said += [f"run {node.run_id[:8]}"] if node.run_id else []
    said += [f"{node.at:%Y-%m-%d %H:%M:%S %Z}".strip()] if node.at else []
    return "\n".join(dict.fromkeys(for_line(one) for one in said if one))


def _line(edge: Edge, placing: Placing) -> str:
    width = _THINNEST + (_THICKEST - _THINNEST) * min(1.0, max(0.0, edge.strength))
    kind = "line strong" if edge.strength else "line"
    points = placing.routes.get((edge.source, edge.target))
    path = _curve(points) if points else _down(placing.boxes[edge.source], placing.boxes[edge.target])
    note = f"<title>adds {edge.strength:.2f}</title>" if edge.strength else ""
    return f'<path class="{kind}" d="{path}" stroke-width="{width:.1f}">{note}</path>'


def _curve(points: Sequence[Point]) -> str:
    """Level in the columns, an S between them."""
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for number, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(points)):
        middle = (x0 + x1) / 2
        bend = f"C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
        path += f"H{x1:.1f}" if number % 2 else bend
    return path


def _down(source: Rect, target: Rect) -> str:
    """Between the boxes of a stack."""
    return f"M{source.x + source.width / 2:.1f},{source.y + source.height:.1f}V{target.y:.1f}"


def _legend(lineage: Lineage, width: float) -> tuple[str, int]:
    """What the colours mean, of the states that are there, and how many rows that takes."""
    states = {node.state for node in lineage.nodes}
    entries = [(_COLOURS[state], state.value) for state in _COLOURS if state in states]
    parts, x, row = [], 0.0, 0
    if any(edge.strength for edge in lineage.edges):
        entries.append(("", "a thicker line adds more to the tag"))
    for colour, name in entries:
        step = 26 + text_width(name, _FACT) + 14
        if x + step > width - 2 * _MARGIN and x:
            x, row = 0.0, row + 1
        mark = (
            f'<g class="node {colour}"><rect class="box" x="{x:.1f}" y="{row * 22}" width="18" height="13" rx="4"/>'
            f'<rect class="bar" x="{x:.1f}" y="{row * 22}" width="5" height="13" rx="2"/></g>'
            if colour
            else f'<path class="line strong" d="M{x:.1f},{row * 22 + 6.5}h18" stroke-width="5"/>'
        )
        parts.append(f'{mark}<text class="f" x="{x + 25:.1f}" y="{row * 22 + 10.5}">{for_markup(name)}</text>')
        x += step
    return "".join(parts), row + 1


def _variables(values: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in values.items())


_LIGHT = {
    **{"paper": "#f4f4f1", "card": "#fff", "ink": "#1d2126", "soft": "#5b6470", "edge": "#d3d3cc", "wire": "#c3c5c4"},
    **{"flow": "#7fb8a0", "ok": "#2f9467", "review": "#d08a1d", "people": "#2f6fc4", "stale": "#8a5fc4"},
    **{"past": "#7f93ae", "lost": "#a3adb8", "faint": "#b4b9bf", "bad": "#c2393d", "bad-bg": "#fdf1f0"},
}
_DARK = {
    **{"paper": "#14161a", "card": "#1e2126", "ink": "#eceef1", "soft": "#a5aeb9", "edge": "#363c44"},
    **{
        "wire": "#454c56",
        "flow": "#3f8c6c",
        "ok": "#4fbf8b",
        "review": "#e3a33d",
        "people": "#6aa5f2",
        "stale": "#b592ec",
    },
    **{"past": "#93a8c4", "lost": "#66707c", "faint": "#596069", "bad": "#ef6a6a", "bad-bg": "#2a1a1b"},
}

STYLE = (
    f".lineage{{{_variables(_LIGHT)};color-scheme:light dark}}"
    f"@media(prefers-color-scheme:dark){{.lineage{{{_variables(_DARK)}}}}}"
    """
.lineage text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
fill:var(--ink)}
.lineage .paper{fill:var(--paper)}
.lineage .h1{font-size:21px;font-weight:700}
.lineage .h2{font-size:13px;fill:var(--soft)}
.lineage .t{font-size:13px;font-weight:600}
.lineage .f{font-size:11px;fill:var(--soft);font-variant-numeric:tabular-nums}
.lineage .box{fill:var(--card);stroke:var(--edge)}
.lineage .bar{fill:var(--state)}
.lineage .line{fill:none;stroke:var(--wire);stroke-linecap:butt}
.lineage .strong{stroke:var(--flow);stroke-opacity:.75}
.lineage .tag .box,.lineage .published .box{stroke:var(--state);stroke-width:1.5}
.lineage .ok{--state:var(--ok)}.lineage .review{--state:var(--review)}.lineage .people{--state:var(--people)}
.lineage .stale{--state:var(--stale)}.lineage .past{--state:var(--past)}.lineage .lost{--state:var(--lost)}
.lineage .faint{--state:var(--faint)}.lineage .bad{--state:var(--bad)}.lineage .none{--state:transparent}
.lineage .none .box,.lineage .lost .box{fill:none;stroke:var(--edge);stroke-dasharray:4 4}
.lineage .none .t,.lineage .lost .t,.lineage .faint .t{fill:var(--soft);font-weight:500}
.lineage .bad .box{fill:var(--bad-bg);stroke:var(--bad)}
.lineage .bad .t{fill:var(--bad)}
.lineage .stopped .t{text-decoration:line-through}
"""
)
