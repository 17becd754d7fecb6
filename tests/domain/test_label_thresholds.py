from typing import Any

import pytest

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.labels import LabelSet, parse_label_set

LABELS: list[dict[str, Any]] = [
    {"name": "cat", "threshold": 0.6, "thresholds": {"siglip": 0.01}},
    {"name": "dog", "thresholds": {"clip": 0.9}},
    {"name": "owl"},
]


def pets(**said: Any) -> LabelSet:
    raw = {"name": "pets", "category": "object", "topics": ["objects"], "threshold": 0.5, "labels": LABELS}
    return parse_label_set({**raw, **said}, "pets.yaml")


@pytest.mark.parametrize(
    ("label", "model", "own", "counts"),
    [
        ("cat", "", None, 0.6),  # the label's, for whom nobody else has a word on
        ("owl", "", None, 0.5),  # the set's
        ("cat", "siglip", 0.01, 0.01),  # the label's for the model
        ("owl", "siglip", 0.02, 0.02),  # the set's for the model
        ("dog", "clip", 0.9, 0.9),
        ("cat", "clip", None, 0.6),  # a model that the set does not know
    ],
)
def test_the_most_particular_threshold_counts(label: str, model: str, own: float | None, counts: float) -> None:
    chosen = pets(thresholds={"siglip": 0.02})
    assert chosen.threshold_for(label, model) == own
    assert chosen.threshold_of(label, model) == counts


def test_a_label_that_is_not_there_has_none() -> None:
    with pytest.raises(KeyError):
        pets().threshold_of("bird", "clip")


@pytest.mark.parametrize(
    "said",
    [
        {"thresholds": {"siglip": 0.02}},
        {"neutral": ["a photo of an animal"]},
        {"labels": [{"name": "cat", "thresholds": {"siglip": 0.02}}, *LABELS[1:]]},
    ],
)
def test_what_is_said_changes_the_hash(said: dict[str, Any]) -> None:
    assert pets(**said).hash != pets().hash


def test_what_is_not_said_leaves_the_hash_of_older_sets_alone() -> None:
    plain = pets(labels=[{"name": "cat"}])
    assert plain.hash == pets(labels=[{"name": "cat", "thresholds": {}}], thresholds={}, neutral=[]).hash
    # as it was before there were such fields: tags need not be decided anew
    assert plain.hash == "13c5c5e69a12cc35e474f9ddb80e4eb0195d049533f6ad88461b89575d73e43a"


@pytest.mark.parametrize(
    ("scope", "neutral", "expected"),
    [
        ("image", [], ("a photo", "a picture", "an image")),
        ("person", [], ("a photo of a person", "a portrait of someone")),  # what is asked for is not the person
        ("image", ["a landscape"], ("a landscape",)),
    ],
)
def test_neutral_prompts_are_the_scopes_unless_the_set_has_some(
    scope: str, neutral: list[str], expected: tuple[str, ...]
) -> None:
    assert pets(scope=scope, neutral=neutral).neutral_prompts == expected


def test_thresholds_are_checked_as_all_else_is() -> None:
    with pytest.raises(SettingsError, match=r"pets\.yaml: thresholds\.clip: "):
        pets(thresholds={"clip": 1.5})
    with pytest.raises(PolicyError):
        pets(neutral=["a photo of an Asian woman"])
