"""A scoreboard as a PDF for paper: who leads, plots, tables, and every photo with the tags it was given.

What does not belong here: sentences and cells (``domain.scoreboard_words``, ``domain.scoreboard_tables``), plots
(``report_plots``).
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tagging_assets.domain.printable import for_line
from tagging_assets.domain.scoreboard import Given, Photo, Rule, Scoreboard
from tagging_assets.domain.scoreboard_tables import HEAT, Cell, Table, recall_table, rules_table, standings_table
from tagging_assets.domain.scoreboard_words import (
    SIGNS,
    agreement_line,
    asked_again,
    count,
    headline,
    judge_lines,
    made_line,
    option_lines,
    outcome_words,
    points,
    rule_meanings,
    rule_points,
)

#: Photos in a document: more is for the page and the workbook.
MOST_PHOTOS = 60

#: Ink and ground of a tag by its rule; signs say the same without colour.
_COLOURS: Mapping[Rule, tuple[str, str]] = {
    "gold": ("#6b4a00", "#fbe9b5"),
    "middle": ("#155f3c", "#e3f1e9"),
    "minority": ("#1f569c", "#e4edf8"),
    "unique": ("#6a3a94", "#f0e6f8"),
    "unmarked": ("#1d2126", "#ebebe7"),
    "missing gold": ("#6b4a00", "#ffffff"),
    "irrelevant": ("#962024", "#fae6e5"),
    "hallucinated": ("#ffffff", "#962024"),
}

#: Characters of a tag and of an answer; a row of a table must fit on a page.
_LONGEST_TAG, _LONGEST_ANSWER = 200, 2400

_INK, _SOFT, _LINE = "#1d2126", "#5b6470", "#dcdcd6"
_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_MARGIN = 42.0


def document_pdf(board: Scoreboard, thumbnails: Mapping[str, bytes], plots: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """The document as the bytes of a PDF file, A4; the same scoreboard gives the same bytes.

    Args:
        board: what is written.
        thumbnails: image id to JPEG file.
        plots: headings and PNG files, the most telling one first.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    _fonts()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 8,
        title=for_line(f"Experiment {board.experiment}"),
        author="",
        invariant=1,
    )
    story = list(_story(board, thumbnails, plots, A4[0] - 2 * _MARGIN))
    foot = _foot(board)
    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _fonts() -> None:
    """DejaVu, which knows accents, Greek and Cyrillic, comes with Matplotlib."""
    from matplotlib import get_data_path
    from reportlab.pdfbase.pdfmetrics import getRegisteredFontNames, registerFont, registerFontFamily
    from reportlab.pdfbase.ttfonts import TTFont

    if _BOLD in getRegisteredFontNames():
        return
    folder = Path(get_data_path()) / "fonts" / "ttf"
    registerFont(TTFont(_FONT, str(folder / "DejaVuSans.ttf")))
    registerFont(TTFont(_BOLD, str(folder / "DejaVuSans-Bold.ttf")))
    registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)


def _foot(board: Scoreboard) -> Any:
    said = for_line(f"Experiment {board.experiment} · {board.made_at:%Y-%m-%d}")
    said = said if len(said) <= 90 else f"{said[:89]}…"

    def draw(canvas: Any, _: Any) -> None:
        canvas.setDateFormatter(lambda *_: _pdf_date(board.made_at))
        canvas.setFont(_FONT, 7.5)
        canvas.setFillColor(_SOFT)
        canvas.drawString(_MARGIN, _MARGIN - 14, said)
        canvas.drawRightString(canvas._pagesize[0] - _MARGIN, _MARGIN - 14, f"page {canvas.getPageNumber()}")

    return draw


def _pdf_date(at: datetime) -> str:
    return f"D:{at:%Y%m%d%H%M%S}Z"


def _style(size: float, **more: Any) -> Any:
    from reportlab.lib.styles import ParagraphStyle

    look = {"fontName": _FONT, "fontSize": size, "leading": 1.35 * size, "textColor": _INK, "splitLongWords": 1}
    return ParagraphStyle(f"s{size}{sorted(more)}", **{**look, **more})


def _text(text: str, size: float = 9.0, **more: Any) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(_marked(text), _style(size, **more))


def _marked(text: str) -> str:
    # a column may be too narrow for spaces that hold words together
    return escape("".join(" " if one.isspace() else one if one.isprintable() else "□" for one in for_line(text)))


