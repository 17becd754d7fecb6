"""One request to a chat server and what came back; what each failure of the client library means.

What does not belong here: sending (``resources/llm_transport.py``), what a reply's words mean
(``tagging_assets/domain/replies.py``).
"""

import decimal
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from resources.llm_server import Endpoint
from tagging_assets.domain.chat import Outcome
from tagging_assets.domain.errors import LlmRejected
from tagging_assets.domain.printable import storable

if TYPE_CHECKING:
    # Costs a second; a process that asks nothing goes without.
    import openai

_EXCERPT = 200
#: Letters of an error that are looked at, so that a key across its end is still known.
_READ = 10_000
#: A server that asks for more has made a mistake: a process that lives for weeks must not wait for ever.
_LONGEST_WAIT_SECONDS = 86_400.0
#: Shorter keys are no secrets but words such as "none", which servers on this machine are content with.
_SHORTEST_SECRET = 8

#: Every exception class of ``openai`` and what it means: an outcome with whether asking again may help, or
#: ``None`` where the provider says no for good. Looked up along the class's bases; a test holds that none is left
#: out.
OPENAI_ERRORS: Mapping[str, tuple[Outcome, bool] | None] = {
    "AuthenticationError": None,
    "OAuthError": None,
    "PermissionDeniedError": None,
    "NotFoundError": None,
    "SubjectTokenProviderError": None,
    "APITimeoutError": ("timed_out", True),
    "RateLimitError": ("rate_limited", True),
    "APIConnectionError": ("failed", True),
    "InternalServerError": ("failed", True),
    "ConflictError": ("failed", True),
    "BadRequestError": ("failed", False),
    "UnprocessableEntityError": ("failed", False),
    "APIStatusError": ("failed", False),
    "APIResponseValidationError": ("invalid", True),
    "APIError": ("failed", True),
    "LengthFinishReasonError": ("truncated", False),
    "ContentFilterFinishReasonError": ("refused", False),
    "InvalidWebhookSignatureError": ("failed", False),
    "WebSocketConnectionClosedError": ("failed", True),
    "WebSocketQueueFullError": ("failed", True),
    "_AmbiguousModuleClientUsageError": ("failed", False),
    "OpenAIError": ("failed", False),
}

# Statuses that the client library has no class for.
_STATUS_OUTCOMES: Mapping[int, tuple[Outcome, bool] | None] = {
    402: None,  # payment required
    408: ("timed_out", True),
    425: ("failed", True),
}
#: What to look at where the provider says no for good.
_ADVICE = {401: "check the key", 402: "check the credit", 403: "check what the key may do"}
_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "account_deactivated"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back.

    Attributes:
        text: the message content; ``None`` where there is none.
        seconds: from asking to answer.
        failure: why there is no answer; ``None`` where the server answered.
        error: one line, with a failure.
        retryable: whether asking again may help.
        may_cost: whether the provider may have worked for it: not where it refused, or was never reached.
        status: HTTP status of a failure, 0 where there was none.
        retry_after: seconds the server asks to wait.
        finish_reason: as the server says.
        refusal: the server's own refusal field.
        prompt_tokens: as the server counts.
        completion_tokens: as the server counts.
        cached_tokens: of the prompt's, as the server counts.
        cost_usd: as the server says, which few do.
        logprobs: whether the reply says how likely its words were.
    """

    text: str | None
    seconds: float
    failure: Outcome | None = None
    error: str = ""
    retryable: bool = False
    may_cost: bool = True
    status: int = 0
    retry_after: float | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: decimal.Decimal | None = None
    logprobs: bool = False


def failed_exchange(error: "openai.OpenAIError", seconds: float = 0.0, endpoint: Endpoint | None = None) -> Exchange:
    """What an exception of the client library means.

    Args:
        error: as it was raised.
        seconds: from asking to failing.
        endpoint: who was asked. Its key is kept out of all messages: some servers repeat what they were sent.

    Raises:
        LlmRejected: the provider says no for good.
    """
    import openai

    status = error.status_code if isinstance(error, openai.APIStatusError) else 0
    code = error.code if isinstance(error, openai.APIError) else None
    meaning = _STATUS_OUTCOMES.get(status, _meaning(type(error)))
    line = error_line(error, endpoint)
    if meaning is None or code in _NO_CREDIT:
        advice = _ADVICE[402] if code in _NO_CREDIT else _ADVICE.get(status, "check base_url and the model's name")
        # Not "from error": Dagster would keep its text too, and the key that may be in it.
        raise LlmRejected(f"the chat provider says no: {line}; {advice}{_at(endpoint)}") from None
    outcome, retryable = meaning
    unreached = _never_reached(error)
    if unreached:
        line = (
            f"nobody answers{_at(endpoint)} ({error_line(error.__cause__ or error, endpoint)}); is the server running?"
        )
    return Exchange(
        None,
        seconds,
        outcome,
        line if unreached else f"{type(error).__name__}: {line}",
        retryable=retryable,
        may_cost=not status and not unreached,
        status=status,
        retry_after=_retry_after(error),
    )


def error_line(error: BaseException, endpoint: Endpoint | None = None) -> str:
    """An exception in one line of at most 200 letters, without the key of who was asked."""
    said = storable(str(error)[:_READ])
    return without_key(" ".join(said.split()), endpoint)[:_EXCERPT]


def without_key(text: str, endpoint: Endpoint | None) -> str:
    """Text with the key blotted out."""
    key = endpoint.api_key if endpoint is not None else ""
    return text.replace(key, "[key]") if len(key) >= _SHORTEST_SECRET else text


def _at(endpoint: Endpoint | None) -> str:
    return "" if endpoint is None else f" at {urlsplit(endpoint.base_url).netloc}"


def _meaning(kind: type[BaseException]) -> tuple[Outcome, bool] | None:
    for base in kind.__mro__:
        if base.__name__ in OPENAI_ERRORS:
            return OPENAI_ERRORS[base.__name__]
    return ("failed", False)


def _never_reached(error: BaseException) -> bool:
    import httpx2  # what the client library runs on

    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _retry_after(error: "openai.OpenAIError") -> float | None:
    """Seconds, from either form that HTTP allows (RFC 9110, 10.2.3)."""
    import openai

    if not isinstance(error, openai.APIStatusError):
        return None
    said = error.response.headers.get("retry-after")
    if said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        seconds = _seconds_until(said)
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    """Seconds from now to a date as HTTP writes it; ``nan`` where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return math.nan
