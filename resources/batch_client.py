"""One provider's batch API over HTTP: hand a file in, ask after batches, fetch what they came to.

Speaks OpenAI's ``/files`` and ``/batches``; every failure is one of the project's errors. What does not belong here:
which questions go into a batch and what becomes of them (``resources/provider_batches.py``).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from resources.llm_failures import error_line, failed_exchange
from resources.llm_server import Endpoint
from resources.llm_transport import open_client
from tagging_assets.domain.errors import LlmError, LlmUnavailable
from tagging_assets.domain.provider_batches import ENDED

if TYPE_CHECKING:
    # Costs a second; a process that asks nothing goes without.
    import openai

#: Under this name our key is in a batch's metadata.
_KEY = "tagging"

#: Batches looked at, newest first, for one of ours whose id was never written down.
_LOOK = 1_000
_PAGE = 100

#: Clocks of ours and the provider's may be apart by so much.
_CLOCKS = timedelta(hours=1)

#: Reading and writing a file of 90 MB takes longer than an answer.
_TIMEOUT_SECONDS = 300.0


class BatchGone(LlmError):
    """The provider does not know the batch or file, or has no batch API."""


class BatchRefused(LlmError):
    """The provider says no to this file or batch; nothing was begun."""


class BatchUnclear(LlmError):
    """No answer, or one that says nothing: the batch may have been begun or not."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Remote:
    """A batch as its provider tells it.

    Attributes:
        id: the provider's.
        state: as the provider calls it.
        completed: questions that it says are answered.
        files: ids of what it came to: answers, then errors.
        error: why it failed, one line.
        codes: the reasons' codes.
        ended_at: when it came to an end; ``None`` where it has not, or does not say.
    """

    id: str
    state: str
    completed: int = 0
    files: tuple[str, ...] = ()
    error: str = ""
    codes: tuple[str, ...] = ()
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ENDED


class BatchClient:
    """Speaks to one provider; safe to use from several threads.

    Every method raises ``LlmRejected`` where the provider says no for good (wrong key, no credit), and
    ``LlmUnavailable`` where asking again may help.

    Args:
        connect: where it answers, and the key.
    """

    def __init__(self, connect: Callable[[], Endpoint]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None

    def upload(self, file: IO[bytes], name: str) -> str:
        """Hand in a file of questions; its id.

        Raises:
            BatchRefused: the provider does not take it.
        """
        with _translated(self._connect()):
            said = self._openai().files.create(
                file=(name, file, "application/jsonl"), purpose="batch", extra_headers=self._headers
            )
        return str(said.id)

    def create(self, file_id: str, key: str) -> Remote:
        """Begin a batch.

        Args:
            file_id: the questions.
            key: ours, by which :meth:`find` finds it again.

        Raises:
            BatchRefused: the provider does not begin it.
            BatchUnclear: it may have.
        """
        with _translated(self._connect(), unclear=True):
            batch = self._openai().batches.create(
                input_file_id=file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={_KEY: key},
                extra_headers=self._headers,
            )
        return _remote(batch)

    def get(self, batch_id: str) -> Remote:
        """A batch as it is now.

        Raises:
            BatchGone: there is no such batch.
        """
        with _translated(self._connect()):
            return _remote(self._openai().batches.retrieve(batch_id, extra_headers=self._headers))

    def find(self, key: str, since: datetime) -> Remote | None:
        """The batch that carries our key; ``None`` where the provider has none.

        Args:
            key: as given to :meth:`create`.
            since: aware; older ones are not looked at.

        Raises:
            BatchGone: the provider has no list of batches.
        """
        with _translated(self._connect()):
            for number, batch in enumerate(self._openai().batches.list(limit=_PAGE, extra_headers=self._headers)):
                created = _moment(batch.created_at)
                if number == _LOOK or (created is not None and created < since - _CLOCKS):
                    break
                metadata: object = batch.metadata
                if isinstance(metadata, dict) and metadata.get(_KEY) == key:
                    return _remote(batch)
        return None

    def cancel(self, batch_id: str) -> Remote:
        """Ask for a batch to be ended; what it has answered by then is kept.

        Raises:
            BatchGone: there is no such batch.
            BatchRefused: it cannot be ended any more.
        """
        with _translated(self._connect()):
            return _remote(self._openai().batches.cancel(batch_id, extra_headers=self._headers))

    def read(self, file_id: str) -> bytes:
        """A file, whole.

        Raises:
            BatchGone: there is no such file (any more).
        """
        with _translated(self._connect()):
            return self._openai().files.content(file_id, extra_headers=self._headers).content

    def close(self) -> None:
        """Close connections; a later request opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _openai(self) -> "openai.OpenAI":
        endpoint = self._connect()
        with self._lock:
            if self._client is None:
                self._client = open_client(endpoint, _TIMEOUT_SECONDS)
            return self._client

    @property
    def _headers(self) -> Any:
        """Where there is no key, the client library wants to be told with each request that none is meant."""
        import openai

        return None if self._connect().api_key else {"Authorization": openai.Omit()}


@contextmanager
def _translated(endpoint: Endpoint, *, unclear: bool = False) -> Iterator[None]:
    """The client library's errors as ours; where ``unclear``, those that leave open whether anything was begun.

    None of them is raised "from" the library's: its text may hold the key, and Dagster would keep it.
    """
    import openai

    try:
        yield
    except openai.NotFoundError as error:
        raise BatchGone(f"the provider knows no such thing: {error_line(error, endpoint)}") from None
    except openai.OpenAIError as error:
        exchange = failed_exchange(error, endpoint=endpoint)
        if exchange.status == 429:
            raise LlmUnavailable(f"the provider has enough to do: {exchange.error}") from None
        if not exchange.retryable and exchange.status:
            raise BatchRefused(f"the provider refuses: {exchange.error}") from None
        kind = BatchUnclear if unclear else LlmUnavailable
        raise kind(f"the provider does not answer: {exchange.error}") from None
    except (ValueError, AttributeError, TypeError) as error:
        # Servers that only look like OpenAI's send what the client library stumbles over.
        kind = BatchUnclear if unclear else LlmUnavailable
        said = error_line(error, endpoint) or type(error).__name__
        raise kind(f"the provider's reply is not of the batch API: {said}") from None


def _remote(batch: "openai.types.Batch") -> Remote:
    # The client library takes whatever JSON comes, so that no field is sure to be of its type.
    told: Any = batch
    if not isinstance(told.id, str) or not isinstance(told.status, str):
        raise TypeError("a batch without id or status")
    errors = [one for one in getattr(told.errors, "data", None) or [] if one is not None]
    ended = (told.completed_at, told.expired_at, told.failed_at, told.cancelled_at)
    completed = getattr(told.request_counts, "completed", 0)
    return Remote(
        id=told.id,
        state=told.status,
        completed=completed if isinstance(completed, int) else 0,
        files=tuple(one for one in (told.output_file_id, told.error_file_id) if isinstance(one, str) and one),
        error=" ".join("; ".join(str(one.message or one.code) for one in errors).split())[:200],
        codes=tuple(str(one.code) for one in errors if one.code),
        ended_at=next((moment for one in ended if (moment := _moment(one)) is not None), None),
    )


def _moment(seconds: object) -> datetime | None:
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC)
