"""What must never be tagged, whoever asks and whatever a model says.

Refused are a person's ethnicity or race, religion, health, sexual orientation and exact height, explicit content
and intimate body parts. Terms are judged by whole words, never by substrings, and by what the words are about: an
attribute of a *person* is refused ("Persian woman"), the same word on a thing is not ("Persian cat", "racing car",
"Catholic church"). Garments and devices are things too ("abaya", "crutch"). In doubt a term is refused: a tag lost
costs less than a person described against their will.

A term is judged in every reading that ``policy_text`` finds in it, by the lists of ``policy_words``: thirteen
languages, the ten most spoken and the ten most used on the web. What does not belong here: which tags an operator bans
for other reasons (``rules``), and what is done about a photo (``permissions``).
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from tagging_assets.domain.errors import PolicyError
from tagging_assets.domain.policy_text import readings, words
from tagging_assets.domain.policy_words import Roles, found_phrases, lexicon, pieces, roles, without_things, words_hash

#: What is refused, in the order in which a term of several is named.
CATEGORIES = (
    *("ethnicity", "religion", "health", "sexual orientation", "exact height", "explicit content"),
    "intimate body parts",
)

#: Signs, at least one of them none of a sentence, among which letters and digits stand alone.
_FACE = re.compile(r"(?=.*[:;^=@<>|_\\])(?:[a-zA-Z0-9]?[^a-zA-Z0-9\s])+[a-zA-Z0-9]?", re.ASCII)

_NUMBER = r"(?:\d+(?:[.,]\d+)?|four|five|six|seven)"
_UNIT = (
    r"(?:cm|centimet(?:er|re)s?|m|met(?:er|re)s?|metros?|meter|ft|feet|foot|in|inch(?:es)?|см|метр\w*|м|سم|متر"
    r"|सेमी|মিটার|সেমি|['′’\"″”])"
)
_MEASURE = re.compile(
    rf"(?<![\w.]){_NUMBER}[\s-]*{_UNIT}(?![a-zа-я])(?:\s*\d{{1,2}}\s*{_UNIT}?(?![a-z]))?|\d+(?:\.\d+)?\s*(?:厘米|公分|米|センチ)"
)
_FEET_AND_INCHES = re.compile(r"(?<!\d)[3-8]\s*['′’]\s*(?:\d|1[01])(?!\d)")
_FOLLOWERS = frozenset(
    ["in", "with", "on", "at", "and", "or", "of", "by", "from", "near", "under", "wearing", "holding"]
)
_COPULAS = frozenset(["is", "are", "was", "were", "look", "looks", "seem", "seems", "being"])
_ADVERBS = frozenset(["very", "also", "clearly", "probably", "a", "likely"])
#: Terms of more words are sentences, in which people go on to do something.
_LONGEST_TERM = 4
#: Where a colour stands before what it is of, and nowhere else.
_COLOUR_FIRST = frozenset(["en", "zh", "ja"])
#: Shortest refused word that is found where somebody broke it in two.
_SHORTEST_BROKEN = 5
_SMALL_WORDS = frozenset(
    [
        "is",
        "it",
        "in",
        "on",
        "at",
        "a",
        "an",
        "as",
        "us",
        "or",
        "to",
        "of",
        "no",
        "so",
        "be",
        "he",
        "we",
        "do",
        "by",
        "my",
        "i",
        "the",
        "and",
        "for",
        "but",
        "not",
    ]
)

#: People below this age are minors.
ADULT = 18
_AGE_OLD = re.compile(
    r"\b(\d{1,2})\s*-?\s*(?:years?|yrs?|months?|weeks?|days?|y)[\s-]*(?:old|o)\b|\bage[sd]?\s*:?\s*(\d{1,2})\b|\b(\d{1,2})\s*yo\b"
)
_NUMBERS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
        ]
    )
}
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBERS)})\b")
_CJK_NUMBERS = frozenset("一二三四五六七八九十两")

#: Part of the recipes of what is filtered: rows that were stored before a word was known are made again.
WORDS_HASH = words_hash()


@lru_cache(maxsize=65_536)
def refused(term: str) -> str | None:
    """Why a term must not be tagged.

    Args:
        term: a tag, label, prompt or sentence in any language, case and spelling; underscores, hyphens and colons
            separate words.

    Returns:
        One of :data:`CATEGORIES`; ``None`` where the term may be tagged.
    """
    for reading in readings(term):
        if (found := _category_of(reading)) is not None:
            return found
    return None


@lru_cache(maxsize=16_384)
def refused_sentence(sentence: str) -> str | None:
    """Why a sentence must not be said of a photo: as :func:`refused`, and of every word right before a person.

    A term is short, so an adjective counts where it ends in a person; in a sentence, people go on to do something
    ("a black man walks"). In doubt a sentence is refused.
    """
    for reading in readings(sentence):
        if (found := _category_of(reading, sentence=True)) is not None:
            return found
    return None


@lru_cache(maxsize=65_536)
def describes_people(term: str) -> bool:
    """Whether a term tells more of people than that somebody is there: number, sex, age, body, face or hair.

    Such terms are stored and tagged only where :func:`person_attributes_allowed`. Clothes are things. In doubt a term
    describes people: "cat ears" does, and so does what is drawn as a face, such as ``^_^`` and ``:d``.
    """
    return _FACE.fullmatch(term) is not None or any(_is_of_people(_said(reading)) for reading in readings(term))


@lru_cache(maxsize=65_536)
def hints_at_minor(text: str) -> bool:
    """Whether a text speaks of somebody who is or may be a minor: a word for one, or an age. In doubt it does."""
    return any(_speaks_of_minor(reading) for reading in readings(text))


def check_label_set(name: str, terms: Iterable[str]) -> None:
    """Refuse a label set as a whole, before anything is computed with it.

    Args:
        name: of the label set, for the message.
        terms: its labels, synonyms and prompts.

    Raises:
        PolicyError: one of the terms must never be tagged.
    """
    for term in terms:
        category = refused(term)
        if category is not None:
            raise PolicyError(f'label set {name}: "{term}" is {category}, which is never tagged; remove it')


def filter_terms(terms: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Split terms into those that may be tagged, in their order, and refused ones with their category."""
    kept: list[str] = []
    dropped: dict[str, str] = {}
    for term in terms:
        category = refused(term)
        if category is None:
            kept.append(term)
        else:
            dropped[term] = category
    return kept, dropped


