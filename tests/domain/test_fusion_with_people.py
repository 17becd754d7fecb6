"""A person's word against every rule of the fusion: it wins over all but the policy, and leaves no trace withdrawn."""

import itertools
import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from tagging_assets.domain.evidence import Evidence, SourceCard
from tagging_assets.domain.fusion import Fusion, explain_tag
from tagging_assets.domain.rules import parse_rules
from tagging_assets.domain.schemas import TAGS
from tagging_assets.domain.tag_decision import Decision
from tagging_assets.domain.verdicts import StandingVerdict, Verdict, standing

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CARDS = {("models", "conse"): SourceCard(0.9, threshold=0.4), ("llm", "gemma"): SourceCard(0.35)}
PLACES = {"exclusive": {"place": ["indoor", "outdoor", "studio"]}}
HAIR = {"exclusive": {"hair": ["red hair", "black hair"]}}
ACCEPTED, REJECTED, ADDED, WITHDRAWN = Verdict


def seen(label: str, score: float, subject: str = "photo") -> Evidence:
    return Evidence("models", "conse", "57934424aa", label, subject, "object", score)


def allow(term: str) -> str | None:
    return "ethnicity" if "martian" in term.lower() else None


def say(tag: str, verdict: Verdict, number: int = 1, **more: str) -> StandingVerdict:
    return StandingVerdict(tag, verdict, "anna", more.pop("why", ""), NOON, number, **more)


def decide(evidence: list[Evidence], verdicts: list[StandingVerdict], rules: dict[str, Any]) -> Decision:
    return Fusion(parse_rules(rules), CARDS, allow).decide(evidence, standing(verdicts))


