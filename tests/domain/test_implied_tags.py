"""Which tags go without saying, by whole words."""

import pytest

from tagging_assets.domain.evidence import Evidence, SourceCard
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.implied_tags import implied, needless
from tagging_assets.domain.rules import parse_rules
from tagging_assets.domain.tag_decision import Decision
from tagging_assets.domain.verdicts import StandingVerdict, Verdict
from tests.handmade import NOON


@pytest.mark.parametrize(
    ("tag", "others"),
    [
        ("shirt", set()),  # a tag does not imply itself
        ("blue shirt", {"shirt"}),
        ("blue_shirt", {"shirt"}),  # in whatever spelling
        ("light blue shirt", {"blue shirt", "shirt"}),  # every shorter ending
        ("cat ears", {"ears"}),  # what it ends in, not what it begins with
        ("chair", set()),  # words, never letters: no hair …
        ("cathedral", set()),  # … and no cat
        ("kitten", {"cat"}),  # where words do not tell
        ("black kitten", {"kitten", "cat"}),
        ("hot dog", set()),  # where words mislead …
        ("large hot dog", {"hot dog"}),  # … also at the end of longer ones
        ("no shoes", set()),  # what is not there
        ("toy car", set()),
        ("bird on shoulder", {"bird"}),  # what stands before the preposition
        ("small bird on shoulder", {"bird on shoulder", "small bird", "bird"}),
        ("cat without collar", {"cat"}),
        ("on bench", set()),
        ("holding bow (weapon)", set()),  # brackets say that it is not what it says
        ("", set()),
    ],
)
def test_what_a_tag_implies(tag: str, others: set[str]) -> None:
    assert implied(tag) == others


@pytest.mark.parametrize(
    ("tags", "gone"),
    [
        ([], {}),
        (["shirt", "hat"], {}),
        (["shirt", "blue shirt"], {"shirt": "blue shirt"}),
        (["blue shirt", "shirt"], {"shirt": "blue shirt"}),  # in whatever order
        (["hair", "chair"], {}),
        (["cat", "cat ears"], {}),
        # each by the longest that implies it; of two, the first by name
        (
            ["shirt", "blue shirt", "light blue shirt", "red shirt"],
            {"blue shirt": "light blue shirt", "shirt": "light blue shirt"},
        ),
    ],
)
def test_what_is_needless_among_tags(tags: list[str], gone: dict[str, str]) -> None:
    assert needless(tags) == gone


def said(label: str, score: float) -> Evidence:
    return Evidence("tagger", "wd", "1", label, "photo", "general", score)


def decide(implied: str, verdicts: dict[str, StandingVerdict] | None = None, **more: object) -> Decision:
    fusion = Fusion(parse_rules({"implied": implied, **more}), {("tagger", "wd"): SourceCard(1.0)}, lambda _: None)
    evidence = [said("shirt", 0.9), said("blue shirt", 0.8), said("hat", 0.7), said("old hat", 0.1)]
    return fusion.decide(evidence, verdicts or {})


def test_nothing_vanishes_unless_the_rules_say_so() -> None:
    assert [one.tag for one in decide("keep").tags] == ["shirt", "blue shirt", "hat"]


def test_an_implied_tag_is_dropped_with_a_reason() -> None:
    decision = decide("drop")
    assert [one.tag for one in decision.tags] == ["blue shirt", "hat"], "a hat that may be old is a hat"
    assert ("shirt", "goes without saying beside blue shirt") in [(one.tag, one.reason) for one in decision.dropped]


def test_an_implied_tag_takes_no_place_from_others() -> None:
    assert [one.tag for one in decide("drop", max_tags=2).tags] == ["blue shirt", "hat"]


def test_what_a_rule_forces_or_a_person_keeps_stays() -> None:
    assert "shirt" in [one.tag for one in decide("drop", forced=["shirt"]).tags]
    kept = StandingVerdict("shirt", Verdict.ACCEPTED, "ann", "", NOON, 1)
    assert "shirt" in [one.tag for one in decide("drop", {"shirt": kept}).tags]
