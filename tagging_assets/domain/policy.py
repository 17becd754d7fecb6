"""What must never be tagged, whoever asks and whatever a model says.

Refused are a person's ethnicity or race, religion, health, sexual orientation and exact height, explicit content
and intimate body parts. Terms are judged by whole words, never by substrings, and by what the words are about: an
attribute of a *person* is refused ("Persian woman"), the same word on a thing is not ("Persian cat", "racing car",
"Catholic church"). Garments and devices are things too ("abaya", "crutch"). In doubt a term is refused: a tag lost
costs less than a person described against their will.

The word lists are English, as the models' vocabularies are. What does not belong here: which tags an operator bans
for other reasons (``rules``).
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from tagging_assets.domain.errors import PolicyError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.policy_words import (
    ALWAYS,
    BODY,
    BODY_PHRASES,
    COLOUR_BEFORE_PERSON,
    FILLERS,
    LOOKS,
    OF_A_PERSON,
    ORIENTATION_BEFORE_PERSON,
    PEOPLE,
    PHRASES,
    SOMEBODY,
    THINGS,
)

_PERSON_WORDS = PEOPLE | LOOKS
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "people": "person",
    "peoples": "person",
    "children": "child",
    "kids": "kid",
    "ladies": "lady",
    "babies": "baby",
    "wives": "wife",
    "blinds": "shutter",  # of a window
    "boobies": "boob",
    "trans": "trans",
}
_WORD = re.compile(r"[a-z]+|\d+")
#: Signs, at least one of them none of a sentence, among which letters and digits stand alone.
_FACE = re.compile(r"(?=.*[:;^=@<>|_\\])(?:[a-zA-Z0-9]?[^a-zA-Z0-9\s])+[a-zA-Z0-9]?", re.ASCII)
_POSSESSIVE = re.compile(r"(?<=[a-z])['’]s\b")

_NUMBER = r"(?:\d+(?:[.,]\d+)?|four|five|six|seven)"
_UNIT = r"(?:cm|centimet(?:er|re)s?|m|met(?:er|re)s?|ft|feet|foot|in|inch(?:es)?|['′’\"″”])"
_MEASURE = re.compile(rf"(?<![\w.]){_NUMBER}[\s-]*{_UNIT}(?![a-z])(?:\s*\d{{1,2}}\s*{_UNIT}?(?![a-z]))?")
_FEET_AND_INCHES = re.compile(r"(?<!\d)[3-8]\s*['′’]\s*(?:\d|1[01])(?!\d)")
_HEIGHT_WORDS = frozenset({"tall", "height", "high", "stature"})
_FOLLOWERS = frozenset(
    ["in", "with", "on", "at", "and", "or", "of", "by", "from", "near", "under", "wearing", "holding"]
)

#: Part of the recipes of what is filtered: rows that were stored before a word was known are made again.
WORDS_HASH = content_hash(
    [
        *(ALWAYS, BODY, BODY_PHRASES, COLOUR_BEFORE_PERSON, FILLERS, LOOKS, OF_A_PERSON, ORIENTATION_BEFORE_PERSON),
        *(PEOPLE, PHRASES, SOMEBODY, THINGS),
    ]
)


@lru_cache(maxsize=65_536)
def refused(term: str) -> str | None:
    """Why a term must not be tagged.

    Args:
        term: a tag, label or prompt in any case and spelling; underscores, hyphens and colons separate words.

    Returns:
        ``ethnicity``, ``religion``, ``health``, ``sexual orientation``, ``exact height``, ``explicit content`` or
        ``intimate body parts``; ``None`` where the term may be tagged.
    """
    plain = _plain(term)
    if _states_height(plain):
        return "exact height"
    words = _without(_words(plain), THINGS)
    for category, phrases in PHRASES.items():
        if any(_find(words, phrase) is not None for phrase in phrases):
            return category
    for category, always in ALWAYS.items():
        if not always.isdisjoint(words):
            return category
    for category, attributes in OF_A_PERSON.items():
        if _describes_person(words, attributes):
            return category
    if _before_person(words, COLOUR_BEFORE_PERSON):
        return "ethnicity"
    if _before_person(words, ORIENTATION_BEFORE_PERSON):
        return "sexual orientation"
    return None


def refused_sentence(sentence: str) -> str | None:
    """Why a sentence must not be said of a photo: as :func:`refused`, and of every word right before a person.

    A term is short, so an adjective counts where it ends in a person; in a sentence, people go on to do something
    ("a black man walks"). In doubt a sentence is refused.
    """
    category = refused(sentence)
    if category is not None:
        return category
    words = _without(_words(_plain(sentence)), THINGS)
    pairs = (f"{first} {second}" for first, second in itertools.pairwise(words) if second in PEOPLE)
    return next((found for pair in pairs if (found := refused(pair)) is not None), None)


@lru_cache(maxsize=65_536)
def describes_people(term: str) -> bool:
    """Whether a term tells more of people than that somebody is there: number, sex, age, body, face or hair.

    Such terms are stored and tagged only where :func:`person_attributes_allowed`. Clothes are things. In doubt a term
    describes people: "cat ears" does, and so does what is drawn as a face, such as ``^_^`` and ``:d``.
    """
    words = _words(_plain(term))
    if _FACE.fullmatch(term) or any(_find(words, phrase) is not None for phrase in BODY_PHRASES):
        return True
    return words not in SOMEBODY and not (PEOPLE | LOOKS | BODY).isdisjoint(words)


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


def _plain(term: str) -> str:
    """Lower case without accents; possessives and underscores gone."""
    decomposed = unicodedata.normalize("NFKD", term)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
    return _POSSESSIVE.sub("", bare.replace("_", " "))


def _words(plain: str) -> tuple[str, ...]:
    return tuple(_singular(word) for word in _WORD.findall(plain))


def _singular(word: str) -> str:
    """The form under which ``policy_words`` keeps it; a rough rule does, since only listed words matter."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _find(words: tuple[str, ...], phrase: tuple[str, ...]) -> int | None:
    for start in range(len(words) - len(phrase) + 1):
        if words[start : start + len(phrase)] == phrase:
            return start
    return None


def _without(words: tuple[str, ...], things: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Words with names of things blanked, so that "naked mole rat" is no nudity."""
    for thing in things:
        start = _find(words, thing)
        if start is not None:
            words = (*words[:start], "thing", *words[start + len(thing) :])
    return words


def _describes_person(words: tuple[str, ...], attributes: frozenset[str]) -> bool:
    """An attribute stands alone (among fillers), or beside a word for a person or their looks."""
    if attributes.isdisjoint(words):
        return False
    return not _PERSON_WORDS.isdisjoint(words) or all(word in attributes or word in FILLERS for word in words)


def _before_person(words: tuple[str, ...], attributes: frozenset[str]) -> bool:
    """An ambiguous adjective right before a person ("black man"), not before a thing named after one."""
    for first, second, third in zip(words, words[1:], (*words[2:], ""), strict=False):
        person = first in attributes and second in PEOPLE
        if person and (third in _FOLLOWERS or third in PEOPLE or third == "" or third.endswith("ing")):
            return True
    return False


def _states_height(plain: str) -> bool:
    """A measure that stands alone, or with a person or a word for height; "30 cm ruler" is a ruler."""
    if _FEET_AND_INCHES.search(plain):
        return True
    rest, found = _MEASURE.subn(" ", plain)
    words = _words(rest)
    about = not _HEIGHT_WORDS.isdisjoint(words) or not _PERSON_WORDS.isdisjoint(words)
    if found:
        return about or not words
    return "height" in words and any(word.isdigit() for word in words)
