import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.errors import ModelFailed, PolicyError, SettingsError
from tagging_assets.domain.evidence import Evidence, SourceCard
from tagging_assets.domain.fusion import Fusion, fuse
from tagging_assets.domain.rules import parse_rules
from tagging_assets.domain.schemas import TAGS
from tagging_assets.domain.tag_decision import Decision

CARDS = {
    ("objects zero-shot", "conse"): SourceCard(0.9, threshold=0.4, family="efficientnet"),
    ("tagger", "efficientnet"): SourceCard(0.8, thresholds={"object": 0.3}, family="efficientnet"),
    ("scenes zero-shot", "siglip"): SourceCard(0.9, Calibration(((0.2, 0.0), (0.4, 0.5), (0.8, 1.0)))),
    ("llm", "gemma"): SourceCard(0.35),
    ("llm", "other"): SourceCard(0.35),
}
MODELS = {source: model for source, model in reversed(CARDS)}


def ev(source: str, label: str, score: float, **more: Any) -> Evidence:
    said = {"model": MODELS[source], "revision": "57934424aa", "subject": "photo", "category": "object", **more}
    return Evidence(source=source, label=label, score=score, **said)


def allow(term: str) -> str | None:
    return "ethnicity" if "martian" in term.lower().split() else None


def decide(evidence: list[Evidence], **rules: Any) -> Decision:
    return Fusion(parse_rules(rules), CARDS, allow).decide(evidence)


def scores(decision: Decision) -> dict[str, tuple[float, str]]:
    return {item.tag: (item.score, item.status) for item in decision.tags}


@pytest.mark.parametrize(
    ("evidence", "tags"),
    [
        # nothing said, nothing tagged
        ([], {}),
        # one source: 0.9 * 0.8
        ([ev("objects zero-shot", "dog", 0.8)], {"dog": (0.72, "auto")}),
        # kept, but below review_below: 0.9 * 0.6
        ([ev("objects zero-shot", "dog", 0.6)], {"dog": (0.54, "needs_review")}),
        # counts, but is not kept: 0.9 * 0.42
        ([ev("objects zero-shot", "dog", 0.42)], {}),
        # two independent sources: 1 - (1 - 0.72)(1 - 0.35) = 1 - 0.182
        ([ev("objects zero-shot", "dog", 0.8), ev("llm", "dog", 1.0)], {"dog": (0.818, "auto")}),
        # three views, two people, two spellings of one source are one voice: 0.9 * 0.8
        (
            [
                ev("objects zero-shot", "dog", 0.8),
                ev("objects zero-shot", "dog", 0.7, subject="person 1"),
                ev("objects zero-shot", "Dog_", 0.75),
            ],
            {"dog": (0.72, "auto")},
        ),
        # two heads of one network are one voice: max(0.72, 0.8 * 0.8)
        ([ev("objects zero-shot", "dog", 0.8), ev("tagger", "dog", 0.8)], {"dog": (0.72, "auto")}),
        # the stronger head counts whichever it is: max(0.45, 0.8 * 0.9)
        ([ev("objects zero-shot", "dog", 0.5), ev("tagger", "dog", 0.9)], {"dog": (0.72, "auto")}),
        # below the source's threshold it does not count at all: 0.9 * 0.8 alone
        ([ev("scenes zero-shot", "dog", 0.1), ev("objects zero-shot", "dog", 0.8)], {"dog": (0.72, "auto")}),
        # exactly on the threshold it counts: 1 - (1 - 0.36)(1 - 0.35) = 0.584
        ([ev("objects zero-shot", "dog", 0.4), ev("llm", "dog", 1.0)], {"dog": (0.584, "needs_review")}),
        # the float32 nearest to the threshold counts too
        (
            [ev("objects zero-shot", "dog", float(np.float32(0.7)), threshold=0.7)],
            {"dog": (0.63, "needs_review")},
        ),
        # calibrated: raw 0.7 is 0.5 + 0.5 * 0.75 = 0.875; 0.9 * 0.875
        ([ev("scenes zero-shot", "beach", 0.7)], {"beach": (0.7875, "auto")}),
        # raw 0.2 has confidence 0: no evidence, and no source of the tag either
        ([ev("scenes zero-shot", "beach", 0.2)], {}),
        # a chat model's word alone never makes a tag, even its first word
        ([ev("llm", "dog", 1.0, rank=1)], {}),
        # two chat models' words make one for review: 1 - 0.65 * 0.65
        ([ev("llm", "dog", 1.0), ev("llm", "dog", 1.0, model="other")], {"dog": (0.5775, "needs_review")}),
        # best first
        (
            [ev("objects zero-shot", "cat", 0.8), ev("objects zero-shot", "dog", 1.0)],
            {"dog": (0.9, "auto"), "cat": (0.72, "auto")},
        ),
    ],
)
def test_golden_scores(evidence: list[Evidence], tags: dict[str, tuple[float, str]]) -> None:
    assert list(scores(decide(evidence)).items()) == list(tags.items())


