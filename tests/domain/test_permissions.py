"""Whether the people of a photo may be described: the word on its source, hints of minors, and the gate before tags."""

from typing import Any

import pytest

from tagging_assets.assets.body_features import measure
from tagging_assets.assets.person_embeddings import person_views
from tagging_assets.assets.tags import decide
from tagging_assets.domain.errors import PolicyError
from tagging_assets.domain.evidence import Evidence, SourceCard
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.permissions import (
    CAPTION,
    CHAT_CAPTION,
    DECISION,
    DETECTOR,
    KEYWORDS,
    PeopleRules,
    Permission,
    SourceWord,
    admitted,
    permission_row,
)
from tagging_assets.domain.policy import describes_people, refused
from tagging_assets.domain.rules import Rules, parse_rules
from tagging_assets.domain.verdicts import Request, Verdict, checked
from tests.handmade import NOON, item

CARDS = {("tagger", "net"): SourceCard(1.0, threshold=0.3), ("body features", "net"): SourceCard(1.0)}
ADULTS = PeopleRules(enabled=True, adults_only=True)
OPEN = ADULTS.permission("/p/a.jpg")


def said(label: str, score: float = 0.9, **more: Any) -> Evidence:
    told = {"source": "tagger", "model": "net", "revision": "1", "subject": "photo", "category": "object", **more}
    return Evidence(**told, label=label, score=score)


class Heard:
    """Hands out evidence as a gatherer would."""

    def __init__(self, *evidence: Evidence) -> None:
        self._evidence = list(evidence)

    def all(self, _item: object, _rules: Rules) -> list[Evidence]:
        return self._evidence


def verdict(tag: str, word: str = "added") -> dict[str, Any]:
    return {
        **{"tag": tag, "verdict": word, "category": "", "replaces": "", "who": "anna", "why": ""},
        **{"decided_at": NOON, "decision_id": 1},
    }


def tags(
    *evidence: Evidence, rules: Rules | None = None, permission: Permission = OPEN, **tables: Any
) -> dict[str, Any]:
    one = item("a", person_permissions=[permission.row()], **tables)
    made = decide(
        one, gatherer=Heard(*evidence), fusion=Fusion(rules or Rules(), CARDS, refused), rules=rules or Rules()
    )
    return {row["tag"]: row for row in made}


@pytest.mark.parametrize(
    ("uri", "allowed", "reason"),
    [
        ("/p/adults/a.jpg", True, "adults only"),
        ("/p/adults/deeper/a.jpg", True, "adults only"),
        ("/p/adults/no/a.jpg", False, "consent"),  # the innermost source speaks
        ("/p/mixed/a.jpg", False, "adults_only_source"),
        ("/p/adults-too/a.jpg", False, "adults_only_source"),  # a folder is no prefix of a name
        ("/elsewhere/a.jpg", False, "adults_only_source"),
    ],
)
@pytest.mark.parametrize("general", [False, True])
def test_each_source_has_its_own_word(uri: str, allowed: bool, reason: str, general: bool) -> None:
    rules = PeopleRules(
        enabled=True,
        adults_only=general,
        sources=(
            SourceWord("/p/adults", adults_only=True),
            SourceWord("/p/adults/no", adults_only=True, consent=False),
            SourceWord("/p/mixed", adults_only=False),
        ),
    )
    found = rules.permission(uri)
    silent = general and uri in ("/p/adults-too/a.jpg", "/elsewhere/a.jpg")
    assert found.allowed is (allowed or silent)
    assert silent or reason in found.reason
    assert not PeopleRules(enabled=False, adults_only=True, sources=rules.sources).permission(uri).allowed


@pytest.mark.parametrize(
    ("rules", "anywhere"),
    [
        (PeopleRules(), False),
        (PeopleRules(enabled=True), False),
        (PeopleRules(adults_only=True), False),
        (PeopleRules(enabled=True, adults_only=True), True),
        (PeopleRules(enabled=True, sources=(SourceWord("/p", adults_only=True),)), True),
        (PeopleRules(enabled=True, sources=(SourceWord("/p", adults_only=True, consent=False),)), False),
    ],
)
def test_whether_there_may_be_any_such_photo(rules: PeopleRules, anywhere: bool) -> None:
    assert rules.anywhere is anywhere


