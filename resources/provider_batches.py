"""Works through the queue of questions by providers' batch APIs: submit, poll, collect.

Whoever calls :meth:`ProviderBatches.work` may be killed anywhere. A batch is written down under a key of ours before
the provider hears of it, and the key goes with it: a batch that was begun and never noted is found by it and taken
for ours, not begun twice. What does not belong here: what questions and answers mean (``resources/llm_engine.py``).
"""

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from resources.batch_book import Batch, BatchBook, Pricing
from resources.batch_client import BatchClient, BatchGone, BatchRefused, BatchUnclear, Remote
from resources.chat_abilities import ChatAbilities
from resources.database import Database
from tagging_assets.domain.errors import LlmError, LlmRejected, LlmUnavailable, SettingsError
from tagging_assets.domain.provider_batches import BUSY, SUBMITTING, Limits, News, Row, read_rows

logger = logging.getLogger(__name__)

#: Held while working, so that a command and the sensor do not both hand in or read.
_LOCK = "provider batches"

#: Rows that one transaction takes.
_CHUNK = 500

#: Why questions of a batch that somebody here ended are not asked again by themselves.
ENDED_HERE = "its batch was cancelled on request"


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take.

    Attributes:
        settle: a queue is handed in when no question has come for so long,
        patience: or when its oldest has waited for so long.
        poll: a batch is asked after not more often than so.
        unclear: what may have been handed in has to show up at the provider's within this time.
        short: answers that the provider has counted and its file does not hold (yet) are waited for so long.
        pause: a model that its provider had no room for is left alone for so long.
    """

    settle: timedelta = timedelta(seconds=60)
    patience: timedelta = timedelta(minutes=15)
    poll: timedelta = timedelta(seconds=60)
    unclear: timedelta = timedelta(seconds=90)
    short: timedelta = timedelta(minutes=15)
    pause: timedelta = timedelta(minutes=10)


@dataclass(slots=True)
class Worked:
    """What one round did.

    Attributes:
        submitted: batches handed in, adopted ones included.
        polled: batches asked after.
        collected: batches read to the end.
        answers: that the ledger got.
        troubles: one line each; what is left is tried again by the next round.
        rejected: a provider says no for good; one line.
    """

    submitted: int = 0
    polled: int = 0
    collected: int = 0
    answers: int = 0
    troubles: list[str] = field(default_factory=list)
    rejected: str = ""

    @property
    def says(self) -> str:
        """One line for people."""
        done = f"{self.submitted} batches submitted, {self.collected} collected, {self.answers} answers"
        return "; ".join([done, *self.troubles])


class ProviderBatches:
    """Hands questions in, asks after batches, reads their answers into the ledger.

    Args:
        database: open and migrated.
        connect: of a provider's name, where it is spoken to; raises ``SettingsError`` where the settings do not
            have it (any more), or privacy forbids it.
        pricing: what an answer cost.
        times: how long things take.
        limits: of one batch.
        clock: aware UTC.
    """

    def __init__(
        self,
        database: Database,
        connect: Callable[[str], BatchClient],
        pricing: Pricing,
        times: Times | None = None,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self.connect = connect
        self._times = times or Times()
        self._limits = limits or Limits()
        self._clock = clock
        self._clients: dict[str, BatchClient] = {}
        self._abilities = ChatAbilities(database.engine)
        self.book = BatchBook(database.engine, pricing)

    def work(self, *, at_once: bool = False) -> Worked:
        """One round: submit what is ripe, ask after batches, collect the ended.

        Args:
            at_once: do not wait for a queue to settle, nor between two questions after the same batch.

        Raises:
            LlmRejected: a provider says no for good; the others had their turn.
            DatabaseUnavailable: Postgres does not answer.
        """
        worked = Worked()
        if self._database.is_held(_LOCK):
            worked.troubles.append("another process is at it")
            return worked
        with self._database.lock(_LOCK):
            times = replace(self._times, settle=timedelta(0), poll=timedelta(0)) if at_once else self._times
            for batch in self.book.open():
                with _guarded(worked, batch.provider):
                    self._attend(batch, times, worked)
            for provider, model in self._ripe(times):
                with _guarded(worked, provider):
                    self._submit_all(provider, model, worked)
        if worked.rejected:
            raise LlmRejected(worked.rejected)
        return worked

    def cancel(self, batch_id: str) -> Batch:
        """Ask the provider to end a batch; what it has answered by then is collected, the rest is given up.

        Raises:
            SettingsError: there is no such batch under way.
            LlmRejected, LlmUnavailable, LlmError: the provider says no.
        """
        batch = self.book.find(batch_id)
        if batch is None or batch.collected_at is not None or batch.state == SUBMITTING:
            raise SettingsError(f"{batch_id}: no such batch is under way; see `tagging provider-batches`")
        remote = self._client(batch.provider).cancel(batch_id)
        self.book.mark(batch, ENDED_HERE)
        self.book.note(batch, remote.state, remote.completed, self._clock())
        return replace(batch, state=remote.state, answered=remote.completed, error=ENDED_HERE)

    def news(self) -> list[News]:
        """Image batches that a run would find answers for."""
        return self.book.news()

    def close(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _ripe(self, times: Times) -> list[tuple[str, str]]:
        now = self._clock()
        return self.book.ripe(now, settle=times.settle, patience=times.patience, pause=times.pause)

    def _client(self, provider: str) -> BatchClient:
        if provider not in self._clients:
            self._clients[provider] = self.connect(provider)
        return self._clients[provider]

    # Submitting.

    def _submit_all(self, provider: str, model: str, worked: Worked) -> None:
        client = self._client(provider)
        while (batch := self.book.take(provider, model, self._limits, self._clock())) is not None:
            if not self._submit(client, batch, worked):
                return

    def _submit(self, client: BatchClient, batch: Batch, worked: Worked) -> bool:
        """Hand a batch in; whether it was begun.

        Raises:
            LlmError: it was not, or nobody knows; its questions are where they belong.
        """
        try:
            with tempfile.TemporaryFile() as file:
                file.writelines(self.book.lines(batch))
                file.seek(0)
                file_id = client.upload(file, f"tagging-{batch.key}.jsonl")
            remote = client.create(file_id, batch.key)
        except BatchUnclear:
            raise
        except (BatchRefused, BatchGone) as error:
            self.book.release(batch, str(error), counts=True)
            raise
        except (LlmRejected, LlmUnavailable, SettingsError) as error:
            self.book.release(batch, str(error), counts=False)
            raise
        self.book.name(batch, remote.id, remote.state)
        worked.submitted += 1
        return True

    def _adopt(self, batch: Batch, times: Times, worked: Worked) -> None:
        """Find out what became of a batch that was being handed in when its process died, or the line went dead."""
        client, now = self._client(batch.provider), self._clock()
        try:
            remote = client.find(batch.key, batch.submitted_at)
        except BatchGone as error:
            # A provider without a list; nothing is known but that time has passed.
            logger.warning("%s: %s", batch.provider, error)
            remote = None
        if remote is not None:
            self.book.name(batch, remote.id, remote.state)
            worked.submitted += 1
        elif now - batch.submitted_at >= times.unclear:
            self.book.put_off(batch, now)
            self._submit(client, batch, worked)

    # Polling and collecting.

    def _attend(self, batch: Batch, times: Times, worked: Worked) -> None:
        now = self._clock()
        if batch.state == SUBMITTING:
            self._adopt(batch, times, worked)
        elif batch.polled_at is None or now - batch.polled_at >= times.poll:
            self._poll(batch, times, worked)

    def _poll(self, batch: Batch, times: Times, worked: Worked) -> None:
        client = self._client(batch.provider)
        worked.polled += 1
        try:
            remote = client.get(batch.id)
        except BatchGone as error:
            self.book.close(batch, "failed", str(error), self._clock(), counts=True)
            worked.collected += 1
            raise
        if not remote.ended:
            self.book.note(batch, remote.state, remote.completed, self._clock())
            return
        self._collect(client, batch, remote, times, worked)

    def _collect(self, client: BatchClient, batch: Batch, remote: Remote, times: Times, worked: Worked) -> None:
        rows = read_rows(*(self._file(client, file_id) for file_id in remote.files))
        now = self._clock()
        seconds = max(0.0, ((remote.ended_at or now) - batch.submitted_at).total_seconds())
        ends = remote.state == "cancelled" and batch.error == ENDED_HERE
        # Whoever ended a batch does not want the rest of it tried again.
        told = [row for row in rows.values() if row.answered or not ends]
        for start in range(0, len(told), _CHUNK):
            worked.answers += self.book.record(batch, told[start : start + _CHUNK], seconds)
        self._learn(batch, [row for row in told if row.error and not row.retryable])
        there = sum(row.answered for row in rows.values())
        if there < remote.completed and remote.ended_at is not None and now - remote.ended_at < times.short:
            self.book.note(batch, remote.state, there, now)
            worked.troubles.append(f"{batch.id}: {there} of {remote.completed} answers are in its file so far")
            return
        counts = not BUSY & set(remote.codes)
        error = ENDED_HERE if ends else _why_unanswered(remote)
        self.book.close(batch, remote.state, error, now, counts=counts, ends=ends)
        worked.collected += 1

    def _learn(self, batch: Batch, refused: Sequence[Row]) -> None:
        """Remember what the model was found not to understand; its questions are then put in other words."""
        dialect = self._abilities.dialect(batch.provider, batch.model)
        simpler = next((found for row in refused if (found := dialect.without(row.error)) is not None), None)
        if simpler is not None:
            logger.warning("%s refuses a request (%s); asking on with %s", batch.model, refused[0].error, simpler)
            self._abilities.needs(batch.provider, batch.model, simpler)
            self.book.forget([row.request_hash for row in refused])

    def _file(self, client: BatchClient, file_id: str) -> bytes:
        try:
            return client.read(file_id)
        except BatchGone as error:
            logger.warning("%s", error)
            return b""


@contextmanager
def _guarded(worked: Worked, provider: str) -> Iterator[None]:
    """Let one provider's trouble not keep the others from their turn."""
    try:
        yield
    except LlmRejected as error:
        worked.rejected = f"{provider}: {error}"
    except (LlmError, SettingsError) as error:
        logger.warning("%s: %s", provider, error)
        worked.troubles.append(f"{provider}: {error}")


def _why_unanswered(remote: Remote) -> str:
    code = next(iter(remote.codes), "")
    said = ": ".join(part for part in (code, remote.error) if part)
    if remote.state == "completed":
        return "its batch came back without an answer to it"
    return said or f"its batch {'was cancelled' if remote.state == 'cancelled' else remote.state}"
