"""Which votes count, and which pairs are shown next."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from tagging_assets.domain.voting import (
    Kind,
    Pair,
    Vote,
    Winner,
    comparisons,
    next_pairs,
    shown_answers,
    shown_hash,
    sides,
    standing_votes,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "p1": {"a": ("dog", "cat"), "b": ("dog",), "c": ("cat",)},
    "p2": {"a": ("sea",), "b": ("sky",)},
}


def vote(photo: str, left: str, right: str, winner: Winner, voter: str = "ann", kind: Kind = "person") -> Vote:
    tags = SHOWN.get(photo, {})
    shown = shown_hash(tags.get(left, ()), tags.get(right, ()))
    return Vote("e", photo, left, right, winner, shown, voter, kind, NOW)


def row(configuration: str, repeat: int, outcome: str, tags: list[str] | None) -> dict[str, Any]:
    return {"image_id": "p1", "configuration": configuration, "repeat": repeat, "outcome": outcome, "tags": tags}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((["dog"], ["cat"]), (("dog",), ("cat",)), True),  # lists and tuples
        ((["dog"], ["cat"]), (["cat"], ["dog"]), False),  # sides matter
        ((["dog", "cat"], []), (["cat", "dog"], []), False),  # so does the order of tags
        ((["dog", "cat"], []), (["dog"], ["cat"]), False),  # and where one list ends
    ],
)
def test_the_hash_of_what_was_shown(one: Any, other: Any, same: bool) -> None:
    assert (shown_hash(*one) == shown_hash(*other)) is same


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([row("a", 0, "ok", ["dog"])], {"p1": {"a": ("dog",)}}),
        ([row("a", 1, "ok", ["cat"]), row("a", 0, "ok", ["dog"])], {"p1": {"a": ("dog",)}}),  # the first repeat
        ([row("a", 0, "refused", []), row("a", 1, "ok", ["cat"])], {"p1": {"a": ("cat",)}}),  # with an answer
        ([row("a", 0, "empty", None)], {"p1": {"a": ()}}),  # nothing is an answer
        ([row("a", 0, "failed", None)], {}),
    ],
)
def test_what_voters_see(rows: list[dict[str, Any]], shown: dict[str, Any]) -> None:
    assert shown_answers(rows) == shown


def test_sides_are_fair_and_the_same_for_everybody() -> None:
    left = [sides("e", f"p{place}", ("a", "b"))[0] for place in range(1000)]
    assert left == [sides("e", f"p{place}", ("b", "a"))[0] for place in range(1000)]
    assert 450 < left.count("a") < 550


@pytest.mark.parametrize(
    ("votes", "standing"),
    [
        ([vote("p1", "a", "b", "left")], ["left"]),
        ([vote("p1", "a", "b", "left"), vote("p1", "a", "b", "tie")], ["tie"]),  # the newer of one voter
        ([vote("p1", "a", "b", "left"), vote("p1", "a", "b", "tie", "ben")], ["left", "tie"]),  # two voters
        ([vote("p1", "a", "b", "left"), vote("p1", "b", "a", "left")], ["left", "left"]),  # asked both ways
        ([vote("p1", "a", "x", "left"), vote("p9", "a", "b", "left")], []),  # nobody's answer
        ([vote("p1", "a", "a", "left")], []),  # with itself
        ([replace(vote("p1", "a", "b", "left"), shown=shown_hash(["bird"], ["dog"]))], []),  # changed since
        (  # a person and a judge of one name
            [vote("p1", "a", "b", "left"), vote("p1", "a", "b", "right", kind="judge")],
            ["left", "right"],
        ),
        (  # the newest by time, whatever the order
            [replace(vote("p1", "a", "b", "tie"), at=NOW + timedelta(1)), vote("p1", "a", "b", "left")],
            ["tie"],
        ),
    ],
)
def test_votes_that_stand(votes: list[Vote], standing: list[str]) -> None:
    assert [one.winner for one in standing_votes(votes, SHOWN)] == standing


@pytest.mark.parametrize(
    ("winner", "mirrored", "found"),
    [
        ("left", "right", "first"),  # twice for the same contestant
        ("right", "left", "second"),
        ("tie", "tie", "tie"),
        ("left", "left", "tie"),  # twice for the same side
        ("left", "tie", "tie"),  # once undecided
        ("left", None, "first"),  # asked one way only
    ],
)
def test_both_ways_are_one_comparison(winner: Winner, mirrored: Winner | None, found: str) -> None:
    first, second = sides("e", "p1", ("a", "b"))
    made = [vote("p1", first, second, winner)] + ([vote("p1", second, first, mirrored)] if mirrored else [])
    (one,) = comparisons(made)
    assert (one.left, one.right) == (first, second)
    assert {"left": "first", "right": "second", "tie": "tie"}[one.winner] == found


def test_who_stands_where_does_not_change_who_won() -> None:
    for left, right in (("a", "b"), ("b", "a")):
        (one,) = comparisons([vote("p1", left, right, "left")])
        assert {"left": one.left, "right": one.right}[one.winner] == left


def as_votes(pairs: list[Pair], voter: str, kind: Kind = "person") -> list[Vote]:
    return [Vote("e", one.image_id, one.left, one.right, "tie", one.shown, voter, kind, NOW) for one in pairs]


def many(photos: int, labels: str) -> dict[str, dict[str, tuple[str, ...]]]:
    return {f"p{place}": {label: (label,) for label in labels} for place in range(photos)}


def test_every_pair_comes_once_and_none_again() -> None:
    shown = many(6, "abcd")
    pairs = next_pairs("e", shown, [], "ann")
    assert len({(one.image_id, frozenset((one.left, one.right))) for one in pairs}) == len(pairs) == 6 * 6
    assert all((one.left_tags, one.right_tags) == ((one.left,), (one.right,)) for one in pairs)
    assert next_pairs("e", shown, as_votes(pairs, "ann"), "ann") == []
    assert len(next_pairs("e", shown, as_votes(pairs, "ann"), "ben")) == len(pairs)


def test_a_mirrored_vote_is_a_vote_on_the_pair() -> None:
    shown = many(1, "ab")
    (pair,) = next_pairs("e", shown, [], "ann")
    assert next_pairs("e", shown, as_votes([pair.mirrored], "ann"), "ann") == []
    assert pair.mirrored.mirrored == pair
    assert pair.mirrored.shown != pair.shown


def test_the_least_compared_come_first() -> None:
    shown = many(10, "abc")
    counts = Counter(frozenset((one.left, one.right)) for one in next_pairs("e", shown, [], "ann", limit=9))
    assert set(counts.values()) == {3}
    # nobody has compared c yet
    done = [one for one in next_pairs("e", shown, [], "ann") if "c" not in (one.left, one.right)][:8]
    upcoming = next_pairs("e", shown, as_votes(done, "ann"), "ben", limit=10)
    assert all("c" in (one.left, one.right) for one in upcoming)


def test_voters_go_in_different_orders_and_each_in_the_same() -> None:
    shown = many(10, "abc")
    assert next_pairs("e", shown, [], "ann") == next_pairs("e", shown, [], "ann")
    assert next_pairs("e", shown, [], "ann") != next_pairs("e", shown, [], "ben")


def test_what_people_compared_comes_first_for_a_judge() -> None:
    shown = many(10, "abc")
    people = as_votes(next_pairs("e", shown, [], "ann", limit=7), "ann")
    asked = next_pairs("e", shown, people, "model", limit=7, shared=True)
    assert {(one.image_id, one.left, one.right) for one in asked} == {
        (one.image_id, one.left, one.right) for one in people
    }


@pytest.mark.parametrize(
    ("answers", "pairs"),
    [
        ({"a": ("dog", "cat"), "b": ("Cat", "dog")}, 0),  # the same tags in other words: nobody could tell them apart
        ({"a": (), "b": ()}, 0),
        ({"a": ("dog",), "b": ()}, 1),
        ({"a": ("dog",)}, 0),  # nobody to compare with
        ({"a": ("dog",), "b": ("dog",), "c": ("cat",)}, 2),
    ],
)
def test_equal_answers_are_skipped(answers: dict[str, tuple[str, ...]], pairs: int) -> None:
    assert len(next_pairs("e", {"p1": answers}, [], "ann")) == pairs


def test_people_of_many_photos_meet_all_contestants() -> None:
    labels = "abcdefgh"
    seen = Counter(frozenset((one.left, one.right)) for one in next_pairs("e", many(5, labels), [], "ann", limit=28))
    assert seen == Counter(frozenset(pair) for pair in combinations(labels, 2))
