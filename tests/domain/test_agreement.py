"""Agreement, against the published example of Krippendorff and figures worked out by hand; and when a judge counts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tagging_assets.domain.agreement import (
    ENOUGH_SHARED,
    agreement,
    judge_report,
    krippendorff_alpha,
    mark_agreement,
    people_say,
)
from tagging_assets.domain.scoreboard import Agreement
from tagging_assets.domain.voting import Kind, Vote, Winner, comparisons, sides
from tests.domain.worked_example import marks

NOW = datetime(2026, 6, 1, tzinfo=UTC)

# Krippendorff (2011), section C: four observers, twelve units, five values, some missing (shown as a dot).
PUBLISHED = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def units(*observers: str) -> list[list[str]]:
    """What the observers say of each unit; a dot is nothing."""
    return [[one for one in unit if one != "."] for unit in zip(*map(str.split, observers), strict=True)]


@pytest.mark.parametrize(
    ("items", "alpha"),
    [
        (units(*PUBLISHED), 0.743),
        (units("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),  # section A: two observers, two values
        (units("a b", "a b"), 1.0),
        (units("a b", "b a"), -0.5),  # always apart: below chance
        (units("a a", "a a"), None),  # nobody ever says anything else
        (units("a .", ". b"), None),  # nothing in common
        ([], None),
    ],
)
def test_alpha(items: list[list[str]], alpha: float | None) -> None:
    assert krippendorff_alpha(items) == (None if alpha is None else pytest.approx(alpha, abs=5e-4))


def test_agreement_counts_what_two_judged() -> None:
    found = agreement([{"ann": True, "ben": True}, {"ann": True, "ben": False, "cleo": True}, {"dan": True}])
    assert (found.items, found.raters, found.same) == (2, 3, 0.5)
    assert agreement([]) == Agreement(0, 0, 0.0, None)


def test_markers_of_the_example() -> None:
    found = mark_agreement(marks())
    assert found is not None
    assert (found.items, found.raters) == (9, 3)
    assert (found.same, found.alpha) == pytest.approx((8 / 11, 1 - 72 / 156))


def test_one_marker_agrees_with_nobody() -> None:
    assert mark_agreement([one for one in marks() if one.marker == "ann"]) is None


def votes_on(photo: int, winner: str, voter: str, kind: Kind, *, both: bool = True) -> list[Vote]:
    """A vote for ``a``, ``b`` or ``tie``, or for the side that is ``left``; judges are asked both ways."""
    image_id = f"p{photo}"
    one, other = sides("e", image_id, ("a", "b"))
    found = []
    for left, right in ((one, other), (other, one))[: 2 if both else 1]:
        side: Winner = "left" if winner in (left, "left") else "tie" if winner == "tie" else "right"
        found.append(Vote("e", image_id, left, right, side, "hash", voter, kind, NOW))
    return found


def session(judged: Sequence[str], people: Sequence[str]) -> list[Vote]:
    made = [vote for photo, word in enumerate(judged) for vote in votes_on(photo, word, "model", "judge")]
    heard = enumerate(people)
    return made + [vote for photo, word in heard for vote in votes_on(photo, word, "ann", "person", both=False)]


@pytest.mark.parametrize(
    ("judged", "people", "trusted", "why"),
    [
        # the same word each time, though one contestant always wins: sides are mixed, so that this is no chance
        (["a"] * 40, ["a"] * 40, True, "it agrees with people (alpha 1.00 on 40 comparisons) and prefers no side"),
        (["a"] * 20 + ["b"] * 20, ["a"] * 18 + ["b"] * 22, True, "it agrees with people"),
        (
            ["a"] * 40,
            ["a"] * 29,
            False,
            "it shares 29 comparisons with people, and 30 are needed: let people vote on 1",
        ),
        (["a"] * 40, [], False, "it shares 0 comparisons with people, and 30 are needed: let people vote on 30 more"),
        (["a"] * 40, ["b"] * 40, False, "its agreement with people is too low: alpha -"),
        (["a", "b"] * 20, ["a"] * 40, False, "its agreement with people is too low: alpha "),
        (["tie"] * 40, ["a"] * 40, False, "it calls every comparison a tie"),
        (["tie"] * 39 + ["left"], ["tie"] * 40, False, "it prefers a side: 100% of its decided votes went to the left"),
    ],
)
def test_when_a_judge_counts(judged: list[str], people: list[str], trusted: bool, why: str) -> None:
    found = judge_report("model", session(judged, people))
    assert (found.trusted, found.why[: len(why)]) == (trusted, why)
    assert found.votes == 2 * len(judged)
    assert found.agreement.items == min(len(judged), len(people))


def test_a_judge_that_looks_at_the_side_is_found_out() -> None:
    found = judge_report("model", session(["left"] * ENOUGH_SHARED, ["a"] * ENOUGH_SHARED))
    assert (found.trusted, found.left_share) == (False, 1.0)
    # asked both ways it contradicts itself each time, which is a tie
    assert found.agreement.same == 0.0


def test_people_who_are_divided_have_called_a_tie() -> None:
    one, other = votes_on(0, "a", "ann", "person", both=False), votes_on(0, "b", "ben", "person", both=False)
    third = votes_on(0, "b", "cleo", "person", both=False)
    assert list(people_say(comparisons(one + other)).values()) == ["tie"]
    (comparison,) = comparisons(third)
    assert list(people_say(comparisons(one + other + third)).values()) == [comparison.winner]


def test_votes_of_another_judge_are_not_its_own() -> None:
    mine = session(["a"] * 40, ["a"] * 40)
    others = [replace(vote, voter="other", winner="tie") for vote in mine if vote.kind == "judge"]
    assert judge_report("model", mine + others) == judge_report("model", mine)
