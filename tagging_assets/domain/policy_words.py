"""The words behind ``policy``, read from ``words/*.txt``: one file per language, with its sources at its head.

A line is ``kind category: term, term, …``. The kinds:

- ``always``: refused wherever it stands. Only where no thing is called by it.
- ``of-a-person``: also the name of things; refused alone, or where the term speaks of a person.
- ``by-a-person``: mostly a colour, a shape or a country; refused only right beside a person.
- ``people``, ``minors`` (people, too), ``looks``, ``body``: what describes people; ``somebody`` says no more than that
  there is one.
- ``joins``: nothing by themselves, but they are joined to others ("oldman").
- ``fillers``: add nothing to an attribute; ``height`` and ``years`` are what a number is a measure of.
- ``things``: harmless, though they hold a listed word.

``word*``, ``*word`` and ``*word*`` stand for words that begin with, end in or hold it; ``=word`` counts only where it
is the whole term; several words are a phrase. What does not belong here: what follows from a word (``policy``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.policy_text import plain, words

_FOLDER = files(__package__) / "words"
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
    "asses": "ass",
    "feet": "foot",
}
_SHORT_KATAKANA = 3
#: Shortest piece of a joined word: "blackwoman" is black and woman, "bison" is no son.
_SHORTEST_PIECE = 3
_LONGEST_COMPOUND = 40
#: Articles and conjunctions that Arabic writes as one with the word.
_ARABIC_PREFIXES = ("وال", "بال", "لل", "ال", "و", "ب")


class Role(NamedTuple):
    """What a word is in one language's list.

    Attributes:
        kind: see the module.
        category: of what is refused, or ``""``.
        language: code of the list.
    """

    kind: str
    category: str
    language: str


Roles = frozenset[Role]
_NONE: Roles = frozenset()


class Phrase(NamedTuple):
    """Several words in a row."""

    words: tuple[str, ...]
    open_end: bool
    roles: Roles

    def fits(self, said: tuple[str, ...], start: int) -> bool:
        """Whether it stands at a place of a text."""
        end = start + len(self.words)
        part = said[start:end]
        if not self.open_end:
            return part == self.words
        return len(part) == len(self.words) and part[:-1] == self.words[:-1] and part[-1].startswith(self.words[-1])


@dataclass
class Lexicon:
    """All lists, ready to be asked.

    Attributes:
        exact: whole words.
        parts: by where the pattern is open (``start``, ``end``, ``both``), its fixed letters.
        phrases: by their first word, the longest first.
    """

    exact: dict[str, Roles] = field(default_factory=dict)
    parts: dict[str, dict[str, Roles]] = field(default_factory=lambda: {"start": {}, "end": {}, "both": {}})
    phrases: dict[str, list[Phrase]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    longest_cjk: int = 1

    def add(self, term: str, role: Role) -> None:
        """Take up one term of a list."""
        text = plain(term.strip("*="))
        said = (text,) if _is_cjk(text) else tuple(singular(word) for word in words(text))
        if term.startswith("="):
            role = role._replace(kind=f"={role.kind}")
        if len(said) > 1:
            self.phrases.setdefault(said[0], []).append(Phrase(said, term.endswith("*"), frozenset({role})))
            return
        word = words(text)[0] if "*" in term and not _is_cjk(text) else said[0]
        place = {(False, False): None, (True, False): "end", (False, True): "start", (True, True): "both"}[
            (term.startswith("*"), term.endswith("*"))
        ]
        table = self.exact if place is None else self.parts[place]
        table[word] = table.get(word, _NONE) | {role}

    def finish(self) -> "Lexicon":
        """Sort what was added."""
        for found in self.phrases.values():
            found.sort(key=lambda one: -len(one.words))
        self.sizes = {place: tuple(sorted({len(one) for one in table})) for place, table in self.parts.items()}
        self.longest_cjk = max(len(one) for one in self.exact if _is_cjk(one))
        return self


@cache
def lexicon() -> Lexicon:
    """The lists of all languages, read once."""
    found = Lexicon()
    for language, kind, category, term in entries():
        found.add(term, Role(kind, category, language))
    return found.finish()


def entries() -> Iterator[tuple[str, str, str, str]]:
    """Language, kind, category and term of every entry of every list."""
    for file in sorted(_FOLDER.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".txt"):
            yield from _entries_of(file.name.removesuffix(".txt"), file.read_text(encoding="utf-8"))


def _entries_of(language: str, text: str) -> Iterator[tuple[str, str, str, str]]:
    for line in text.replace("\n  ", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            head, _, body = line.partition(":")
            kind, _, category = head.partition(" ")
            for term in filter(None, (one.strip() for one in body.split(","))):
                yield language, kind, category, term


def words_hash() -> str:
    """Changes with every list."""
    return content_hash(sorted(list(entry) for entry in entries()))


def singular(word: str) -> str:
    """The form under which lists keep a word; a rough rule does, since only listed words matter."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if not word.isascii():
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=65_536)
def roles(word: str) -> Roles:
    """What a single word may be, in any language."""
    known = lexicon()
    forms = {word, singular(word)} | {word.removeprefix(one) for one in _ARABIC_PREFIXES if word.startswith(one)}
    found = frozenset[Role]().union(*(known.exact.get(one, _NONE) for one in forms))
    if any(role.kind == "things" for role in found):
        return found
    return found.union(*_by_parts(known, word))


