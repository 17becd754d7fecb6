"""The photos of a scoreboard's page: per photo what each contestant named, as chips by rule, and what it was worth.

A photo is closed to one line with everybody's points, so that two dozen photos and ten contestants stay readable.
"""

import base64
from collections.abc import Mapping, Sequence

from tagging_assets.domain.page import escaped
from tagging_assets.domain.scoreboard import Given, Photo, Rule, Scoreboard, ScoredTag
from tagging_assets.domain.scoreboard_words import SIGNS, asked_again, count, outcome_words, photo_scores, points, share

#: Photos on a page: with thumbnails of 20 kB more would make it slow to open.
MOST_PHOTOS = 250

#: Photos that are open from the start.
_OPEN = 2


def photo_cards(board: Scoreboard, thumbnails: Mapping[str, bytes]) -> str:
    """The section of photos; nothing without any.

    Args:
        board: whose photos.
        thumbnails: image id to JPEG file.
    """
    if not board.photos:
        return ""
    shown = board.photos[:MOST_PHOTOS]
    cards = "".join(
        _card(photo, thumbnails.get(photo.image_id), is_open=place < _OPEN) for place, photo in enumerate(shown)
    )
    left = len(board.photos) - len(shown)
    more = f'<p class="soft">{count(left, "further photo")} stand in the workbook.</p>' if left else ""
    return f'<section class="photos"><h2>Photos</h2>{_LEGEND}{cards}{more}</section>'


def tag_class(rule: Rule) -> str:
    """The class of a chip by its rule."""
    return rule.replace(" ", "-")


def _card(photo: Photo, jpeg: bytes | None, *, is_open: bool) -> str:
    scores = photo_scores(photo)
    best = max((made for _, made in scores if made is not None), default=None)
    strip = "".join(_strip(name, made, best) for name, made in scores)
    several = asked_again(photo)
    rows = "".join(_row(one, several=one.contestant in several) for one in photo.given)
    answers = f'<dl class="answers">{rows}</dl>' if rows else '<p class="soft">Nobody was asked about it.</p>'
    return (
        f"<details{' open' if is_open else ''}><summary>{_picture(photo, jpeg)}"
        f'<span class="about"><span class="title">{escaped(photo.title)}</span>'
        f'<span class="strip">{strip}</span></span></summary>'
        f"{_reference(photo)}{answers}</details>"
    )


def _picture(photo: Photo, jpeg: bytes | None) -> str:
    if jpeg is None:
        return '<span class="nothing" aria-hidden="true"></span>'
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escaped(photo.title)}" loading="lazy">'


def _strip(name: str, made: float | None, best: float | None) -> str:
    leads = made is not None and made == best
    shown = "no answer" if made is None else points(made)
    mark = '<span class="quiet">, best</span>' if leads else ""
    return f"<span{' class=' + chr(34) + 'best' + chr(34) if leads else ''}>{escaped(name)} <b>{shown}</b>{mark}</span>"


def _reference(photo: Photo) -> str:
    about = f"Batch {photo.batch} · {count(len(photo.pool), 'tag')} to choose from"
    if photo.reference is None:
        return f'<p class="soft about-photo">{escaped(about)}</p>'
    chips = "".join(f'<li class="chip reference">{escaped(tag)}</li>' for tag in photo.reference)
    return (
        f'<p class="soft about-photo">{escaped(about)} · reference tags:</p>'
        f'<ul class="chips">{chips or "<li>none</li>"}</ul>'
    )


def _row(given: Given, *, several: bool) -> str:
    again = f' <span class="soft">repeat {given.repeat + 1}</span>' if several else ""
    if not given.answered:
        why = f": {given.error}" if given.error else ""
        said = f'<p class="bad">No answer ({escaped(outcome_words(given.outcome))}){escaped(why)}</p>'
        return f"<dt>{escaped(given.contestant)}{again}</dt><dd>{said}</dd>"
    chips = _chips((*given.tags, *given.missing)) or '<li class="soft">named no tag</li>'
    return (
        f"<dt>{escaped(given.contestant)}{again} <b>{points(given.points)}</b></dt>"
        f'<dd><ul class="chips">{chips}</ul></dd>'
    )


def _chips(tags: Sequence[ScoredTag]) -> str:
    return "".join(map(_chip, tags))


def _chip(tag: ScoredTag) -> str:
    named = "" if tag.share is None else f"; named by {share(tag.share)} of the others"
    marked = {True: "; marked relevant", False: "; marked irrelevant", None: ""}[tag.relevant]
    return (
        f'<li class="chip {tag_class(tag.rule)}" title="{escaped(f"{tag.rule}{named}{marked}")}">'
        f'<span aria-hidden="true">{SIGNS[tag.rule]}</span> {escaped(tag.tag)} '
        f'<span class="points">{points(tag.points)}</span><span class="quiet">, {tag.rule}</span></li>'
    )


_LEGEND = (
    '<ul class="chips legend">'
    + "".join(
        f'<li class="chip {tag_class(rule)}"><span aria-hidden="true">{sign}</span> {rule}</li>'
        for rule, sign in SIGNS.items()
    )
    + '<li class="chip reference">reference tag</li></ul>'
)
