"""What may be asked of a chat model, and what its answer is taken for.

A model only ever chooses from a list: the reply is JSON held to a schema, anything outside the list is dropped,
and text that is not such JSON is a typed outcome, never a tag.

What does not belong here: HTTP, keys and retries (``resources/llm_client.py``); wording (``prompts/llm``).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.prompts import Message

Outcome = Literal["ok", "empty", "refused", "truncated", "invalid", "timed_out", "rate_limited", "failed"]

#: Answers that stand: asking the same again would say the same.
ANSWERED: frozenset[str] = frozenset({"ok", "empty"})

#: Bumped where :func:`narrow` or :func:`read_reply` would make other tags of the same answer.
READING = "reply/1"

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_REFUSAL = re.compile(
    r"\b(i['’]?m sorry|i am sorry|i can(?:no|['’])t|i can not|i am unable|i['’]m unable|i won['’]t|i will not"
    r"|as an ai\b|against (?:my|our) (?:policy|guidelines))",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model's text was taken for.

    Attributes:
        outcome: ``ok``, ``empty``, ``refused``, ``truncated`` or ``invalid``.
        tags: best first, without repetition, all allowed; empty unless ``ok``.
        error: one line, or ``""``.
    """

    outcome: Outcome
    tags: tuple[str, ...] = ()
    error: str = ""


def narrow(
    vocabulary: Sequence[str],
    visual_tags: Sequence[tuple[str, float]],
    cap: int,
    *,
    text: str = "",
    fill: bool = True,
) -> tuple[str, ...]:
    """Choose which tags to put before a model.

    First those seen in the photo, best first; then those that the text names, whole words only; then the rest
    of the vocabulary in its own order. Early places matter: small models prefer them, and the cap cuts the end.

    Args:
        vocabulary: every tag that may be answered.
        visual_tags: (tag, score) pairs; tags outside the vocabulary are left out.
        cap: at most so many.
        text: caption and file name.
        fill: whether tags that nothing speaks for may fill up the list. A model of a few hundred million
            parameters picks from such fillers at random.
    """
    allowed = set(vocabulary)
    seen = [tag for tag, _ in sorted(visual_tags, key=lambda pair: -pair[1]) if tag in allowed]
    words = _words(text)
    named = [tag for tag in vocabulary if words and _names(words, tag)]
    rest = vocabulary if fill else ()
    return tuple(dict.fromkeys([*seen, *named, *rest]))[:cap]


def reply_schema(allowed: Sequence[str], max_tags: int) -> dict[str, Any]:
    """JSON schema of the one reply wanted: ``{"tags": […]}``, at most ``max_tags`` of ``allowed``.

    Raises:
        ValueError: nothing is allowed, so nothing can be asked.
    """
    if not allowed:
        raise ValueError("no tag is allowed")
    return {
        "type": "object",
        "properties": {
            "tags": {
                "type": "array",
                "items": {"type": "string", "enum": list(allowed)},
                "maxItems": min(max_tags, len(allowed)),
            }
        },
        "required": ["tags"],
        "additionalProperties": False,
    }


def request_hash(
    *,
    model: str,
    revision: str,
    prompt_hash: str,
    messages: Sequence[Message],
    parameters: Mapping[str, object],
    response_format: Mapping[str, object],
) -> str:
    """SHA-256 (64 hex digits) of everything about a request that can change its answer.

    Where the model is served does not count: the same weights elsewhere say the same.
    """
    return content_hash(
        {
            "model": model,
            "revision": revision,
            "prompt": prompt_hash,
            "messages": [[message.role, message.content] for message in messages],
            "parameters": dict(parameters),
            "response_format": dict(response_format),
        }
    )


def read_reply(
    text: str | None,
    *,
    allowed: Sequence[str],
    max_tags: int,
    finish_reason: str | None = "stop",
    refusal: str | None = None,
) -> Answer:
    """Turn what a model said into tags, or into the reason why there are none.

    Accepted is JSON, ``{"tags": ["…"]}`` or a bare list, alone or inside a code fence or prose, after any thinking
    aloud. Case and spacing of a tag are forgiven, other spellings are not.

    Args:
        text: the message content; ``None`` where the provider sent none.
        allowed: the tags that were put before the model.
        max_tags: more than so many are cut.
        finish_reason: as the provider says; ``length`` and ``content_filter`` matter.
        refusal: the provider's own refusal field.
    """
    if refusal or finish_reason == "content_filter":
        return Answer("refused", error=_line(refusal or "stopped by the provider's content filter"))
    if finish_reason == "length":
        return Answer("truncated", error="ran out of output tokens; raise max_output_tokens")
    said = _THINKING.sub("", text or "").strip()
    if not said:
        return Answer("invalid", error="said nothing")
    named = _tags_in(said)
    if named is None:
        outcome: Outcome = "refused" if _REFUSAL.search(said) else "invalid"
        return Answer(outcome, error=f"no JSON with tags in: {_line(said)}")
    return _within(named, allowed, max_tags)


def _within(named: Sequence[object], allowed: Sequence[str], max_tags: int) -> Answer:
    spelling = {_plain(tag): tag for tag in reversed(allowed)} | {tag: tag for tag in allowed}
    tags = [spelling.get(tag) or spelling.get(_plain(tag)) for tag in named if isinstance(tag, str)]
    kept = tuple(dict.fromkeys(tag for tag in tags if tag))[:max_tags]
    if kept:
        return Answer("ok", kept)
    if not named:
        return Answer("empty")
    return Answer("invalid", error=f"none of its tags is allowed: {_line(json.dumps(named, ensure_ascii=False))}")


def _tags_in(said: str) -> list[object] | None:
    """The list of tags in a reply; ``None`` where there is no such JSON.

    Of several the last one counts: models that think aloud repeat the example first and answer at the end.
    """
    fenced = [match.group(1).strip() for match in _FENCE.finditer(said)]
    for candidate in (said, *reversed(fenced)):
        found = _tags_at(candidate, 0)
        if found is not None:
            return found
    for start in reversed([match.start() for match in re.finditer(r"\{", said)]):
        found = _tags_at(said, start, whole=False)
        if found is not None:
            return found
    return None


def _tags_at(text: str, start: int, *, whole: bool = True) -> list[object] | None:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if whole and end != len(text):
        return None
    if isinstance(value, dict):
        value = value.get("tags")
    return value if isinstance(value, list) else None


def _plain(tag: str) -> str:
    return " ".join(tag.replace("_", " ").split()).casefold()


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text.replace("_", " "))]


def _names(words: Sequence[str], tag: str) -> bool:
    """Whether the words of a tag stand in a row in the text; a plain plural counts as well."""
    parts = _words(tag)
    length = len(parts)
    if not parts:
        return False
    plural = [*parts[:-1], f"{parts[-1]}s"]
    rows = (list(words[start : start + length]) for start in range(len(words) - length + 1))
    return any(row in (parts, plural) for row in rows)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"
