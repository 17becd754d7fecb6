"""The contact sheet as a bitmap, a histogram of scores, and both small enough for Dagster's metadata.

Drawn with Pillow and its bundled font, so a picture is the same on every machine. What is on a sheet and where it
goes is in ``tagging_assets.domain.contact_sheet``; so is the sheet as a page.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tagging_assets.domain.contact_sheet import Entry, Grid, SheetTag, fit, summary
from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.printable import for_line

_PAPER, _CARD, _MAT = "#f4f4f1", "#ffffff", "#e8e8e3"
_INK, _SOFT, _LINE = "#1d2126", "#5b6470", "#dcdcd6"
_BOX, _BAD = "#ffd84d", "#a3262a"
#: Status to the colour of its score and of its bar.
_COLOURS = {
    "auto": ("#1b6e47", "#8ccaa8"),
    "needs_review": ("#8a4b00", "#f0bd72"),
    "accepted": ("#1f569c", "#9cbce6"),
    "added": ("#1f569c", "#9cbce6"),
    "rejected": ("#a3262a", "#e9a3a0"),
}
_TAGS = 5

#: Dagster shows a picture of metadata in a dialog that is about so wide, unscaled; pixels.
_DIALOG_WIDTH = 1080
#: Boxes smaller than this many pixels (width, height) show no score: it would hide what is in them.
_LABEL_ROOM = (46, 30)
#: No line has room for more characters.
_LONGEST = 400
_ROW, _PAD, _TITLE_ROW = 27, 14, 30

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def encode_jpeg(image: RgbImage, quality: int = 84) -> bytes:
    """The bytes of a JPEG file of an RGB array (height, width, 3)."""
    return _encoded(Image.fromarray(image), "JPEG", quality=quality, optimize=True)


def draw_sheet(
    entries: Sequence[Entry],
    *,
    columns: int = 4,
    width: int = 1600,
    title: str = "",
    seconds: float | None = None,
) -> Image.Image:
    """Photos with boxes, names and their best tags, ``columns`` side by side.

    Args:
        entries: photos in order; a failed one gets a cell with its error.
        columns: cells in a row; fewer where there are fewer entries.
        width: of the sheet, pixels.
        title: heading; no header without one.
        seconds: how long it all took, if that is to be shown.

    Returns:
        An RGB picture, ``width`` pixels wide.
    """
    grid = Grid(width, max(1, min(columns, len(entries))), margin=28, gap=20)
    rows = min(_TAGS, max((len(entry.tags) for entry in entries), default=0))
    photo_height = round(grid.cell_width * 0.75)
    cell_height = photo_height + _TITLE_ROW + max(1, rows) * _ROW + 2 * _PAD
    top = 96 if title else grid.margin
    sheet = Image.new("RGB", (width, grid.height(len(entries), cell_height, top)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((grid.margin, 24), for_line(title), _INK, _font(30))
        draw.text((grid.margin, 62), summary(entries, seconds), _SOFT, _font(17))
    for index, entry in enumerate(entries):
        cell = _cell(entry, grid.cell_width, cell_height, photo_height)
        sheet.paste(cell, grid.origin(index, cell_height, top), _rounded(cell.size))
    return sheet


def render_png(entries: Sequence[Entry], columns: int = 4, *, width: int = 1600, title: str = "") -> bytes:
    """The bytes of a PNG file of :func:`draw_sheet`."""
    return _encoded(draw_sheet(entries, columns=columns, width=width, title=title), "PNG", optimize=True)


def sheet_markdown(entries: Sequence[Entry], *, columns: int = 4, max_bytes: int = 200_000) -> str:
    """A small sheet as a Markdown image with a ``data:`` address of at most ``max_bytes`` characters.

    Meant for ``MetadataValue.md``: quality goes down first, then size. Pass a few dozen entries, not thousands.

    Raises:
        ValueError: not even the smallest sheet is small enough; pass fewer entries.
    """
    sheet = draw_sheet(entries, columns=columns, width=_DIALOG_WIDTH)
    for scale, quality in ((1.0, 80), (1.0, 60), (0.75, 70), (0.75, 50), (0.5, 60), (0.5, 40), (0.25, 40)):
        size = (max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale)))
        smaller = sheet if scale == 1.0 else sheet.resize(size, Image.Resampling.LANCZOS)
        link = _markdown(_encoded(smaller, "JPEG", quality=quality, optimize=True), "jpeg", "contact sheet")
        if len(link) <= max_bytes:
            return link
    raise ValueError(f"{len(entries)} photos do not fit into {max_bytes} bytes; show fewer")


def score_histogram_png(
    scores: Sequence[float], *, marks: Sequence[tuple[str, float]] = (), title: str = "scores"
) -> bytes:
    """How many scores fall into each twentieth of [0, 1], as the bytes of a PNG file (640 by 280 pixels).

    Args:
        scores: any number of scores; those outside [0, 1] count at its ends.
        marks: names and places of vertical lines, e.g. ``("keep above", 0.5)``.
        title: what the scores are of.
    """
    width, height, left, right, top, bottom = 640, 280, 52, 16, 66, 34
    plot = Image.new("RGB", (width, height), _CARD)
    draw = ImageDraw.Draw(plot)
    draw.text((left, 12), f"{for_line(title)} · {len(scores)}", _INK, _font(17))
    counts, _ = np.histogram(np.clip(np.asarray(scores, dtype=np.float64), 0.0, 1.0), bins=20, range=(0.0, 1.0))
    most = max(1, int(counts.max()))
    wide, high, base = width - left - right, height - top - bottom, height - bottom
    for share in (0.0, 0.5, 1.0):
        y = base - round(high * share)
        draw.line((left, y, width - right, y), _LINE)
        if share in (0.0, 1.0) or most % 2 == 0:
            draw.text((left - 8, y), f"{most * share:.0f}", _SOFT, _font(13), anchor="rm")
    for index, count in enumerate(counts.tolist()):
        x0, x1 = left + wide * index / 20 + 1.5, left + wide * (index + 1) / 20 - 1.5
        if count:
            draw.rectangle((x0, min(base - 2, base - high * count / most), x1, base), _COLOURS["auto"][1])
    for tick in range(0, 11, 2):
        draw.text((left + wide * tick / 10, base + 8), f"{tick / 10:.1f}", _SOFT, _font(13), anchor="ma")
    for name, place in marks:
        x = left + wide * place
        draw.line((x, top - 18, x, base), _COLOURS["needs_review"][0], 2)
        at, anchor = (x - 6, "ra") if place > 0.8 else (x + 6, "la")
        draw.text((at, top - 20), for_line(name), _COLOURS["needs_review"][0], _font(13), anchor=anchor)
    return _encoded(plot, "PNG", optimize=True)


def histogram_markdown(
    scores: Sequence[float], *, marks: Sequence[tuple[str, float]] = (), title: str = "scores"
) -> str:
    """:func:`score_histogram_png` as a Markdown image with a ``data:`` address."""
    return _markdown(score_histogram_png(scores, marks=marks, title=title), "png", f"histogram of {title}")


def _cell(entry: Entry, width: int, height: int, photo_height: int) -> Image.Image:
    cell = Image.new("RGB", (width, height), _CARD)
    draw = ImageDraw.Draw(cell)
    draw.rectangle((0, 0, width, photo_height - 1), _MAT)
    if entry.image is not None:
        frame = _photo(cell, entry.image, width, photo_height)
        _boxes(draw, entry, frame)
    else:
        draw.text((width / 2, photo_height / 2), "no picture", _SOFT, _font(17), anchor="mm")
    room, y = width - 2 * _PAD, photo_height + _PAD - 2
    draw.text((_PAD, y), _elided(draw, for_line(entry.title), _font(17), room), _INK, _font(17))
    y += _TITLE_ROW
    if entry.error:
        for line in _wrapped(draw, for_line(entry.error), _font(15), room, lines=4):
            draw.text((_PAD, y), line, _BAD, _font(15))
            y += 21
    elif not entry.tags:
        draw.text((_PAD, y), "no tags", _SOFT, _font(16))
    else:
        for tag in entry.tags[:_TAGS]:
            _tag_row(draw, tag, y, width)
            y += _ROW
    return cell


def _photo(cell: Image.Image, image: RgbImage, width: int, height: int) -> tuple[int, int, int, int]:
    picture = Image.fromarray(image)
    x0, y0, x1, y1 = fit(picture.width, picture.height, width, height)
    cell.paste(picture.resize((x1 - x0, y1 - y0), Image.Resampling.LANCZOS), (x0, y0))
    return x0, y0, x1, y1


def _boxes(draw: ImageDraw.ImageDraw, entry: Entry, frame: tuple[int, int, int, int]) -> None:
    """Light lines on dark ones, to be seen on any photo."""
    x0, y0, x1, y1 = frame
    for box in entry.boxes:
        shares = [min(1.0, max(0.0, share)) for share in box.box_xyxy]
        left, right = (x0 + shares[i] * (x1 - x0 - 1) for i in (0, 2))
        up, down = (y0 + shares[i] * (y1 - y0 - 1) for i in (1, 3))
        draw.rectangle((left - 1, up - 1, right + 1, down + 1), outline="#000000", width=4)
        draw.rectangle((left, up, right, down), outline=_BOX, width=2)
        if right - left >= _LABEL_ROOM[0] and down - up >= _LABEL_ROOM[1]:
            place = (left + 7, up + 4)
            draw.text(place, f"{box.score:.2f}", _BOX, _font(15), stroke_width=2, stroke_fill="#000000")


def _tag_row(draw: ImageDraw.ImageDraw, tag: SheetTag, y: int, width: int) -> None:
    """Name, bar and score; bars start at the same place in every cell, so that they compare at a glance."""
    ink, bar = _COLOURS.get(tag.status, (_SOFT, _LINE))
    start, end = round(width * (0.46 if width >= 300 else 0.58)), width - _PAD - 46
    draw.text((_PAD, y), _elided(draw, for_line(tag.tag), _font(16), start - _PAD - 10), _INK, _font(16))
    draw.rounded_rectangle((start, y + 5, end, y + 15), 5, _PAPER)
    filled = start + max(10, round((end - start) * min(1.0, max(0.0, tag.score))))
    draw.rounded_rectangle((start, y + 5, filled, y + 15), 5, bar)
    mark = "?" if tag.status == "needs_review" else ""
    draw.text((width - _PAD, y), f"{tag.score:.2f}{mark}", ink, _font(16), anchor="ra")


def _elided(draw: ImageDraw.ImageDraw, text: str, font: Font, room: float) -> str:
    # A name may hold line breaks, which have no length to Pillow, and be as long as it likes.
    text = " ".join(text.split())[:_LONGEST]
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(f"{text}…", font) > room:
        text = text[:-1]
    return f"{text}…"


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font: Font, room: float, *, lines: int) -> list[str]:
    out = [""]
    for word in text.split():
        longer = f"{out[-1]} {word}".strip()
        if draw.textlength(longer, font) <= room or not out[-1]:
            out[-1] = longer
        else:
            out.append(word)
    shown = [_elided(draw, line, font, room) for line in out[:lines]]
    return shown if len(out) <= lines else [*shown[:-1], _elided(draw, f"{shown[-1]} …", font, room)]


def _rounded(size: tuple[int, int], radius: int = 12) -> Image.Image:
    """Mask with rounded corners, drawn four times as large and shrunk to be smooth."""
    mask = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    box = (0, 0, size[0] * 4 - 1, size[1] * 4 - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * 4, 255)
    return mask.resize(size, Image.Resampling.BOX)


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _encoded(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _markdown(data: bytes, kind: str, alt: str) -> str:
    return f"![{alt}](data:image/{kind};base64,{base64.b64encode(data).decode('ascii')})"
