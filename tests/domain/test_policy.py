"""The policy, term by term: what is refused, why, and what must pass although it sounds alike."""

from collections.abc import Callable
from pathlib import Path

import pytest

import resources
from tagging_assets.domain.errors import PolicyError
from tagging_assets.domain.policy import check_label_set, filter_terms, person_attributes_allowed, refused

REFUSED = [
    # ethnicity: alone, with a person, with looks, as a category, in booru spelling
    ("asian", "ethnicity"),
    ("Asian", "ethnicity"),
    ("caucasian woman", "ethnicity"),
    ("persian woman", "ethnicity"),
    ("photo of an Indian bride", "ethnicity"),
    ("ethnicity:asian", "ethnicity"),
    ("race: hispanic", "ethnicity"),
    ("south asian", "ethnicity"),
    ("African-American", "ethnicity"),
    ("of Asian descent", "ethnicity"),
    ("latina", "ethnicity"),
    ("Latinas", "ethnicity"),
    ("black man", "ethnicity"),
    ("black men", "ethnicity"),
    ("a white woman in a car", "ethnicity"),
    ("white people", "ethnicity"),
    ("brown girl smiling", "ethnicity"),
    ("dark-skinned_female", "ethnicity"),
    ("dark skin", "ethnicity"),
    ("mixed race", "ethnicity"),
    ("middle eastern", "ethnicity"),
    ("native_american", "ethnicity"),
    ("people of color", "ethnicity"),
    ("asian hair", "ethnicity"),  # looks, not hair colour
    ("ásian", "ethnicity"),  # accents do not hide a word
    # religion of a person
    ("muslim", "religion"),
    ("Muslim woman", "religion"),
    ("jewish", "religion"),
    ("Jews", "religion"),
    ("christian family", "religion"),
    ("hindu bride", "religion"),
    ("religion: buddhist", "religion"),
    ("catholic priest", "religion"),
    ("nuns", "religion"),
    ("missionary", "religion"),
    # health
    ("disabled", "health"),
    ("pregnant woman", "health"),
    ("Down syndrome", "health"),
    ("down's syndrome", "health"),
    ("obese", "health"),
    ("overweight man", "health"),
    ("cancer", "health"),
    ("cancer patient", "health"),
    ("wheelchair user", "health"),
    ("blind man", "health"),
    ("deaf person", "health"),
    ("AIDS", "health"),
    ("patient", "health"),
    ("HIV-positive", "health"),
    ("eating disorder", "health"),
    # sexual orientation
    ("gay", "sexual orientation"),
    ("gay couple", "sexual orientation"),
    ("lesbians", "sexual orientation"),
    ("LGBTQ+", "sexual orientation"),
    ("straight man", "sexual orientation"),
    ("trans woman", "sexual orientation"),
    ("same-sex couple", "sexual orientation"),
    ("queer", "sexual orientation"),
    # exact height
    ("180 cm", "exact height"),
    ("180cm tall", "exact height"),
    ("1.80 m tall", "exact height"),
    ("1,80 m", "exact height"),
    ("5'10\"", "exact height"),
    ("5′ 10″", "exact height"),
    ("6 ft", "exact height"),
    ("6 feet tall", "exact height"),
    ("5 ft 11 in", "exact height"),
    ("six-foot man", "exact height"),
    ("height: 172", "exact height"),
    ("height 172cm", "exact height"),
    # explicit content
    ("nude", "explicit content"),
    ("NSFW", "explicit content"),
    ("completely_nude", "explicit content"),
    ("porn star", "explicit content"),
    ("explicit", "explicit content"),
    ("rating:explicit", "explicit content"),
    ("sex toy", "explicit content"),
    ("topless", "explicit content"),
    ("see-through dress", "explicit content"),
    ("shibari", "explicit content"),  # booru spellings
    ("object_insertion", "explicit content"),
    ("ball gag", "explicit content"),
    ("public indecency", "explicit content"),
    # intimate body parts
    ("breasts", "intimate body parts"),
    ("large_breasts", "intimate body parts"),
    ("ass", "intimate body parts"),
    ("big butt", "intimate body parts"),
    ("cleavage", "intimate body parts"),
    ("nipples", "intimate body parts"),
    ("flat chest", "intimate body parts"),
    ("crotch", "intimate body parts"),
    ("underbutt", "intimate body parts"),
    ("genitals", "intimate body parts"),
]

