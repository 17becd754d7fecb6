"""Photos with their boxes and tags on one page: what is on it, where it goes, and the page as HTML.

The page needs nothing but itself: no scripts, no fonts, no other files, and a content security policy that says
so. What does not belong here: drawing the same as a bitmap, and JPEG encoding (``resources.contact_sheet``).
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagging_assets.domain.fusion import explain_tag
from tagging_assets.domain.models import Box, RgbImage
from tagging_assets.domain.page import escaped, page


@dataclass(frozen=True, slots=True)
class SheetBox:
    """A box as shares of width and height (``xyxy``, 0 to 1) with its score in [0, 1]."""

    box_xyxy: Box
    score: float


@dataclass(frozen=True, slots=True)
class SheetTag:
    """A tag as people see it.

    Attributes:
        tag: the word.
        score: in [0, 1].
        status: ``auto``, ``needs_review``, ``accepted``, ``rejected`` or ``added``.
        reason: one short sentence.
        sources: one line per source.
    """

    tag: str
    score: float
    status: str
    reason: str = ""
    sources: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "SheetTag":
        """From a row of the table ``tags``, explained."""
        return cls(row["tag"], row["score"], row["status"], row["reason"], tuple(explain_tag(row)))


@dataclass(frozen=True, slots=True)
class Entry:
    """One photo of the sheet.

    Attributes:
        title: file name, or whatever names the photo.
        image: a thumbnail (400 to 640 pixels wide look well), or ``None`` where the photo could not be read.
        boxes: what was detected.
        tags: best first.
        error: why there is no image, or no tags; ``""`` for none.
    """

    title: str
    image: RgbImage | None
    boxes: tuple[SheetBox, ...] = ()
    tags: tuple[SheetTag, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal cells of a sheet, in pixels."""

    width: int
    columns: int
    margin: int
    gap: int

    @property
    def cell_width(self) -> int:
        """Width of a cell."""
        return (self.width - 2 * self.margin - (self.columns - 1) * self.gap) // self.columns

    def origin(self, index: int, cell_height: int, top: int) -> tuple[int, int]:
        """Upper left corner (x, y) of the cell of the entry at ``index``, rows starting at ``top``."""
        row, column = divmod(index, self.columns)
        return self.margin + column * (self.cell_width + self.gap), top + row * (cell_height + self.gap)

    def height(self, count: int, cell_height: int, top: int) -> int:
        """Height of a sheet of ``count`` cells."""
        rows = -(-count // self.columns)
        return top + rows * cell_height + max(0, rows - 1) * self.gap + self.margin


def fit(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int, int, int]:
    """Where (x0, y0, x1, y1) a picture goes that fills a box as far as it can, centred, in its own proportions."""
    scale = min(box_width / width, box_height / height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (box_width - wide) // 2, (box_height - high) // 2
    return left, top, left + wide, top + high


def summary(entries: Sequence[Entry], seconds: float | None = None) -> str:
    """The sheet in one line: ``12 photos · 57 tags · 9 to review · 1 failed · 8.4 s``."""
    tags = [tag for entry in entries for tag in entry.tags if tag.status != "rejected"]
    review = sum(tag.status == "needs_review" for tag in tags)
    failed = sum(bool(entry.error) for entry in entries)
    parts = [_count(len(entries), "photo"), _count(len(tags), "tag"), f"{review} to review"]
    parts += [f"{failed} failed"] if failed else []
    parts += [] if seconds is None else [f"{seconds:.1f} s"]
    return " · ".join(parts)


def render_html(
    entries: Sequence[Entry],
    title: str,
    *,
    encode_jpeg: Callable[[RgbImage], bytes],
    seconds: float | None = None,
) -> str:
    """The sheet as one self-contained page, light or dark as the reader's system is.

    Args:
        entries: photos in order; those with an error are listed at the end as well, or only there without a
            picture.
        title: heading and window title.
        encode_jpeg: RGB array (height, width, 3) to the bytes of a JPEG file.
        seconds: how long it all took, if that is to be shown.
    """
    shown = [entry for entry in entries if entry.image is not None]
    failed = [entry for entry in entries if entry.error]
    cards = "\n".join(_card(entry, encode_jpeg) for entry in shown)
    body = _BODY.format(
        title=escaped(title),
        summary=escaped(summary(entries, seconds)),
        cards=cards,
        failed=_failed(failed) if failed else "",
    )
    return page(title, _STYLE, body)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _card(entry: Entry, encode_jpeg: Callable[[RgbImage], bytes]) -> str:
    if entry.image is None:
        return ""
    height, width = entry.image.shape[:2]
    data = base64.b64encode(encode_jpeg(entry.image)).decode("ascii")
    named = ", ".join(tag.tag for tag in entry.tags) or "no tags"
    chips = "".join(_chip(tag) for tag in entry.tags) or '<li class="none">no tags</li>'
    error = f'<p class="error">{escaped(entry.error)}</p>' if entry.error else ""
    return (
        f'<article><div class="photo"><img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'alt="{escaped(f"{entry.title}: {named}")}" loading="lazy">{_overlay(entry.boxes, width, height)}</div>'
        f'<div class="text"><h2>{escaped(entry.title)}</h2>{error}<ul class="chips">{chips}</ul>'
        f"{_why(entry.tags)}</div></article>"
    )


def _overlay(boxes: Sequence[SheetBox], width: int, height: int) -> str:
    """Boxes over the photo: dark under light lines, to be seen on any background."""
    if not boxes:
        return ""
    size = max(width, height) / 24
    shapes = []
    for box in boxes:
        x0, y0, x1, y1 = (
            round(min(1.0, max(0.0, share)) * full, 1)
            for share, full in zip(box.box_xyxy, (width, height) * 2, strict=True)
        )
        rect = f'x="{x0}" y="{y0}" width="{round(x1 - x0, 1)}" height="{round(y1 - y0, 1)}"'
        # a score in a small box would hide what is in it; its title still has it
        roomy = x1 - x0 >= 2.6 * size and y1 - y0 >= 1.6 * size
        place = f'x="{x0 + size * 0.3:.1f}" y="{y0 + size * 1.1:.1f}" font-size="{size:.1f}"'
        label = f"<text {place}>{box.score:.2f}</text>" if roomy else ""
        shapes.append(
            f'<g><title>{box.score:.2f}</title><rect class="under" {rect}/><rect class="over" {rect}/>{label}</g>'
        )
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="boxes: {len(boxes)}">{"".join(shapes)}</svg>'


def _chip(tag: SheetTag) -> str:
    word, mark = _STATUS.get(tag.status, (tag.status, ""))
    hover = escaped("\n".join([f"{tag.tag} {tag.score:.2f}, {word}", tag.reason, *tag.sources]))
    return (
        f'<li class="{escaped(tag.status)}" title="{hover}"><span class="bar" style="width:{tag.score:.0%}"></span>'
        f'<span class="tag">{escaped(tag.tag)}</span> <span class="score">{tag.score:.2f}</span>'
        f'<span class="mark" aria-hidden="true">{mark}</span><span class="quiet">, {escaped(word)}</span></li>'
    )


def _why(tags: Sequence[SheetTag]) -> str:
    if not tags:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escaped(tag.tag)}</th><td>{tag.score:.2f}</td>'
        f"<td>{escaped(_STATUS.get(tag.status, (tag.status, ''))[0])}</td></tr>"
        f'<tr class="why"><td colspan="3">{escaped(tag.reason)}{_list(tag.sources)}</td></tr>'
        for tag in tags
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Tag", "Score", "Status"))
    return (
        f"<details><summary>Why these tags</summary><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></details>"
    )


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escaped(line)}</li>' for line in lines)}</ul>" if lines else ""