def person_attributes_allowed(
    *, people_enabled: bool, adults_only_source: bool, consent: bool | None, minor_suspected: bool | None
) -> tuple[bool, str]:
    """Whether hair, build, accessories and measurements of the people in one photo may be computed and tagged.

    Args:
        people_enabled: the setting ``people.enabled``.
        adults_only_source: the setting ``people.adults_only_source``: the operator's word that the source shows
            adults only.
        consent: of the source's consent column for this photo; ``None`` where the source has no such column.
        minor_suspected: whether anyone in the photo may be a minor; ``None`` where no model can tell.

    Returns:
        The answer, and its reason as one line. It holds for the whole photo, never for one of its people alone.
    """
    if not people_enabled:
        return False, "people.enabled is off"
    if consent is False:
        return False, "the source's consent column does not say yes"
    if minor_suspected is True:
        return False, "someone in the photo may be a minor"
    if minor_suspected is None and not adults_only_source:
        return False, "no model here can tell minors from adults, and people.adults_only_source is not set"
    if minor_suspected is None:
        return True, "the operator affirms that the source shows adults only"
    return True, "no minor is suspected"


def _said(reading: str) -> tuple[str, ...]:
    """The words of a reading in the form of the lists, joined ones apart, names of things blanked."""
    whole = tuple(words(reading))
    return without_things(tuple(piece for word in whole for piece in pieces(word)))


def _category_of(reading: str, *, sentence: bool = False) -> str | None:
    said = _said(reading)
    of = [roles(word) for word in said]
    found = {category for place in of for kind, category, _ in place if kind == "always"}
    found |= {role.category for _, one in found_phrases(said) for role in one.roles if role.kind == "always"}
    found |= {role.category for role in _sole(said, of) if role.kind == "=always"}
    found |= {category for category in CATEGORIES if _describes_person(of, category)}
    found |= set(_beside_people(said, of, sentence=sentence or len(said) > _LONGEST_TERM))
    if _states_height(reading):
        return "exact height"
    found |= set(_broken(said))
    return next((category for category in CATEGORIES if category in found), None)


def _has(of: Roles, *kinds: str) -> bool:
    return any(role.kind in kinds for role in of)


def _sole(said: tuple[str, ...], of: list[Roles]) -> Roles:
    """Roles of the one word that the term is, articles aside."""
    left = [place for word, place in zip(said, of, strict=True) if not _has(place, "fillers") or word == "-"]
    return left[0] if len(left) == 1 else frozenset()


def _describes_person(of: list[Roles], category: str) -> bool:
    """An attribute stands alone (among fillers), or in a term that speaks of a person or their looks."""
    attribute = [any(role.kind == "of-a-person" and role.category == category for role in place) for place in of]
    if not any(attribute):
        return False
    if any(_has(place, "people", "minors", "looks", "pronouns") for place in of):
        return True
    return all(one or _has(place, "fillers") for one, place in zip(attribute, of, strict=True))


