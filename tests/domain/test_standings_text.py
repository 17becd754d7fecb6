"""Standings in words."""

from dataclasses import replace

import pytest

from tagging_assets.domain.standings_text import COLUMNS, money, standings_markdown, standings_rows
from tests.domain.worked_example import worked_example


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        (None, "unknown"),
        (0.0, "$0.00"),
        (12.345, "$12.35"),
        (0.5, "$0.50"),
        # seen at all
        (0.000012, "$0.000012"),
    ],
)
def test_money(usd: float | None, expected: str) -> None:
    assert money(usd) == expected


def test_a_row_per_contestant_and_no_empty_column() -> None:
    board = worked_example()
    rows = standings_rows(board)
    assert [row[0] for row in rows] == [one.contestant for one in board.standings]
    head, rule, *lines = standings_markdown(board).splitlines()
    assert len(lines) == len(rows)
    assert head.count("|") == rule.count("|") == lines[0].count("|")
    assert set(head.strip("| ").split(" | ")) <= set(COLUMNS)
    assert "rating" in head
    unrated = replace(board, standings=tuple(replace(one, rating=None) for one in board.standings))
    assert "rating" not in standings_markdown(unrated)
