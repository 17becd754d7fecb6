"""An experiment's standings as rows of words, for terminals and for Dagster's pages.

What does not belong here: the reports' own tables (``scoreboard_tables``).
"""

from tagging_assets.domain.printable import markdown_table
from tagging_assets.domain.scoreboard import Estimate, Scoreboard, Standing

#: Heads of :func:`standings_rows`.
COLUMNS = ("contestant", "score (95 %)", "recall", "rating", "no answer", "cost", "points per $", "ms")


def standings_rows(board: Scoreboard) -> list[tuple[str, ...]]:
    """One row per contestant, best first; columns without any value are empty."""
    return [_row(one) for one in board.standings]


def standings_markdown(board: Scoreboard) -> str:
    """The standings as a Markdown table, without columns that say nothing."""
    rows = standings_rows(board)
    said = [place for place, _ in enumerate(COLUMNS) if any(row[place] for row in rows)]
    return markdown_table([COLUMNS[place] for place in said], ([row[place] for place in said] for row in rows))


def money(usd: float | None) -> str:
    """An amount with as many digits as it takes to be seen."""
    if usd is None:
        return "unknown"
    return f"${usd:.2f}" if usd == round(usd, 2) or usd >= 1 else f"${usd:.6f}".rstrip("0")


def _row(one: Standing) -> tuple[str, ...]:
    return (
        one.contestant,
        _estimate(one.score, "{:.2f}"),
        _estimate(one.recall, "{:.2f}"),
        _estimate(one.rating, "{:.0f}"),
        f"{one.unanswered} of {one.asked}" if one.unanswered else "",
        money(one.cost_usd),
        "" if one.points_per_dollar is None else f"{one.points_per_dollar:.1f}",
        f"{one.latency_ms:.0f}",
    )


def _estimate(estimate: Estimate | None, form: str) -> str:
    if estimate is None:
        return ""
    mean, low, high = (form.format(value) for value in (estimate.mean, estimate.low, estimate.high))
    return f"{mean} ({low} … {high})"