@pytest.mark.parametrize(
    ("rules", "labels"),
    [
        ({"aliases": {"puppy": "dog", "hound": "dog"}}, ["cat", "cathedral", "dog"]),  # merged before fusion
        (
            {"banned": ["Dog"]},
            ["cat", "cathedral", "hound", "puppy"],
        ),
        ({"banned": ["cat"]}, ["cathedral", "dog", "hound", "puppy"]),  # whole tags: "cathedral" stays
        ({"max_tags": 2}, ["cat", "cathedral"]),  # ties by name
        ({"max_per_category": {"place": 0}}, ["cat", "dog", "hound", "puppy"]),  # a category switched off
        ({"max_per_category": {"object": 1}}, ["cat", "cathedral"]),  # each category for itself
        ({"max_tags": 1, "forced": ["zebra"]}, ["zebra"]),  # a forced tag takes its place first
        ({"max_tags": 1, "forced": ["yak", "zebra"]}, ["yak", "zebra"]),  # and always has one
    ],
)
def test_words_and_limits(rules: dict[str, Any], labels: list[str]) -> None:
    said = [
        *(ev("objects zero-shot", label, 0.9) for label in ("dog", "puppy", "hound", "cat")),
        ev("objects zero-shot", "cathedral", 0.9, category="place"),
    ]
    assert sorted(scores(decide(said, **rules))) == sorted(labels)


def test_aliases_of_one_source_do_not_inflate_and_aliases_of_two_sources_add_up() -> None:
    said = [
        ev("objects zero-shot", "puppy", 0.8),
        ev("objects zero-shot", "dog", 0.7),
        ev("llm", "hound", 1.0),
    ]
    decision = decide(said, aliases={"puppy": "dog", "hound": "dog"})
    assert scores(decision) == {"dog": (0.818, "auto")}
    assert [source["label"] for source in decision.tags[0].sources] == ["puppy", "hound"]


def test_a_ranked_answer_does_not_name_the_category() -> None:
    chat = ev("llm", "dog", 1.0, rank=1, category="suggestion")
    weak = ev("scenes zero-shot", "dog", 0.3)  # 0.9 * 0.25 is less than the chat model's 0.35
    assert decide([chat, weak], keep_above=0.3).tags[0].category == "object"
    assert decide([chat], keep_above=0.3).tags[0].category == "suggestion"


def test_a_forced_tag_needs_no_model_and_is_never_for_review() -> None:
    alone = decide([], forced=["portfolio"]).tags[0]
    assert (alone.score, alone.status, alone.category) == (1.0, "auto", "forced")
    assert [source["source"] for source in alone.sources] == ["rule"]
    seen = decide([ev("objects zero-shot", "portfolio", 0.5)], forced=["portfolio"]).tags[0]
    assert (seen.category, [source["source"] for source in seen.sources]) == (
        "object",
        ["rule", "objects zero-shot"],
    )


PLACES = {"place": ["indoor", "outdoor", "studio"]}
INDOOR, OUTDOOR = ev("objects zero-shot", "indoor", 0.9), ev("objects zero-shot", "outdoor", 0.6)


