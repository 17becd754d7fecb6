"""Asks one chat model: ledger, batches, rate limits, retries. Implements ``domain.chat.ChatModel``.

The same question is asked once: an answer in the ledger is read again instead. What does not belong here: HTTP
(``resources/llm_transport.py``), money (``resources/chat_accounts.py``), prompts and what is made of an answer
(``tagging_assets/domain``).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from resources.chat_abilities import ChatAbilities
from resources.chat_accounts import Books, ChatAccounts, over_budget
from resources.chat_limits import ProviderLimits
from resources.chat_question import ChatOptions, Question, make_question
from resources.dialect import Dialect
from resources.llm_breaker import Breaker
from resources.llm_failures import Exchange
from resources.llm_transport import ChatTransport
from resources.question_locks import QuestionLocks
from tagging_assets.domain.chat import Answer, ChatImage, ChatReply, ReplyForm, Usage
from tagging_assets.domain.errors import LlmRejected, SettingsError
from tagging_assets.domain.llm import READING
from tagging_assets.domain.models import ModelCard
from tagging_assets.domain.prompts import Prompt, render
from tagging_assets.domain.replies import read_text

logger = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 1.0
#: What a provider answers to a request that it does not understand.
_NOT_UNDERSTOOD = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class ChatServices:
    """What engines share.

    Attributes:
        limits: of the provider.
        books: ledger, budget and batches.
        abilities: what models were found to understand; without it every process finds out anew.
        locks: keeps askers of the same question apart.
    """

    limits: ProviderLimits = field(default_factory=lambda: ProviderLimits(4))
    books: Books = field(default_factory=Books)
    abilities: ChatAbilities | None = None
    locks: QuestionLocks = field(default_factory=QuestionLocks)


class ChatEngine:
    """One model with one set of sampling parameters; safe to use from several threads.

    Args:
        options: whom to ask, and how.
        transport: sends requests to who serves it.
        services: shared with the other engines of the process.
    """

    def __init__(self, options: ChatOptions, transport: ChatTransport, services: ChatServices | None = None) -> None:
        self._options = options
        self._transport = transport
        self._services = services or ChatServices()
        self._limits = self._services.limits
        self._accounts = ChatAccounts(options, self._services.books)
        self._breaker = Breaker(clock=self._limits.now)
        self._dialect: Dialect | None = None

    @property
    def card(self) -> ModelCard:
        """Identity, known without asking anything."""
        options = self._options
        said = options.sampling.model_dump(exclude_none=True)
        extra = {"extra": json.dumps(dict(options.extra), sort_keys=True)} if options.extra else {}
        return ModelCard(options.name or options.model, options.version, READING, {**said, **extra})

    @property
    def provider(self) -> str:
        """What answers; ``not loaded`` before the first request."""
        return self._transport.runtime

    @property
    def sees(self) -> bool:
        """Whether pictures may be put before it: not where the settings or a probe say that it is blind."""
        options = self._options
        if options.vision is None and self._services.abilities is not None:
            probed = self._services.abilities.probed(options.provider, options.model)
            return probed.get("vision") is not False
        return options.vision is not False

    def ask(
        self,
        prompt: Prompt,
        values: Mapping[str, object],
        form: ReplyForm,
        images: Sequence[ChatImage] = (),
        *,
        repeat: int = 0,
    ) -> ChatReply:
        """Ask, in the best dialect that the provider does not refuse, unless the ledger knows the answer.

        Args:
            prompt: what is asked, to be filled in.
            values: at least the prompt's variables.
            form: what the reply must be like.
            images: shown with the words.
            repeat: asking the same anew, on purpose: 1 is another sample than 0.

        Raises:
            LlmRejected: the provider says no for good.
            ModelError: a local model cannot be started.
            SettingsError: the model is blind, the prompt does not fit the values, or there is a budget and no price.
            DatabaseUnavailable: the ledger does not answer.
        """
        if images and not self.sees:
            raise SettingsError(
                f"{self._options.name or self._options.model} does not see pictures; prompt {prompt.id} needs a model "
                "that does"
            )
        asked = (prompt, form, render(prompt, values))
        deadline = self._limits.now() + self._options.patience_seconds
        dialect = self._understood()
        while True:
            used = dialect.at_most(self._options.sampling.structured)
            question = make_question(self._options, used, asked, images, repeat)
            reply, exchange = self._put(question, deadline)
            if exchange is not None and exchange.failure is None:
                self._keep(dialect)
            simpler = used.without(exchange.error) if exchange and exchange.status in _NOT_UNDERSTOOD else None
            if exchange is None or simpler is None:
                return reply
            logger.warning("%s refuses a request (%s); asking on with %s", self.provider, exchange.error, simpler)
            # What was not asked for this time may still be understood.
            given_up = simpler.structured if simpler.structured != used.structured else dialect.structured
            dialect = replace(simpler, structured=given_up)

    def close(self) -> None:
        """Close connections; a later question opens new ones."""
        self._transport.close()

    def _understood(self) -> Dialect:
        """What the model was found to understand, by this process or an earlier one."""
        if self._dialect is None:
            abilities, options = self._services.abilities, self._options
            known = abilities.dialect(options.provider, options.model) if abilities is not None else None
            self._dialect = known or Dialect()
        return self._dialect

    def _keep(self, dialect: Dialect) -> None:
        """Remember what was understood at last."""
        if dialect != self._dialect:
            self._dialect = dialect
            if self._services.abilities is not None:
                self._services.abilities.needs(self._options.provider, self._options.model, dialect)

    def _put(self, question: Question, deadline: float) -> tuple[ChatReply, Exchange | None]:
        """Put a question unless it is known or under way; the exchange is the last one, if there was any."""
        known = self._known(question)
        if known is not None:
            return known, None
        patience = deadline - self._limits.now()
        with self._services.locks.hold(question.hash, patience, everywhere=not self._options.free) as held:
            if not held:
                return self._unasked(question, self._no_turn("somebody else is asking this very question")), None
            # Whoever held it may have had the answer.
            known = self._known(question)
            if known is not None:
                return known, None
            # What a batch was asked for is paid for, also where batches have been switched off since.
            if self._options.batch or self._accounts.is_waiting(question):
                put_off = self._accounts.put_off(question)
                # Three batches have tried what one question is asked for at most; a person may ask for more.
                return replace(self._unasked(question, put_off), retryable=put_off.outcome != "failed"), None
            resting = self._breaker.resting()
            if resting:
                error = f"{self.provider} left several questions unanswered; next try in {resting:.0f} s"
                return self._unasked(question, Answer("failed", error=error)), None
            reply, exchange = self._attempts(question, deadline)
            if exchange is not None:
                self._breaker.note(answered=not exchange.retryable)
            return reply, exchange

    def _known(self, question: Question) -> ChatReply | None:
        found = self._accounts.known(question)
        return None if found is None else ChatReply(found[0], question.hash, usage=found[1])

    def _attempts(self, question: Question, deadline: float) -> tuple[ChatReply, Exchange | None]:
        """Ask until there is an answer, asking again is no use, or patience ends."""
        reply, exchange = self._unasked(question, self._no_turn("")), None
        for attempt in range(1, self._options.attempts + 1):
            with self._limits.turn(deadline) as mine:
                if not mine:
                    told = self._no_turn("the provider's limits leave no turn within llm.patience_seconds")
                    return (reply if exchange is not None else self._unasked(question, told)), exchange
                # A server that must be started first is no call yet.
                self._transport.client()
                sent = self._send(question, deadline)
                if sent is None:
                    answer = over_budget(self._services.books.limits)
                    return replace(self._unasked(question, answer), asked=exchange is not None), exchange
                exchange, reply = sent
                if exchange.retry_after and exchange.retryable:
                    self._limits.pause(exchange.retry_after)
            wait = _wait(attempt, exchange.retry_after, question.hash)
            late = self._limits.now() + wait > deadline
            if not exchange.retryable or attempt == self._options.attempts or late or self._limits.cancelled:
                break
            self._limits.wait(wait)
        return reply, exchange

    def _send(self, question: Question, deadline: float) -> tuple[Exchange, ChatReply] | None:
        """Send once, with the books kept; ``None`` where there is no money for it."""
        body = question.body(self._options.model)
        entry = self._accounts.open(question)
        if entry is None:
            return None
        try:
            exchange = self._transport.send(body, max(deadline - self._limits.now(), 0.001))
        except (LlmRejected, SettingsError) as error:
            # The provider did nothing for it, so the reservation is given back.
            unanswered = Exchange(None, 0.0, "failed", str(error), may_cost=False)
            self._accounts.close(entry, unanswered, Answer("failed", error=str(error)))
            raise
        if exchange.failure is None:
            answer = read_text(exchange.text, question.form, exchange.finish_reason, exchange.refusal)
        else:
            answer = Answer(exchange.failure, error=exchange.error)
        usage = self._accounts.close(entry, exchange, answer)
        return exchange, ChatReply(answer, question.hash, retryable=exchange.retryable, usage=usage, asked=True)

    def _no_turn(self, why: str) -> Answer:
        return Answer("failed", error="cancelled") if self._limits.cancelled else Answer("rate_limited", error=why)

    @staticmethod
    def _unasked(question: Question, answer: Answer) -> ChatReply:
        return ChatReply(answer, question.hash, retryable=True, usage=Usage())


def _wait(attempt: int, retry_after: float | None, digest: str) -> float:
    """Seconds before the next attempt: what the server asks for, else doubling.

    Spread by up to a half, so that threads that failed together do not come back together; by the question's own
    hash, so that a run can be repeated.
    """
    spread = 1.0 + int(digest[:4], 16) / 0x1FFFE
    return (retry_after if retry_after is not None else _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)) * spread
