"""A scoreboard as a workbook that calculates itself: change a mark or a threshold, and the standings follow.

What does not belong here: rows of answers and scores (``report_sheets``), cells (``report_cells``).
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from resources.report_cells import Formula, Head, Sheet, Styles, Value, write
from resources.report_sheets import RULES, Sheets, add_sheets, fill_sheets
from tagging_assets.domain.printable import for_cell
from tagging_assets.domain.scoreboard import Estimate, Scoreboard, Standing
from tagging_assets.domain.scoreboard_rows import count_of_scores, rows_of
from tagging_assets.domain.scoreboard_tables import HEAT
from tagging_assets.domain.scoreboard_words import (
    agreement_line,
    count,
    headline,
    judge_lines,
    made_line,
    option_lines,
    rule_meanings,
    rule_points,
)

#: Rows of scores up to which a spreadsheet calculates without making people wait.
MOST_ROWS = 100_000


def workbook_xlsx(board: Scoreboard, most_rows: int = MOST_ROWS) -> bytes:
    """The workbook as the bytes of an XLSX file; the same scoreboard gives the same bytes.

    Args:
        board: what is written.
        most_rows: of scores; an experiment with more gets its figures without the rows they come from.
    """
    import xlsxwriter

    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True})
    made = board.made_at.replace(tzinfo=None, microsecond=0)
    workbook.set_properties(
        {"title": for_cell(f"Experiment {board.experiment}"), "comments": for_cell(board.purpose), "created": made}
    )
    styles = Styles(workbook)
    live = 0 < count_of_scores(board.photos) <= most_rows
    standings = Sheet(workbook, styles, "Standings", _heads(board), len(board.standings))
    rows = rows_of(board) if live else None
    sheets = add_sheets(workbook, styles, board, rows) if rows else None
    _recall(workbook, styles, board)
    _parameters(workbook, styles, board)
    _read_me(workbook, styles, board, live=live)
    if sheets and rows:
        fill_sheets(sheets, board, rows)
    _standings(standings, board, sheets)
    workbook.close()
    return buffer.getvalue()


def _heads(board: Scoreboard) -> list[Head]:
    made = "As it was when this was written: resampling is no formula."
    return [
        Head("rank", 6, "whole"),
        Head("contestant", 26),
        Head("model", 22),
        Head("prompt", 16),
        Head("details", 30, "words"),
        Head("score", 9, "fine", "Points per answered photo."),
        Head("score low", 9, "fine", made),
        Head("score high", 9, "fine", made),
        Head("total", 9, "number", "Points over all photos, the mean over repeats of each."),
        Head("photos answered", 10, "number"),
        Head("asked", 8, "whole"),
        Head("no answer", 8, "whole"),
        Head("no answer %", 9, "share"),
        *(Head(rule, 12, "whole", rule_meanings(board.options)[rule]) for rule in RULES),
        Head("cost", 12, "money"),
        Head("points per $", 11, "whole"),
        Head("latency ms", 10, "whole"),
        *(Head(f"{name}{part}", 10, "share", made) for name in _MATCHES for part in ("", " low", " high")),
        *(Head(f"rating{part}", 9, "whole", made) for part in ("", " low", " high")),
        Head("votes", 8, "whole"),
        Head("steadiness", 10, "share", made),
        Head("no.", 6, "helper"),
    ]


_MATCHES = ("recall", "precision", "F1")


def _standings(sheet: Sheet, board: Scoreboard, sheets: Sheets | None) -> None:
    for place, one in enumerate(board.standings):
        figures = _figures(one, board)
        if sheets:
            figures = [Formula(text, value) for text, value in zip(_formulas(sheet, sheets), figures, strict=True)]
        rank, score, *rest = figures
        told: list[Value] = [rank if sheets else place + 1, one.contestant, one.model, one.prompt, one.details, score]
        matches = [value for known in (one.recall, one.precision, one.f1, one.rating) for value in _values(known)]
        sheet.add([*told, *_values(one.score)[1:], *rest, *matches, one.votes, one.steadiness, place + 1])
    sheet.guard(2)


def _figures(one: Standing, board: Scoreboard) -> list[Any]:
    """What the formulas of a contestant's row come to, in the order of :func:`_formulas`."""
    scores = [other.score.mean for other in board.standings if other.score is not None]
    return [
        "" if one.score is None else 1 + sum(other > one.score.mean for other in scores),
        "" if one.score is None else one.score.mean,
        one.total,
        sum(any(it.answered for it in photo.given if it.contestant == one.contestant) for photo in board.photos),
        one.asked,
        one.unanswered,
        one.invalid_rate,
        *(one.rules.get(rule, 0) for rule in RULES),
        "unknown" if one.cost_usd is None else one.cost_usd,
        "" if one.points_per_dollar is None else one.points_per_dollar,
        one.latency_ms,
    ]