@pytest.mark.parametrize(
    ("evidence", "rules", "tags", "reason"),
    [
        # 0.81 against 0.54: clear
        (
            [INDOOR, OUTDOOR],
            {},
            {"indoor": (0.81, "auto")},
            "only objects zero-shot says so; won over outdoor 0.54",
        ),
        # 0.81 against 0.72: a lead of 0.09 is less than the margin of 0.1
        (
            [INDOOR, replace(OUTDOOR, score=0.8)],
            {},
            {"indoor": (0.81, "needs_review")},
            "only objects zero-shot says so; won narrowly over outdoor 0.72",
        ),
        # exactly the margin is clear
        (
            [INDOOR, replace(OUTDOOR, score=0.8)],
            {"conflict_margin": 0.09},
            {"indoor": (0.81, "auto")},
            "only objects zero-shot says so; won over outdoor 0.72",
        ),
        # another source has it the other way round, and would have been believed: raw 0.5 is 0.625, times 0.9
        (
            [INDOOR, ev("scenes zero-shot", "outdoor", 0.5)],
            {},
            {"indoor": (0.81, "needs_review")},
            "only objects zero-shot says so; scenes zero-shot says outdoor 0.56",
        ),
        # a contradiction too faint to have made a tag is none
        (
            [INDOOR, ev("llm", "outdoor", 1.0)],
            {},
            {"indoor": (0.81, "auto")},
            "only objects zero-shot says so; won over outdoor 0.35",
        ),
        # equal scores: by name, and a person decides
        (
            [INDOOR, replace(OUTDOOR, score=0.9)],
            {},
            {"indoor": (0.81, "needs_review")},
            "only objects zero-shot says so; won narrowly over outdoor 0.81",
        ),
        # two losers, both named
        (
            [INDOOR, OUTDOOR, ev("objects zero-shot", "studio", 0.7)],
            {},
            {"indoor": (0.81, "auto")},
            "only objects zero-shot says so; won over studio 0.63; won over outdoor 0.54",
        ),
        # what the operator forces wins over what models see
        (
            [INDOOR],
            {"forced": ["studio"]},
            {"studio": (1.0, "auto")},
            "forced by a rule; forced over indoor 0.81",
        ),
        # agreement of sources, for review by score: 1 - (1 - 0.45)(1 - 0.35) = 0.6425
        (
            [ev("objects zero-shot", "indoor", 0.5), ev("llm", "indoor", 1.0)],
            {},
            {"indoor": (0.6425, "needs_review")},
            "objects zero-shot and llm agree; 0.64 is below 0.70",
        ),
    ],
)
def test_exclusive_groups(
    evidence: list[Evidence],
    rules: dict[str, Any],
    tags: dict[str, tuple[float, str]],
    reason: str,
) -> None:
    decision = decide(evidence, exclusive=PLACES, **rules)
    assert scores(decision) == tags
    assert decision.tags[0].reason == reason


def hair(colour: str, person: int, score: float) -> Evidence:
    return ev("objects zero-shot", f"{colour} hair", score, subject=f"person {person}")


@pytest.mark.parametrize(
    ("evidence", "tags"),
    [
        # one person has one colour
        ([hair("red", 1, 0.9), hair("black", 1, 0.7)], ["red hair"]),
        # two people may have two
        ([hair("red", 1, 0.9), hair("black", 2, 0.8)], ["red hair", "black hair"]),
        # each the better answer for one of them
        (
            [hair("red", 1, 0.9), hair("black", 1, 0.6), hair("red", 2, 0.6), hair("black", 2, 0.8)],
            ["red hair", "black hair"],
        ),
        # better for nobody
        ([hair("red", 1, 0.9), hair("red", 2, 0.8), hair("black", 2, 0.7)], ["red hair"]),
        # said of the photo as a whole, it is about the same people
        ([hair("red", 1, 0.9), ev("objects zero-shot", "black hair", 0.8)], ["red hair"]),
    ],
)
def test_people_have_each_their_own_in_an_exclusive_group(evidence: list[Evidence], tags: list[str]) -> None:
    assert list(scores(decide(evidence, exclusive={"hair": ["red hair", "black hair"]}))) == tags


MIXED = [
    ev("objects zero-shot", "dog", 0.8, run_id="a"),
    ev("objects zero-shot", "dog", 0.8, run_id="b"),
    ev("tagger", "Puppy", 0.9),
    ev("llm", "dog", 1.0),
    INDOOR,
    replace(OUTDOOR, score=0.85),
    ev("scenes zero-shot", "outdoor", 0.5, category="scene"),
]


def test_the_order_of_evidence_never_matters() -> None:
    fusion = Fusion(parse_rules({"aliases": {"puppy": "dog"}, "exclusive": PLACES, "max_tags": 2}), CARDS, allow)
    expected = fusion.decide(MIXED)
    assert expected.tags
    for shuffled in itertools.islice(itertools.permutations(MIXED), 0, None, 7):
        assert fusion.decide(shuffled) == expected