def _by_parts(known: Lexicon, word: str) -> Iterator[Roles]:
    for size in known.sizes["start"]:
        # A singular may be shorter than what its plural begins with: "onlyfan".
        yield known.parts["start"].get(f"{word}s"[:size], _NONE)
    for size in known.sizes["end"]:
        yield known.parts["end"].get(word[-size:], _NONE)
    for size in known.sizes["both"]:
        for start in range(len(word) - size + 1):
            yield known.parts["both"].get(word[start : start + size], _NONE)


@lru_cache(maxsize=65_536)
def pieces(word: str) -> tuple[str, ...]:
    """A word as the listed words that it is joined of; itself where it is listed, or no such words make it up.

    Chinese and Japanese write without spaces: there the longest listed words are found, and the rest is passed over.
    """
    if _is_cjk(word):
        return tuple(_cjk_words(word))
    if roles(word) or not 2 * _SHORTEST_PIECE <= len(word) <= _LONGEST_COMPOUND:
        return (singular(word),)
    return _joined(word) or (singular(word),)


def _joined(word: str) -> tuple[str, ...] | None:
    ways: dict[int, tuple[str, ...]] = {0: ()}
    for end in range(_SHORTEST_PIECE, len(word) + 1):
        for start in range(end - _SHORTEST_PIECE + 1):
            piece = singular(word[start:end])
            if start in ways and len(piece) >= _SHORTEST_PIECE and _may_be_joined(piece):
                ways[end] = (*ways[start], piece)
                break
    found = ways.get(len(word))
    return found if found is not None and len(found) > 1 else None


def _may_be_joined(piece: str) -> bool:
    kinds = {role.kind for role in lexicon().exact.get(piece, _NONE)}
    return bool(kinds & {"always", "of-a-person", "by-a-person", "people", "minors", "looks", "joins"})


def _cjk_words(run: str) -> Iterator[str]:
    known, at = lexicon(), 0
    while at < len(run):
        for size in range(min(known.longest_cjk, len(run) - at), 0, -1):
            if run[at : at + size] in known.exact and _stands_alone(run, at, size):
                break
        else:
            size = 1
        yield run[at : at + size]
        at += size


def _stands_alone(run: str, at: int, size: int) -> bool:
    """Whether short katakana is a word of its own: イエロー (yellow) holds エロ, and means none."""
    word = run[at : at + size]
    if size > _SHORT_KATAKANA or not all(_is_katakana(sign) for sign in word):
        return True
    around = run[max(0, at - 1) : at] + run[at + size : at + size + 1]
    return not any(_is_katakana(sign) for sign in around)


def _is_katakana(sign: str) -> bool:
    return "\u30a0" <= sign <= "\u30ff"


def _is_cjk(text: str) -> bool:
    return bool(text) and all(_in_cjk(sign) for sign in text)


def _in_cjk(sign: str) -> bool:
    return (
        sign == "\u3005" or "\u3040" <= sign <= "\u30ff" or "\u3400" <= sign <= "\u9fff" or "\uf900" <= sign <= "\ufaff"
    )


def without_things(said: tuple[str, ...]) -> tuple[str, ...]:
    """Words with names of things blanked, so that "naked mole rat" is no nudity."""
    left = list(said)
    for start, phrase in found_phrases(said):
        if any(role.kind == "things" for role in phrase.roles):
            left[start : start + len(phrase.words)] = ["-"] * len(phrase.words)
    return tuple("-" if any(role.kind == "things" for role in roles(word)) else word for word in left)


def found_phrases(said: tuple[str, ...]) -> Iterator[tuple[int, Phrase]]:
    """Listed phrases in a text, with the place of each."""
    known: Mapping[str, Iterable[Phrase]] = lexicon().phrases
    for start, word in enumerate(said):
        for phrase in known.get(word, ()):
            if phrase.fits(said, start):
                yield start, phrase
