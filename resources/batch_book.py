"""What is known of the batches handed to providers, and of the questions in them: tables, and no network.

Every change is one transaction, so that a process may be killed between any two: a question waits, or is in one
batch, or its answer is in the ledger, and never two of these. What does not belong here: what a provider says
(``resources/batch_client.py``) and when it is asked (``resources/provider_batches.py``).
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from resources.statements import array, guard, rows_of
from resources.tables import llm_call, stage_state
from resources.tables import provider_batch as batch_table
from resources.tables import waiting_question as question
from resources.waiting_questions import ATTEMPTS
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.provider_batches import BUSY, SUBMITTING, Limits, News, Row, fitting, question_line

#: What an answer's usage cost: of (provider, model, usage), the usage with ``cost_usd`` and ``cost_source``.
Pricing = Callable[[str, str, Usage], Usage]

#: Before the provider has given an id, a batch is called by our key.
_OURS = "ours-"

#: Stages that ask chat models.
_ASKING = ("captions", "llm_tag_suggestions")

_STREAM = 200
_PLACES = batch_table.c


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is written down.

    Attributes:
        id: the provider's, or ours while it has none.
        provider: name under ``llm.providers``.
        model: which of its models.
        state: ``submitting``, then as the provider calls it.
        questions: in it.
        answered: of them, so far as known.
        error: one line, or ``""``.
        submitted_at: when it was taken out of the queue.
        polled_at: when the provider was asked last.
        collected_at: when its answers were all in the ledger.
    """

    id: str
    provider: str
    model: str
    state: str
    questions: int
    answered: int
    error: str
    submitted_at: datetime
    polled_at: datetime | None
    collected_at: datetime | None

    @property
    def key(self) -> str:
        """What the provider keeps with it, by which it is found again; while it is ``submitting``."""
        return self.id.removeprefix(_OURS)


_COLUMNS = [
    _PLACES[name]
    for name in (
        "provider_batch",
        "provider",
        "model",
        "state",
        "questions",
        "answered",
        "error",
        "submitted_at",
        "polled_at",
        "collected_at",
    )
]


