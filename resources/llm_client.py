"""Asks a chat model to choose tags: prompt, ledger, retries. Implements ``domain.models.TagSuggester``.

The same question is asked once: an answer in the ledger is read again instead. What does not belong here: HTTP
(``resources/llm_transport.py``), which tags are put before the model (``domain/asking.py``).
"""

import decimal
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Protocol

from resources.ledger import Call, PastReply
from resources.llm_breaker import Breaker
from resources.llm_transport import ChatTransport, Dialect, Exchange
from tagging_assets.domain.llm import (
    ANSWERED,
    READING,
    Answer,
    narrow,
    read_reply,
    reply_schema,
    request_hash,
)
from tagging_assets.domain.models import ChatReply, ModelCard
from tagging_assets.domain.prompts import Message, Prompt, render

logger = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 1.0
_TOKENS_PER_TAG = 24
_MILLION = decimal.Decimal(1_000_000)


class CallLog(Protocol):
    """Where calls are kept; ``resources.ledger.Ledger`` is one."""

    def record(self, call: Call) -> None:
        """Keep a call."""
        ...

    def answered(self, request_hash: str) -> PastReply | None:
        """An answer to this very question, had before."""
        ...


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Whom to ask, and how.

    Attributes:
        model: name of the model in requests.
        provider: who serves it, for the ledger.
        revision: SHA-256 of the weights where known, else whatever tells versions apart.
        max_tags: at most so many are chosen.
        only_evidenced: put only tags before the model that were seen in the photo or are named in its texts. Small
            models need it: of the rest they choose at random.
        max_output_tokens: limit of an answer; by the prompt's hint, else by ``max_tags``, if ``None``.
        attempts: requests per question at most.
        patience_seconds: no new attempt after so long, waits that the server asks for included.
        caption_characters: more of a caption is cut.
        dialect: what the provider understands of the protocol; what it refuses is given up by itself.
        prices: ``None`` where nothing is paid or known.
    """

    model: str
    provider: str = "embedded"
    revision: str = ""
    max_tags: int = 5
    only_evidenced: bool = False
    max_output_tokens: int | None = None
    attempts: int = 4
    patience_seconds: float = 180.0
    caption_characters: int = 600
    dialect: Dialect = field(default_factory=Dialect)
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    messages: tuple[Message, ...]
    allowed: tuple[str, ...]
    max_tags: int
    parameters: Mapping[str, Any]
    response_format: Mapping[str, Any]
    hash: str


class ChatSuggester:
    """Chooses tags from an allowed list, one request per photo; safe to use from several threads.

    Args:
        transport: sends requests.
        prompt: mode ``select``.
        options: whom to ask, and how.
        ledger: keeps calls and lends answers; without one nothing is remembered.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        transport: ChatTransport,
        prompt: Prompt,
        options: ChatOptions,
        ledger: CallLog | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport
        self._prompt = prompt
        self._options = options
        self._ledger = ledger
        self._sleep = sleep
        self._dialect = options.dialect
        self._breaker = Breaker()
        self._asking: set[str] = set()
        self._turn = threading.Condition()

    @property
    def card(self) -> ModelCard:
        """Identity, known without asking anything."""
        options = self._options
        parameters: dict[str, float | int | str | bool] = {
            "prompt": self._prompt.hash,
            "max_tags": options.max_tags,
            "only_evidenced": options.only_evidenced,
            "max_output_tokens": self._max_output_tokens,
            "caption_characters": options.caption_characters,
            "structured": options.dialect.structured,
        }
        return ModelCard(options.model, options.revision or options.model, READING, parameters)

    @property
    def provider(self) -> str:
        """What answers; ``not loaded`` before the first request."""
        return self._transport.runtime

    def suggest(
        self,
        *,
        visual_tags: Sequence[tuple[str, float]],
        caption: str,
        allowed: Sequence[str],
        name: str = "",
    ) -> ChatReply:
        """Ask about one photo, unless the ledger knows the answer.

        Args:
            visual_tags: (tag, score in [0, 1]) seen in the photo.
            caption: as its author wrote it, or ``""``.
            allowed: tags that may be chosen, the likelier first.
            name: the photo's file name; folders are cut off, as they may name people.

        Raises:
            LlmRejected: the provider says no for good.
            ModelError: a local model cannot be started.
            DatabaseUnavailable: the ledger does not answer.
        """
        options = self._options
        caption = " ".join(caption.split())[: options.caption_characters]
        name = PureWindowsPath(PurePosixPath(name).name).name
        candidates = tuple(allowed)
        if options.only_evidenced:
            candidates = narrow(allowed, visual_tags, len(allowed), text=f"{caption} {name}", fill=False)
        if not candidates:
            return ChatReply("empty", (), "")
        values = {
            "visual_tags": [tag for tag in visual_tags if tag[0] in set(candidates)],
            "caption": caption,
            "name": name,
            "allowed": candidates,
            "max_tags": min(options.max_tags, len(candidates)),
        }
        return self._put(render(self._prompt, values), candidates)

    def close(self) -> None:
        """Close connections."""
        self._transport.close()

    @property
    def _max_output_tokens(self) -> int:
        hint = self._prompt.hints.get("max_output_tokens")
        by_tags = 32 + _TOKENS_PER_TAG * self._options.max_tags
        return self._options.max_output_tokens or (int(hint) if hint is not None else by_tags)

    def _put(self, messages: tuple[Message, ...], allowed: tuple[str, ...]) -> ChatReply:
        """Ask in the best dialect that the provider does not refuse."""
        while True:
            dialect = self._dialect
            question = self._question(messages, allowed, dialect)
            with self._alone(question.hash):
                answer = self._known(question)
                if answer is not None:
                    return ChatReply(answer.outcome, answer.tags, question.hash, answer.error)
                resting = self._breaker.resting()
                if resting:
                    error = f"{self.provider} left several questions unanswered; next try in {resting:.0f} s"
                    return ChatReply("failed", (), question.hash, error, retryable=True)
                exchange, answer = self._ask(question)
                self._breaker.note(answered=not exchange.retryable)
            simpler = dialect.without(exchange.error) if exchange.status in (400, 422) else None
            if simpler is None:
                return ChatReply(answer.outcome, answer.tags, question.hash, answer.error, retryable=exchange.retryable)
            logger.warning("%s refuses a request (%s); asking on with %s", self.provider, exchange.error, simpler)
            self._dialect = simpler

    def _question(self, messages: tuple[Message, ...], allowed: tuple[str, ...], dialect: Dialect) -> _Question:
        options = self._options
        max_tags = min(options.max_tags, len(allowed))
        parameters = dialect.parameters(self._max_output_tokens)
        response_format = dialect.response_format(reply_schema(allowed, max_tags))
        digest = request_hash(
            model=options.model,
            revision=options.revision,
            prompt_hash=self._prompt.hash,
            messages=messages,
            parameters=parameters,
            response_format=response_format,
        )
        return _Question(messages, allowed, max_tags, parameters, response_format, digest)

    def _known(self, question: _Question) -> Answer | None:
        past = self._ledger.answered(question.hash) if self._ledger is not None else None
        if past is None:
            return None
        answer = self._read(question, past.reply, past.finish_reason, None)
        return answer if answer.outcome in ANSWERED else None

    def _ask(self, question: _Question) -> tuple[Exchange, Answer]:
        """Ask until there is an answer, asking again is no use, or patience ends."""
        options = self._options
        started = time.monotonic()
        for attempt in range(1, options.attempts + 1):
            asked_at = datetime.now(UTC)
            exchange = self._transport.send(
                options.model, question.messages, question.parameters, question.response_format
            )
            if exchange.failure is None:
                answer = self._read(question, exchange.text, exchange.finish_reason, exchange.refusal)
            else:
                answer = Answer(exchange.failure, error=exchange.error)
            self._record(question, exchange, answer, asked_at)
            wait = _wait(attempt, exchange.retry_after, question.hash)
            spent = time.monotonic() - started
            if not exchange.retryable or attempt == options.attempts or spent + wait > options.patience_seconds:
                break
            self._sleep(wait)
        return exchange, answer

    def _read(self, question: _Question, text: str | None, finish_reason: str | None, refusal: str | None) -> Answer:
        return read_reply(
            text,
            allowed=question.allowed,
            max_tags=question.max_tags,
            finish_reason=finish_reason,
            refusal=refusal,
        )

    def _record(self, question: _Question, exchange: Exchange, answer: Answer, asked_at: datetime) -> None:
        if self._ledger is None:
            return
        call = Call(
            request_hash=question.hash,
            provider=self._options.provider,
            model=self._options.model,
            prompt_id=self._prompt.id,
            prompt_hash=self._prompt.hash,
            parameters={**question.parameters, "structured": question.response_format.get("type", "none")},
            outcome=answer.outcome,
            error=answer.error,
            finish_reason=exchange.finish_reason,
            reply=exchange.text if exchange.refusal is None else exchange.refusal,
            prompt_tokens=exchange.prompt_tokens,
            completion_tokens=exchange.completion_tokens,
            cost_usd=_cost(self._options.prices, exchange),
            latency_seconds=exchange.seconds,
            asked_at=asked_at,
        )
        self._ledger.record(call)

    @contextmanager
    def _alone(self, digest: str) -> Iterator[None]:
        """Let a second thread with the same question wait for the first one's answer."""
        with self._turn:
            self._turn.wait_for(lambda: digest not in self._asking)
            self._asking.add(digest)
        try:
            yield
        finally:
            with self._turn:
                self._asking.discard(digest)
                self._turn.notify_all()


def _wait(attempt: int, retry_after: float | None, digest: str) -> float:
    """Seconds before the next attempt: what the server asks for, else doubling.

    Spread by up to a half, so that threads that failed together do not come back together; by the question's own
    hash, so that a run can be repeated.
    """
    spread = 1.0 + int(digest[:4], 16) / 0x1FFFE
    return (retry_after if retry_after is not None else _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)) * spread


def _cost(prices: Prices | None, exchange: Exchange) -> decimal.Decimal | None:
    if prices is None or exchange.prompt_tokens is None:
        return None
    prompt = decimal.Decimal(str(prices.prompt)) * exchange.prompt_tokens
    completion = decimal.Decimal(str(prices.completion)) * (exchange.completion_tokens or 0)
    return (prompt + completion) / _MILLION