PASSING = [
    # animals and things named after places and peoples
    "Persian cat",
    "Egyptian cat",
    "Siamese cat",
    "Asian elephant",
    "Indian elephant",
    "African grey",
    "Mexican hairless",
    "German shepherd",
    "German short-haired pointer",
    "French bulldog",
    "Afghan hound",
    "black bear",
    "American black bear",
    "white wolf",
    "black swan",
    "Dutch oven",
    "French loaf",
    "Chinese lantern",
    "mexican food",
    "american football",
    # colours on things, hair and clothes
    "black hair",
    "brown_hair",
    "blonde hair",
    "brown eyes",
    "white dress",
    "woman in black",
    "girl in a white dress",
    "black baby stroller",
    "man with black shirt",
    "straight hair",
    "hair colour",
    # races, buildings, garments
    "racing car",
    "race car",
    "raceway",
    "horse race",
    "church",
    "mosque",
    "Buddhist temple",
    "Catholic church",
    "islamic architecture",
    "abaya",
    "prayer rug",
    # health words on things
    "pill bottle",
    "crutch",
    "stethoscope",
    "wheelchair",
    "Band Aid",
    "hearing aid",
    "window blind",
    "blinds",
    "hospital",
    "first aid kit",
    "glasses",
    # substrings are not words
    "grass",
    "glass",
    "class",
    "bass guitar",
    "cockatoo",
    "cock",
    "titmouse",
    "analog clock",
    "Essex",
    "sextant",
    "scum",
    "cucumber",
    "therapist",
    "peacock",
    "jewelry",
    "jewel",
    "gayal",
    # intimate words on things
    "breast pocket",
    "breastplate",
    "breaststroke",
    "chicken breast",
    "great tit",
    "cigarette butt",
    "chest of drawers",
    "chest",
    "naked mole rat",
    # measures of things
    "30 cm ruler",
    "35mm film",
    "100m sprint",
    "4x4",
    "16:9",
    "tall",
    "tall building",
    "10 foot pole",
    "3d render",
    "2girls",
    "no. 5 in a row",
    # people, neutrally
    "person",
    "woman",
    "old man",
    "couple",
    "slim build",
    "athletic",
    "curvy",
    "sunglasses",
    "beard",
    "",
    "?!",
]


@pytest.mark.parametrize(("term", "category"), REFUSED)
def test_refused(term: str, category: str) -> None:
    assert refused(term) == category


@pytest.mark.parametrize("term", PASSING)
def test_passing(term: str) -> None:
    assert refused(term) is None


@pytest.mark.parametrize(("term", "category"), REFUSED)
@pytest.mark.parametrize("spelling", [str.upper, str.title, "  {} ".format], ids=["upper", "title", "padded"])
def test_spelling_changes_nothing(term: str, category: str, spelling: Callable[[str], str]) -> None:
    assert refused(spelling(term)) == category


def test_the_names_of_imagenet_are_things() -> None:
    # one exception: a bottle's teat bears the name of what is never tagged
    lines = Path(resources.__file__).with_name("imagenet_labels.txt").read_text(encoding="utf-8").splitlines()
    assert {line.split(",")[0]: refused(line.split(",")[0]) for line in lines if refused(line.split(",")[0])} == {
        "nipple": "intimate body parts"
    }


def test_label_set_is_refused_as_a_whole() -> None:
    with pytest.raises(PolicyError, match='label set people: "asian" is ethnicity, which is never tagged; remove it'):
        check_label_set("people", ["hat", "asian"])
    check_label_set("people", ["hat", "tie"])


def test_filter_keeps_order_and_says_why() -> None:
    kept, dropped = filter_terms(["tie", "asian", "hat", "nude"])
    assert kept == ["tie", "hat"]
    assert dropped == {"asian": "ethnicity", "nude": "explicit content"}
    assert filter_terms(kept) == (kept, {})


@pytest.mark.parametrize(
    ("enabled", "adults_only", "consent", "minor", "allowed", "reason"),
    [
        (False, True, True, False, False, "people.enabled"),  # off unless switched on, whatever else holds
        (False, False, None, None, False, "people.enabled"),
        (True, True, False, False, False, "consent"),  # a consent column that does not say yes
        (True, True, True, True, False, "minor"),  # a suspected minor outweighs the operator's word
        (True, False, True, True, False, "minor"),
        (True, True, None, True, False, "minor"),
        (True, False, True, None, False, "adults_only_source"),  # nobody can tell, and nobody affirms
        (True, False, None, None, False, "adults_only_source"),
        (True, True, True, None, True, "operator"),  # nobody can tell, the operator affirms
        (True, True, None, None, True, "operator"),  # a source without a consent column
        (True, False, True, False, True, "no minor"),  # a model can tell, and sees none
        (True, False, None, False, True, "no minor"),
    ],
)
def test_person_attributes(
    enabled: bool, adults_only: bool, consent: bool | None, minor: bool | None, allowed: bool, reason: str
) -> None:
    answer, why = person_attributes_allowed(
        people_enabled=enabled, adults_only_source=adults_only, consent=consent, minor_suspected=minor
    )
    assert answer is allowed
    assert reason in why