@pytest.mark.parametrize(
    ("evidence", "verdicts", "rules", "tags"),
    [
        # accepted: certain, and no longer for review (0.9 * 0.6 would be)
        ([seen("dog", 0.6)], [say("dog", ACCEPTED)], {}, {"dog": (1.0, "accepted")}),
        # accepted, though it would not have been kept: 0.9 * 0.42
        ([seen("dog", 0.42)], [say("dog", ACCEPTED)], {}, {"dog": (1.0, "accepted")}),
        # accepted, though no model sees it any more
        ([], [say("dog", ACCEPTED)], {}, {"dog": (1.0, "accepted")}),
        # added, whether a model sees it or not
        ([], [say("kite", ADDED)], {}, {"kite": (1.0, "added")}),
        ([seen("kite", 0.9)], [say("kite", ADDED)], {}, {"kite": (1.0, "added")}),
        # added, though the operator banned it
        ([seen("dog", 0.9)], [say("dog", ADDED)], {"banned": ["dog"]}, {"dog": (1.0, "added")}),
        ([seen("dog", 0.9)], [say("dog", ACCEPTED)], {"banned": ["dog"]}, {"dog": (1.0, "accepted")}),
        # rejected, with the score it would have had: 0.9 * 0.9
        ([seen("dog", 0.9)], [say("dog", REJECTED)], {}, {"dog": (0.81, "rejected")}),
        # rejected beforehand, and kept in mind: nobody suggests it
        ([], [say("dog", REJECTED)], {}, {"dog": (0.0, "rejected")}),
        # rejected, though a rule forces it, or bans it
        ([], [say("portfolio", REJECTED)], {"forced": ["portfolio"]}, {"portfolio": (1.0, "rejected")}),
        ([seen("dog", 0.9)], [say("dog", REJECTED)], {"banned": ["dog"]}, {"dog": (0.81, "rejected")}),
        # accepted and forced: a person's word is the nearer one
        ([], [say("portfolio", ACCEPTED)], {"forced": ["portfolio"]}, {"portfolio": (1.0, "accepted")}),
        # withdrawn: as if nothing had been said
        ([seen("dog", 0.6)], [say("dog", REJECTED, 1), say("dog", WITHDRAWN, 2)], {}, {"dog": (0.54, "needs_review")}),
        # an exclusive group: the accepted tag wins over a likelier one
        (
            [seen("indoor", 0.9), seen("outdoor", 0.5)],
            [say("outdoor", ACCEPTED)],
            PLACES,
            {"outdoor": (1.0, "accepted")},
        ),
        # and the added one over what the models see and over what a rule forces
        ([seen("indoor", 0.9)], [say("studio", ADDED)], PLACES, {"studio": (1.0, "added")}),
        ([], [say("studio", ADDED)], {**PLACES, "forced": ["indoor"]}, {"studio": (1.0, "added")}),
        # two that people keep stay both: they know why
        (
            [seen("indoor", 0.9)],
            [say("indoor", ACCEPTED, 1), say("studio", ADDED, 2)],
            PLACES,
            {"indoor": (1.0, "accepted"), "studio": (1.0, "added")},
        ),
        # the winner is rejected: the runner-up wins, without a doubt left over
        (
            [seen("indoor", 0.9), seen("outdoor", 0.85)],
            [say("indoor", REJECTED)],
            PLACES,
            {"outdoor": (0.765, "auto"), "indoor": (0.81, "rejected")},
        ),
        # the loser is rejected: the winner did not win narrowly then
        (
            [seen("indoor", 0.9), seen("outdoor", 0.85)],
            [say("outdoor", REJECTED)],
            PLACES,
            {"indoor": (0.81, "auto"), "outdoor": (0.765, "rejected")},
        ),
        # one person's hair was accepted: another's colour stays beside it
        (
            [seen("red hair", 0.5, "person 1"), seen("black hair", 0.9, "person 2")],
            [say("red hair", ACCEPTED)],
            HAIR,
            {"red hair": (1.0, "accepted"), "black hair": (0.81, "auto")},
        ),
        # of the same person it goes, however sure the models are
        (
            [seen("red hair", 0.5, "person 1"), seen("black hair", 0.9, "person 1")],
            [say("red hair", ACCEPTED)],
            HAIR,
            {"red hair": (1.0, "accepted")},
        ),
        # limits: what people keep has its place first
        (
            [seen("dog", 0.9), seen("cat", 0.8), seen("boat", 0.7)],
            [say("boat", ACCEPTED)],
            {"max_tags": 2},
            {"boat": (1.0, "accepted"), "dog": (0.81, "auto")},
        ),
        # and always has one
        (
            [seen("dog", 0.9)],
            [say("kite", ADDED, 1), say("boat", ADDED, 2)],
            {"max_tags": 1, "max_per_category": {"added": 0}},
            {"boat": (1.0, "added"), "kite": (1.0, "added")},
        ),
        # rejected tags take no place
        (
            [seen("dog", 0.9), seen("cat", 0.8)],
            [say("dog", REJECTED)],
            {"max_tags": 1},
            {"cat": (0.72, "auto"), "dog": (0.81, "rejected")},
        ),
        # an alias of today: the verdict on the old spelling holds for the new one
        (
            [seen("dog", 0.9)],
            [say("puppy", REJECTED)],
            {"aliases": {"puppy": "dog"}},
            {"dog": (0.81, "rejected")},
        ),
        # of two spellings the newer verdict holds
        (
            [seen("puppy", 0.9)],
            [say("puppy", REJECTED, 2), say("dog", ACCEPTED, 1)],
            {"aliases": {"puppy": "dog"}},
            {"dog": (0.81, "rejected")},
        ),
        # an edit
        (
            [seen("dog", 0.9)],
            [say("dog", REJECTED, 1), say("wolf", ADDED, 2, replaces="dog")],
            {},
            {"wolf": (1.0, "added"), "dog": (0.81, "rejected")},
        ),
        # the policy wins over people
        ([seen("dog", 0.9)], [say("martian", ADDED, 1), say("martian food", REJECTED, 2)], {}, {"dog": (0.81, "auto")}),
    ],
)
def test_a_person_wins(
    evidence: list[Evidence],
    verdicts: list[StandingVerdict],
    rules: dict[str, Any],
    tags: dict[str, tuple[float, str]],
) -> None:
    decision = decide(evidence, verdicts, rules)
    assert {row["tag"]: (row["score"], row["status"]) for row in decision.rows("a")} == tags
    assert [row["tag"] for row in decision.rows("a")] == list(tags), "best first, what is rejected last"
    assert {tag.status for tag in decision.rejected} <= {"rejected"}
    assert "rejected" not in {tag.status for tag in decision.tags}


