import unicodedata
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.rules import KAOMOJI, FeatureRule, Rules, normalise_tag, parse_rules, validation_message


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("Dog", "dog"),  # case
        ("long_hair", "long hair"),  # booru underscores
        ("  tea \t pot\n", "tea pot"),  # stray white space
        ("_tea__pot_", "tea pot"),  # underscores at the ends and doubled
        ("^_^", "^_^"),  # a kaomoji keeps its mouth
        ("O_O", "o_o"),  # whatever its case
        ("café", "café"),  # decomposed accents, as macOS file names have them
        ("Straße", "straße"),  # lower case, not folded away
        ("(a)", "(a)"),  # brackets are not escaped
        ("", ""),  # nothing stays nothing
        ("_ _", ""),  # and so does nothing but separators
    ],
)
def test_one_spelling_per_tag(written: str, tag: str) -> None:
    assert normalise_tag(written) == unicodedata.normalize("NFC", tag)


def test_normalising_twice_is_normalising_once_for_every_character() -> None:
    letters = (chr(code) for code in range(0x3000) if not 0xD800 <= code < 0xE000)
    texts = [*KAOMOJI, *(f"A_{letter}\u0301{letter} b" for letter in letters)]
    assert [text for text in texts if normalise_tag(normalise_tag(text)) != normalise_tag(text)] == []


