"""Why a photo does not have a tag."""

from typing import Any

import pytest

from tagging_assets.domain.evidence import Evidence, SourceCard, Trust
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.rules import Rules, parse_rules
from tagging_assets.domain.verdicts import StandingVerdict
from tagging_assets.domain.why_not import weighed, why_not
from tests.handmade import NOON

CARDS = {
    ("tagger", "net"): SourceCard(weight=0.5, threshold=0.3),
    ("zero-shot", "clip"): SourceCard(weight=1.0, threshold=0.6),
}


def said(label: str, score: float, source: str = "tagger", subject: str = "photo") -> Evidence:
    model = "net" if source == "tagger" else "clip"
    return Evidence(source, model, "r", label=label, subject=subject, category="object", score=score)


def reason(rules: dict[str, Any], evidence: list[Evidence], tag: str = "dog") -> str:
    parsed = parse_rules({"keep_above": 0.4, **rules})
    decision = Fusion(parsed, CARDS, lambda _term: None).decide(evidence)
    scores = weighed(tag, evidence, parsed, Trust(CARDS, parsed.sources))
    return why_not(tag, decision, scores, rules=parsed).reason


@pytest.mark.parametrize(
    ("rules", "evidence", "expected"),
    [
        # below its threshold
        ({}, [said("dog", 0.2)], "no score reaches its threshold"),
        # counted, and too faint
        ({}, [said("dog", 0.6)], "0.30 is below 0.40"),
        # banned
        ({"banned": ["dog"]}, [said("dog", 0.9)], "banned"),
        # banned, and nobody would have said so
        ({"banned": ["dog"]}, [], "banned, and no source says so"),
        # lost to another of its group
        (
            {"exclusive": {"pets": ["dog", "cat"]}},
            [said("dog", 0.9), said("cat", 0.9, "zero-shot")],
            "lost to cat 0.90",
        ),
        # more tags than are wanted
        ({"max_tags": 1}, [said("dog", 0.9), said("cat", 0.9, "zero-shot")], "over the limit of 1 tags"),
        # nobody says so
        ({}, [said("cat", 0.9)], "no source says so: it is in no vocabulary, or below what is kept"),
        # the rules have changed since
        ({}, [said("dog", 0.9)], "it would be a tag as the rules are now; run `tagging run` on the photo"),
    ],
)
def test_reasons(rules: dict[str, Any], evidence: list[Evidence], expected: str) -> None:
    assert reason(rules, evidence) == expected


def test_a_person_s_word_goes_first() -> None:
    verdict = StandingVerdict("dog", "rejected", "anna", "", NOON, 1).row("a")  # type: ignore[arg-type]
    rules = Rules()
    decision = Fusion(rules, CARDS, lambda _term: None).decide([said("dog", 0.9)])
    assert why_not("dog", decision, (), rules=rules, verdict=verdict).reason == "rejected by anna"


def test_of_each_source_the_strongest_that_counts_is_told() -> None:
    rules = parse_rules({"aliases": {"puppy": "dog"}})
    evidence = [
        # an alias, below its threshold
        said("puppy", 0.1),
        said("dog", 0.5, subject="person 1"),
        said("dog", 0.4),
        # the other source is too low
        said("dog", 0.5, "zero-shot"),
        said("cat", 0.9),
    ]
    scores = weighed("dog", evidence, rules, Trust(CARDS, rules.sources))
    assert [(one["source"], one["label"], one["score"], one["counts"]) for one in scores] == [
        ("zero-shot", "dog", 0.5, False),
        ("tagger", "dog", 0.5, True),
    ]
    assert [one["threshold"] for one in scores] == [0.6, 0.3]
