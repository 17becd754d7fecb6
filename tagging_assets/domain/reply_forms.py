"""The forms that replies are wanted in, one per kind of prompt: their JSON schemas, and what JSON of them means.

Whatever a model says, a tag is only what the allowed list holds, and free words pass the policy: a sentence about
what must never be said of a person goes, with a word in ``Answer.error`` of what kind it was, and is kept nowhere.

What does not belong here: finding JSON in what a model wrote (``replies``).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagging_assets.domain.chat import Answer
from tagging_assets.domain.policy import filter_terms, refused, refused_sentence
from tagging_assets.domain.rules import normalise_tag

_TOKENS_PER_TAG = 24
_TOKENS_BESIDE = 32
_EXCERPT = 80
_LONGEST = {"caption": 400, "title": 120, "description": 1000, "why": 400}
_LONGEST_KEYWORD = 60
_LONGEST_FILE_NAME = 80

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+")
#: Small models hand a form's dots back.
_SAYS_SOMETHING = re.compile(r"\w")
_ENDING = re.compile(r"\.[A-Za-z0-9]{2,4}$")
_UNSAFE = re.compile(r"[^\w.-]+")
#: Names that Windows keeps for devices, whatever follows.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class TagsForm:
    """``{"tags": […]}``: the best of the allowed tags.

    Attributes:
        allowed: the tags that are put before the model; at least one.
        max_tags: more than so many are cut.
    """

    allowed: tuple[str, ...]
    max_tags: int
    name: str = "photo_tags"

    def __post_init__(self) -> None:
        """Refuse to ask about nothing.

        Raises:
            ValueError: nothing is allowed, so nothing can be asked.
        """
        if not self.allowed:
            raise ValueError("no tag is allowed")

    @property
    def schema(self) -> Mapping[str, Any]:
        """At most ``max_tags`` of ``allowed``."""
        most = min(self.max_tags, len(self.allowed))
        items = {"type": "string", "enum": list(self.allowed)}
        return _schema(tags={"type": "array", "items": items, "maxItems": most})

    @property
    def output_tokens(self) -> int:
        """Room for ``max_tags`` long tags."""
        return _TOKENS_BESIDE + _TOKENS_PER_TAG * self.max_tags

    def read(self, said: object) -> Answer | None:
        """Tags of ``{"tags": […]}`` or of a bare list. Case and spacing are forgiven, other spellings are not."""
        named = said.get("tags") if isinstance(said, Mapping) else said
        if not isinstance(named, list):
            return None
        spelling = {_plain(tag): tag for tag in reversed(self.allowed)} | {tag: tag for tag in self.allowed}
        words = [one for one in named if isinstance(one, str) and one.strip()]
        found = [(word, spelling.get(word) or spelling.get(_plain(word))) for word in words]
        outside = tuple(dict.fromkeys(_line(word) for word, tag in found if tag is None))
        kept = tuple(dict.fromkeys(tag for _, tag in found if tag))[: self.max_tags]
        if kept:
            return Answer("ok", kept, outside)
        if not named:
            return Answer("empty")
        excerpt = _line(json.dumps(named, ensure_ascii=False))
        return Answer("invalid", outside=outside, error=f"none of its tags is allowed: {excerpt}")


@dataclass(frozen=True)
class CaptionForm:
    """``{"caption": "…"}``: a sentence or two."""

    name: str = "photo_caption"
    output_tokens: int = 200

    @property
    def schema(self) -> Mapping[str, Any]:
        """One text."""
        return _schema(caption={"type": "string"})

    def read(self, said: object) -> Answer | None:
        """The caption, without sentences that the policy refuses."""
        if not isinstance(said, Mapping) or not isinstance(said.get("caption"), str):
            return None
        text, dropped = _permitted(said["caption"], "caption")
        return Answer("ok" if text else "empty", fields={"caption": text} if text else {}, error=_told(dropped))


@dataclass(frozen=True)
class ClassifyForm:
    """``{"title", "description", "keywords", "file_name"}``.

    Attributes:
        max_tags: keywords beyond so many are cut.
    """

    max_tags: int
    name: str = "photo_record"

    @property
    def schema(self) -> Mapping[str, Any]:
        """Four keys."""
        text = {"type": "string"}
        return _schema(title=text, description=text, keywords={"type": "array", "items": text}, file_name=text)

    @property
    def output_tokens(self) -> int:
        """Room for the texts and ``max_tags`` long keywords."""
        return 320 + _TOKENS_PER_TAG * self.max_tags

    def read(self, said: object) -> Answer | None:
        """Fields ``title``, ``description``, ``file_name``, and keywords as tags, each as far as the policy goes."""
        if not isinstance(said, Mapping) or said.keys().isdisjoint(("title", "description", "keywords")):
            return None
        title, no_title = _permitted(_text(said.get("title")), "title")
        description, no_description = _permitted(_text(said.get("description")), "description")
        file_name, no_name = _file_name(_text(said.get("file_name")))
        keywords, no_keywords = _keywords(said.get("keywords"))
        fields = {"title": title, "description": description, "file_name": file_name}
        kept = {name: text for name, text in fields.items() if text}
        dropped = [*no_title, *no_description, *no_name, *no_keywords]
        return Answer(
            "ok" if kept or keywords else "empty", keywords[: self.max_tags], fields=kept, error=_told(dropped)
        )


@dataclass(frozen=True)
class JudgeForm:
    """``{"why": "…", "winner": "a" | "b" | "tie"}``; the reason comes first, so that the verdict can follow from it."""

    name: str = "verdict"
    output_tokens: int = 200

    @property
    def schema(self) -> Mapping[str, Any]:
        """A reason and a winner."""
        return _schema(why={"type": "string"}, winner={"type": "string", "enum": ["a", "b", "tie"]})

    def read(self, said: object) -> Answer | None:
        """Fields ``winner`` and ``why``; ``None`` without a winner, for half a verdict is none."""
        if not isinstance(said, Mapping):
            return None
        winner = _text(said.get("winner")).strip().lower()
        if winner not in ("a", "b", "tie"):
            return None
        why, dropped = _permitted(_text(said.get("why")), "why")
        return Answer("ok", fields={"winner": winner, "why": why}, error=_told(dropped))


def _schema(**properties: object) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _permitted(text: str, field: str) -> tuple[str, list[str]]:
    """The sentences of a text that may be said, in the room of its field, and the kinds of those that may not."""
    kept: list[str] = []
    dropped: list[str] = []
    if not _SAYS_SOMETHING.search(text):
        return "", []
    for sentence in _SENTENCE_END.split(" ".join(text.split())):
        category = refused_sentence(sentence)
        if category is None:
            kept.append(sentence)
        else:
            dropped.append(category)
    return " ".join(kept)[: _LONGEST[field]].strip(), dropped


def _keywords(said: object) -> tuple[tuple[str, ...], list[str]]:
    words = [normalise_tag(one) for one in said if isinstance(one, str)] if isinstance(said, list) else []
    fitting = [word.strip(" .,;#") for word in words if len(word) <= _LONGEST_KEYWORD]
    kept, dropped = filter_terms(dict.fromkeys(word for word in fitting if _SAYS_SOMETHING.search(word)))
    return tuple(kept), list(dropped.values())


def _file_name(said: str) -> tuple[str, list[str]]:
    """A name without folder and ending that any file system takes, or ``""``."""
    last = re.split(r"[/\\]", said.strip())[-1]
    bare = _UNSAFE.sub("-", _ENDING.sub("", last)).strip("-._")[:_LONGEST_FILE_NAME].strip("-._")
    if not bare or _DEVICES.match(bare):
        return "", []
    category = refused(re.sub(r"[-_.]+", " ", bare))
    return ("", [category]) if category else (bare, [])


def _told(dropped: Sequence[str]) -> str:
    """What kinds of things were left out; never which words, for that would keep them."""
    if not dropped:
        return ""
    return f"left out by policy: {', '.join(sorted(set(dropped)))}"


def _plain(tag: str) -> str:
    return " ".join(tag.replace("_", " ").split()).casefold()


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


#: The form of each mode whose reply is no choice among allowed tags.
FREE_FORMS: Mapping[str, Callable[[int], CaptionForm | ClassifyForm]] = {
    "caption": lambda _max_tags: CaptionForm(),
    "classify": ClassifyForm,
}