@pytest.mark.parametrize(
    ("caption", "keywords", "labels", "by"),
    [
        ("my daughter", [], [], [CAPTION]),
        (None, ["holiday", "Kinder"], [], [KEYWORDS]),
        ("", None, ["dog", "boy"], [DETECTOR]),
        ("она пятилетняя девочка", ["child"], ["girl"], [CAPTION, KEYWORDS, DETECTOR]),
        ("two men", ["holiday"], ["person"], []),
    ],
)
def test_what_is_known_early_forbids_measuring(
    caption: str | None, keywords: list[str] | None, labels: list[str], by: list[str]
) -> None:
    photo = item(
        "a",
        images=[{"uri": "/p/a.jpg", "caption": caption, "keywords": keywords}],
        detections=[{"label": label} for label in labels],
    )
    row = permission_row(photo, ADULTS)
    assert (row["minor_suspected"], row["minor_by"], row["allowed"]) == (bool(by), by, not by)
    assert all(one in row["reason"] for one in by)
    box = {"detection_id": 0, "label": "person", "x0": 0, "y0": 0, "x1": 9, "y1": 9, "score": 0.9}
    if by:  # no file is there to be read, so nothing is even looked at
        shown = item("a", person_permissions=[row], detections=[box], landmarks=[box], proxies=[{"path": "no/such"}])
        assert person_views(shown, proxy_files=None, allowed=True) == []  # type: ignore[arg-type]
        assert measure(shown, proxy_files=None, allowed=True) == []  # type: ignore[arg-type]


ATTRIBUTES = (
    said("old man"),
    said("black hair", source="body features", subject="person 0", category="hair colour"),
    said("hat", subject="person 0", category="accessory"),
    said("dog"),
    said("person", subject="person 0"),
)


SILENT = {"caption": "", "title": "", "description": "", "file_name": "", "keywords": []}


@pytest.mark.parametrize(
    ("hint", "tables", "by"),
    [
        ([said("girl", 0.1)], {}, "tagger"),  # above its floor is enough
        ([said("child", 0.9)], {}, "tagger"),
        ([], {"captions": [{**SILENT, "caption": "A boy runs."}]}, CHAT_CAPTION),
        ([], {"captions": [{**SILENT, "keywords": ["niña"]}]}, CHAT_CAPTION),
        ([], {"decisions": [verdict("schoolgirl")]}, DECISION),
    ],
)
def test_a_hint_from_any_source_suppresses_every_attribute_and_is_on_record(
    hint: list[Evidence], tables: dict[str, Any], by: str
) -> None:
    assert set(tags(*ATTRIBUTES)) == {"old man", "black hair", "hat", "dog", "person"}
    found = tags(*ATTRIBUTES, *hint, **tables)
    assert set(found) == {"dog", "person"}
    assert all(row["minor_suspected"] and row["minor_by"] == [by] for row in found.values())


def test_a_rejected_word_is_no_hint() -> None:
    assert "old man" in tags(*ATTRIBUTES, decisions=[verdict("boy", "rejected")])


OFF = PeopleRules().permission("/p/a.jpg")


@pytest.mark.parametrize("term", ["little girl", "bald man", "woman", "boy", "glatzköpfiger Mann", "女人", "wоman"])
def test_with_people_off_no_road_says_more_than_that_there_is_one(term: str) -> None:
    assert tags(said(term), permission=OFF) == {}
    assert tags(rules=parse_rules({"forced": [term]}), permission=OFF) == {}
    assert tags(said("person"), rules=parse_rules({"aliases": {"person": term}}), permission=OFF) == {}
    assert tags(permission=OFF, decisions=[verdict(term)]) == {}
    assert set(tags(said("person"), said("dog"), permission=OFF)) == {"person", "dog"}
    with pytest.raises(PolicyError, match=r"people\.enabled"):
        parse_rules({"forced": [term]}).check_people(describes_people)
    with pytest.raises(PolicyError, match=r"people\.enabled"):
        parse_rules({"aliases": {"person": term}}).check_people(describes_people)
    with pytest.raises(PolicyError, match=r"people\.enabled"):
        checked([Request("a", term, Verdict.ADDED)], Rules(), refused, describes=describes_people)
    for verb in (Verdict.REJECTED, Verdict.WITHDRAWN):
        assert checked([Request("a", term, verb)], Rules(), refused, describes=describes_people)


def test_what_was_decided_comes_back_with_the_permission() -> None:
    assert set(tags(decisions=[verdict("old man")])) == {"old man"}


def test_somebody_by_name_is_described() -> None:
    assert tags(said("jane doe", category="character"), permission=OFF) == {}


def test_a_persons_reason_that_speaks_of_what_is_refused_is_not_shown() -> None:
    row = {"tag": "cat", "category": "object", "status": "added", "reason": "added by anna: she is asian", "score": 1.0}
    assert [one["reason"] for one in admitted([row], OPEN)] == ["added"]


def test_without_a_word_about_the_photo_nobody_is_described() -> None:
    one = item("a")
    made = decide(one, gatherer=Heard(said("old man")), fusion=Fusion(Rules(), CARDS, refused), rules=Rules())
    assert made == []
