"""The policy as its attackers try it: every disguise and language, on every road to a tag; false alarms are counted."""

from collections.abc import Callable
from itertools import product

import pytest

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.evidence import SourceCard
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.labels import parse_label_set
from tagging_assets.domain.permissions import Permission, admitted
from tagging_assets.domain.policy import WORDS_HASH, describes_people, hints_at_minor, refused, refused_sentence
from tagging_assets.domain.policy_text import readings
from tagging_assets.domain.policy_words import entries, words_hash
from tagging_assets.domain.rules import Rules, parse_rules
from tagging_assets.domain.verdicts import Request, Verdict, checked, edited
from tests.domain.policy_probes import ATTACKS, HARMLESS

LANGUAGES = {"ar", "bn", "de", "en", "es", "fr", "hi", "id", "ja", "pt", "ru", "ur", "zh"}
FREE = Permission(allowed=True, reason="", minor_suspected=False)


def raises(act: Callable[[], object]) -> bool:
    try:
        act()
    except (PolicyError, SettingsError) as error:  # the latter for letters that nobody can see
        return "\n" not in str(error)
    return False


def row(tag: str, category: str = "object") -> dict[str, object]:
    return {"tag": tag, "category": category, "status": "auto", "reason": "only tagger says so", "score": 0.9}


def fused(rules: Rules) -> Fusion:
    return Fusion(rules, {("tagger", "net"): SourceCard(1.0)}, refused)


#: Road to a tag → whether it is closed to a term.
ROADS: dict[str, Callable[[str], bool]] = {
    "a model's label": lambda term: refused(term) is not None,
    "decide --add": lambda term: raises(lambda: checked([Request("a", term, Verdict.ADDED)], Rules(), refused)),
    "decide --edit": lambda term: raises(lambda: checked(edited("a", "cat", term), Rules(), refused)),
    "decide --category": lambda term: raises(
        lambda: checked([Request("a", "cat", Verdict.ADDED, category=term)], Rules(), refused)
    ),
    "decide --why": lambda term: raises(
        lambda: checked([Request("a", "cat", Verdict.ADDED, why=term)], Rules(), refused, refuse_why=refused_sentence)
    ),
    "rules.forced": lambda term: raises(lambda: fused(parse_rules({"forced": [term]}))),
    "rules.aliases": lambda term: raises(lambda: fused(parse_rules({"aliases": {"cat": term}}))),
    "rules.features": lambda term: raises(
        lambda: fused(parse_rules({"features": [{"feature": "hair_colour", "equals": "x", "tag": term}]}))
    ),
    "a label set's label": lambda term: raises(
        lambda: parse_label_set(
            {
                **{"name": "s", "scope": "image", "category": "object", "topics": ["objects"], "threshold": 0.5},
                "labels": [{"name": term}],
            },
            "s",
        )
    ),
    "a chat model's sentence": lambda term: refused_sentence(f"This is {term}.") is not None,
    "the gate before storing": lambda term: not admitted([row(term)], FREE),
    "a category at the gate": lambda term: not admitted([row("cat", term)], FREE),
}


@pytest.mark.parametrize("road", ROADS)
def test_no_road_is_open_to_what_is_never_tagged(road: str) -> None:
    passed = [term for term in ATTACKS if not ROADS[road](term)]
    assert passed == []
    assert ROADS[road]("dog") is False, "and the road is open to a dog"


def test_there_are_as_many_probes_as_it_says() -> None:
    assert len(list(product(ROADS, ATTACKS))) > 376 * 4
    assert len(HARMLESS) > 300


@pytest.mark.parametrize("term", HARMLESS)
def test_harmless_terms_pass(term: str) -> None:
    assert refused(term) is None


