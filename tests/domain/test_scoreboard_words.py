"""Numbers and sentences as people read them."""

from dataclasses import replace

import pytest

from tagging_assets.domain.scoreboard_tables import recall_table, standings_table
from tagging_assets.domain.scoreboard_words import SIGNS, headline, listed, money, points, rule_points, share, signed
from tests.domain.worked_example import worked_example


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (None, "unknown"),  # never 0
        (0.0, "free"),
        (1234.5, "$1,234.50"),
        (0.1, "$0.10"),
        (0.0999, "$0.10"),  # rounded up to one digit less
        (0.014, "$0.014"),
        (0.000031234, "$0.000031"),
    ],
)
def test_money_keeps_the_digits_that_matter(usd: float | None, said: str) -> None:
    assert money(usd) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.5, "+0.5"), (-1.0, "−1"), (0.0, "0"), (-0.0, "0"), (1 / 3, "+0.33"), (-0.001, "0"), (10.0, "+10")],
)
def test_points_have_a_sign(value: float, said: str) -> None:
    assert points(value) == said


def test_minus_is_a_minus_and_never_before_zero() -> None:
    assert signed(-1.25, 2) == "−1.25"
    assert signed(-0.001, 2) == "0.00"
    assert share(0.7) == "70 %"
    assert share(1 / 3) == "33.3 %"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_every_rule_has_a_sign_of_its_own() -> None:
    board = worked_example()
    assert len(set(SIGNS.values())) == len(SIGNS) == len(rule_points(board.options))
    assert {tag.rule for photo in board.photos for one in photo.given for tag in one.tags} <= set(SIGNS)


def test_the_headline_says_who_leads_and_how_surely() -> None:
    board = worked_example()
    said = headline(board)
    assert said.winner == board.standings[0].contestant
    assert said.certainty == "3 photos cannot show who is better; ask about more."
    often = tuple(replace(photo, image_id=f"{photo.image_id}-{n}") for n in range(2) for photo in board.photos)
    assert "may be as good" in headline(replace(board, photos=often)).certainty
    assert "only contestant" in headline(replace(board, standings=board.standings[:1])).certainty
    assert "One photo" in headline(replace(board, photos=board.photos[:1])).certainty
    assert headline(replace(board, standings=())).winner == ""


def test_recall_decides_where_nothing_was_scored() -> None:
    board = worked_example()
    unscored = tuple(replace(one, score=None) for one in board.standings)
    assert "recall" in headline(replace(board, standings=unscored)).claim
    nothing = tuple(replace(one, recall=None) for one in unscored)
    assert headline(replace(board, standings=nothing)).winner == ""


def test_columns_that_nobody_has_are_left_out() -> None:
    board = worked_example()
    names = [column.name for column in standings_table(board).columns]
    assert {"Score", "Recall", "Rating", "Steadiness"} <= set(names)
    bare = tuple(
        replace(one, recall=None, precision=None, f1=None, rating=None, steadiness=None) for one in board.standings
    )
    left = [column.name for column in standings_table(replace(board, standings=bare)).columns]
    assert not {"Recall", "Precision", "F1", "Rating", "Steadiness"} & set(left)
    assert recall_table(replace(board, standings=bare)) is None


def test_recall_is_by_batch_best_first() -> None:
    table = recall_table(worked_example())
    assert table is not None
    heads = [column.name for column in table.columns]
    assert heads == ["Model", "Avg Latency (ms)", "Avg Recall", "zvkxk (06-03)", "hmnpt (06-10)"]
    averages = [row[2].order for row in table.rows]
    assert averages == sorted(averages, key=lambda one: -float(one or 0))
    assert all(row[1].heat is None for row in table.rows)
    assert table.rows[0][3].text == "75.0 (1)"
