"""Questions that wait for a provider's batch API: the queue between who asks and ``resources/provider_batches.py``.

A question waits from the moment it is put until the ledger has its answer; both happen in one transaction, so that it
is never in neither place. One that the batch API failed :data:`ATTEMPTS` times waits no longer: whoever asks it next
is told why, once, and may put it again.

Whoever asks a question that the ledger has no answer to calls :meth:`WaitingQuestions.take_failure` (a reason means:
failed, for this reason), then :meth:`WaitingQuestions.waits` or :meth:`WaitingQuestions.put` (either means: waiting).
An answer that a batch brought stands as what it reads as, refused and truncated ones too (``llm_call.provider_batch``
is set): it was paid for, and the next batch would bring the same.

What does not belong here: what the question is and what its answer means (``resources/llm_engine.py``).
"""

import decimal
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.statements import guard
from resources.tables import waiting_question as table

#: Batches that a question may be part of without being answered; after that it fails.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class WaitingQuestion:
    """One request that a provider's batch is to answer.

    Attributes:
        request_hash: SHA-256 of everything that is sent; the batch's ``custom_id`` and the ledger's key.
        provider: name under ``llm.providers``.
        model: which of its models.
        prompt_id: the prompt's name.
        prompt_hash: the prompt's content.
        parameters: for the ledger: sampling parameters and response format, JSON-able.
        body: of the request, as ``/v1/chat/completions`` takes it, pictures included.
        purpose: what the money is for: ``""`` for tagging, else ``experiment/NAME``.
        reserved_usd: the most that the answer may cost at the batch price; ``None`` where nobody knows.
    """

    request_hash: str
    provider: str
    model: str
    prompt_id: str
    prompt_hash: str
    parameters: Mapping[str, Any]
    body: Mapping[str, Any]
    purpose: str = ""
    reserved_usd: decimal.Decimal | None = None


class WaitingQuestions:
    """Reads and writes ``tagging.waiting_question``; safe to use from several threads and processes.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.

    Args:
        engine: on the project's Postgres, migrated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def waits(self, request_hash: str) -> bool:
        """Whether the question is under way; the ledger is to be asked first, as it may have the answer by now."""
        query = sa.select(table.c.attempts < ATTEMPTS).where(table.c.request_hash == request_hash)
        with guard(), self._engine.connect() as connection:
            return bool(connection.scalar(query))

    def put(self, question: WaitingQuestion) -> None:
        """Let a question wait for the next batch; one that waits already is left as it is."""
        row = {
            "request_hash": question.request_hash,
            "provider": question.provider,
            "model": question.model,
            "prompt_id": question.prompt_id,
            "prompt_hash": question.prompt_hash,
            "parameters": dict(question.parameters),
            # A JSON text has no NUL of its own (it is escaped), so Postgres takes whatever a caption holds.
            "body": json.dumps(question.body, ensure_ascii=True, separators=(",", ":")),
            "purpose": question.purpose,
            "reserved_usd": question.reserved_usd,
            "queued_at": datetime.now(UTC),
        }
        with guard(), self._engine.begin() as connection:
            connection.execute(insert(table).values(row).on_conflict_do_nothing(index_elements=["request_hash"]))

    def take_failure(self, request_hash: str) -> str | None:
        """Why the batch API gave no answer in :data:`ATTEMPTS` batches, one line; ``None`` where it has not failed.

        The question is forgotten with it, so that asking once more starts anew.
        """
        statement = (
            sa.delete(table)
            .where(table.c.request_hash == request_hash, table.c.attempts >= ATTEMPTS)
            .returning(table.c.error)
        )
        with guard(), self._engine.begin() as connection:
            return connection.scalar(statement)

    def reserved(self, purpose: str | None = None) -> decimal.Decimal:
        """US dollars that the answers under way may cost at most; those of unknown price count nothing.

        Args:
            purpose: only of this one; all by default.
        """
        query = sa.select(sa.func.coalesce(sa.func.sum(table.c.reserved_usd), 0)).where(table.c.attempts < ATTEMPTS)
        if purpose is not None:
            query = query.where(table.c.purpose == purpose)
        with guard(), self._engine.connect() as connection:
            return decimal.Decimal(connection.execute(query).scalar_one())
