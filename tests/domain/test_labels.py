"""What a label set may say, and what it is asked for."""

import copy
from typing import Any

import pytest

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.labels import LabelSet, check_unique, parse_label_set

RAW: dict[str, Any] = {
    "name": "pets",
    "version": 2,
    "category": "Object",
    "topics": ["objects"],
    "threshold": 0.5,
    "prompts": ["a photo of a {}", "a drawing of a {}"],
    "labels": [
        {"name": "Cat", "synonyms": ["kitten"], "kinds": ["tabby", "kitten"], "threshold": 0.6},
        {"name": "dog", "context": ["leash"]},
        {"name": "person", "evidence": "person_score"},
    ],
}


def changed(**fields: Any) -> dict[str, Any]:
    """``RAW`` with other fields; ``None`` takes a field away."""
    raw = copy.deepcopy(RAW) | fields
    return {name: value for name, value in raw.items() if value is not None}


def parsed(**fields: Any) -> LabelSet:
    return parse_label_set(changed(**fields), "pets.yaml")


def test_reads_what_is_there() -> None:
    pets = parsed()
    assert (pets.name, pets.version, pets.scope, pets.exclusive) == ("pets", "2", "image", False)
    assert pets.category == "object"  # one spelling per tag, as for labels
    assert pets.names == ("cat", "dog", "person")
    assert [label.name for label in pets.scored] == ["cat", "dog"]
    assert [label.name for label in pets.person_labels] == ["person"]
    assert (pets.threshold_of("cat"), pets.threshold_of("dog")) == (0.6, 0.5)
    with pytest.raises(KeyError):
        pets.threshold_of("bird")


def test_ensembles_are_templates_times_texts() -> None:
    pets = parsed()
    assert pets.prompt_ensembles() == [
        [
            *("a photo of a cat", "a photo of a kitten", "a photo of a tabby"),
            *("a drawing of a cat", "a drawing of a kitten", "a drawing of a tabby"),
        ],  # a text said twice counts once
        ["a photo of a dog", "a drawing of a dog"],
    ]
    assert pets.prompt_ensembles("{}") == [["cat", "kitten", "tabby"], ["dog"]]  # the scorer's own template
    assert pets.context_ensembles("{}") == [[], ["leash"]]


@pytest.mark.parametrize(
    ("sees", "blind"),
    [
        (("objects", "scenes"), ()),  # sees all the set is about
        (("scenes",), ("objects",)),
        ((), ("objects",)),
    ],
)
def test_blind_spots(sees: tuple[str, ...], blind: tuple[str, ...]) -> None:
    assert parsed().blind_spots(sees) == blind


def test_hash_is_of_the_content() -> None:
    same = dict(reversed(list(changed().items())))  # another order of keys
    assert parse_label_set(same, "other.yaml").hash == parsed().hash
    assert parsed(scope="image", exclusive=False).hash == parsed().hash  # a default, spelt out
    spelt = [{**RAW["labels"][0], "name": " cat "}, *RAW["labels"][1:]]  # another spelling of the same name
    assert parsed(labels=spelt).hash == parsed().hash


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": 0.51},
        {"version": 3},
        {"exclusive": True},
        {"prompts": ["{}"]},
        {"labels": RAW["labels"][:2]},
        {"labels": list(reversed(RAW["labels"]))},
        {"labels": [{**RAW["labels"][0], "kinds": ["tabby"], "synonyms": []}, *RAW["labels"][1:]]},
    ],
)
def test_hash_changes_with_the_content(fields: dict[str, Any]) -> None:
    assert parsed(**fields).hash != parsed().hash


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": None}, "pets.yaml: labels: is missing; add it"),
        ({"labels": []}, "pets.yaml: labels: "),  # nothing to look for
        ({"treshold": 0.5}, "pets.yaml: treshold: no such field; remove it or correct its spelling"),
        ({"threshold": 1.5}, "pets.yaml: threshold: "),
        ({"threshold": float("nan")}, "pets.yaml: threshold: "),
        ({"name": "My pets"}, "pets.yaml: name: "),
        ({"scope": "video"}, "pets.yaml: scope: "),
        ({"topics": ["smells"]}, "pets.yaml: topics[0]: "),
        ({"topics": []}, "pets.yaml: topics: "),
        ({"prompts": ["a photo"]}, 'pets.yaml: prompts[0]: "a photo" needs exactly one {}'),
        ({"prompts": ["{} and {}"]}, "pets.yaml: prompts[0]: "),
        ({"prompts": ["a {name}"]}, "pets.yaml: prompts[0]: "),
        ({"labels": [{"name": "cat"}, {"name": "CAT"}]}, 'pets.yaml: label "cat" is there twice; keep one'),
        ({"labels": [{"name": "cat", "synonym": ["kitten"]}]}, "pets.yaml: labels[0].synonym: no such field"),
        ({"labels": [{"name": " "}]}, "pets.yaml: labels[0].name: a text must not be empty"),
        ({"labels": [{"name": True}]}, "pets.yaml: labels[0].name: "),  # YAML reads "yes" and "on" as true
        ({"labels": ["cat"]}, "pets.yaml: labels[0]: "),
        ({"labels": [{"name": "cat"}], "exclusive": True}, "pets.yaml: an exclusive set needs two labels"),
        ({"scope": "person"}, "pets.yaml: evidence: person_score is about a photo"),
        ({"labels": None, "threshold": None}, "(and 1 more)"),
    ],
)
def test_mistakes_are_named_in_one_line(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(**fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", [None, [], "objects", 3])
def test_what_is_no_mapping_is_refused(raw: object) -> None:
    with pytest.raises(SettingsError, match=r"pets\.yaml: a label set is a mapping"):
        parse_label_set(raw, "pets.yaml")


@pytest.mark.parametrize(
    "label",
    [
        {"name": "asian"},
        {"name": "portrait", "synonyms": ["caucasian woman"]},
        {"name": "portrait", "kinds": ["nude"]},
        {"name": "portrait", "context": ["pregnant woman"]},
    ],
)
def test_policy_holds_for_every_text(label: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match=r"pets\.yaml"):
        parsed(labels=[{"name": "cat"}, label])


def test_policy_holds_for_templates() -> None:
    with pytest.raises(PolicyError):
        parsed(prompts=["a photo of an asian person with {}"])


def test_names_are_unique_across_files() -> None:
    check_unique([("a.yaml", parsed()), ("b.yaml", parsed(name="toys"))])
    with pytest.raises(SettingsError, match=r'b\.yaml: name "pets" is already used by a\.yaml; rename one'):
        check_unique([("a.yaml", parsed()), ("b.yaml", parsed(threshold=0.1))])
