"""The sheets that points are calculated on: answers, marks, scores and replies, each row out of ``scoreboard_rows``.

Rows find each other by number, never by name and never by place: tags may hold anything, and people sort sheets. What
does not belong here: standings and everything that is no row (``report_workbook``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resources.report_cells import Formula, Head, Sheet, Styles, Value
from tagging_assets.domain.scoreboard import Given, Scoreboard
from tagging_assets.domain.scoreboard_rows import Reply, Rows, ScoreRow, Subject, Voter
from tagging_assets.domain.scoreboard_words import SIGNS
from tagging_assets.domain.standings import SPOKEN, seconds_of

#: Digits that shares are compared with thresholds to, as ``scoring`` does.
_DIGITS = 9

_RELEVANT = {True: "yes", False: "no", None: None}


@dataclass(frozen=True, slots=True)
class Sheets:
    """Sheets whose columns speak of each other."""

    scores: Sheet
    marks: Sheet
    answers: Sheet
    replies: Sheet


def add_sheets(workbook: Any, styles: Styles, board: Scoreboard, rows: Rows) -> Sheets:
    """The four sheets, still without rows."""
    voters, voices = voter_names(board, rows.voters), voice_names(board, rows.voters)
    answers = [
        *_SUBJECT,
        *(Head(name, 12, "plain") for name in voters),
        *(Head(name, 12, "number", "Share of its answers that name the tag.") for name in voices if name not in voters),
        Head("named by", 10, "number", "Contestants that name it, each by the share of its answers."),
        Head("answered", 10, "whole", "Contestants that answered about the photo."),
    ]
    subjects = len(rows.subjects)
    return Sheets(
        Sheet(workbook, styles, "Scores", _SCORES, len(rows.scores)),
        Sheet(workbook, styles, "Marks", [*_SUBJECT, *_MARK], subjects),
        Sheet(workbook, styles, "Answers", answers, subjects),
        Sheet(workbook, styles, "Replies", _REPLIES, len(rows.replies)),
    )


def fill_sheets(sheets: Sheets, board: Scoreboard, rows: Rows) -> None:
    """Write all rows."""
    tallies = {one.number: Tally(one, len(board.standings)) for one in rows.subjects}
    voters, voices = voter_names(board, rows.voters), voice_names(board, rows.voters)
    for subject in rows.subjects:
        _answer(sheets.answers, subject, rows.voters, tallies[subject.number], (voters, voices))
        note = None if subject.chosen else "in nobody's pool who named it: a mark changes nothing"
        sheets.marks.add([*_about(subject), _RELEVANT[subject.relevant], note])
    for row in rows.scores:
        _score(sheets, row, tallies[row.subject.number], (voices[0], voices[-1]), board)
    for reply in rows.replies:
        _reply(sheets, reply)
    choice = sheets.marks.letter("relevant")
    sheets.marks.raw.data_validation(
        f"{choice}2:{choice}{max(2, len(rows.subjects) + 1)}",
        {"validate": "list", "source": ["yes", "no"], "ignore_blank": True, "error_message": "yes, no, or nothing"},
    )
    for sheet, frozen in ((sheets.scores, 4), (sheets.marks, 3), (sheets.answers, 3), (sheets.replies, 3)):
        sheet.guard(frozen)


def voter_names(board: Scoreboard, voters: Sequence[Voter]) -> list[str]:
    """Heads of the columns of answers: ``label``, or ``label #2`` where there are repeats."""
    several = any(repeat for _, repeat in voters)
    return [_label(board, place) + (f" #{repeat + 1}" if several else "") for place, repeat in voters]


def voice_names(board: Scoreboard, voters: Sequence[Voter]) -> list[str]:
    """Heads of the columns of voices, one for each contestant; without repeats the answers are the voices."""
    several = any(repeat for _, repeat in voters)
    return [_label(board, place) + (" voice" if several else "") for place in range(len(board.standings))]


def _label(board: Scoreboard, place: int) -> str:
    return f"{place + 1} {board.standings[place].contestant}"


