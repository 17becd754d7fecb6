"""What becomes of questions in the ledger: known answers, calls with their cost, money reserved, batches.

What does not belong here: sending (``resources/llm_transport.py``), when to ask again (``resources/llm_engine.py``).
"""

import decimal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from resources.chat_budget import ChatBudget, Limit
from resources.chat_question import ChatOptions, Question
from resources.ledger import ASKING, Call, Ledger, PastReply
from resources.llm_failures import Exchange
from resources.waiting_questions import WaitingQuestion, WaitingQuestions
from tagging_assets.domain.chat import Answer, Usage
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prices import LOCAL, REPORTED, Price, Tokens, cost, most
from tagging_assets.domain.replies import read_text


@dataclass(frozen=True, slots=True)
class Books:
    """What is written and read; without a ledger nothing is remembered, and nothing can be limited.

    Attributes:
        ledger: calls.
        budget: reserves money.
        waiting: questions for the providers' batches.
        limits: on what may be spent.
    """

    ledger: Ledger | None = None
    budget: ChatBudget | None = None
    waiting: WaitingQuestions | None = None
    limits: Sequence[Limit] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Entry:
    """A call that is about to be sent.

    Attributes:
        call: as it stands before.
        number: of its row; ``None`` where it is written down afterwards, as nothing can be lost.
    """

    call: Call
    number: int | None = None


class ChatAccounts:
    """Keeps the books for one model; safe to use from several threads.

    Args:
        options: whom the questions are put to.
        books: where they are kept.
    """

    def __init__(self, options: ChatOptions, books: Books) -> None:
        self._options = options
        self._books = books

    def known(self, question: Question) -> tuple[Answer, Usage] | None:
        """The answer to this very question that was had before, and what it took then."""
        past = self._books.ledger.answered(question.hash) if self._books.ledger is not None else None
        if past is None:
            return None
        return _reread(question, past), past.usage

    def open(self, question: Question) -> Entry | None:
        """Write a call down before it is sent, where it may cost something.

        Returns:
            ``None`` where a budget leaves no room for it; nothing is to be sent then.

        Raises:
            SettingsError: there is a budget and nobody knows what the model costs.
        """
        call = self._call(question)
        books = self._books
        if self._options.free or books.ledger is None or books.budget is None:
            return Entry(call)
        call = replace(call, reserved_usd=self._reserved(question))
        ledger = books.ledger
        number = books.budget.reserve(
            call.reserved_usd or decimal.Decimal(0), books.limits, lambda connection: ledger.enter(connection, call)
        )
        return None if number is None else Entry(call, number)

    def close(self, entry: Entry, exchange: Exchange, answer: Answer) -> Usage:
        """Write down how a call ended, and what it took."""
        usage = self._usage(exchange)
        call = replace(
            entry.call,
            outcome=answer.outcome,
            error=answer.error,
            finish_reason=exchange.finish_reason,
            reply=exchange.text if exchange.refusal is None else exchange.refusal,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            cost_usd=usage.cost_usd,
            cost_source=usage.cost_source,
            reserved_usd=entry.call.reserved_usd if exchange.may_cost else None,
            latency_seconds=exchange.seconds,
        )
        if self._books.ledger is not None and entry.number is not None:
            self._books.ledger.complete(entry.number, call)
        elif self._books.ledger is not None:
            self._books.ledger.record(call)
        return usage

    def is_waiting(self, question: Question) -> bool:
        """Whether a provider's batch has the question, or is to get it."""
        waiting = self._books.waiting
        return not self._options.free and waiting is not None and waiting.waits(question.hash)

    def put_off(self, question: Question) -> Answer:
        """Leave a question to the provider's next batch, if it is not in one already.

        Raises:
            SettingsError: there is a budget and nobody knows what the model costs.
        """
        waiting = self._books.waiting
        if waiting is None:
            return Answer("failed", error="batches need the database")
        reason = waiting.take_failure(question.hash)
        if reason is not None:
            return Answer("failed", error=f"the provider's batches gave no answer: {reason}")
        if waiting.waits(question.hash) or self._put(question, waiting):
            told = "the provider's batch answers within a day; `tagging provider-batches` shows it, and can cancel it"
            return Answer("waiting", error=told)
        return over_budget(self._books.limits)

    def _put(self, question: Question, waiting: WaitingQuestions) -> bool:
        options = self._options
        reserved = self._reserved(question, batch=True)
        put = WaitingQuestion(
            request_hash=question.hash,
            provider=options.provider,
            model=options.model,
            prompt_id=question.prompt.id,
            prompt_hash=question.prompt.hash,
            parameters=question.told,
            body=question.body(options.model),
            purpose=options.purpose,
            reserved_usd=reserved,
        )
        if not self._books.limits or self._books.budget is None:
            waiting.put(put)
            return True

        def write(_: sa.Connection) -> bool:
            waiting.put(put)
            return True

        return self._books.budget.reserve(reserved or decimal.Decimal(0), self._books.limits, write) is not None

    def _reserved(self, question: Question, *, batch: bool = False) -> decimal.Decimal | None:
        options = self._options
        price: Price | None = options.price
        reserved = None if price is None else most(price.prices, question.size, batch=batch)
        if reserved is None and self._books.limits:
            name = options.name or options.model
            raise SettingsError(
                f"nobody knows what {options.provider}/{options.model} costs, so no budget can hold: say prices under "
                f"llm.models (for {name}), name a newer llm.price_table, or set budget_usd: null"
            )
        return reserved

    def _call(self, question: Question) -> Call:
        options = self._options
        return Call(
            request_hash=question.hash,
            provider=options.provider,
            model=options.model,
            prompt_id=question.prompt.id,
            prompt_hash=question.prompt.hash,
            parameters=question.told,
            outcome=ASKING,
            error="",
            finish_reason=None,
            reply=None,
            prompt_tokens=None,
            completion_tokens=None,
            cost_usd=None,
            latency_seconds=0.0,
            asked_at=datetime.now(UTC),
            purpose=options.purpose,
        )

    def _usage(self, exchange: Exchange) -> Usage:
        tokens = Tokens(exchange.prompt_tokens, exchange.completion_tokens, exchange.cached_tokens)
        price = self._options.price
        spent, source = exchange.cost_usd, REPORTED
        if spent is None and self._options.free:
            spent, source = decimal.Decimal(0), LOCAL
        elif spent is None and price is not None:
            spent, source = cost(price.prices, tokens), price.source
        return Usage(
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            cached_tokens=tokens.cached,
            cost_usd=spent,
            cost_source="" if spent is None else source,
            seconds=exchange.seconds,
        )


def over_budget(limits: Sequence[Limit]) -> Answer:
    """The answer of a question that was not asked for want of money."""
    told = " and ".join(f"${limit.usd:f} {'a day' if limit.purpose is None else limit.purpose}" for limit in limits)
    return Answer(
        "over_budget", error=f"it might cost more than the budget has left ({told}); raise budget_usd or wait"
    )


def _reread(question: Question, past: PastReply) -> Answer:
    """Words of an earlier answer, read as today's are."""
    refusal = past.reply or "refused" if past.outcome == "refused" else None
    return read_text(past.reply, question.form, past.finish_reason, refusal)
