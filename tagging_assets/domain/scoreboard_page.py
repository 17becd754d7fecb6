"""A scoreboard as one self-contained page: who leads and how surely, the tables, the rules, and every photo's tags.

Its one script sorts tables and opens photos; without scripts everything is there to read. What does not belong here:
sentences (``scoreboard_words``), cells (``scoreboard_tables``), photos (``scoreboard_photos``), drawing
(``resources.report_plots``).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from tagging_assets.domain.page import escaped, page
from tagging_assets.domain.scoreboard import Scoreboard
from tagging_assets.domain.scoreboard_look import SCRIPT, STYLE
from tagging_assets.domain.scoreboard_photos import photo_cards, tag_class
from tagging_assets.domain.scoreboard_tables import HEAT, Cell, Table, recall_table, rules_table, standings_table
from tagging_assets.domain.scoreboard_words import (
    SIGNS,
    agreement_line,
    headline,
    judge_lines,
    made_line,
    option_lines,
    points,
    rule_meanings,
    rule_points,
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing for both looks of the page.

    Attributes:
        title: heading.
        told: what is to be seen, for those who do not see it.
        light: a PNG file.
        dark: the same on a dark ground.
    """

    title: str
    told: str
    light: bytes
    dark: bytes


def scoreboard_page(board: Scoreboard, thumbnails: Mapping[str, bytes], plots: tuple[Plot, ...] = ()) -> str:
    """The page, light or dark as the reader's system is.

    Args:
        board: what the experiment came to.
        thumbnails: image id to JPEG file; photos without one are shown by name.
        plots: drawings, the most telling one first.
    """
    said = headline(board)
    title = f"Experiment {board.experiment}"
    body = _BODY.format(
        title=escaped(title),
        purpose=f'<p class="soft">{escaped(board.purpose)}</p>' if board.purpose else "",
        made=escaped(made_line(board)),
        claim=escaped(said.claim),
        certainty=escaped(said.certainty),
        notes=_list(board.notes),
        plots="".join(map(_plot, plots)),
        standings=_table(standings_table(board), "standings"),
        recall=_recall(board),
        rules=_rules(board),
        people=_people(board),
        photos=photo_cards(board, thumbnails),
    )
    return page(title, STYLE, body, SCRIPT)


def _plot(plot: Plot) -> str:
    light, dark = (base64.b64encode(png).decode("ascii") for png in (plot.light, plot.dark))
    return (
        f"<figure><figcaption>{escaped(plot.title)}</figcaption>"
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{dark}">'
        f'<img src="data:image/png;base64,{light}" alt="{escaped(plot.told)}"></picture></figure>'
    )


def _table(table: Table, name: str) -> str:
    head = "".join(
        f'<th scope="col"{"" if column.numbers else _WORDS} title="{escaped(column.meaning)}">'
        f"<span>{escaped(column.name)}</span></th>"
        for column in table.columns
    )
    rows = "".join(f"<tr>{_cell(row[0], named=True)}{''.join(map(_cell, row[1:]))}</tr>" for row in table.rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escaped(name)}">'
        f'<table class="sortable {escaped(name.partition(" ")[0])}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(cell: Cell, *, named: bool = False) -> str:
    order = "" if cell.order is None else f' data-order="{escaped(str(cell.order))}"'
    # the ground is given with its ink: on a dark page the heat stays light
    heat = "" if cell.heat is None else f' class="heat" style="background:{HEAT[cell.heat]}"'
    under = f'<span class="under">{escaped(cell.under)}</span>' if cell.under else ""
    if named:
        return f'<th scope="row"{_WORDS}{order}>{escaped(cell.text)}{under}</th>'
    return f"<td{heat}{order}>{escaped(cell.text)}{under}</td>"


def _recall(board: Scoreboard) -> str:
    table = recall_table(board)
    if table is None:
        return ""
    steps = "".join(f'<span style="background:{colour}"></span>' for colour in HEAT)
    return (
        '<section><h2>Recall by batch</h2><p class="soft">Reference tags that were named, in percent, averaged over '
        "photos; in brackets the photos of a batch. Shades are deciles of all recalls here: "
        f'<span class="scale" aria-hidden="true">lowest {steps} highest</span></p>{_table(table, "recall by batch")}'
        "</section>"
    )


def _rules(board: Scoreboard) -> str:
    worth, meanings = rule_points(board.options), rule_meanings(board.options)
    rows = "".join(
        f'<tr><th scope="row"{_WORDS}><span class="chip {tag_class(rule)}">'
        f'<span aria-hidden="true">{SIGNS[rule]}</span> {rule}</span></th>'
        f"<td>{points(worth[rule])}</td><td{_WORDS}>{escaped(meanings[rule])}</td></tr>"
        for rule in SIGNS
    )
    return (
        '<section><h2>The rules</h2><div class="wide"><table><thead><tr>'
        f'<th scope="col"{_WORDS}>Rule</th><th scope="col">Points</th><th scope="col"{_WORDS}>When</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_list(option_lines(board.options))}"
        f"<h3>How often each applied</h3>{_table(rules_table(board), 'rules applied')}</section>"
    )


def _people(board: Scoreboard) -> str:
    marks = [f"Relevance: {agreement_line(board.marks)}"] if board.marks is not None else []
    lines = [*marks, *judge_lines(board)]
    return f"<section><h2>People and judge</h2>{_list(lines)}</section>" if lines else ""


def _list(lines: tuple[str, ...] | list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escaped(line)}</li>' for line in lines)}</ul>" if lines else ""


_WORDS = ' class="words"'

_BODY = """<header><h1>{title}</h1>{purpose}<p class="soft">{made}</p></header>
<section class="lead"><h2>{claim}</h2><p>{certainty}</p>{notes}</section>
<section class="plots">{plots}</section>
<section><h2>Standings</h2>{standings}</section>
{recall}
{rules}
{people}
{photos}
"""