class BatchBook:
    """Reads and writes ``tagging.provider_batch``, ``waiting_question`` and the ledger's rows of batches.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.

    Args:
        engine: on the project's Postgres, migrated.
        pricing: what an answer cost.
    """

    def __init__(self, engine: sa.Engine, pricing: Pricing) -> None:
        self._engine = engine
        self.pricing = pricing

    def batches(self, limit: int | None = None) -> list[Batch]:
        """All batches, newest first."""
        return self._read(sa.select(*_COLUMNS).order_by(_PLACES.submitted_at.desc()).limit(limit))

    def open(self) -> list[Batch]:
        """Those whose answers are not all in, oldest first."""
        chosen = sa.select(*_COLUMNS).where(_PLACES.collected_at.is_(None))
        return self._read(chosen.order_by(_PLACES.submitted_at, _PLACES.provider_batch))

    def find(self, batch_id: str) -> Batch | None:
        """One batch."""
        return next(iter(self._read(sa.select(*_COLUMNS).where(_PLACES.provider_batch == batch_id))), None)

    def queued(self) -> dict[tuple[str, str], int]:
        """Questions that are in no batch yet, by provider and model."""
        count = sa.select(question.c.provider, question.c.model, sa.func.count()).where(_in_queue())
        with guard(), self._engine.connect() as connection:
            rows = connection.execute(count.group_by(question.c.provider, question.c.model).order_by("provider"))
            return {(provider, model): number for provider, model, number in rows}

    def given_up(self) -> int:
        """Questions that batches failed too often, and nobody has asked since."""
        count = sa.select(sa.func.count()).where(question.c.attempts >= ATTEMPTS)
        with guard(), self._engine.connect() as connection:
            return int(connection.execute(count).scalar_one())

    def ripe(self, now: datetime, *, settle: timedelta, patience: timedelta, pause: timedelta) -> list[tuple[str, str]]:
        """Providers and models whose queue is to be handed in.

        Args:
            now: aware UTC.
            settle: no question has come for so long: whoever asks is through.
            patience: the oldest has waited for so long; whether others still come does not matter then.
            pause: a model that its provider had no room for is left alone for so long.
        """
        busy = sa.select(_PLACES.provider, _PLACES.model).where(
            _PLACES.state == "failed",
            _PLACES.collected_at > now - pause,
            sa.or_(*(_PLACES.error.startswith(f"{code}:") for code in sorted(BUSY))),
        )
        ripe = (
            sa.select(question.c.provider, question.c.model)
            .where(_in_queue(), sa.tuple_(question.c.provider, question.c.model).not_in(busy))
            .group_by(question.c.provider, question.c.model)
            .having(
                sa.or_(
                    sa.func.max(question.c.queued_at) <= now - settle,
                    sa.func.min(question.c.queued_at) <= now - patience,
                )
            )
            .order_by(question.c.provider, question.c.model)
        )
        with guard(), self._engine.connect() as connection:
            return [(provider, model) for provider, model in connection.execute(ripe)]

    def take(self, provider: str, model: str, limits: Limits, now: datetime) -> Batch | None:
        """Put the oldest questions of a model that are in none into a batch of our own making; ``None`` for none."""
        size = sa.func.octet_length(question.c.body) + len(question_line("0" * 64, ""))
        chosen = (
            sa.select(question.c.request_hash, size)
            .where(question.c.provider == provider, question.c.model == model, _in_queue())
            .order_by(question.c.queued_at, question.c.request_hash)
            .limit(limits.questions)
            .with_for_update(skip_locked=True)
        )
        batch_id = _OURS + uuid.uuid4().hex
        with guard(), self._engine.begin() as connection:
            waiting = connection.execute(chosen).all()
            hashes = [row[0] for row in waiting[: fitting([row[1] for row in waiting], limits)]]
            if not hashes:
                return None
            connection.execute(
                sa.insert(batch_table).values(
                    provider_batch=batch_id,
                    provider=provider,
                    model=model,
                    state=SUBMITTING,
                    questions=len(hashes),
                    submitted_at=now,
                )
            )
            put = sa.update(question).where(question.c.request_hash.in_(array(hashes)))
            connection.execute(put.values(provider_batch=batch_id))
        return Batch(batch_id, provider, model, SUBMITTING, len(hashes), 0, "", now, None, None)

    def lines(self, batch: Batch) -> Iterator[bytes]:
        """The lines of a batch's file, the same whenever they are asked for."""
        chosen = (
            sa.select(question.c.request_hash, question.c.body)
            .where(question.c.provider_batch == batch.id)
            .order_by(question.c.queued_at, question.c.request_hash)
        )
        with guard(), self._engine.connect() as connection:
            for request_hash, body in connection.execution_options(yield_per=_STREAM).execute(chosen):
                yield question_line(request_hash, body)

    def name(self, batch: Batch, batch_id: str, state: str) -> None:
        """Write down the id that the provider gave to a batch."""
        with guard(), self._engine.begin() as connection:
            known = _PLACES.provider_batch == batch.id
            connection.execute(sa.update(batch_table).where(known).values(provider_batch=batch_id, state=state))
            inside = sa.update(question).where(question.c.provider_batch == batch.id)
            connection.execute(inside.values(provider_batch=batch_id))

    def put_off(self, batch: Batch, now: datetime) -> None:
        """Count the time from which a batch is handed in again anew."""
        self._set(batch, submitted_at=now)

    def release(self, batch: Batch, error: str, *, counts: bool) -> None:
        """Forget a batch that the provider never began; its questions wait again.

        Args:
            batch: without an id of the provider's.
            error: one line.
            counts: whether it was the questions' fault.
        """
        with guard(), self._engine.begin() as connection:
            inside = sa.update(question).where(question.c.provider_batch == batch.id)
            connection.execute(inside.values(**_again(error, counts=counts)))
            connection.execute(sa.delete(batch_table).where(_PLACES.provider_batch == batch.id))

    def note(self, batch: Batch, state: str, answered: int, now: datetime) -> None:
        """Write down what the provider said when it was asked."""
        self._set(batch, state=state, answered=answered, polled_at=now)

    def mark(self, batch: Batch, error: str) -> None:
        """Write down a word on a batch."""
        self._set(batch, error=error)

    def record(self, batch: Batch, rows: Sequence[Row], seconds: float) -> int:
        """Enter rows into the ledger, each in one transaction with its question's end of waiting.

        A row for a question that is not in this batch (any more) is dropped, so that nothing is entered twice.

        Args:
            batch: where they come from.
            rows: one for a question.
            seconds: from handing in to the batch's end.

        Returns:
            How many were answers.
        """
        answered = {row.request_hash: row for row in rows if row.answered}
        failed = {row.request_hash: row for row in rows if not row.answered}
        with guard(), self._engine.begin() as connection:
            gone = sa.delete(question).where(_inside(batch, list(answered))).returning(question)
            calls = [
                self._call(batch, told, answered[told["request_hash"]], seconds)
                for told in connection.execute(gone).mappings()
            ]
            still = sa.select(question).where(_inside(batch, list(failed)))
            failures = [
                self._call(batch, told, failed[told["request_hash"]], seconds)
                for told in connection.execute(still).mappings()
            ]
            if calls or failures:
                connection.execute(sa.insert(llm_call), calls + failures)
            self._fail(connection, batch, list(failed.values()))
        return len(calls)

    def close(self, batch: Batch, state: str, error: str, now: datetime, *, counts: bool, ends: bool = False) -> None:
        """Be through with a batch: what it did not answer waits for the next.

        Args:
            batch: whose rows are recorded.
            state: that it ended in.
            error: why questions are left, one line.
            now: aware UTC.
            counts: whether it counts among their attempts.
            ends: whether they are given up at once.
        """
        with guard(), self._engine.begin() as connection:
            left = sa.update(question).where(question.c.provider_batch == batch.id)
            connection.execute(left.values(**_again(error, counts=counts, ends=ends)))
            spoke = sa.select(sa.func.count()).where(
                llm_call.c.provider_batch == batch.id, llm_call.c.error == "", llm_call.c.asked_at >= batch.submitted_at
            )
            answered = connection.execute(spoke).scalar_one()
            said = error if answered < batch.questions else ""
            done = {"state": state, "error": said, "answered": answered, "polled_at": now, "collected_at": now}
            connection.execute(sa.update(batch_table).where(_PLACES.provider_batch == batch.id).values(**done))

    def forget(self, hashes: Sequence[str]) -> None:
        """Let given up questions go: they will be put in other words."""
        gone = sa.and_(question.c.request_hash.in_(array(hashes)), question.c.attempts >= ATTEMPTS)
        with guard(), self._engine.begin() as connection:
            connection.execute(sa.delete(question).where(gone))

    def news(self) -> list[News]:
        """Image batches with questions that waited when they were last run, and the newest batch collected since."""
        collected = sa.select(_PLACES.provider_batch, _PLACES.collected_at).subquery("collected")
        chosen = (
            sa.select(stage_state.c.batch, collected.c.provider_batch)
            .join(collected, collected.c.collected_at >= stage_state.c.updated_at)
            .where(stage_state.c.stage.in_(_ASKING), stage_state.c.waiting > 0)
            .ext(distinct_on(stage_state.c.batch))
            .order_by(stage_state.c.batch, collected.c.collected_at.desc(), collected.c.provider_batch)
        )
        with guard(), self._engine.connect() as connection:
            return [News(batch, provider_batch) for batch, provider_batch in connection.execute(chosen)]

    def _read(self, query: sa.Select[Any]) -> list[Batch]:
        with guard(), self._engine.connect() as connection:
            return [Batch(*row) for row in connection.execute(query)]

    def _set(self, batch: Batch, **values: object) -> None:
        with guard(), self._engine.begin() as connection:
            connection.execute(sa.update(batch_table).where(_PLACES.provider_batch == batch.id).values(**values))

    def _call(self, batch: Batch, told: Mapping[Any, Any], row: Row, seconds: float) -> dict[str, Any]:
        usage = self.pricing(batch.provider, batch.model, row.usage) if row.answered else row.usage
        names = ("request_hash", "provider", "model", "prompt_id", "prompt_hash", "parameters", "purpose")
        said = row.refusal if row.refusal is not None else row.text
        return {
            **{name: told[name] for name in names},
            "outcome": row.outcome,
            "error": _clean(row.error),
            "finish_reason": _clean(row.finish_reason),
            "reply": _clean(said),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_tokens": usage.cached_tokens,
            "cost_usd": usage.cost_usd,
            "cost_source": usage.cost_source,
            # Where nobody knows what it cost, the most it may have cost goes on counting.
            "reserved_usd": told["reserved_usd"] if row.answered else None,
            "latency_seconds": seconds,
            "asked_at": batch.submitted_at,
            "provider_batch": batch.id,
        }

    def _fail(self, connection: sa.Connection, batch: Batch, rows: Sequence[Row]) -> None:
        """Let questions with error rows wait again, each with its reason."""
        told = rows_of(
            {"request_hash": sa.Text, "error": sa.Text, "retryable": sa.Boolean},
            [(row.request_hash, _clean(row.error), row.retryable) for row in rows],
        )
        connection.execute(
            sa.update(question)
            .where(question.c.request_hash == told.c.request_hash, question.c.provider_batch == batch.id)
            .values(
                provider_batch=None,
                attempts=sa.case((told.c.retryable, question.c.attempts + 1), else_=ATTEMPTS),
                error=told.c.error,
            )
        )


def _in_queue() -> sa.ColumnElement[bool]:
    return sa.and_(question.c.provider_batch.is_(None), question.c.attempts < ATTEMPTS)


def _inside(batch: Batch, hashes: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(question.c.request_hash.in_(array(hashes)), question.c.provider_batch == batch.id)


def _again(error: str, *, counts: bool, ends: bool = False) -> dict[str, Any]:
    attempts = sa.literal(ATTEMPTS) if ends else question.c.attempts + int(counts)
    return {"provider_batch": None, "attempts": attempts, "error": error}


def _clean(text: str | None) -> str | None:
    """Postgres texts hold no NUL, and no half of a surrogate pair."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
