"""The rules of points: each by itself, their order, and the example of ``docs/scoring.md`` to the digit."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from tagging_assets.domain.schemas import BENCHMARK_ANSWERS, BENCHMARK_SCORES
from tagging_assets.domain.scoreboard import Given, Options, Rule, ScoredTag
from tagging_assets.domain.scoreboard_making import score_rows
from tagging_assets.domain.scoring import Facts, Said, Voices, points_of, pool_of, rule_of, score_photo
from tests.domain.worked_example import COSTS, ORIGINAL, POOL, answers, worked_example

DEFAULT = Options()


def facts(
    *,
    named: bool = True,
    in_pool: bool = True,
    share: float | None = 0.5,
    others: float | None = 0.5,
    relevant: bool | None = True,
) -> Facts:
    return Facts(named, in_pool, share, others, relevant)


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        # not in the pool: neither relevance nor consensus saves it
        (facts(in_pool=False), "hallucinated"),
        (facts(in_pool=False, share=1.0, relevant=None), "hallucinated"),
        (facts(in_pool=False, relevant=False), "hallucinated"),
        # people's "no" goes before consensus
        (facts(relevant=False), "irrelevant"),
        (facts(share=1.0, others=1.0, relevant=False), "irrelevant"),
        (facts(share=0.0, others=0.0, relevant=False), "irrelevant"),
        # gold needs no mark, and more than 70 %
        (facts(share=0.75, relevant=None), "gold"),
        (facts(share=0.75), "gold"),
        (facts(share=0.7), "middle"),
        (facts(share=0.7, relevant=None), "unmarked"),
        (facts(named=False, share=0.75), "missing gold"),
        (facts(named=False, share=0.75, relevant=None), "missing gold"),
        (facts(named=False, share=0.7), None),
        # missing what people do not want costs nothing
        (facts(named=False, share=1.0, relevant=False), None),
        # nobody else, fewer than 30 %, exactly 30 %
        (facts(share=0.0, others=0.0), "unique"),
        (facts(share=0.05, others=0.05), "minority"),
        (facts(share=0.29, others=0.29), "minority"),
        (facts(share=0.3, others=0.3), "middle"),
        # the original counts the judged one too: unique still goes by the others
        (facts(share=0.5, others=0.0), "unique"),
        # nobody said whether it is relevant
        (facts(share=0.0, others=0.0, relevant=None), "unmarked"),
        (facts(share=0.2, relevant=None), "unmarked"),
        (facts(share=0.5, relevant=None), "unmarked"),
        # no others: no consensus, and what people want is unique
        (facts(share=None, others=None), "unique"),
        (facts(share=None, others=None, relevant=None), "unmarked"),
        (facts(share=None, others=None, relevant=False), "irrelevant"),
        (facts(named=False, share=None, others=None), None),
    ],
)
def test_one_rule_holds(known: Facts, rule: Rule | None) -> None:
    assert rule_of(known, DEFAULT) == rule


@pytest.mark.parametrize(
    ("rule", "points", "original"),
    [
        ("hallucinated", -1.0, -1.0),
        ("irrelevant", -0.5, -0.5),
        ("gold", 1.0, 1.0),
        ("missing gold", -0.5, -0.5),
        ("unique", 0.5, 0.5),
        ("minority", 0.5, 0.5),
        ("middle", 0.5, 0.0),  # the hole in the original
        ("unmarked", 0.0, 0.0),
    ],
)
def test_points(rule: Rule, points: float, original: float) -> None:
    assert (points_of(rule, DEFAULT), points_of(rule, ORIGINAL)) == (points, original)


@pytest.mark.parametrize(
    ("tags", "outside", "pool", "named", "beyond"),
    [
        (["dog"], [], ["dog"], ("dog",), {}),
        (["Dog", "dog_", "DOG"], [], ["dog"], ("dog",), {}),  # one tag, three spellings
        (["Golden_Hour"], [], ["golden hour"], ("golden hour",), {}),  # underscores are spaces
        ([], ["Dog", "selfie"], ["dog"], ("dog",), {"selfie": "selfie"}),  # another spelling is no hallucination
        (["dog"], ["selfie", "Selfie"], ["dog"], ("dog",), {"selfie": "selfie"}),  # counted once
        (["dog", "cat"], [], ["dog"], ("dog",), {"cat": "cat"}),  # not in the pool, wherever the row lists it
        (["dog"], ["cat"], [], ("dog",), {"cat": "cat"}),  # no pool: what is listed as a tag was allowed
        (["", " "], [""], ["dog"], (), {}),  # nothing is no tag
        (None, None, None, (), {}),  # as Parquet gives what was never filled in
    ],
)
def test_an_answer_is_read_in_one_spelling(
    tags: Any, outside: Any, pool: Any, named: tuple[str, ...], beyond: dict[str, str]
) -> None:
    said = Said.from_row({"configuration": "a", "tags": tags, "outside": outside, "pool": pool})
    assert (said.named, dict(said.outside)) == (named, beyond)


def said(contestant: str, *tags: str) -> Said:
    return Said(contestant, tags, {})


@pytest.mark.parametrize(
    ("given", "leave_one_out", "share", "others"),
    [
        ([said("a", "x")], True, None, None),  # alone: no consensus
        ([said("a", "x")], False, None, None),  # nor with itself
        ([said("a", "x"), said("b")], True, 0.0, 0.0),
        ([said("a", "x"), said("b")], False, 0.5, 0.0),  # the original: its own voice counts
        ([said("b", "x"), said("c")], True, 0.5, 0.5),  # the judged one gave no answer
        # repeats: two of three answers name it
        ([said("a"), *[said("b", "x")] * 2, said("b")], True, 0.666666667, 0.666666667),
        # three thirds and two fifths make exactly 70 % of two
        ([said("a"), *[said("b", "x")] * 3, *[said("c", "x")] * 2, *[said("c")] * 3], True, 0.7, 0.7),
        # of the judged one's own repeats, a half in the original
        ([said("a", "x"), said("a"), said("b", "x")], False, 0.75, 1.0),
    ],
)
def test_voices(given: list[Said], leave_one_out: bool, share: float | None, others: float | None) -> None:
    voices = Voices(given, leave_one_out=leave_one_out)
    assert (voices.share("x", "a"), voices.others("x", "a")) == (share, others)


def test_wrong_tags_do_not_become_right_by_being_popular() -> None:
    rows = [
        {**row, "tags": [], "outside": ["selfie"], "outcome": "ok"}
        for row in answers()
        if row["image_id"] == "p1" and row["repeat"] == 0
    ]
    for given in score_photo(rows, {"selfie": True}, DEFAULT):
        assert [(one.rule, one.share) for one in given.tags] == [("hallucinated", 0.0)]
        assert not given.missing


def test_pools_are_joined_in_the_spelling_seen_first() -> None:
    assert pool_of([{"pool": ["Dog", "cat"]}, {"pool": ["dog", "bird"]}, {"pool": None}]) == ("Dog", "cat", "bird")


def test_gold_outside_of_a_narrow_pool_is_missing_all_the_same() -> None:
    rows = [
        {**row, "tags": ["dog"], "outside": [], "outcome": "ok", "repeat": 0}
        for row in answers()
        if row["image_id"] == "p2" and row["repeat"] == 0
    ]
    rows[0] |= {"tags": [], "pool": ["cat"]}
    assert [(one.tag, one.rule) for one in score_photo(rows, {}, DEFAULT)[0].missing] == [("dog", "missing gold")]


# Points of every answer, by photo and contestant: the sums of docs/scoring.md, worked out by hand.
BY_DEFAULT: dict[str, dict[str, list[float]]] = {
    "p1": {"alpha": [2.0], "bravo": [2.5], "charlie": [2.0], "delta": [1.5], "echo": [-1.0] * 5},
    "p2": {"alpha": [1.0], "bravo": [2.0], "charlie": [1.0], "delta": [], "echo": [0.5, 1.5, 1.5, 2.0, 1.0]},
    "p3": {"alpha": [2.0], "bravo": [2.0], "charlie": [2.0], "delta": [0.5], "echo": [2.5, 2.5, 2.0, 2.0, -1.0]},
}
BY_ORIGINAL: dict[str, dict[str, list[float]]] = {
    "p1": {"alpha": [1.0], "bravo": [1.5], "charlie": [1.5], "delta": [2.0], "echo": [-0.5] * 5},
    "p2": {"alpha": [0.0], "bravo": [1.0], "charlie": [1.0], "delta": [], "echo": [0.0, 1.0, 1.0, 1.0, 1.0]},
    "p3": {"alpha": [2.0], "bravo": [2.5], "charlie": [2.5], "delta": [0.0], "echo": [2.0, 2.5, 2.0, 2.0, -1.0]},
}


@pytest.mark.parametrize(("options", "by_hand"), [(None, BY_DEFAULT), (ORIGINAL, BY_ORIGINAL)])
def test_the_example_to_the_digit(options: Options | None, by_hand: dict[str, dict[str, list[float]]]) -> None:
    for photo in worked_example(options).photos:
        for label, points in by_hand[photo.image_id].items():
            given = [one for one in photo.given if one.contestant == label and one.answered]
            assert [one.points for one in given] == points, (photo.title, label)


# Rules and shares of the tables of docs/scoring.md: photo, contestant, repeat, tag, rule, share of the others.
@pytest.mark.parametrize(
    ("image_id", "label", "repeat", "tag", "rule", "share"),
    [
        ("p1", "alpha", 0, "beach", "gold", 1.0),
        ("p1", "alpha", 0, "dog", "middle", 0.5),
        ("p1", "alpha", 0, "sand", "minority", 0.25),
        ("p1", "alpha", 0, "golden hour", "hallucinated", 0.0),  # relevant, and still not in the pool
        ("p1", "bravo", 0, "person", "unmarked", 0.0),  # markers are divided
        ("p1", "bravo", 0, "summer", "irrelevant", 0.75),  # gold, were it not for people
        ("p1", "charlie", 0, "red", "unmarked", 0.25),  # nobody marked it
        ("p1", "delta", 0, "sky", "unique", 0.0),
        ("p1", "delta", 0, "dog", "missing gold", 0.75),  # gold for who lacks it, not for who has it
        ("p1", "echo", 4, "sea", "missing gold", 1.0),
        ("p1", "echo", 4, "boat", "irrelevant", 0.0),
        ("p2", "alpha", 0, "boat", "gold", 1.0),  # spelt "Boat"
        ("p2", "alpha", 0, "sea", "middle", 0.6),
        ("p2", "alpha", 0, "sky", "minority", 0.2 / 3),
        ("p2", "charlie", 0, "sea", "missing gold", 2.8 / 3),
        ("p2", "charlie", 0, "wave", "unmarked", 0.0),  # named twice, once counts
        ("p2", "echo", 0, "harbour", "hallucinated", 0.0),  # alpha names it too, which is no voice
        ("p2", "echo", 3, "sky", "middle", 1 / 3),
        ("p3", "alpha", 0, "ball", "middle", 0.7),  # exactly 70 % is not gold
        ("p3", "alpha", 0, "sand", "middle", 0.3),  # exactly 30 % is no minority
        ("p3", "bravo", 0, "person", "unique", 0.0),  # relevant by two to one
        ("p3", "charlie", 0, "sky", "unmarked", 0.0),  # the only word was taken back
        ("p3", "charlie", 0, "beach", "minority", 0.05),
        ("p3", "delta", 0, "red", "irrelevant", 0.0),  # by a decision on published tags
        ("p3", "delta", 0, "ball", "missing gold", 0.95),
        ("p3", "echo", 0, "ball", "gold", 0.75),
        ("p3", "echo", 4, "ball", "missing gold", 0.75),  # an answer without tags is an answer
    ],
)
def test_rules_of_the_example(image_id: str, label: str, repeat: int, tag: str, rule: Rule, share: float) -> None:
    one = scored(image_id, label, repeat, tag)
    assert one is not None
    assert one.rule == rule
    assert one.share == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("image_id", "label", "tag", "rule", "share"),
    [
        ("p1", "alpha", "dog", "middle", 0.6),
        ("p1", "delta", "dog", None, None),  # 3 of 5 is not gold, so nothing is missing
        ("p1", "delta", "sky", "unique", 0.2),
        ("p2", "alpha", "sea", "middle", 0.7),  # exactly 70 % of four voters
        ("p2", "alpha", "sky", "middle", 0.3),  # exactly 30 % of four voters
        ("p3", "alpha", "ball", "gold", 0.76),
        ("p3", "charlie", "beach", "minority", 0.24),
    ],
)
def test_rules_of_the_original(image_id: str, label: str, tag: str, rule: Rule | None, share: float | None) -> None:
    one = scored(image_id, label, 0, tag, ORIGINAL)
    assert (one and one.rule, one and one.share) == (rule, share)


@pytest.mark.parametrize("tag", ["summer", "sunset", "dog"])
def test_what_is_not_missing(tag: str) -> None:
    # alpha lacks summer, which is gold but irrelevant; nobody names the sunset; alpha names the dog itself
    given = answer("p1", "alpha", 0)
    assert tag not in [one.tag for one in given.missing]


def test_no_answer_has_neither_points_nor_missing_tags() -> None:
    given = answer("p2", "delta", 0)
    assert (given.answered, given.tags, given.missing, given.points) == (False, (), (), 0)
    assert given.error == "the reply was cut off at 64 tokens"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (replace(DEFAULT, gold_above=0.69), "gold"),  # 70 % is more
        (replace(DEFAULT, minority_below=0.71), "minority"),  # 70 % is less
    ],
)
def test_thresholds_are_options(options: Options, rule: Rule) -> None:
    one = scored("p3", "alpha", 0, "ball", options)
    assert one is not None
    assert one.rule == rule


def test_rows_are_of_the_table() -> None:
    board = worked_example()
    frame = pl.DataFrame(score_rows(board), schema=BENCHMARK_SCORES.schema)
    assert frame.select(BENCHMARK_SCORES.key).is_unique().all()
    by_row = frame.group_by("configuration").agg(pl.col("points").sum()).rows()
    assert dict(by_row) == {"alpha": 5.0, "bravo": 6.5, "charlie": 5.0, "delta": 2.0, "echo": 9.5}
    assert pl.DataFrame(answers(), schema=BENCHMARK_ANSWERS.schema).height == 27
    assert (len(POOL), len(COSTS)) == (12, 5)


def answer(image_id: str, label: str, repeat: int, options: Options | None = None) -> Given:
    (photo,) = (one for one in worked_example(options).photos if one.image_id == image_id)
    (given,) = (one for one in photo.given if (one.contestant, one.repeat) == (label, repeat))
    return given


def scored(image_id: str, label: str, repeat: int, tag: str, options: Options | None = None) -> ScoredTag | None:
    given = answer(image_id, label, repeat, options)
    return next((one for one in (*given.tags, *given.missing) if one.tag == tag), None)