def test_every_language_has_every_kind_of_words() -> None:
    found = {(language, kind, category) for language, kind, category, _ in entries()}
    assert {language for language, _, _ in found} == LANGUAGES
    for language in LANGUAGES:
        for category in ("ethnicity", "religion", "health", "sexual orientation", "explicit content"):
            assert (language, "always", category) in found
        assert (language, "always", "intimate body parts") in found
        assert {(language, kind, "") for kind in ("people", "minors", "body", "somebody", "height", "years")} <= found


#: Patterns are found inside words, so each entry is tried as a word of its own.
def test_every_listed_word_is_refused_by_itself() -> None:
    passed = [
        (language, term)
        for language, kind, _, term in entries()
        if kind == "always" and not term.startswith("=") and refused(term.strip("*")) is None
    ]
    assert passed == []


def test_every_listed_minor_is_a_hint() -> None:
    terms = [(language, term) for language, kind, _, term in entries() if kind == "minors"]
    assert [one for one in terms if not hints_at_minor(one[1].strip("*="))] == []
    assert [one for one in terms if not describes_people(one[1].strip("*="))] == []


@pytest.mark.parametrize(
    "text",
    [
        *("a boy", "little girl", "1girl", "children playing", "Kinder", "ein Kind", "niña", "garçon", "мальчик"),
        *("女孩", "少年", "طفلة", "लड़की", "শিশু", "بچی", "anak kecil", "schoolgirl", "schoolgirls", "new born infant"),
        *("a ten-year-old", "10 years old", "aged 7", "she is 16 years old", "3 months old", "5 ans", "12 Jahre alt"),
        *("8岁", "10歳", "7 лет", "loli", "shota", "ch1ld", "b o y", "littlegirl", "ｂｏｙ", "bоy", "teen model"),
    ],
)
def test_hints_at_minors(text: str) -> None:
    assert hints_at_minor(text)
    assert describes_people(text) or any(sign.isdigit() for sign in text) or "year" in text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "cat",
            "woman",
            "old man",
            "a kind of blue",
            "30 years old",
            "aged 40",
            "10 years warranty",
            "40 ans",
            "30岁",
        ),
        *("", "cowboy boot", "Ursa Minor", "детская площадка", "a man and his dog", "人参"),
    ],
)
def test_what_is_no_hint(text: str) -> None:
    assert not hints_at_minor(text)


@pytest.mark.parametrize(
    "term",
    [
        *("little girl", "bald man", "woman", "boy", "old man", "Frau", "glatzköpfiger Mann", "mujer", "femme"),
        *("мужчина", "女人", "老人", "男性", "امرأة", "महिला", "মহিলা", "عورت", "wanita", "blond", "w0man", "wоman"),
        *("ｗｏｍａｎ", "oldman", "old-man", "bearded", "chauve", "calvo", "金发", "ハゲ"),
    ],
)
def test_what_describes_people_in_any_language(term: str) -> None:
    assert describes_people(term)


@pytest.mark.parametrize(
    "term",
    [
        *("person", "people", "crowd", "personne", "persona", "человек", "人", "人物", "شخص", "व्यक्ति", "orang"),
        *("hair dryer", "hair drier", "hand blower", "cowboy hat", "knee pad", "Model T", "bald eagle", "handbag"),
    ],
)
def test_that_somebody_is_there_and_things_are_no_description(term: str) -> None:
    assert not describes_people(term)


@pytest.mark.parametrize(
    "piece",
    ["a", "a ", "n.", "ass", "naked mole rat ", "1", "а", "人", "*", "|", "^_", "{", "black man ", "ก", "a\u0301"],
)
def test_work_grows_in_step_with_the_text(piece: str) -> None:
    """Characters read, not seconds: every reading is no longer than a small multiple of the text."""
    sizes = [sum(map(len, readings(piece * count))) for count in (1_000, 4_000)]
    assert sizes[1] <= 5 * max(sizes[0], 100)
    assert len(readings(piece * 4_000)) <= 30


def test_the_words_are_part_of_recipes() -> None:
    assert words_hash() == WORDS_HASH