def _formulas(sheet: Sheet, sheets: Sheets) -> list[str]:
    """Rank, score and everything from total to latency."""
    replies, scores = sheets.replies, sheets.scores
    number = sheet.here("no.")
    mine = f"{replies.column('contestant no.')},{number}"
    named = f"{scores.column('contestant no.')},{number},{scores.column('rule')}"
    score, total, photos = sheet.here("score"), sheet.here("total"), sheet.here("photos answered")
    asked, without, cost = sheet.here("asked"), sheet.here("no answer"), sheet.here("cost")
    unpriced = f'COUNTIFS({mine},{replies.column("cost")},"unknown")'
    passes = f"{asked}/ROUND(SUMIFS({replies.column('asked as')},{mine}),0)"
    return [
        f'=IF({score}="","",RANK({score},{sheet.column("score")}))',
        f'=IF({photos}=0,"",{total}/{photos})',
        f"=SUMIFS({scores.column('counts')},{scores.column('contestant no.')},{number})",
        f"=ROUND(SUMIFS({replies.column('counts as')},{mine}),0)",
        f"=COUNTIFS({mine})",
        f'=COUNTIFS({mine},{replies.column("answered")},"no")',
        f"=IF({asked}=0,0,{without}/{asked})",
        *(f'=COUNTIFS({named},"{rule}")' for rule in RULES),
        f'=IF({unpriced}>0,"unknown",SUMIFS({replies.column("cost")},{mine}))',
        f'=IF(ISNUMBER({cost}),IF({cost}=0,"",{total}/({cost}/({passes}))),"")',
        f"=IFERROR(1000*AVERAGEIFS({replies.column('seconds')},{mine}),0)",
    ]


def _values(known: Estimate | None) -> list[Value]:
    return [None] * 3 if known is None else [known.mean, known.low, known.high]


def _recall(workbook: Any, styles: Styles, board: Scoreboard) -> None:
    """The table of recall by batch, in percent, coloured by deciles of what stands there."""
    known = [(one, one.recall) for one in board.standings if one.recall is not None]
    if not known:
        return
    known.sort(key=lambda pair: -pair[1].mean)
    batches = [one for one in board.batches if any(one.batch in it.recall_by_batch for it, _ in known)]
    heads = [Head("Model", 34), Head("Avg Latency (ms)", 12, "whole"), Head("Avg Recall", 12, "number")]
    heads += [Head(batch.label, 16, "number", f"Batch {for_cell(batch.batch)}: recall (photos).") for batch in batches]
    sheet = Sheet(workbook, styles, "Recall", _distinct(heads), len(known))
    formats: dict[int, Any] = {}
    for one, recall in known:
        row = sheet.row - 1
        sheet.add([one.contestant, one.latency_ms, 100 * recall.mean])
        for column, batch in enumerate(batches, start=3):
            mean, photos = one.recall_by_batch.get(batch.batch, (0.0, 0))
            if photos:
                # the number stays a number, and shows its photos as the table of the page does
                formats.setdefault(photos, workbook.add_format({"num_format": f'0.0" ({photos})"'}))
                sheet.raw.write_number(row, column, 100 * mean, formats[photos])
    sheet.guard(1)
    _heat(workbook, sheet, (1, 2, len(known), len(heads) - 1))


