"""A real HTTP server on loopback that speaks OpenAI's batch API; batches end when a test says so, and how."""

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.llm_stub import completion

#: A failure with this status does what was asked, and hangs up before it says so.
DONE_AND_HUNG_UP = -1


def answer(custom_id: str, content: str | None = '{"tags": ["cat"]}', **more: Any) -> dict[str, Any]:
    """A row of an answered question."""
    response = {"status_code": 200, "request_id": f"r-{custom_id}", "body": completion(content, **more)}
    return {"id": f"row-{custom_id}", "custom_id": custom_id, "response": response, "error": None}


def error(custom_id: str, status: int, message: str = "no") -> dict[str, Any]:
    """A row of a question that the endpoint refused."""
    response = {"status_code": status, "request_id": "r", "body": {"error": {"message": message, "code": None}}}
    return {"id": f"row-{custom_id}", "custom_id": custom_id, "response": response, "error": None}


def expired(custom_id: str) -> dict[str, Any]:
    """A row of a question that nobody came to."""
    why = {"code": "batch_expired", "message": "This request could not be executed in time."}
    return {"id": f"row-{custom_id}", "custom_id": custom_id, "response": None, "error": why}


@dataclass
class BatchStub:
    """A provider's batch API.

    Attributes:
        files: content by id.
        batches: as the API words them, by id, in the order they were begun.
        asked: method and path of each request.
        fails: by method and path (ids as ``*``), what to do with the next requests: a status, ``None`` for
            nothing amiss, or :data:`DONE_AND_HUNG_UP`.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails: dict[str, list[int | None]] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        """What a client is pointed at."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def last(self) -> str:
        """Id of the batch begun last."""
        return list(self.batches)[-1]

    def questions(self, batch_id: str) -> list[dict[str, Any]]:
        """What was handed in with a batch."""
        return [json.loads(line) for line in self.files[self.batches[batch_id]["input_file_id"]].splitlines()]

    def custom_ids(self, batch_id: str) -> list[str]:
        """Ids of its questions."""
        return [one["custom_id"] for one in self.questions(batch_id)]

    def end(
        self,
        batch_id: str,
        rows: Sequence[Mapping[str, Any]] = (),
        errors: Sequence[Mapping[str, Any]] = (),
        *,
        state: str = "completed",
        completed: int | None = None,
        code: str = "",
        text: bytes | None = None,
        ago: float = 0.0,
    ) -> None:
        """Bring a batch to its end.

        Args:
            batch_id: which.
            rows: of its output file; none makes no file.
            errors: of its error file.
            state: that it ends in.
            completed: answers that it counts, if not as many as rows.
            code: of the reason why it failed.
            text: of the output file, whatever the rows.
            ago: seconds since it ended.
        """
        batch = self.batches[batch_id]
        output = text if text is not None else _lines(rows)
        batch["output_file_id"] = self.keep(output) if output else None
        batch["error_file_id"] = self.keep(_lines(errors)) if errors else None
        batch["status"] = state
        batch["request_counts"]["completed"] = len(rows) if completed is None else completed
        batch[f"{state}_at"] = int(time.time() - ago)
        if code:
            batch["errors"] = {"object": "list", "data": [{"code": code, "message": "see the docs", "line": 1}]}

    def keep(self, content: bytes) -> str:
        """A file more; its id."""
        file_id = f"file-{next(self._ids)}"
        self.files[file_id] = content
        return file_id

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and content; status :data:`DONE_AND_HUNG_UP` for a line that goes dead."""
        path = urlsplit(target).path.removeprefix("/v1")
        plain = re.sub(r"/(file|batch)-\w+", "/*", path)
        with self._lock:
            self.asked.append(f"{method} {plain}")
            queue = self.fails.get(f"{method} {plain}", [])
            fate = queue.pop(0) if queue else None
            if fate is not None and fate != DONE_AND_HUNG_UP:
                return fate, json.dumps({"error": {"message": "no", "code": None}}).encode()
            said = self._said(method, path, target, body)
        if fate == DONE_AND_HUNG_UP:
            return fate, b""
        if said is None:
            return 404, json.dumps({"error": {"message": f"no such thing: {path}"}}).encode()
        return 200, said if isinstance(said, bytes) else json.dumps(said).encode()

    def _said(self, method: str, path: str, target: str, body: bytes) -> bytes | dict[str, Any] | None:
        parts = path.strip("/").split("/")
        match (method, *parts):
            case ("POST", "files"):
                file_id = self.keep(_uploaded(body))
                return {"id": file_id, "object": "file", "purpose": "batch", "filename": "x", "bytes": 1}
            case ("GET", "files", file_id, "content"):
                return self.files.get(file_id)
            case ("POST", "batches"):
                return self._begun(json.loads(body))
            case ("GET", "batches"):
                return self._page(parse_qs(urlsplit(target).query))
            case ("GET", "batches", batch_id):
                return self.batches.get(batch_id)
            case ("POST", "batches", batch_id, "cancel") if batch_id in self.batches:
                self.batches[batch_id]["status"] = "cancelling"
                return self.batches[batch_id]
        return None

    def _begun(self, said: Mapping[str, Any]) -> dict[str, Any]:
        batch_id = f"batch-{next(self._ids)}"
        self.batches[batch_id] = {
            "id": batch_id,
            "object": "batch",
            "status": "validating",
            "created_at": int(time.time()),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            **said,
        }
        return self.batches[batch_id]

    def _page(self, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        newest = list(reversed(self.batches.values()))
        ids = [batch["id"] for batch in newest]
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        stop = start + int(query.get("limit", ["20"])[0])
        return {"object": "list", "data": newest[start:stop], "has_more": stop < len(newest)}

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _uploaded(body: bytes) -> bytes:
    """The file within a form as browsers send it (RFC 7578)."""
    boundary = body.split(b"\r\n", 1)[0]
    for part in body.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return content.removesuffix(b"\r\n")
    raise ValueError("a form without a file")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: BatchStub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up first is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5
    # Head and body are two writes; the second would wait for the client's word on the first.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        assert isinstance(self.server, _Server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content = self.server.stub.answer(method, self.path, body)
        if status == DONE_AND_HUNG_UP:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""
