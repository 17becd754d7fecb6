"""One question over HTTP to any server that speaks OpenAI's chat protocol; every failure a typed outcome.

What does not belong here: retries, prompts and the ledger (``resources/llm_client.py``), what an answer means
(``tagging_assets/domain/llm.py``).
"""

import ipaddress
import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from resources.llm_server import Endpoint
from tagging_assets.domain.errors import LlmRejected, SettingsError
from tagging_assets.domain.llm import Outcome
from tagging_assets.domain.prompts import Message

if TYPE_CHECKING:
    # Costs a second; a process that asks nothing goes without.
    import openai

#: How the reply's form is asked for: held to the schema, any JSON, or by the prompt's words alone.
Structured = Literal["json_schema", "json_object", "none"]

_CONNECT_SECONDS = 10.0
_EXCERPT = 200

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
_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "account_deactivated"})

# What a provider may refuse about the form of a request, and how its words tell. A complaint about length names
# max_tokens too, so the parameters count only beside a word that refuses them.
_REFUSES = re.compile(r"support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|instead", re.IGNORECASE)
_STRUCTURED = re.compile(r"response_format|json_schema|json_object|structured|grammar|schema", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a provider understands of the protocol; parts that it refuses are given up one by one.

    Attributes:
        structured: how the reply's form is asked for.
        token_limit: name of the parameter that limits the answer; newer models of OpenAI refuse ``max_tokens``.
        temperature: whether temperature 0 may be asked for.
        seed: whether a seed may be given.
    """

    structured: Structured = "json_schema"
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105 (no password)
    temperature: bool = True
    seed: bool = True

    def parameters(self, max_output_tokens: int) -> dict[str, Any]:
        """Sampling parameters of a request."""
        said: dict[str, Any] = {self.token_limit: max_output_tokens}
        if self.temperature:
            said["temperature"] = 0.0
        if self.seed:
            said["seed"] = 0
        return said

    def response_format(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """How the reply's form is asked for; ``{}`` for not at all."""
        if self.structured == "json_schema":
            wanted = {"name": "tags", "strict": True, "schema": dict(schema)}
            return {"type": "json_schema", "json_schema": wanted}
        return {"type": "json_object"} if self.structured == "json_object" else {}

    def without(self, complaint: str) -> "Dialect | None":
        """The next best dialect for a provider that refused a request; ``None`` where its words name no part."""
        refuses = _REFUSES.search(complaint) is not None
        if refuses and self.token_limit == "max_tokens" and "max_tokens" in complaint:  # noqa: S105 (no password)
            return replace(self, token_limit="max_completion_tokens")  # noqa: S106 (no password)
        if refuses and self.temperature and "temperature" in complaint:
            return replace(self, temperature=False)
        if refuses and self.seed and re.search(r"\bseed\b", complaint):
            return replace(self, seed=False)
        if self.structured != "none" and _STRUCTURED.search(complaint):
            return replace(self, structured="json_object" if self.structured == "json_schema" else "none")
        return None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back.

    Attributes:
        text: the message content; ``None`` where there is none.
        seconds: from asking to answer.
        failure: why there is no answer; ``None`` where the server answered.
        error: one line, with a failure.
        retryable: whether asking again may help.
        status: HTTP status of a failure, 0 where there was none.
        retry_after: seconds the server asks to wait.
        finish_reason: as the server says.
        refusal: the server's own refusal field.
        prompt_tokens: as the server counts.
        completion_tokens: as the server counts.
    """

    text: str | None
    seconds: float
    failure: Outcome | None = None
    error: str = ""
    retryable: bool = False
    status: int = 0
    retry_after: float | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ChatTransport:
    """Sends single requests; safe to use from several threads.

    Args:
        connect: where to send them; asked before each request, as a local server may have restarted elsewhere.
        timeout_seconds: for one answer.
    """

    def __init__(self, connect: Callable[[], Endpoint], timeout_seconds: float) -> None:
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None
        self._endpoint: Endpoint | None = None

    @property
    def runtime(self) -> str:
        """What answers; ``not loaded`` before the first request."""
        return self._endpoint.runtime if self._endpoint is not None else "not loaded"

    def send(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        response_format: Mapping[str, Any],
    ) -> Exchange:
        """Ask once.

        Raises:
            LlmRejected: the provider says no for good.
            ModelError: a local server cannot be started.
        """
        import openai

        client, endpoint = self._client_now()
        body: dict[str, Any] = {"model": model, **parameters}
        if not endpoint.api_key:
            body["extra_headers"] = {"Authorization": openai.Omit()}
        if response_format:
            body["response_format"] = dict(response_format)
        said: Any = [{"role": message.role, "content": message.content} for message in messages]
        started = time.monotonic()
        try:
            answer: object = client.chat.completions.create(messages=said, **body)
        except openai.OpenAIError as error:
            return failed_exchange(error, time.monotonic() - started)
        except ValueError as error:
            # The client library passes a JSON decoder's complaint on as it is.
            seconds = time.monotonic() - started
            return Exchange(None, seconds, "invalid", f"the reply is not JSON: {error}", retryable=True)
        return _answered(answer, time.monotonic() - started)

    def close(self) -> None:
        """Close connections; a later request opens new ones."""
        with self._lock:
            self._close()

    def _client_now(self) -> tuple["openai.OpenAI", Endpoint]:
        endpoint = self._connect()
        with self._lock:
            if self._client is None or endpoint != self._endpoint:
                self._close()
                self._client = _client(endpoint, self._timeout_seconds)
                self._endpoint = endpoint
            return self._client, endpoint

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def remote_endpoint(base_url: str, api_key_env: str, privacy: Literal["local", "remote"]) -> Callable[[], Endpoint]:
    """Where a server is that somebody else runs.

    Args:
        base_url: as OpenAI's clients take it, ending in ``/v1`` as a rule.
        api_key_env: environment variable that holds the key; read at each use, so that keys can be exchanged.
        privacy: with ``local`` only this machine may be named.

    Raises:
        SettingsError: the address makes no sense or privacy forbids it; at use, if the key is not set. A server on
            this machine may go without.
    """
    parts = urllib.parse.urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise SettingsError(f"llm.base_url {base_url!r}: write http(s)://HOST[:PORT]/v1, and no password in it")
    loopback = is_loopback(base_url)
    if privacy == "local" and not loopback:
        raise SettingsError(
            f"llm.base_url {base_url!r} is not this machine and privacy is local; `privacy: remote` would allow it"
        )

    def connect() -> Endpoint:
        key = os.environ.get(api_key_env, "") if api_key_env else ""
        if not key and api_key_env and not loopback:
            raise SettingsError(f"{api_key_env} is not set; put the key of {parts.hostname} into it")
        return Endpoint(base_url, key, f"chat server {parts.netloc}")

    return connect


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine by an address that no packet leaves it for."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def failed_exchange(error: "openai.OpenAIError", seconds: float = 0.0) -> Exchange:
    """What an exception of the client library means.

    Raises:
        LlmRejected: the provider says no for good.
    """
    import openai

    status = error.status_code if isinstance(error, openai.APIStatusError) else 0
    code = error.code if isinstance(error, openai.APIError) else None
    meaning = _STATUS_OUTCOMES.get(status, _meaning(type(error)))
    line = " ".join(str(error).split())[:_EXCERPT]
    if meaning is None or code in _NO_CREDIT:
        raise LlmRejected(
            f"the chat provider says no: {line}; check the key, the model's name and the credit"
        ) from error
    outcome, retryable = meaning
    return Exchange(
        None,
        seconds,
        outcome,
        f"{type(error).__name__}: {line}",
        retryable=retryable,
        status=status,
        retry_after=_retry_after(error),
    )


def _meaning(kind: type[BaseException]) -> tuple[Outcome, bool] | None:
    for base in kind.__mro__:
        if base.__name__ in OPENAI_ERRORS:
            return OPENAI_ERRORS[base.__name__]
    return ("failed", False)


def _retry_after(error: "openai.OpenAIError") -> float | None:
    """Seconds, from either form that HTTP allows (RFC 9110, 10.2.3)."""
    import openai

    if not isinstance(error, openai.APIStatusError):
        return None
    said = error.response.headers.get("retry-after")
    if said is None:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def _client(endpoint: Endpoint, timeout_seconds: float) -> "openai.OpenAI":
    import openai

    # All that the library would take from the environment is said here, so that a key or an organisation meant
    # for another provider is not sent to this one. On this machine neither a proxy nor a redirect may lead away.
    headers: Any = {
        "Authorization": f"Bearer {endpoint.api_key}" if endpoint.api_key else openai.Omit(),
        "OpenAI-Organization": openai.Omit(),
        "OpenAI-Project": openai.Omit(),
    }
    remote = not is_loopback(endpoint.base_url)
    return openai.OpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key or "none",
        admin_api_key="",
        organization="",
        project="",
        max_retries=0,
        timeout=openai.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        default_headers=headers,
        http_client=openai.DefaultHttpxClient(trust_env=remote, follow_redirects=False),
    )


def _answered(answer: object, seconds: float) -> Exchange:
    """Servers that only look like OpenAI's leave fields out, so nothing is taken for granted."""
    choices = getattr(answer, "choices", None)
    message = getattr(choices[0], "message", None) if choices else None
    if not choices or message is None:
        return Exchange(None, seconds, "invalid", "the reply is no chat completion", retryable=True)
    usage = getattr(answer, "usage", None)
    return Exchange(
        text=_typed(getattr(message, "content", None), str),
        seconds=seconds,
        finish_reason=_typed(getattr(choices[0], "finish_reason", None), str),
        refusal=_typed(getattr(message, "refusal", None), str),
        prompt_tokens=_typed(getattr(usage, "prompt_tokens", None), int),
        completion_tokens=_typed(getattr(usage, "completion_tokens", None), int),
    )


def _typed(value: object, kind: type) -> Any:
    return value if isinstance(value, kind) else None