def test_defaults_are_the_documented_ones() -> None:
    rules = parse_rules({})
    assert (rules.keep_above, rules.review_below, rules.max_tags) == (0.4, 0.7, 20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        # a misspelt name, with the right one
        ({"keep_abve": 0.5}, "rules.keep_abve: no such setting; did you mean keep_above?"),
        # a name that resembles nothing
        ({"zzz": 1}, "rules.zzz: no such setting; remove it"),
        # a misspelt name one level down
        ({"sources": {"llm": {"weigth": 1}}}, "rules.sources.llm.weigth: no such setting; did you mean weight?"),
        # out of range
        ({"keep_above": 50}, "rules.keep_above: input should be less than or equal to 1 (it is 50)"),
        # not a number at all, twice: both are told
        (
            {"keep_above": "much", "max_tags": 0},
            "rules.keep_above: input should be a valid number, unable to parse string as a number (it is 'much'); "
            "rules.max_tags: input should be greater than or equal to 1 (it is 0)",
        ),
        # YAML's own words for things, not Python's
        ({"banned": "dog"}, "rules.banned: input should be a valid list (it is 'dog')"),
        # a calibration that falls
        (
            {"sources": {"llm": {"calibration": [[0, 1], [1, 0]]}}},
            "rules.sources.llm.calibration: calibration points [0, 1] and [1, 0]: "
            "confidence must not fall as the raw score rises",
        ),
        # a chain of aliases would depend on the order of reading
        (
            {"aliases": {"pup": "puppy", "puppy": "dog"}},
            'rules.aliases: "pup" leads to "puppy", itself an alias of "dog"; write pup: dog',
        ),
        # a cycle
        (
            {"aliases": {"cat": "dog", "dog": "cat"}},
            'rules.aliases: "cat" and "dog" stand for each other; remove one',
        ),
        # an alias of itself, hidden by spelling
        (
            {"aliases": {"Tea_Pot": "tea pot"}},
            'rules.aliases: "tea pot" stands for itself once case and underscores are gone; remove it',
        ),
        # two targets for one spelling
        (
            {"aliases": {"Pup": "dog", "pup": "seal"}},
            'rules.aliases: "pup" is given twice, for "dog" and "seal"; keep one',
        ),
        # an alias that leads to a banned tag
        (
            {"aliases": {"pup": "dog"}, "banned": ["Dog"]},
            'rules.aliases: "pup" stands for "dog", but "dog" is banned; remove one of the two',
        ),
        # a banned tag that comes back under another name
        (
            {"aliases": {"pup": "dog"}, "banned": ["pup"]},
            'rules.aliases: "pup" stands for "dog", but "pup" is banned; remove one of the two',
        ),
        # always and never
        (
            {"forced": ["me"], "banned": ["Me"]},
            'rules.forced: "me" is banned as well; remove it from one of the two',
        ),
        # a rule for a tag that is never given
        (
            {"features": [{"feature": "hair_colour", "equals": "red", "tag": "red hair"}], "banned": ["red_hair"]},
            'rules.features: "red hair" is banned as well; remove it from one of the two',
        ),
        # a group that names a spelling which never comes out
        (
            {"exclusive": {"place": ["inside", "outdoor"]}, "aliases": {"inside": "indoor"}},
            'rules.exclusive.place: "inside" is an alias of "indoor"; write "indoor"',
        ),
        # a group of one, hidden by spelling
        (
            {"exclusive": {"place": ["in_door", "in door"]}},
            "rules.exclusive.place: a group needs two different tags or more",
        ),
        # two forced tags that exclude each other
        (
            {"exclusive": {"place": ["indoor", "outdoor"]}, "forced": ["outdoor", "indoor"]},
            'rules.exclusive.place: "indoor" and "outdoor" are both forced; force one at most',
        ),
        # neither a word nor a number to compare with
        (
            {"features": [{"feature": "hair_colour", "tag": "red hair"}]},
            "rules.features.0: give either equals (a word) or above and/or below (numbers)",
        ),
        # an empty range
        (
            {"features": [{"feature": "leg_length_ratio", "tag": "long legs", "above": 0.6, "below": 0.5}]},
            "rules.features.0: no value is above 0.6 and below 0.5; swap them",
        ),
        # an empty tag
        ({"banned": ["cat", " "]}, "rules.banned.1: a tag must not be empty (it is ' ')"),
    ],
)
def test_what_makes_no_sense_is_named_with_the_way_out(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_rules(settings)
    assert str(caught.value) == message


def test_rules_within_a_settings_file_are_named_in_full() -> None:
    class File(BaseModel):
        rules: Rules
        size: int

    with pytest.raises(ValidationError) as caught:
        File.model_validate({"rules": {"aliases": {"a": "b"}, "banned": ["b"]}, "size": "big"})
    assert validation_message(caught.value) == (
        'rules.aliases: "a" stands for "b", but "b" is banned; remove one of the two; '
        "size: input should be a valid integer, unable to parse string as an integer (it is 'big')"
    )


@pytest.mark.parametrize(
    ("label", "tag"),
    [
        ("Pup", "dog"),  # an alias, whatever its case
        ("puppy_dog", "dog"),  # written with underscores
        ("dog", "dog"),  # the tag itself
        ("hot dog", "hot dog"),  # whole tags only
    ],
)
def test_aliases_merge_whole_tags(label: str, tag: str) -> None:
    rules = parse_rules({"aliases": {"pup": "Dog", "Puppy Dog": "dog"}})
    assert rules.canonical(label) == tag
    assert rules.canonical(rules.canonical(label)) == tag


BASE: dict[str, Any] = {
    "banned": ["b", "a"],
    "exclusive": {"g": ["x", "y"]},
    "sources": {"llm": {"weight": 0.3}, "tagger": {"thresholds": {"object": 0.4}}},
    "features": [
        {"feature": "hair_colour", "equals": "red", "tag": "red hair"},
        {"feature": "leg_length_ratio", "above": 0.5, "tag": "long legs"},
    ],
}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"banned": ["A", "b", "b"]}, True),  # another order, spelling and a double
        ({"exclusive": {"g": ["Y", "x"]}}, True),  # another order in a group
        ({"features": BASE["features"][::-1]}, True),  # another order of rules
        ({"keep_above": 0.4}, True),  # a default written out
        ({"keep_above": 0.51}, False),  # a threshold
        ({"banned": ["a"]}, False),  # one ban less
        ({"features": BASE["features"][:1]}, False),  # one rule less
        ({"sources": {"llm": {"weight": 0.31}}}, False),  # a weight
    ],
)
def test_the_hash_is_of_what_is_said_not_of_how_it_is_written(change: dict[str, Any], same: bool) -> None:
    assert (parse_rules({**BASE, **change}).rules_hash == parse_rules(BASE).rules_hash) is same