@pytest.mark.parametrize(
    ("evidence", "verdicts", "rules", "tag", "reason"),
    [
        # with why, and without
        ([], [say("dog", ACCEPTED, why="clear to see")], {}, "dog", "accepted by anna on 2026-11-21: clear to see"),
        ([seen("dog", 0.5)], [say("dog", REJECTED)], {}, "dog", "rejected by anna on 2026-11-21"),
        # an edit
        ([], [say("wolf", ADDED, replaces="dog")], {}, "wolf", "added by anna on 2026-11-21 in place of dog"),
        # what it beat
        (
            [seen("indoor", 0.9), seen("outdoor", 0.5)],
            [say("outdoor", ACCEPTED)],
            PLACES,
            "outdoor",
            "accepted by anna on 2026-11-21; chosen over indoor 0.81",
        ),
    ],
)
def test_who_when_and_why(
    evidence: list[Evidence], verdicts: list[StandingVerdict], rules: dict[str, Any], tag: str, reason: str
) -> None:
    (row,) = [row for row in decide(evidence, verdicts, rules).rows("a") if row["tag"] == tag]
    assert row["reason"] == reason


@pytest.mark.parametrize(
    ("evidence", "verdict", "category"),
    [
        ([], say("dog", ADDED), "added"),  # nobody knows
        ([], say("dog", ADDED, category="pet"), "pet"),  # the person says
        ([seen("dog", 0.9)], say("dog", ADDED), "object"),  # a model knows
        ([seen("dog", 0.9)], say("dog", ACCEPTED, category="pet"), "pet"),  # the person knows better
        ([seen("dog", 0.9)], say("dog", REJECTED), "object"),
    ],
)
def test_the_category(evidence: list[Evidence], verdict: StandingVerdict, category: str) -> None:
    assert decide(evidence, [verdict], {}).rows("a")[0]["category"] == category


MANY = [
    [seen("dog", 0.9), seen("indoor", 0.8), seen("outdoor", 0.75), seen("boat", 0.7), seen("Puppy", 0.95)],
    [say("outdoor", ACCEPTED, 1), say("boat", REJECTED, 2), say("kite", ADDED, 3), say("cat", REJECTED, 4)],
]
RULES = {**PLACES, "aliases": {"puppy": "dog"}, "max_tags": 3, "banned": ["kite"]}


def test_the_order_of_evidence_and_verdicts_never_matters() -> None:
    evidence, verdicts = MANY
    fusion = Fusion(parse_rules(RULES), CARDS, allow)
    said = {one.tag: one for one in verdicts}
    expected = fusion.decide(evidence, said)
    assert [tag.tag for tag in expected.tags] == ["kite", "outdoor", "dog"]
    for shuffled in itertools.islice(itertools.permutations(evidence), 0, None, 7):
        assert fusion.decide(shuffled, said) == expected
    for names in itertools.permutations(said):
        assert fusion.decide(evidence, {name: said[name] for name in names}) == expected


def test_a_score_can_be_worked_out_again_with_people_among_the_sources() -> None:
    rows = decide(*MANY, RULES).rows("a")
    assert {row["status"] for row in rows} == {"auto", "accepted", "added", "rejected"}
    for row in rows:
        again = 1 - math.prod(1 - source["weight"] * source["confidence"] for source in row["sources"])
        assert row["score"] == pytest.approx(again, abs=1e-6)
    frame = pl.DataFrame(rows, schema=TAGS.schema, strict=True)
    assert frame.height == len(rows)


def test_the_machines_sources_stay_beside_the_persons() -> None:
    accepted, rejected = decide(
        [seen("dog", 0.9), seen("cat", 0.8)], [say("dog", ACCEPTED), say("cat", REJECTED, 2)], {}
    ).rows("a")
    assert [(one["source"], one["model"], one["revision"]) for one in accepted["sources"]] == [
        ("person", "anna", "decision 1"),
        ("models", "conse", "57934424aa"),
    ]
    assert explain_tag(accepted) == [
        "anna (decision 1): the photo has it, whatever the other sources say",
        "models (conse @ 57934424…): raw 0.90 ≥ 0.40 → confidence 0.90 × weight 0.90",
        "together 1 − (1 − 1.00)(1 − 0.81) = 1.00",
    ]
    assert explain_tag(rejected) == [
        "anna (decision 2): the photo does not have it, whatever the other sources say",
        "models (conse @ 57934424…): raw 0.80 ≥ 0.40 → confidence 0.80 × weight 0.90",
    ]


def test_what_the_policy_refuses_is_counted_and_not_recorded() -> None:
    decision = decide([], [say("martian", ADDED, 1), say("martian food", REJECTED, 2)], {})
    assert decision.refused == 2
    assert "artian" not in repr(decision)
