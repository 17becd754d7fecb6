"""A provider's batch as plain values: what its files say, what its state means, who is to hear of its answers.

The files are OpenAI's: one JSON object a line, in any order, joined to the questions by ``custom_id``
(https://platform.openai.com/docs/api-reference/batch). What does not belong here: sending and storing them
(``resources/provider_batches.py``).
"""

import decimal
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagging_assets.domain.chat import Outcome, Usage

#: What the provider calls a batch that it is through with.
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})

#: State of a batch that was taken out of the queue, and of which nobody knows yet whether the provider has it.
SUBMITTING = "submitting"

#: A batch that was refused for one of these is no fault of its questions: the provider has enough to do.
BUSY = frozenset({"token_limit_exceeded", "rate_limit_exceeded", "request_limit_exceeded", "quota_exceeded"})

#: What an endpoint's status means for a question; others of 400 and above are the question's own fault.
_STATUS_OUTCOMES: Mapping[int, Outcome] = {408: "timed_out", 409: "failed", 425: "failed", 429: "rate_limited"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How large one batch may be.

    Attributes:
        questions: lines of its file; OpenAI takes 50,000.
        bytes: of its file; Together takes 100 MB, OpenAI 200.
    """

    questions: int = 50_000
    bytes: int = 90_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """What a batch says about one question.

    Attributes:
        request_hash: the question's.
        outcome: ``ok``, ``empty``, ``refused`` or ``truncated`` where the model spoke; its words are read for tags
            by whoever asks the question again.
        error: one line, where it did not speak.
        retryable: whether another batch may do better.
        text: the words.
        refusal: the provider's own refusal field.
        finish_reason: as the provider says.
        usage: tokens; money only where the provider itself reports it.
    """

    request_hash: str
    outcome: Outcome
    error: str = ""
    retryable: bool = False
    text: str | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def answered(self) -> bool:
        """Whether the model spoke; that is paid for."""
        return not self.error


def question_line(request_hash: str, body: str) -> bytes:
    """One line of the file that is handed in.

    Args:
        request_hash: becomes the ``custom_id``.
        body: the request as JSON text.
    """
    said = json.dumps(request_hash)
    return f'{{"custom_id":{said},"method":"POST","url":"/v1/chat/completions","body":{body}}}\n'.encode()


def read_rows(*files: bytes) -> dict[str, Row]:
    """Rows by question, from the files that a batch came back with.

    Lines that are no JSON (the last of half a file) say nothing. Of several rows for one question the first that is
    an answer counts.
    """
    rows: dict[str, Row] = {}
    for file in files:
        # Not splitlines: JSON text may hold other characters that Python takes for an end of line.
        for line in file.split(b"\n"):
            row = _read(line)
            if row is not None and (row.request_hash not in rows or row.answered > rows[row.request_hash].answered):
                rows[row.request_hash] = row
    return rows


def _read(line: bytes) -> Row | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("custom_id"), str):
        return None
    custom_id, response = said["custom_id"], _mapping(said.get("response"))
    status = response.get("status_code")
    if said.get("error") or not response:
        error = _mapping(said.get("error"))
        return Row(custom_id, "failed", _complaint(error, "the batch has no answer to it"), retryable=True)
    if isinstance(status, int) and status >= 400:
        error = _mapping(_mapping(response.get("body")).get("error"))
        outcome = _STATUS_OUTCOMES.get(status, "failed")
        retryable = status >= 500 or status in _STATUS_OUTCOMES
        return Row(custom_id, outcome, f"HTTP {status}: {_complaint(error, 'no reason given')}", retryable=retryable)
    return _spoken(custom_id, _mapping(response.get("body")))


def _spoken(custom_id: str, body: Mapping[str, Any]) -> Row:
    choices = body.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    if not isinstance(choice.get("message"), dict):
        return Row(custom_id, "invalid", "the row is no chat completion", retryable=True)
    message = choice["message"]
    text, refusal = _text(message.get("content")), _text(message.get("refusal"))
    finish_reason = _text(choice.get("finish_reason"))
    return Row(
        custom_id,
        _outcome(text, refusal, finish_reason),
        text=text,
        refusal=refusal,
        finish_reason=finish_reason,
        usage=_usage(_mapping(body.get("usage"))),
    )


def _outcome(text: str | None, refusal: str | None, finish_reason: str | None) -> Outcome:
    if refusal or finish_reason == "content_filter":
        return "refused"
    if finish_reason == "length":
        return "truncated"
    return "ok" if text and text.strip() else "empty"


def _usage(said: Mapping[str, Any]) -> Usage:
    cost = said.get("cost")
    known = isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0
    return Usage(
        prompt_tokens=_count(said.get("prompt_tokens")),
        completion_tokens=_count(said.get("completion_tokens")),
        cached_tokens=_count(_mapping(said.get("prompt_tokens_details")).get("cached_tokens")),
        cost_usd=decimal.Decimal(str(cost)) if known else None,
        cost_source="provider" if known else "",
    )


def _mapping(said: object) -> Mapping[str, Any]:
    return said if isinstance(said, dict) else {}


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and said else None


def _count(said: object) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and said >= 0 else None


def _complaint(error: Mapping[str, Any], otherwise: str) -> str:
    said = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    return " ".join(said.split())[:200] or otherwise


def fitting(sizes: Sequence[int], limits: Limits) -> int:
    """How many questions, from the first on, go into one batch; at least one, if there is one.

    Args:
        sizes: bytes of each question's line.
        limits: of one batch.
    """
    total = 0
    for count, size in enumerate(sizes[: limits.questions]):
        total += size
        if count and total > limits.bytes:
            return count
    return min(len(sizes), limits.questions)


@dataclass(frozen=True, slots=True)
class News:
    """An image batch with questions that waited, and the newest provider's batch collected since it was last run.

    Attributes:
        batch: the partition.
        provider_batch: the provider's id.
    """

    batch: str
    provider_batch: str

    @property
    def run_key(self) -> str:
        """Names the one run that these news may cause: news that help nothing are not acted upon again."""
        return f"{self.batch}/{self.provider_batch}"


def heard(news: Iterable[News], under_way: Collection[str], at_once: int, claim: Callable[[News], bool]) -> list[News]:
    """Those to be run now, so that answers are used at once.

    Args:
        news: of image batches.
        under_way: image batches that are being run; they have their turn when that is over.
        at_once: image batches that may be run at a time.
        claim: asked last, and only while there is room: whether nobody else has asked for that run.
    """
    chosen: list[News] = []
    for one in news:
        if len(under_way) + len(chosen) < at_once and one.batch not in under_way and claim(one):
            chosen.append(one)
    return chosen
