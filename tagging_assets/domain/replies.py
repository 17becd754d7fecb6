"""What a chat model's text is taken for: JSON of the form asked for, or the reason why there is none.

Text that is not such JSON is a typed outcome, never a tag. What does not belong here: which JSON a form wants and what
it means (``tagging_assets/domain/reply_forms.py``).
"""

import json
import re
from collections.abc import Iterator

from tagging_assets.domain.chat import Answer, Outcome, ReplyForm
from tagging_assets.domain.printable import storable

_THOUGHT = re.compile(r"<(/?)(think|thinking|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_BRACKET = re.compile(r"[{}\[\]]")
_REFUSAL = re.compile(
    r"\b(i['’]?m sorry|i am sorry|i can(?:no|['’])t|i can not|i am unable|i['’]m unable|i won['’]t|i will not"
    r"|as an ai\b|against (?:my|our) (?:policy|guidelines))",
    re.IGNORECASE,
)
_EXCERPT = 80
#: Longer texts are no reply to questions like ours; of what was thought aloud before it, the end counts.
_LONGEST = 100_000
#: Longer broken JSON is no reply either, and mending it takes its time.
_REPAIR_CHARACTERS = 20_000
#: Replies nest three levels. Deeper ones are not mended, and not looked into either.
_DEEPEST = 20
#: So many fenced blocks are mended.
_MOST_FENCES = 3
#: So many places are tried where JSON may begin: of several values the last counts.
_MOST_STARTS = 50


def read_text(
    text: str | None, form: ReplyForm, finish_reason: str | None = "stop", refusal: str | None = None
) -> Answer:
    """Turn what a model said into an answer.

    Read is JSON of the form, alone or inside a code fence or prose, after any thinking aloud; of several values the
    last counts, as models repeat the example first. JSON with small faults (a comma too many, single quotes, a bracket
    missing) is mended, unless it breaks off within a word: half a word may be another tag.

    Args:
        text: the message content; ``None`` where the provider sent none.
        form: what was asked for.
        finish_reason: as the provider says; ``length`` and ``content_filter`` matter.
        refusal: the provider's own refusal field.
    """
    if refusal or finish_reason == "content_filter":
        return Answer("refused", error=one_line(refusal or "stopped by the provider's content filter"))
    if finish_reason == "length":
        return Answer("truncated", error="ran out of output tokens; raise llm.sampling.max_output_tokens")
    said = _spoken(text or "").strip()
    if not said:
        return Answer("invalid", error="said nothing")
    if len(said) > _LONGEST:
        return Answer("invalid", error=f"{len(said)} letters are no reply; it begins: {one_line(said)}")
    for value in _values(said):
        answer = form.read(_kept(value))
        if answer is not None:
            return answer
    outcome: Outcome = "refused" if _REFUSAL.search(said) else "invalid"
    return Answer(outcome, error=f"no JSON of the form {form.name} in: {one_line(said)}")


def _spoken(text: str) -> str:
    """A text without what was thought aloud: from a mark to its end mark, and what is before an end mark alone.

    Some chat templates open the thinking themselves, so that only its end is in the reply.
    """
    kept: list[str] = []
    done, opened = 0, ""
    for mark in _THOUGHT.finditer(text):
        closing, kind = bool(mark[1]), mark[2].lower()
        if opened and (not closing or kind != opened):
            continue
        if opened:
            opened = ""
        elif closing:
            kept.clear()
        else:
            kept.append(text[done : mark.start()])
            opened = kind
        done = mark.end()
    return "".join(kept) if opened else "".join((*kept, text[done:]))


def _kept(value: object, depth: int = 0) -> object:
    """JSON as it can be stored: without NUL and halves of letters; what is nested beyond sense is left out."""
    if isinstance(value, str):
        return storable(value)
    if depth >= _DEEPEST:
        return None
    if isinstance(value, list):
        return [_kept(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {storable(name): _kept(one, depth + 1) for name, one in value.items()}
    return value


def one_line(text: str) -> str:
    """The beginning of a text, on one line."""
    line = storable(" ".join(text[: 20 * _EXCERPT].split()))
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


def _values(said: str) -> Iterator[object]:
    """JSON values in a text, the likelier answer first."""
    fenced = [match.group(1).strip() for match in _FENCE.finditer(said)][-_MOST_STARTS:]
    for candidate in (said, *reversed(fenced)):
        yield from _value_at(candidate, 0, whole=True)
    # A value that breaks off takes as long as all that is behind it: from so many starts on it is no slip.
    for start in _starts(said):
        yield from _value_at(said, start, whole=False)
    for candidate in (*reversed(fenced[-_MOST_FENCES:]), said):
        yield from _mended(candidate)


def _starts(said: str) -> Iterator[int]:
    """Where values may begin, the last first."""
    start = len(said)
    for _ in range(_MOST_STARTS):
        start = said.rfind("{", 0, start)
        if start < 0:
            return
        yield start


def _value_at(text: str, start: int, *, whole: bool) -> Iterator[object]:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return
    if end == len(text) or not whole:
        yield value


def _mended(text: str) -> Iterator[object]:
    """The value of broken JSON, from its first bracket on."""
    # Costs 60 ms, and most replies are sound.
    import json_repair

    first = _OPENING.search(text)
    if first is None or len(text) > _REPAIR_CHARACTERS:
        return
    if _depth(text) > _DEEPEST:
        return
    last = max(text.rfind("}"), text.rfind("]"))
    broken = text[first.start() : last + 1] if last > first.start() else text[first.start() :].rstrip()
    if broken[-1].isalnum():
        return
    try:
        yield json_repair.loads(broken)
    except (ValueError, RecursionError):
        return


def _depth(text: str) -> int:
    """How deep brackets nest at most, those in quotes among them."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "{[" else -1
        deepest = max(deepest, depth)
    return deepest