class Tally:
    """Who names a tag, as the sheets come to it."""

    def __init__(self, subject: Subject, contestants: int) -> None:
        found: dict[int, list[bool]] = {}
        for (place, _), named in subject.named.items():
            found.setdefault(place, []).append(named)
        self.voices: Mapping[int, float] = {place: sum(them) / len(them) for place, them in found.items()}
        self.every = [self.voices.get(place) for place in range(contestants)]
        self.named = sum(self.voices.values())
        self.answered = len(self.voices)

    def others(self, place: int) -> float:
        """Other contestants that name it."""
        return round(self.named - self.voices[place], _DIGITS)

    def share(self, place: int, *, leave_one_out: bool) -> float | str:
        """What consensus goes by; ``""`` where nobody else answered."""
        if self.answered < 2:
            return ""
        if leave_one_out:
            return round(self.others(place) / (self.answered - 1), _DIGITS)
        return round(self.named / self.answered, _DIGITS)


def _about(subject: Subject) -> list[Value]:
    return [subject.number, subject.photo.title, subject.tag]


def _answer(
    sheet: Sheet, subject: Subject, voters: Sequence[Voter], tally: Tally, names: tuple[list[str], list[str]]
) -> None:
    answers, voices = names
    values: list[Value] = [None if one not in subject.named else int(subject.named[one]) for one in voters]
    if answers != voices:
        for place, voice in enumerate(tally.every):
            own = [name for name, (at, _) in zip(answers, voters, strict=True) if at == place]
            cells = f"{sheet.here(own[0])}:{sheet.here(own[-1])}" if own else ""
            text = f'=IF(COUNT({cells})=0,"",AVERAGE({cells}))' if own else '=""'
            values.append(Formula(text, "" if voice is None else voice))
    cells = f"{sheet.here(voices[0])}:{sheet.here(voices[-1])}"
    sums = [Formula(f"=SUM({cells})", tally.named), Formula(f"=COUNT({cells})", tally.answered)]
    sheet.add([*_about(subject), *values, *sums])


def _score(sheets: Sheets, row: ScoreRow, tally: Tally, voices: tuple[str, str], board: Scoreboard) -> None:
    sheet, answers, marks = sheets.scores, sheets.answers, sheets.marks
    place, repeat = row.reply.voter
    cell = {name: sheet.here(name) for name in (head.name for head in _SCORES)}
    at, number, named_by = cell["answers row"], cell["contestant no."], answers.column("named by")
    answered, own = answers.column("answered"), f"INDEX({answers.block(*voices)},{at},{number})"
    share = tally.share(place, leave_one_out=board.options.leave_one_out)
    mark = _RELEVANT[row.subject.relevant] or ""
    rule = "" if row.scored is None else row.scored.rule
    gold = share != "" and float(share) > board.options.gold_above and mark != "no"
    points = 0.0 if row.scored is None else row.scored.points
    sheet.add(
        [
            row.reply.given.contestant,
            row.reply.photo.title,
            repeat + 1,
            row.spelled,
            "yes" if row.named else "no",
            "yes" if row.in_pool else "no",
            Formula(f"=ROUND(INDEX({named_by},{at})-{own},{_DIGITS})", tally.others(place)),
            Formula(f"=INDEX({answered},{at})-1", tally.answered - 1),
            Formula(_share(cell, f"INDEX({named_by},{at})", f"INDEX({answered},{at})"), share),
            Formula(f'=INDEX({marks.column("relevant")},MATCH({cell["tag no."]},{marks.column("no.")},0))&""', mark),
            Formula(f'=IF({cell["share"]}="",FALSE,AND({cell["share"]}>gold_above,{cell["relevant"]}<>"no"))', gold),
            Formula(_rule(cell), rule),
            Formula(f'=IF({cell["rule"]}="",0,INDEX(rule_points,MATCH({cell["rule"]},rule_names,0)))', points),
            Formula(f"={cell['points']}/{cell['answers']}", points / row.reply.answered),
            row.reply.answered,
            row.reply.number,
            row.subject.number,
            place + 1,
            Formula(f"=MATCH({cell['tag no.']},{answers.column('no.')},0)", row.subject.number),
        ]
    )