@pytest.mark.parametrize(
    ("rule", "value", "label", "holds"),
    [
        ({"above": 0.8}, 0.81, None, True),  # above
        ({"above": 0.8}, 0.8, None, False),  # exactly on the limit is not above it
        ({"below": 0.7}, 0.69, None, True),  # below
        ({"above": 0.6, "below": 0.7}, 0.65, None, True),  # between
        ({"above": 0.6, "below": 0.7}, 0.75, None, False),  # beyond
        ({"above": 0.6}, None, None, False),  # not visible
        ({"equals": "Light_Brown"}, None, "light brown", True),  # a word, however spelt
        ({"equals": "brown"}, None, "light brown", False),  # whole words only
        ({"equals": "brown"}, None, None, False),  # not visible
    ],
)
def test_a_feature_rule_holds(rule: dict[str, Any], value: float | None, label: str | None, holds: bool) -> None:
    assert FeatureRule(feature="f", tag="t", **rule).holds(value, label) is holds


@pytest.mark.parametrize(
    ("rule", "condition"),
    [
        ({"above": 0.8}, "0.8 < ratio"),  # one side
        ({"below": 0.7}, "ratio < 0.7"),  # the other
        ({"above": 0.6, "below": 0.7}, "0.6 < ratio < 0.7"),  # both
        ({"equals": "red"}, "ratio = red"),  # a word
    ],
)
def test_a_feature_rule_reads_as_one_phrase(rule: dict[str, Any], condition: str) -> None:
    assert FeatureRule(feature="ratio", tag="t", **rule).condition == condition


def test_groups_of_label_sets_join_the_operators() -> None:
    rules = parse_rules(
        {
            "exclusive": {"place": ["indoor", "outdoor"]},
            "aliases": {"blonde hair": "blond hair"},
            "banned": ["green hair"],
        }
    )
    joined = rules.with_exclusive(
        {
            "place": ["sea", "land"],  # the operator's group of that name stands
            "hair": ["Blonde_hair", "red hair", "green hair"],  # merged, and without the banned one
            "lonely": ["green hair", "bald head"],  # only one is left: no group
        }
    )
    assert joined.exclusive == {"place": ("indoor", "outdoor"), "hair": ("blond hair", "red hair")}
    assert joined.with_exclusive({}) == joined


def test_the_policy_goes_before_the_operator() -> None:
    def refuse(term: str) -> str | None:
        return "religion" if "pious" in term.split() else None

    parse_rules({"forced": ["impious pun"]}).check_policy(refuse)
    for settings in (
        {"forced": ["pious"]},
        {"aliases": {"praying": "pious"}},
        {"features": [{"feature": "f", "equals": "x", "tag": "pious"}]},
    ):
        with pytest.raises(PolicyError, match="religion"):
            parse_rules(settings).check_policy(refuse)


def test_rules_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Rules().keep_above = 0.1


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("\u200b", "unseen letter"),
        ("dog\u202e", "unseen letter"),
        ("dog\u3164", "unseen letter"),
        ("\u2003 \u3000", "must not be empty"),
        ("dog" * 100, "300 letters are no tag"),
    ],
)
def test_a_tag_that_nobody_can_read_is_refused(tag: str, says: str) -> None:
    for rules in ({"forced": [tag]}, {"banned": [tag]}, {"aliases": {"cat": tag}}, {"aliases": {tag: "cat"}}):
        with pytest.raises(SettingsError) as caught:
            parse_rules(rules)
        assert says in str(caught.value)
        assert len(str(caught.value)) < 300