def _heading(text: str) -> Any:
    return _text(text, 13, fontName=_BOLD, spaceBefore=14, spaceAfter=6, keepWithNext=1)


def _story(
    board: Scoreboard, thumbnails: Mapping[str, bytes], plots: Sequence[tuple[str, bytes]], width: float
) -> Iterator[Any]:
    from reportlab.platypus import KeepTogether, Spacer

    said = headline(board)
    yield _text(f"Experiment {board.experiment}", 19, fontName=_BOLD, spaceAfter=3)
    if board.purpose:
        yield _text(board.purpose, 10, textColor=_SOFT)
    yield _text(made_line(board), 9, textColor=_SOFT, spaceAfter=10)
    yield _text(said.claim, 14, fontName=_BOLD, spaceAfter=2)
    yield _text(said.certainty, 10, spaceAfter=4)
    yield from _lines(board.notes)
    if plots:
        yield Spacer(0, 6)
        yield _drawing(plots[0], width)
    yield _heading("Standings")
    yield from _wide(standings_table(board), width)
    recall = recall_table(board)
    if recall is not None:
        yield _heading("Recall by batch")
        yield _text("Reference tags that were named, in percent (photos); shades are deciles.", 8.5, spaceAfter=5)
        yield from _wide(recall, width)
    for plot in plots[1:]:
        yield KeepTogether([_heading(plot[0]), _drawing(plot, 0.75 * width)])
    yield from _rules(board, width)
    people = [f"Relevance: {agreement_line(board.marks)}"] if board.marks else []
    people += judge_lines(board)
    if people:
        yield _heading("People and judge")
        yield from _lines(people)
    yield from _photos(board, thumbnails, width)


def _lines(lines: Sequence[str]) -> Iterator[Any]:
    for line in lines:
        yield _text(f"• {line}", 8.5, textColor=_SOFT, leftIndent=9, firstLineIndent=-9, spaceAfter=2)


def _drawing(plot: tuple[str, bytes], width: float) -> Any:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image

    wide, high = ImageReader(io.BytesIO(plot[1])).getSize()
    scale = min(width / wide, 640 / high)
    return Image(io.BytesIO(plot[1]), wide * scale, high * scale)


def _rules(board: Scoreboard, width: float) -> Iterator[Any]:
    from reportlab.platypus import KeepTogether

    worth, meanings = rule_points(board.options), rule_meanings(board.options)
    cells = [[_chip(rule, rule, worth[rule]), _text(meanings[rule], 8.5)] for rule in SIGNS]
    yield KeepTogether([_heading("The rules"), _grid(cells, [0.3 * width, 0.7 * width])])
    yield from _lines(option_lines(board.options))
    yield _heading("How often each rule applied")
    yield from _wide(rules_table(board), width)


#: Columns beside the first one that a page has room for.
_COLUMNS = 8


def _wide(table: Table, width: float) -> Iterator[Any]:
    """A table, in parts of eight columns below each other where it is wider than a page; names stand in each."""
    from reportlab.platypus import Spacer

    columns = range(1, len(table.columns))
    for start in range(0, max(1, len(columns)), _COLUMNS):
        part = columns[start : start + _COLUMNS]
        first = width * (0.26 if len(part) > 4 else 0.4)
        each = min(1.4 * (width - first) / _COLUMNS, (width - first) / max(1, len(part)))
        yield _part(table, part, [first, *([each] * len(part))])
        yield Spacer(0, 7)


def _part(table: Table, columns: Sequence[int], widths: Sequence[float]) -> Any:
    heads = [_text(table.columns[0].name, 6.3, textColor=_SOFT)]
    heads += [_text(table.columns[at].name, 6.3, textColor=_SOFT, alignment=2) for at in columns]
    cells = [heads]
    shades = []
    for row, line in enumerate(table.rows, start=1):
        # what a contestant is made of is told once, in the first part
        name = line[0] if 1 in columns else replace(line[0], under="")
        cells.append([_cell(name, left=True), *(_cell(line[at]) for at in columns)])
        shades += [
            ("BACKGROUND", (place, row), (place, row), HEAT[heat])
            for place, at in enumerate(columns, start=1)
            if (heat := line[at].heat) is not None
        ]
    return _grid(cells, widths, shades, heads=1)