def _cost(given: Given) -> float | str | None:
    """Empty where nothing can have been paid: no model spoke."""
    if given.cost_usd is not None:
        return given.cost_usd
    return "unknown" if given.outcome in SPOKEN else None


def _share(cell: Mapping[str, str], named_by: str, answered: str) -> str:
    others = f"{cell['named by others']}/{cell['others answered']}"
    everybody = f"{named_by}/{answered}"
    return f'=IF({cell["others answered"]}=0,"",ROUND(IF(leave_one_out="yes",{others},{everybody}),{_DIGITS}))'


def _rule(cell: Mapping[str, str]) -> str:
    """The rules in the order in which ``scoring`` tries them."""
    relevant = f'IF({cell["named by others"]}=0,"unique",IF({cell["share"]}<minority_below,"minority","middle"))'
    chosen = f'IF({cell["gold"]},"gold",IF({cell["relevant"]}="yes",{relevant},"unmarked"))'
    named = f'IF({cell["in pool"]}="no","hallucinated",IF({cell["relevant"]}="no","irrelevant",{chosen}))'
    return f'=IF({cell["named"]}="yes",{named},IF({cell["gold"]},"missing gold",""))'


def _reply(sheets: Sheets, reply: Reply) -> None:
    sheet, scores, given = sheets.replies, sheets.scores, reply.given
    total = f"SUMIFS({scores.column('points')},{scores.column('reply no.')},{sheet.here('no.')})"
    sheet.add(
        [
            reply.number,
            given.contestant,
            reply.photo.title,
            reply.photo.batch,
            given.repeat + 1,
            given.outcome,
            "yes" if given.answered else "no",
            len(given.tags),
            Formula(f"={total}", given.points) if given.answered else None,
            _cost(given),
            seconds_of(given),
            1 / reply.answered if given.answered else 0.0,
            1 / reply.asked,
            reply.voter[0] + 1,
            given.error,
        ]
    )


_SUBJECT = (Head("no.", 6, "helper"), Head("photo", 26), Head("tag", 24))

_MARK = (
    Head("relevant", 10, "input", "yes, no, or nothing; change it, and points and standings follow."),
    Head("note", 44, "helper"),
)

_SCORES = (
    Head("contestant", 22),
    Head("photo", 24),
    Head("repeat", 8),
    Head("tag", 22),
    Head("named", 8, "plain", "Whether the reply names it; gold that it does not name is missing."),
    Head("in pool", 8, "plain", "Whether the contestant could choose it."),
    Head("named by others", 10, "number"),
    Head("others answered", 10, "whole"),
    Head("share", 9, "share", "What consensus goes by; see Parameters, leave_one_out."),
    Head("relevant", 9, "plain", "From the sheet Marks."),
    Head("gold", 8),
    Head("rule", 14),
    Head("points", 8, "number"),
    Head("counts", 8, "fine", "Points by the contestant's number of answers about the photo."),
    Head("answers", 8, "helper", "Answers of the contestant about the photo."),
    Head("reply no.", 8, "helper"),
    Head("tag no.", 8, "helper"),
    Head("contestant no.", 8, "helper"),
    Head("answers row", 8, "helper"),
)

_REPLIES = (
    Head("no.", 6, "helper"),
    Head("contestant", 22),
    Head("photo", 24),
    Head("batch", 18),
    Head("repeat", 8),
    Head("outcome", 12),
    Head("answered", 9),
    Head("tags", 7, "whole"),
    Head("points", 9, "number"),
    Head("cost", 12, "money"),
    Head("seconds", 9, "number"),
    Head("counts as", 9, "number", "Part of a photo: 1 by the contestant's number of answers about it."),
    Head("asked as", 9, "helper", "1 by the number of questions to the contestant about the photo."),
    Head("contestant no.", 10, "helper"),
    Head("error", 50, "words"),
)

#: Rules in the order in which Parameters lists them.
RULES = tuple(SIGNS)