def _heat(workbook: Any, sheet: Sheet, block: tuple[int, int, int, int]) -> None:
    """Ten rules, the highest first: a value has the colour of the highest cut between tenths that it is above."""
    from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell

    everything, first = xl_range_abs(*block), xl_rowcol_to_cell(*block[:2])
    for tenth in range(9, -1, -1):
        above = f"{first}>PERCENTILE({everything},{tenth / 10})+1E-10" if tenth else "TRUE"
        rule = {
            "type": "formula",
            "criteria": f"=AND(ISNUMBER({first}),{above})",
            "format": workbook.add_format({"bg_color": HEAT[tenth], "font_color": "#1D2126"}),
            "stop_if_true": True,
        }
        sheet.raw.conditional_format(*block, rule)


def _distinct(heads: Sequence[Head]) -> list[Head]:
    """Heads with numbers where two batches would be called the same."""
    seen: dict[str, int] = {}
    made = []
    for head in heads:
        seen[head.name] = again = seen.get(head.name, 0) + 1
        made.append(head if again == 1 else replace(head, name=f"{head.name} {again}"))
    return made


def _parameters(workbook: Any, styles: Styles, board: Scoreboard) -> None:
    options, meanings = board.options, rule_meanings(board.options)
    named = (
        ("gold_above", options.gold_above, "A tag is gold where more than this share names it."),
        ("minority_below", options.minority_below, "A relevant tag is a minority's where a smaller share names it."),
        ("leave_one_out", "yes" if options.leave_one_out else "no", "yes: nobody votes on its own tags; no: all do."),
        ("middle_points", options.middle_points, "For a relevant tag between the two shares; 0 is the original."),
    )
    heads = [Head("parameter", 18), Head("value", 10, "input"), Head("meaning", 90, "words")]
    sheet = Sheet(workbook, styles, "Parameters", heads, len(named) + len(RULES))
    for name, value, meaning in named:
        workbook.define_name(name, f"=Parameters!$B${sheet.row}")
        sheet.add([name, value, meaning])
    first = sheet.row
    for rule, worth in rule_points(options).items():
        middle = rule == "middle"
        sheet.add([rule, Formula("=middle_points", worth) if middle else worth, f"Points. {meanings[rule]}"])
    workbook.define_name("rule_names", f"=Parameters!$A${first}:$A${sheet.row - 1}")
    workbook.define_name("rule_points", f"=Parameters!$B${first}:$B${sheet.row - 1}")
    sheet.raw.data_validation("B4", {"validate": "list", "source": ["yes", "no"]})
    sheet.raw.data_validation("B2:B3", {"validate": "decimal", "criteria": "between", "minimum": 0, "maximum": 1})
    sheet.raw.freeze_panes(1, 1)


def _read_me(workbook: Any, styles: Styles, board: Scoreboard, *, live: bool) -> None:
    raw = workbook.add_worksheet("Read me")
    raw.set_column(0, 0, 110, styles["words"])
    said = headline(board)
    marks = [f"Relevance marks: {agreement_line(board.marks)}"] if board.marks else []
    photos = count(len(board.photos), "photo")
    blocks = (
        [board.purpose, made_line(board), f"{said.claim}. {said.certainty}"],
        _LIVE if live else [f"{photos} are too many for a sheet that calculates itself: figures only."],
        option_lines(board.options),
        [*board.notes, *marks, *judge_lines(board)],
    )
    write(raw, (0, 0), f"Experiment {board.experiment}", styles["title"])
    row = 2
    for block in blocks:
        for line in filter(None, block):
            write(raw, (row, 0), line, styles["words"])
            row += 1
        row += 1


_LIVE = [
    "Yellow cells are yours to change: marks on the sheet Marks, thresholds and points on the sheet Parameters. "
    "Rules, points, totals, scores and ranks follow.",
    "Intervals, recall, precision, F1, ratings and steadiness stay as they were when this was written.",
    "Standings: one row per contestant. Rank follows the scores; the order of rows does not.",
    "Scores: one row per reply and tag. Tags that a reply does not name stand there too, as they may be missing gold.",
    "Marks: whether a tag suits its photo: yes, no, or nothing where nobody knows or people disagree.",
    "Answers: who named which tag out of the pool (1), and who did not (0); empty where there was no answer.",
    "Replies: one row per question with outcome, cost and time.",
    "Recall: reference tags that were named, in percent, by batch; colours are deciles.",
]