def _cell(cell: Cell, *, left: bool = False) -> list[Any]:
    side = 0 if left else 2
    main = _text(cell.text, 8, alignment=side, fontName=_BOLD if left else _FONT)
    return [main, _text(cell.under, 6.3, alignment=side, textColor=_SOFT)] if cell.under else [main]


def _grid(
    cells: Sequence[Sequence[Any]], widths: Sequence[float], more: Sequence[tuple[Any, ...]] = (), heads: int = 0
) -> Any:
    from reportlab.platypus import Table as Grid

    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        *more,
    ]
    return Grid([list(row) for row in cells], colWidths=list(widths), repeatRows=heads, style=look, hAlign="LEFT")


def _photos(board: Scoreboard, thumbnails: Mapping[str, bytes], width: float) -> Iterator[Any]:
    from reportlab.platypus import PageBreak, Spacer

    if not board.photos:
        return
    yield PageBreak()
    yield _heading("Photos")
    worth = rule_points(board.options)
    yield _tags([_span(rule, rule, worth[rule]) for rule in SIGNS])
    for photo in board.photos[:MOST_PHOTOS]:
        yield Spacer(0, 10)
        yield _photo(photo, thumbnails.get(photo.image_id), width)
    left = len(board.photos) - MOST_PHOTOS
    if left > 0:
        yield _text(f"{count(left, 'further photo')} stand in the workbook.", 9, spaceBefore=8)


def _photo(photo: Photo, jpeg: bytes | None, width: float) -> Any:
    """A table that may break between contestants: picture and name in its first row, then a row per answer."""
    several = asked_again(photo)
    about: list[Any] = [_text(photo.title[:_LONGEST_TAG], 10, fontName=_BOLD)]
    about.append(_text(f"Batch {photo.batch} · {count(len(photo.pool), 'tag')} to choose from", 7.5, textColor=_SOFT))
    if photo.reference is not None:
        about.append(_text(f"Reference: {', '.join(photo.reference) or 'none'}"[:_LONGEST_ANSWER], 8))
    if not photo.given:
        about.append(_text("Nobody was asked about it.", 8, textColor=_SOFT))
    picture = "" if jpeg is None else _thumbnail(jpeg)
    rows = [[picture, about], *([_name(one, several=one.contestant in several), _answer(one)] for one in photo.given)]
    kept = [("NOSPLIT", (0, 0), (-1, min(1, len(rows) - 1)))]
    return _grid(rows, [0.25 * width, 0.75 * width], kept)


def _thumbnail(jpeg: bytes) -> Any:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image

    wide, high = ImageReader(io.BytesIO(jpeg)).getSize()
    scale = min(110 / wide, 84 / high)
    return Image(io.BytesIO(jpeg), wide * scale, high * scale, hAlign="LEFT")


def _name(given: Given, *, several: bool) -> list[Any]:
    again = f" #{given.repeat + 1}" if several else ""
    worth = points(given.points) if given.answered else "no answer"
    return [_text(f"{given.contestant}{again}", 8), _text(worth, 8, fontName=_BOLD)]


def _answer(given: Given) -> Any:
    if not given.answered:
        why = f": {given.error}" if given.error else ""
        return _text(f"{outcome_words(given.outcome)}{why}"[:600], 8, textColor="#962024")
    tags = (*given.tags, *given.missing)
    ends = list(accumulate(min(len(one.tag), _LONGEST_TAG) + 8 for one in tags))
    shown = [_span(one.rule, one.tag, one.points) for one, end in zip(tags, ends, strict=True) if end < _LONGEST_ANSWER]
    more = [f"and {len(tags) - len(shown)} more"] if len(shown) < len(tags) else []
    return _tags([*shown, *more]) if tags else _text("named no tag", 8, textColor=_SOFT)


def _chip(rule: Rule, text: str, worth: float) -> Any:
    return _tags([_span(rule, text, worth)])


def _tags(spans: Sequence[str]) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph("   ".join(spans), _style(8, leading=12.5))


def _span(rule: Rule, text: str, worth: float) -> str:
    ink, ground = _COLOURS[rule]
    said = f"&nbsp;{SIGNS[rule]}&nbsp;{_marked(text[:_LONGEST_TAG])}&nbsp;{points(worth)}&nbsp;"
    said = f"<u>{said}</u>" if rule == "missing gold" else said
    return f'<font color="{ink}" backColor="{ground}">{said}</font>'