def _failed(entries: Sequence[Entry]) -> str:
    items = "".join(f"<li><strong>{escaped(entry.title)}</strong> {escaped(entry.error)}</li>" for entry in entries)
    return f'<section class="failed"><h2>{_count(len(entries), "photo")} failed</h2><ul>{items}</ul></section>'


#: Status to what it is called on the sheet, and a mark for those who do not see its colour.
_STATUS = {
    "auto": ("sure", ""),
    "needs_review": ("to review", "?"),
    "accepted": ("accepted", "✓"),
    "rejected": ("rejected", "✗"),
    "added": ("added", "+"),
}

_BODY = """<header><h1>{title}</h1><p>{summary}</p>
<ul class="chips legend"><li class="auto">sure</li><li class="needs_review">to review
<span class="mark" aria-hidden="true">?</span></li></ul></header>
<main>
{cards}
</main>
{failed}
"""

_STYLE = """
:root{--page:#f4f4f1;--card:#fff;--ink:#1d2126;--soft:#5b6470;--line:#dcdcd6;--mat:#e8e8e3;
--auto:#155f3c;--auto-bg:#e3f1e9;--auto-bar:#b5dcc6;--review:#8a4b00;--review-bg:#fcefdc;--review-bar:#f5d29d;
--hand:#1f569c;--hand-bg:#e4edf8;--hand-bar:#b9d0ee;--bad:#962024;--bad-bg:#fae6e5;--bad-bar:#f0bdbb}
@media(prefers-color-scheme:dark){:root{--page:#14161a;--card:#1e2126;--ink:#eceef1;--soft:#a5aeb9;--line:#31363d;
--mat:#0d0f12;--auto:#8fdcb3;--auto-bg:#18291f;--auto-bar:#24503a;--review:#ffc778;--review-bg:#2e2314;
--review-bar:#5c441b;--hand:#a5c9f8;--hand-bg:#18243a;--hand-bar:#28446f;--bad:#ffaaa6;--bad-bg:#331a1b;
--bad-bar:#6b2b2c}}
*{box-sizing:border-box}
body{margin:0;padding:2rem clamp(1rem,3vw,3rem);background:var(--page);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem 1.2rem;margin-bottom:1.4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0}
header p{margin:0;color:var(--soft);font-variant-numeric:tabular-nums}
.legend{margin-left:auto}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:1.2rem;align-items:start}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.photo{position:relative;aspect-ratio:4/3;background:var(--mat)}
.photo img,.photo svg{position:absolute;inset:0;width:100%;height:100%;object-fit:contain}
rect{fill:none;vector-effect:non-scaling-stroke}
.under{stroke:#000a;stroke-width:4}
.over{stroke:#ffd84d;stroke-width:2}
svg text{fill:#ffd84d;stroke:#000c;stroke-width:.18em;paint-order:stroke;font-weight:600}
.text{padding:.8rem 1rem 1rem}
h2{font-size:.9rem;font-weight:600;margin:0 0 .55rem;overflow-wrap:anywhere}
.error{color:var(--bad);font-size:.86rem;margin:0 0 .5rem;overflow-wrap:anywhere}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;list-style:none;margin:0;padding:0}
.chips li{position:relative;overflow:hidden;isolation:isolate;padding:.14rem .6rem;border-radius:999px;
color:var(--auto);background:var(--auto-bg);font-size:.86rem;overflow-wrap:anywhere}
.chips .bar{position:absolute;inset:0 auto 0 0;z-index:-1;background:var(--auto-bar)}
.chips .tag{color:var(--ink)}
.score{font-variant-numeric:tabular-nums;font-size:.8rem}
.mark{font-weight:700;margin-left:.25em}
.chips .needs_review{color:var(--review);background:var(--review-bg)}
.needs_review .bar{background:var(--review-bar)}
.chips .accepted,.chips .added{color:var(--hand);background:var(--hand-bg)}
.accepted .bar,.added .bar{background:var(--hand-bar)}
.chips .rejected{color:var(--bad);background:var(--bad-bg);text-decoration:line-through}
.rejected .bar{background:var(--bad-bar)}
.chips .none{background:none;padding:0;color:var(--soft)}
.quiet{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
details{margin-top:.7rem;font-size:.82rem}
summary{cursor:pointer;color:var(--soft)}
table{border-collapse:collapse;margin-top:.4rem;width:100%}
th,td{text-align:left;vertical-align:top;padding:.28rem .7rem .28rem 0;border-top:1px solid var(--line)}
.why td{border:0;padding-top:0;overflow-wrap:anywhere}
.why ul{margin:.1rem 0 0;padding-left:1.1rem}
thead th{border:0;color:var(--soft);font-weight:500}
td,.why li{color:var(--soft);font-variant-numeric:tabular-nums}
.failed{margin-top:1.6rem;padding:1rem 1.2rem;border:1px solid var(--bad);border-radius:12px;
background:var(--bad-bg)}
.failed h2{font-size:1rem;color:var(--bad)}
.failed ul{margin:0;padding-left:1.1rem}
.failed li{overflow-wrap:anywhere}
@media print{body{padding:0}article{break-inside:avoid}}
"""
