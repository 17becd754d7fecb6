"""Evidence is gathered from every source with its provenance, and about people only from people."""

from typing import Any

import pytest

from tagging_assets.domain.evidence import Evidence
from tagging_assets.domain.gathering import CHAT, DETECTOR, PEOPLE, TAGGER, ZERO_SHOT, Gatherer
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.models import ModelCard
from tagging_assets.domain.rules import parse_rules
from tests.handmade import item


def label_set(name: str, scope: str, **labels: float) -> LabelSet:
    return LabelSet.model_validate(
        {
            "name": name,
            "scope": scope,
            "category": f"{name} category",
            "topics": ["objects"],
            "threshold": 0.5,
            "labels": [{"name": label, "threshold": threshold} for label, threshold in labels.items()],
        }
    )


SETS = {one.name: one for one in (label_set("things", "image", dog=0.6), label_set("worn", "person", hat=0.7))}


def gatherer(**changes: Any) -> Gatherer:
    names = ("landmarker", "zero_shot", "tagger", "chat", "detector")
    cards = {name: ModelCard(name, f"{name} revision", "") for name in names}
    return Gatherer(**{**cards, "label_sets": SETS, "prompt_id": "select/1", "prompt_hash": "p", **changes})


def person(number: int, score: float) -> dict[str, Any]:
    return {"detection_id": number, "person_score": score}


def box(label: str, score: float) -> dict[str, Any]:
    return {"label": label, "score": score}


def scored(subject: str, name: str, label: str, score: float = 0.9) -> dict[str, Any]:
    return {"subject": subject, "label_set": name, "label": label, "score": score}


def brief(evidence: list[Evidence]) -> list[tuple[str, str, str]]:
    return [(one.source, one.label, one.subject) for one in evidence]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({}, []),  # nothing above: nothing said
        # every box is evidence of a person, with its own score
        (
            {"landmarks": [person(0, 0.9), person(1, 0.1)]},
            [(PEOPLE, "person", "person 0"), (PEOPLE, "person", "person 1")],
        ),
        ({"zero_shot_scores": [scored("image", "things", "dog")]}, [(ZERO_SHOT, "dog", "photo")]),
        # what is about a person counts where the box is a person …
        (
            {"landmarks": [person(0, 0.5)], "zero_shot_scores": [scored("0", "worn", "hat")]},
            [(PEOPLE, "person", "person 0"), (ZERO_SHOT, "hat", "person 0")],
        ),
        # … not where it is hardly one …
        (
            {"landmarks": [person(0, 0.49)], "zero_shot_scores": [scored("0", "worn", "hat")]},
            [(PEOPLE, "person", "person 0")],
        ),
        # … nor where the person next to it is one
        (
            {"landmarks": [person(0, 0.1), person(1, 0.9)], "zero_shot_scores": [scored("0", "worn", "hat")]},
            [(PEOPLE, "person", "person 0"), (PEOPLE, "person", "person 1")],
        ),
        # of things, the best box of each; whether a box shows a person, the landmarks say
        (
            {"detections": [box("person", 0.9), box("dog", 0.4), box("dog", 0.8), box("car", 0.1)]},
            [(DETECTOR, "dog", "photo"), (DETECTOR, "car", "photo")],
        ),
        # a label set that is not in use any more says nothing
        ({"zero_shot_scores": [scored("image", "old", "dog")]}, []),
        (
            {"tagger_scores": [{"label": "boat", "category": "object", "score": 0.4}]},
            [(TAGGER, "boat", "photo")],
        ),
        # what a chat model says is not something seen
        ({"llm_tag_suggestions": [{"model": "chat", "tag": "dog", "rank": 1, "request_hash": "q"}]}, []),
    ],
)
def test_what_was_seen(rows: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert brief(gatherer().seen(item(**rows))) == expected


def test_provenance_comes_along() -> None:
    said = item(zero_shot_scores=[scored("image", "things", "dog")])
    (one,) = gatherer().seen(said)
    assert (one.model, one.revision, one.category) == ("zero_shot", "zero_shot revision", "things category")
    assert (one.threshold, one.label_set, one.label_set_hash) == (0.6, "things", SETS["things"].hash)
    assert (one.recipe, one.run_id) == ("recipe", "run")


def test_a_thing_is_as_sure_as_its_best_box() -> None:
    said = item(detections=[box("dog", 0.4), box("dog", 0.8), box("person", 0.9)])
    (one,) = gatherer().seen(said)
    assert (one.model, one.revision, one.category) == ("detector", "detector revision", "object")
    assert (one.score, one.threshold) == (pytest.approx(0.8), None)
    assert (one.recipe, one.run_id) == ("recipe", "run")


def test_of_a_detector_of_people_boxes_of_things_are_silent() -> None:
    """They are of the detector before, where this one could not look at the photo."""
    assert gatherer(detector=None).seen(item(detections=[box("dog", 0.8)])) == []


def test_a_chat_models_places_become_scores() -> None:
    rows = [{"model": "chat", "tag": tag, "rank": rank, "request_hash": "q"} for rank, tag in enumerate("ab", start=1)]
    said = gatherer().all(item(llm_tag_suggestions=rows), parse_rules({}))
    assert [(one.source, one.label, round(one.score, 2)) for one in said] == [(CHAT, "a", 1.0), (CHAT, "b", 0.63)]
    assert {(one.prompt_id, one.prompt_hash, one.request_hash) for one in said} == {("select/1", "p", "q")}


def test_without_a_chat_model_its_old_answers_are_silent() -> None:
    rows = [{"model": "chat", "tag": "dog", "rank": 1, "request_hash": "q"}]
    assert gatherer(chat=None).all(item(llm_tag_suggestions=rows), parse_rules({})) == []


@pytest.mark.parametrize(
    ("score", "labels"),
    [
        (0.9, ["person", "red hair"]),
        (0.3, ["person"]),  # hardly a person: its hair is nobody's
    ],
)
def test_features_are_of_people(score: float, labels: list[str]) -> None:
    rules = parse_rules({"features": [{"feature": "hair_colour", "equals": "red", "tag": "red hair"}]})
    hair = {"detection_id": 0, "feature": "hair_colour", "value": None, "label": "red", "confidence": 0.8}
    said = gatherer().all(item(landmarks=[person(0, score)], body_features=[hair]), rules)
    assert [one.label for one in said] == labels


@pytest.mark.parametrize(
    ("parameters", "thresholds", "expected"),
    [
        ({}, {}, 0.6),  # nobody else has a word on the model: the label's
        ({}, {"zero_shot": 0.3}, 0.3),  # the set's for this very model
        ({"threshold": 0.8}, {}, None),  # the catalogue's, which the model's card knows
        ({"threshold": 0.8}, {"zero_shot": 0.3}, 0.3),
        ({"threshold": 0.8}, {"another": 0.3}, None),
    ],
)
def test_a_threshold_counts_for_the_model_it_belongs_to(
    parameters: dict[str, float], thresholds: dict[str, float], expected: float | None
) -> None:
    sets = {"things": SETS["things"].model_copy(update={"thresholds": thresholds})}
    card = ModelCard("zero_shot", "r", "", parameters)
    said = item(zero_shot_scores=[scored("image", "things", "dog")])
    (one,) = gatherer(zero_shot=card, label_sets=sets).seen(said)
    assert one.threshold == expected
