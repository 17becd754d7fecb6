"""A scoreboard's two tables as cells that page and PDF lay out: standings, and recall by batch with its heat.

What does not belong here: how a table looks; the workbook, which calculates its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tagging_assets.domain.answer_metrics import decile
from tagging_assets.domain.scoreboard import Estimate, Scoreboard, Standing
from tagging_assets.domain.scoreboard_words import (
    SIGNS,
    count,
    milliseconds,
    money,
    outcome_counts,
    share,
    signed,
)

#: Colours of the heat-map by decile, from light over yellow to red; dark ink is read on all of them.
HEAT = (
    "#fffdf2",
    "#fff8d6",
    "#fff0b3",
    "#ffe58a",
    "#fed766",
    "#fec44f",
    "#feac42",
    "#fb923c",
    "#f77445",
    "#f0523d",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: as people read it.
        order: what the column is sorted by; ``None`` comes last, whichever way.
        under: a second, smaller line, such as an interval.
        heat: decile, 0 to 9; ``None`` for no colour.
    """

    text: str
    order: float | str | None
    under: str = ""
    heat: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head: its name, what it means in a sentence, and whether it holds numbers."""

    name: str
    meaning: str
    numbers: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of as many cells; the first cell names its row."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class _Field:
    column: Column
    cell: Callable[[Standing], Cell]
    #: whether a standing has such a value at all; a column that nobody has is left out
    known: Callable[[Standing], bool] = lambda _: True


def standings_table(board: Scoreboard) -> Table:
    """Contestants with everything known of them, best first; columns that none of them has are left out."""
    fields = [one for one in _FIELDS if any(map(one.known, board.standings))]
    rows = tuple(tuple(one.cell(standing) for one in fields) for standing in board.standings)
    return Table(tuple(one.column for one in fields), rows)


def rules_table(board: Scoreboard) -> Table:
    """How often each rule applied to each contestant, over all its answers."""
    head = Column("Contestant", "Its label in the experiment.", numbers=False)
    columns = (head, *(Column(f"{SIGNS[rule]} {rule}", f"Tags by the rule “{rule}”.") for rule in SIGNS))
    rows = tuple(
        (
            Cell(one.contestant, one.contestant),
            *(Cell(str(one.rules.get(rule, 0)), one.rules.get(rule, 0)) for rule in SIGNS),
        )
        for one in board.standings
    )
    return Table(columns, rows)


def recall_table(board: Scoreboard) -> Table | None:
    """Recall on average and by batch, best first; ``None`` where no contestant has any.

    Shades are deciles of all recalls of the table; latency has none.
    """
    known = [(one, one.recall.mean) for one in board.standings if one.recall is not None]
    if not known:
        return None
    known.sort(key=lambda pair: -pair[1])
    batches = [one for one in board.batches if any(one.batch in standing.recall_by_batch for standing, _ in known)]
    values = [mean for _, mean in known]
    values += [mean for standing, _ in known for mean, _ in standing.recall_by_batch.values()]
    columns = (
        Column("Model", "Contestant, with its model where the label is another.", numbers=False),
        Column("Avg Latency (ms)", "From asking to answer, mean over questions."),
        Column("Avg Recall", "Reference tags that were named, mean over photos, in percent."),
        *(Column(one.label, f"Batch {one.batch}: recall in percent (photos).") for one in batches),
    )
    rows = []
    for standing, mean in known:
        latency = Cell(milliseconds(standing.latency_ms), standing.latency_ms)
        name = Cell(
            standing.contestant, standing.contestant, "" if standing.model == standing.contestant else standing.model
        )
        found = [standing.recall_by_batch.get(one.batch) for one in batches]
        rows.append((name, latency, _heat(mean, values), *(_batch(one, values) for one in found)))
    return Table(columns, tuple(rows))


def _batch(found: tuple[float, int] | None, values: Sequence[float]) -> Cell:
    return Cell("", None) if found is None else _heat(found[0], values, f" ({found[1]})")


def _heat(value: float, values: Sequence[float], more: str = "") -> Cell:
    return Cell(f"{100 * value:.1f}{more}", value, heat=decile(value, values))


def _estimate(value: Estimate | None, write: Callable[[float], str], outside: Callable[[float], str]) -> Cell:
    if value is None:
        return Cell("–", None)
    certain = abs(value.high - value.low) < 1e-6
    # kept on one line
    interval = f"{outside(value.low)}\u00a0…\u00a0{outside(value.high)}"
    return Cell(write(value.mean), value.mean, "" if certain else interval)


def _percent(value: Estimate | None) -> Cell:
    return _estimate(value, share, lambda bound: f"{100 * bound:.0f}")


def _plain(value: float | None, write: Callable[[float], str]) -> Cell:
    return Cell("–", None) if value is None else Cell(write(value), value)


def _named(one: Standing) -> Cell:
    made = " · ".join(dict.fromkeys(part for part in (one.model, one.prompt, one.details) if part))
    return Cell(one.contestant, one.contestant, made)


def _unanswered(one: Standing) -> Cell:
    return Cell(share(one.invalid_rate), one.invalid_rate, outcome_counts(one))


def _cost(one: Standing) -> Cell:
    each = "" if not one.cost_usd or not one.asked else f"{money(1000 * one.cost_usd / one.asked)}\u00a0/\u00a01,000"
    return Cell(money(one.cost_usd), one.cost_usd, each)


def _per_dollar(one: Standing) -> Cell:
    if one.points_per_dollar is None:
        return Cell("–", None)
    value = one.points_per_dollar
    return Cell(f"{value:,.0f}".replace("-", "−") if abs(value) >= 100 else signed(value, 1), value)


_FIELDS = (
    _Field(Column("Contestant", "Its label, then model, prompt and parameters.", numbers=False), _named),
    _Field(
        Column("Score", "Points per photo, with its 95 % interval over photos."),
        lambda one: _estimate(one.score, lambda value: signed(value, 3), lambda value: signed(value, 2)),
        lambda one: one.score is not None,
    ),
    _Field(
        Column("Total", "Points over all photos, the mean over repeats of each."),
        lambda one: Cell(signed(one.total, 1), one.total),
        lambda one: one.score is not None,
    ),
    _Field(Column("No answer", "Share of questions without an answer, and why."), _unanswered),
    _Field(Column("Cost", "Of all its answers, and per 1,000 questions."), _cost),
    _Field(
        Column("Points per $", "Total per dollar of one pass over the photos."),
        _per_dollar,
        lambda one: one.points_per_dollar is not None,
    ),
    _Field(
        Column("Latency (ms)", "From asking to answer, mean over questions."),
        lambda one: Cell(milliseconds(one.latency_ms), one.latency_ms),
    ),
    _Field(
        Column("Recall", "Reference tags that were named, mean over photos."),
        lambda one: _percent(one.recall),
        lambda one: one.recall is not None,
    ),
    _Field(
        Column("Precision", "Named tags that are reference tags, mean over photos."),
        lambda one: _percent(one.precision),
        lambda one: one.precision is not None,
    ),
    _Field(
        Column("F1", "Harmonic mean of both, mean over photos."),
        lambda one: _percent(one.f1),
        lambda one: one.f1 is not None,
    ),
    _Field(
        Column("Rating", "Bradley-Terry strength out of blind votes; 1500 is the mean of all."),
        lambda one: _rating(one),
        lambda one: one.rating is not None,
    ),
    _Field(
        Column("Steadiness", "How alike repeats of the same question are; 100 % is the same tags each time."),
        lambda one: _plain(one.steadiness, share),
        lambda one: one.steadiness is not None,
    ),
)


def _rating(one: Standing) -> Cell:
    found = _estimate(one.rating, lambda value: f"{value:.0f}", lambda value: f"{value:.0f}")
    votes = count(one.votes, "vote").replace(" ", "\u00a0")
    return Cell(found.text, found.order, f"{found.under}, {votes}" if found.under else votes)
