"""One question over HTTP to any server that speaks OpenAI's chat protocol; every failure a typed outcome.

What does not belong here: retries and the ledger (``resources/llm_engine.py``), what failures mean
(``resources/llm_failures.py``), what an answer means (``tagging_assets/domain/replies.py``).
"""

import decimal
import ipaddress
import json
import math
import os
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from resources.cancelling import Cancellation
from resources.llm_failures import Exchange, error_line, failed_exchange
from resources.llm_server import Endpoint
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.printable import storable

if TYPE_CHECKING:
    # Costs a second; a process that asks nothing goes without.
    import openai

_CONNECT_SECONDS = 10.0
#: What the client library is told where there is no key; never sent.
NO_KEY = "none"
#: No reply to questions like ours is longer.
_REPLY_BYTES = 4_000_000
#: What no one question takes or costs: a server that says more does not know.
_MOST_TOKENS, _MOST_DOLLARS = 1_000_000_000, 10_000


class ChatTransport:
    """Sends single requests; safe to use from several threads.

    Args:
        connect: where to send them; asked before each request, as a local server may have restarted elsewhere.
        timeout_seconds: for one answer, from the first byte sent to the last byte read.
        cancellation: ends every wait for an answer.
    """

    def __init__(
        self, connect: Callable[[], Endpoint], timeout_seconds: float, cancellation: Cancellation | None = None
    ) -> None:
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._cancellation = cancellation or Cancellation()
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None
        self._endpoint: Endpoint | None = None

    @property
    def runtime(self) -> str:
        """What answers; ``not loaded`` before the first request."""
        return self._endpoint.runtime if self._endpoint is not None else "not loaded"

    def client(self) -> "openai.OpenAI":
        """The client library on this server, for what is no single question (files, batches, lists of models).

        Raises:
            ModelError: a local server cannot be started.
            SettingsError: the key is not set.
        """
        return self._connected()[0]

    def send(self, body: Mapping[str, Any], timeout_seconds: float = math.inf) -> Exchange:
        """Ask once.

        Args:
            body: of the request, ``model`` and ``messages`` among it.
            timeout_seconds: where this question has less time than others.

        Raises:
            LlmRejected: the provider says no for good.
            ModelError: a local server cannot be started.
            SettingsError: the key is not set.
        """
        client, endpoint = self._connected()
        keyed = {**body, "extra_headers": _no_key()} if not endpoint.api_key else body
        seconds = min(self._timeout_seconds, timeout_seconds)
        return _Call(client, endpoint, keyed, seconds).answer(self._cancellation)

    def close(self) -> None:
        """Close connections; a later request opens new ones."""
        with self._lock:
            self._close()

    def _connected(self) -> tuple["openai.OpenAI", Endpoint]:
        endpoint = self._connect()
        with self._lock:
            if self._client is None or endpoint != self._endpoint:
                self._close()
                self._client = open_client(endpoint, self._timeout_seconds)
                self._endpoint = endpoint
            return self._client, endpoint

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class _Call:
    """One request, made in a thread of its own.

    Time-outs of the HTTP library begin anew with every byte, so a server that trickles would hold the asker for ever;
    here the asker leaves when time is up, and the thread ends with the next byte or the library's own time-out.
    """

    def __init__(self, client: "openai.OpenAI", endpoint: Endpoint, body: Mapping[str, Any], seconds: float) -> None:
        self._client = client
        self._endpoint = endpoint
        self._body = body
        self._seconds = seconds
        self._started = time.monotonic()
        self._done = threading.Event()
        self._abandoned = threading.Event()
        self._exchange: Exchange | None = None
        self._raised: BaseException | None = None

    def answer(self, cancellation: Cancellation) -> Exchange:
        thread = threading.Thread(target=self._work, name="chat request", daemon=True)
        try:
            with cancellation.sets(self._done):
                if not cancellation.happened:
                    thread.start()
                    self._done.wait(self._seconds)
        finally:
            self._abandoned.set()
        if self._raised is not None:
            raise self._raised
        if self._exchange is not None:
            return self._exchange
        if cancellation.happened:
            sent = thread.ident is not None
            return Exchange(None, self._spent, "failed", "cancelled", retryable=True, may_cost=sent)
        return Exchange(None, self._spent, "timed_out", f"no answer within {self._seconds:g} s", retryable=True)

    @property
    def _spent(self) -> float:
        return time.monotonic() - self._started

    def _work(self) -> None:
        try:
            self._exchange = self._sent()
        except BaseException as error:  # noqa: BLE001 (handed to the thread that asks)
            self._raised = error
        finally:
            self._done.set()

    def _sent(self) -> Exchange:
        import httpx2  # what the client library runs on
        import openai

        try:
            said = json.loads(self._text())
        except openai.OpenAIError as error:
            return failed_exchange(error, self._spent, self._endpoint)
        except httpx2.TimeoutException:
            return Exchange(None, self._spent, "timed_out", "the reply broke off in the middle", retryable=True)
        except httpx2.HTTPError as error:
            line = f"the reply broke off: {type(error).__name__}: {error_line(error, self._endpoint)}"
            return Exchange(None, self._spent, "failed", line, retryable=True)
        except (ValueError, RecursionError) as error:
            line = f"the reply is not JSON: {error_line(error, self._endpoint)}"
            return Exchange(None, self._spent, "invalid", line, retryable=True)
        return _answered(said, self._spent, self._endpoint)

    def _text(self) -> bytes:
        import openai

        rest = dict(self._body)
        model, messages, headers = rest.pop("model"), rest.pop("messages"), rest.pop("extra_headers", None)
        create = self._client.chat.completions.with_streaming_response.create
        timeout = openai.Timeout(self._seconds, connect=min(_CONNECT_SECONDS, self._seconds))
        parts = bytearray()
        with create(
            model=model, messages=messages, extra_body=rest, extra_headers=headers, timeout=timeout
        ) as response:
            for part in response.iter_bytes():
                parts += part
                if self._abandoned.is_set() or len(parts) > _REPLY_BYTES:
                    raise ValueError("it does not end")
        return bytes(parts)


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
    if _hides_secrets(parts):
        raise SettingsError(
            f"base_url of {parts.hostname}: write http(s)://HOST[:PORT]/v1, and no password or key in it; api_key_env "
            "names the variable that holds the key"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_sound_port(parts):
        raise SettingsError(f"base_url {base_url!r}: write http(s)://HOST[:PORT]/v1")
    loopback = is_loopback(base_url)
    if privacy == "local" and not loopback:
        raise SettingsError(
            f"base_url {base_url!r} is not this machine and privacy is local; `privacy: remote` would allow it"
        )

    def connect() -> Endpoint:
        key = os.environ.get(api_key_env, "") if api_key_env else ""
        if not key and api_key_env and not loopback:
            raise SettingsError(f"{api_key_env} is not set; put the key of {parts.hostname} into it")
        return Endpoint(base_url, key, f"chat server {parts.netloc}")

    return connect


def _hides_secrets(parts: urllib.parse.SplitResult) -> bool:
    """Whether there is anything where passwords and keys are written; the client library has no use for it."""
    return bool(parts.username or parts.password or parts.query or parts.fragment)


def _has_sound_port(parts: urllib.parse.SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine by an address that no packet leaves it for."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_client(endpoint: Endpoint, timeout_seconds: float) -> "openai.OpenAI":
    """The client library on a server, told all that it would otherwise take from the environment; to be closed."""
    import openai

    from resources.bounded_reply import bound_error

    # A key or an organisation meant for another provider must not be sent to this one. On this machine neither a
    # proxy nor a redirect may lead away.
    headers: Any = {
        "Authorization": f"Bearer {endpoint.api_key}" if endpoint.api_key else openai.Omit(),
        "OpenAI-Organization": openai.Omit(),
        "OpenAI-Project": openai.Omit(),
        # Other ways of packing make a flood of a few bytes.
        "Accept-Encoding": "gzip, deflate",
    }
    remote = not is_loopback(endpoint.base_url)
    return openai.OpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key or NO_KEY,
        admin_api_key="",
        organization="",
        project="",
        max_retries=0,
        timeout=openai.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        default_headers=headers,
        http_client=openai.DefaultHttpxClient(
            trust_env=remote,
            follow_redirects=False,
            event_hooks={"response": [lambda response: bound_error(response, timeout_seconds)]},
        ),
    )


def _no_key() -> dict[str, Any]:
    import openai

    return {"Authorization": openai.Omit()}


def _answered(said: object, seconds: float, endpoint: Endpoint) -> Exchange:
    """Servers that only look like OpenAI's leave fields out, so nothing is taken for granted."""
    choices = said.get("choices") if isinstance(said, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(said, dict) or not isinstance(choice, dict) or not isinstance(message, dict):
        line = f"the reply is no chat completion{_complaint(said, endpoint)}"
        return Exchange(None, seconds, "invalid", line, retryable=True)
    logprobs = choice.get("logprobs")
    return Exchange(
        text=_string(message.get("content")),
        seconds=seconds,
        finish_reason=_string(choice.get("finish_reason")),
        refusal=_string(message.get("refusal")),
        logprobs=isinstance(logprobs, dict) and bool(logprobs.get("content")),
        **usage_of(said),
    )


def _complaint(said: object, endpoint: Endpoint) -> str:
    """What went wrong in the server's words: OpenRouter says so with status 200 once it has begun to answer."""
    error = said.get("error") if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return f": {error_line(ValueError(message), endpoint)}" if isinstance(message, str) and message else ""


def usage_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a chat completion says that it took; ``None`` for what it does not say.

    Returns:
        ``prompt_tokens``, ``completion_tokens``, ``cached_tokens``, and ``cost_usd``, which OpenRouter reports.
    """
    usage = said.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else usage.get("prompt_cache_hit_tokens")
    return {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
        "cached_tokens": _count(cached),
        "cost_usd": _dollars(usage.get("cost")),
    }


def _string(value: object) -> str | None:
    return storable(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if sound and isinstance(value, int) else None


def _dollars(value: object) -> decimal.Decimal | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return decimal.Decimal(str(value)) if 0 <= value <= _MOST_DOLLARS else None