def test_saying_the_same_thing_twice_changes_nothing() -> None:
    assert decide([*MIXED, *MIXED], exclusive=PLACES) == decide(MIXED, exclusive=PLACES)


def test_sources_are_symmetric() -> None:
    cards = {("a", "m"): SourceCard(0.6), ("b", "m"): SourceCard(0.6)}
    results = []
    for first, second in (("a", "b"), ("b", "a")):
        said = [
            Evidence(first, "m", "", "dog", "photo", "object", 0.9),
            Evidence(second, "m", "", "dog", "photo", "object", 0.4),
        ]
        results.append(Fusion(parse_rules({}), cards, allow).decide(said).tags[0].score)
    assert results == [pytest.approx(0.6504)] * 2  # 1 - (1 - 0.54)(1 - 0.24)


def test_more_evidence_never_lowers_a_score_nor_leaves_the_unit_interval() -> None:
    grid = [round(step / 4, 2) for step in range(5)]
    for weight, confidence, other in itertools.product(grid, repeat=3):
        before, after = fuse([(1.0, other)]), fuse([(1.0, other), (weight, confidence)])
        assert 0.0 <= before <= after <= 1.0
    assert fuse([]) == 0.0


def test_a_score_can_be_worked_out_again_from_its_stored_sources() -> None:
    for item in decide(MIXED, aliases={"puppy": "dog"}).tags:
        again = 1 - math.prod(1 - source["weight"] * source["confidence"] for source in item.sources)
        assert item.score == pytest.approx(again, abs=1e-6)


def test_the_policy_takes_terms_out_before_anything_and_keeps_no_record_of_which() -> None:
    decision = decide(
        [ev("objects zero-shot", "Martian person", 1.0), ev("objects zero-shot", "dog", 0.9)],
        aliases={"martian": "person"},
    )
    assert list(scores(decision)) == ["dog"]
    assert decision.refused == 1
    assert "artian" not in repr(decision)


@pytest.mark.parametrize(
    ("rules", "dropped"),
    [
        ({"banned": ["dog"]}, ("dog", 0.72, "banned")),  # by the operator
        ({"keep_above": 0.8}, ("dog", 0.72, "0.72 is below 0.80")),  # too faint
        ({"max_tags": 1, "forced": ["x"]}, ("dog", 0.72, "over the limit of 1 tags")),  # too many
        ({"max_per_category": {"object": 0}}, ("dog", 0.72, "over the limit of 0 for object")),  # of a category
        ({"exclusive": {"g": ["dog", "x"]}, "forced": ["x"]}, ("dog", 0.72, "lost to x 1.00")),  # to a better one
    ],
)
def test_what_was_filtered_can_be_shown(rules: dict[str, Any], dropped: tuple[str, float, str]) -> None:
    (only,) = decide([ev("objects zero-shot", "dog", 0.8)], **rules).dropped
    assert (only.tag, only.score, only.reason) == dropped


def test_rows_fit_the_table() -> None:
    rows = [item.row("i1") for item in decide(MIXED, forced=["portfolio"]).tags]
    frame = pl.DataFrame(rows, schema=TAGS.schema, strict=True)
    assert frame.height == len(rows)
    struct = TAGS.columns["sources"].inner  # type: ignore[union-attr]
    assert {tuple(source) for row in rows for source in row["sources"]} == {tuple(item.name for item in struct.fields)}


@pytest.mark.parametrize(
    ("evidence", "rules", "error", "message"),
    [
        # a source nobody gave a weight
        ([Evidence("x", "y", "", "dog", "photo", "", 1.0)], {}, SettingsError, "no weight is known for x/y"),
        # a misspelt source
        ([], {"sources": {"lmm": {"weight": 1}}}, SettingsError, 'no source "lmm"; there are: .*llm'),
        # a broken model
        ([ev("llm", "dog", math.nan)], {}, ModelFailed, "not a number"),
        # rules against the policy
        ([], {"forced": ["martian"]}, PolicyError, "ethnicity"),
    ],
)
def test_what_is_impossible_raises(
    evidence: list[Evidence], rules: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        decide(evidence, **rules)


def test_a_weight_beyond_certainty_is_refused() -> None:
    with pytest.raises(SettingsError, match="goes from 0 to 1"):
        Fusion(parse_rules({}), {("a", "b"): SourceCard(1.5)}, allow)
