"""What a person said before is known again, and which pair is next."""

from datetime import timedelta

import pytest

from tagging_assets.domain.voting import Mark, Vote, Winner
from tests.review.desk import NOON, PAIRS, FakeBook, marking, voting


def vote(number: int, winner: Winner = "left", *, voter: str = "anna", shown: str = "", minutes: int = 0) -> Vote:
    pair = PAIRS[number - 1]
    at = NOON + timedelta(minutes=minutes)
    return Vote("trial", pair.image_id, pair.left, pair.right, winner, shown or pair.shown, voter, "person", at)


def test_a_later_sitting_goes_on_where_the_first_one_stopped() -> None:
    earlier = [vote(1, "left"), vote(1, "tie", minutes=1), vote(2, voter="ben"), vote(3, shown="other tags")]
    sitting = voting(FakeBook(), earlier=earlier)
    assert [sitting.said(number) for number in (1, 2, 3)] == ["tie", None, None]
    assert (sitting.judged, sitting.total, sitting.next()) == (1, 3, 2)
    assert sitting.votes == 0, "of this sitting"


@pytest.mark.parametrize(
    ("said", "after", "following"),
    [
        ({}, 0, 1),
        ({1: "left"}, 1, 2),
        # back to what was passed over
        ({2: "left", 3: "tie"}, 3, 1),
        # gone back to the first: on to what is open, not to what was said
        ({1: "left", 2: "right"}, 1, 3),
        # skipped is not open
        ({1: "skip", 2: "left"}, 2, 3),
        ({1: "skip", 2: "left", 3: "skip"}, 3, None),
    ],
)
def test_the_next_open_pair(said: dict[int, Winner], after: int, following: int | None) -> None:
    sitting = voting(FakeBook())
    for number, choice in said.items():
        sitting.choose(number, choice)
    assert sitting.next(after) == following
    assert sitting.done is (following is None)


def test_skipping_leaves_what_was_said() -> None:
    book = FakeBook()
    sitting = voting(book)
    sitting.choose(1, "right")
    sitting.choose(1, "skip")
    assert (sitting.said(1), sitting.skipped, len(book.votes)) == ("right", 0, 1)
    sitting.choose(2, "skip")
    sitting.choose(2, "left")
    assert (sitting.said(2), sitting.skipped, sitting.votes) == ("left", 0, 2)


@pytest.mark.parametrize("number", [0, 4, -1])
def test_there_is_no_such_pair(number: int) -> None:
    with pytest.raises(IndexError):
        voting(FakeBook()).choose(number, "left")


def test_marks_of_before_are_known_and_those_of_others_are_not_looked_at() -> None:
    earlier = [
        Mark("id-a", "Dog", True, "anna", NOON),
        # taken back; somebody else's; about a tag that nobody named
        Mark("id-a", "grass", None, "anna", NOON),
        Mark("id-b", "boat", False, "ben", NOON),
        Mark("id-b", "ship", True, "anna", NOON),
    ]
    sitting = marking(FakeBook(), earlier)
    assert (sitting.marked, sitting.all_tags, sitting.open) == (1, 4, [1, 2])
    assert sitting.photo(1)[1] == [True, None, None]
    assert sitting.photo(2)[1] == [None]