def _beside_people(said: tuple[str, ...], of: list[Roles], *, sentence: bool) -> Iterator[str]:
    """Categories of ambiguous words right beside a person: "black man", not "black man-made lake"."""
    for at, place in enumerate(of):
        for role in place:
            if role.kind != "by-a-person":
                continue
            if _before_person(said, of, at, sentence=sentence or role.language != "en") or _after_person(
                said, of, at, adjective_first=role.language in _COLOUR_FIRST
            ):
                yield role.category


def _before_person(said: tuple[str, ...], of: list[Roles], at: int, *, sentence: bool) -> bool:
    if at + 1 >= len(said) or not _has(of[at + 1], "people", "minors", "pronouns"):
        return False
    third = said[at + 2] if at + 2 < len(said) else ""
    return sentence or third == "" or third in _FOLLOWERS or third.endswith("ing") or _has(of[at + 2], "people")


def _after_person(said: tuple[str, ...], of: list[Roles], at: int, *, adjective_first: bool) -> bool:
    if at == 0:
        return False
    if not adjective_first:
        return _has(of[at - 1], "people", "minors", "pronouns")
    ends = at + 1 == len(said) or said[at + 1] in _FOLLOWERS
    before = at - 1
    while before > 0 and said[before] in _ADVERBS:
        before -= 1
    copula = said[before] in _COPULAS
    person = before - 1 if copula else at - 1
    return ends and person >= 0 and _has(of[person], "people", "minors", "pronouns")


def _broken(said: tuple[str, ...]) -> Iterator[str]:
    """Categories of refused words that somebody wrote as two: "na ked"."""
    known = lexicon().exact
    for first, second in itertools.pairwise(said):
        whole = first + second
        if len(whole) >= _SHORTEST_BROKEN and not {first, second} & _SMALL_WORDS and not (roles(first) | roles(second)):
            yield from (role.category for role in known.get(whole, ()) if role.kind == "always")


def _is_of_people(said: tuple[str, ...]) -> bool:
    of = [roles(word) for word in said]
    told = any(_has(place, "people", "minors", "looks", "body", "somebody") for place in of)
    told = told or _has(_sole(said, of), "=people", "=minors", "=body")
    told = told or any(
        role.kind in ("people", "minors", "looks", "body") for _, one in found_phrases(said) for role in one.roles
    )
    return told and not all(_has(place, "somebody", "fillers") for place in of)


def _speaks_of_minor(reading: str) -> bool:
    said = _said(reading)
    of = [roles(word) for word in said]
    if any(_has(place, "minors") for place in of) or _has(_sole(said, of), "=minors"):
        return True
    if any(role.kind == "minors" for _, one in found_phrases(said) for role in one.roles):
        return True
    counted = _NUMBER_WORD.sub(lambda word: str(_NUMBERS[word[0]]), reading)
    ages = [int(next(filter(None, found.groups()))) for found in _AGE_OLD.finditer(counted)]
    if any(age < ADULT for age in ages) or re.search(r"\bmonths? old|weeks? old|days? old", counted):
        return True
    return any(_is_age(first, of[at + 1]) for at, first in enumerate(said[:-1]))


def _is_age(number: str, unit: Roles) -> bool:
    """A number below the age of adults before a word for years; English years may be of anything."""
    if not any(role.kind == "years" and role.language != "en" for role in unit):
        return False
    return int(number) < ADULT if number.isdigit() else number in _CJK_NUMBERS


def _states_height(reading: str) -> bool:
    """A measure that stands alone, or with a person or a word for height; "30 cm ruler" is a ruler."""
    if _FEET_AND_INCHES.search(reading):
        return True
    rest, found = _MEASURE.subn(" ", reading)
    said = _said(rest)
    of = [roles(word) for word in said]
    if found:
        about = any(_has(place, "height", "people", "minors", "looks") for place in of)
        return about or all(_has(place, "fillers") for place in of)
    told = [word for word, place in zip(said, of, strict=True) if _has(place, "height") and word not in _HOW_HIGH]
    return bool(told) and any(word.isdigit() for word in said)


#: Said of buildings as well: with a bare number they are no person's height.
_HOW_HIGH = frozenset(
    [
        "tall",
        "high",
        "alto",
        "alta",
        "haut",
        "hoch",
        "gross",
        "высокий",
        "高",
        "लंबा",
        "लंबी",
        "lamba",
        "লম্বা",
        "لمبا",
        "لمبی",
        "tinggi",
        "setinggi",
    ]
)
