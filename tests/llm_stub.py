"""A real HTTP server on loopback that speaks the chat protocol, well or badly, as each test tells it."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

#: Answers one request by writing to its handler.
Behaviour = Callable[["_Handler"], None]


def completion(
    content: str | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A chat completion as OpenAI's API words it."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": dict(usage or {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}),
    }


def says(content: str | None, **more: Any) -> Behaviour:
    """Answer properly, with this content."""
    return sends(completion(content, **more))


def sends(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with any JSON, any status, any headers."""

    def behave(handler: "_Handler") -> None:
        handler.reply(status, json.dumps(body).encode(), dict(headers or {}))

    return behave


def fails(status: int, message: str = "no", *, headers: Mapping[str, str] | None = None, **error: Any) -> Behaviour:
    """Answer with an error in OpenAI's form."""
    return sends({"error": {"message": message, "type": "error", "code": None, **error}}, status, headers)


def sends_text(text: str, content_type: str = "application/json", status: int = 200) -> Behaviour:
    """Answer with raw text."""

    def behave(handler: "_Handler") -> None:
        handler.reply(status, text.encode(), {"Content-Type": content_type})

    return behave


def hangs(seconds: float) -> Behaviour:
    """Take the question and say nothing for a while; a shutdown ends the wait."""

    def behave(handler: "_Handler") -> None:
        handler.stub.closing.wait(seconds)
        handler.close_connection = True

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour after the other, from request to request; the last one stays."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(handler: "_Handler") -> None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(handler)

    return behave


def half_a_body() -> Behaviour:
    """Promise more bytes than come, then hang up."""

    def behave(handler: "_Handler") -> None:
        text = json.dumps(completion('{"tags": ["cat"]}')).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text[: len(text) // 2])
        handler.close_connection = True

    return behave


def trickles(seconds: float = 0.02) -> Behaviour:
    """Send a good reply so slowly, blank by blank, that no single read ever times out."""

    def behave(handler: "_Handler") -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not handler.stub.closing.wait(seconds):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        handler.close_connection = True

    return behave


def floods(status: int, part: bytes = b"x" * 65_536, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Send a body that never ends, as fast as it is taken."""

    def behave(handler: "_Handler") -> None:
        handler.send_response(status)
        for name, value in (headers or {"Content-Type": "application/json"}).items():
            handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not handler.stub.closing.is_set():
                handler.wfile.write(part)
        handler.close_connection = True

    return behave


def hangs_up() -> Behaviour:
    """Close the connection without a word."""

    def behave(handler: "_Handler") -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    return behave


def slowly(seconds: float, then: Behaviour) -> Behaviour:
    """Wait before answering."""

    def behave(handler: "_Handler") -> None:
        time.sleep(seconds)
        then(handler)

    return behave


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass
class LlmStub:
    """Answers each request with the next behaviour; the last one stays.

    Attributes:
        behaviours: what to do, in order.
        asked: every question so far.
        models: what it lists under ``/models``; ``None`` for no such page.
    """

    behaviours: list[Behaviour]
    asked: list[Asked] = field(default_factory=list)
    models: tuple[str, ...] | None = None
    closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        """What a client is pointed at."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def next(self, asked: Asked) -> Behaviour:
        """Record a request and tell what to do with it."""
        with self._lock:
            self.asked.append(asked)
            return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: LlmStub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up first is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    @property
    def stub(self) -> LlmStub:
        assert isinstance(self.server, _Server)
        return self.server.stub

    def do_GET(self) -> None:
        models = self.stub.models
        if self.path != "/v1/models" or models is None:
            fails(404)(self)
            return
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "stub"} for name in models]
        sends({"object": "list", "data": listed})(self)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length))
        self.stub.next(Asked(self.path, dict(self.headers), body))(self)

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""
