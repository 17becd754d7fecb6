"""Whose word counts on whether a tag suits a photo."""

from datetime import UTC, datetime, timedelta

import pytest

from tagging_assets.domain.relevance import majority, marks_of_decisions, newest_marks, relevance
from tagging_assets.domain.voting import Mark

BEGUN = datetime(2026, 6, 1, tzinfo=UTC)
WORD = {"yes": True, "no": False, "back": None}


def marked(*lines: str) -> list[Mark]:
    """Lines such as ``p1 dog ann yes``, a minute apart."""
    return [
        Mark(image_id, tag, WORD[word], marker, BEGUN + timedelta(minutes=place))
        for place, (image_id, tag, marker, word) in enumerate(line.split() for line in lines)
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], None),
        ([True], True),
        ([False], False),
        ([True, False], None),  # a tie says nothing
        ([True, False, True], True),
        ([False, False, True, True], None),
    ],
)
def test_majority(words: list[bool], said: bool | None) -> None:
    assert majority(words) is said


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (["p1 dog ann yes"], {"p1": {"dog": True}}),
        (["p1 dog ann yes", "p1 dog ann no"], {"p1": {"dog": False}}),  # the newer word of one marker
        (["p1 dog ann yes", "p1 dog ben no"], {"p1": {"dog": None}}),  # two markers, two words
        (["p1 dog ann yes", "p1 dog ann back"], {}),  # taken back: as if never marked
        (["p1 dog ann back", "p1 dog ann yes"], {"p1": {"dog": True}}),  # and given again
        (["p1 Golden_Hour ann yes", "p1 golden_hour ann no"], {"p1": {"golden hour": False}}),  # one tag
        (["p1 dog ann yes", "p2 dog ann no"], {"p1": {"dog": True}, "p2": {"dog": False}}),
    ],
)
def test_relevance(marks: list[str], said: dict[str, dict[str, bool | None]]) -> None:
    assert relevance(marked(*marks)) == said


def test_what_is_newest_goes_by_time_and_then_by_order() -> None:
    older, newer = marked("p1 dog ann yes", "p1 dog ann no")
    assert newest_marks([newer, older]) == {("p1", "dog"): {"ann": False}}
    same = Mark("p1", "dog", True, "ann", newer.at)
    assert newest_marks([newer, same]) == {("p1", "dog"): {"ann": True}}


def test_decisions_are_marks_of_who_decided() -> None:
    rows = [
        {"image_id": "p1", "tag": verdict, "verdict": verdict, "who": "cleo", "decided_at": BEGUN}
        for verdict in ("accepted", "added", "rejected", "withdrawn")
    ]
    assert [one.relevant for one in marks_of_decisions(rows)] == [True, True, False, None]
    assert {(one.marker, one.at) for one in marks_of_decisions(rows)} == {("cleo", BEGUN)}
