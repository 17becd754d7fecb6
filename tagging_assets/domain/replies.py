"""What a chat model's text is taken for: JSON of the form asked for, or the reason why there is none.

Text that is not such JSON is a typed outcome, never a tag. What does not belong here: which JSON a form wants and what
it means (``tagging_assets/domain/reply_forms.py``).
"""

import json
import re
from collections.abc import Iterator

from tagging_assets.domain.chat import Answer, Outcome, ReplyForm

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
# Some chat templates open the thinking themselves, so that only its end is in the reply.
_THOUGHT = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_REFUSAL = re.compile(
    r"\b(i['’]?m sorry|i am sorry|i can(?:no|['’])t|i can not|i am unable|i['’]m unable|i won['’]t|i will not"
    r"|as an ai\b|against (?:my|our) (?:policy|guidelines))",
    re.IGNORECASE,
)
_EXCERPT = 80
#: Longer broken JSON is no reply to questions like ours, and mending it takes its time.
_REPAIR_CHARACTERS = 20_000


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
    said = _THOUGHT.sub("", _THINKING.sub("", text or "")).strip()
    if not said:
        return Answer("invalid", error="said nothing")
    for value in _values(said):
        answer = form.read(value)
        if answer is not None:
            return answer
    outcome: Outcome = "refused" if _REFUSAL.search(said) else "invalid"
    return Answer(outcome, error=f"no JSON of the form {form.name} in: {one_line(said)}")


def one_line(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


def _values(said: str) -> Iterator[object]:
    """JSON values in a text, the likelier answer first."""
    fenced = [match.group(1).strip() for match in _FENCE.finditer(said)]
    wholes = [said, *reversed(fenced)]
    for candidate in wholes:
        yield from _value_at(candidate, 0, whole=True)
    for start in reversed([match.start() for match in re.finditer(r"\{", said)]):
        yield from _value_at(said, start, whole=False)
    for candidate in (*reversed(fenced), said):
        yield from _mended(candidate)


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
    last = max(text.rfind("}"), text.rfind("]"))
    broken = text[first.start() : last + 1] if last > first.start() else text[first.start() :].rstrip()
    if broken[-1].isalnum():
        return
    try:
        yield json_repair.loads(broken)
    except (ValueError, RecursionError):
        return
