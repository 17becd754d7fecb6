"""A chat model on this machine: a GGUF file served by llama.cpp in a process of its own, on loopback only.

The process is started by the first question and lives as long as the one that asked, crash or ``kill -9``
included. It listens on a port the system chose and answers only to a key made up for it, so other users and web
pages of this machine cannot use it. Two runs at once each have their own.

What does not belong here: what is asked (``resources/llm_engine.py``), where the file comes from
(``resources/weights.py``).
"""

import atexit
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from resources.files import PRIVATE_UMASK, open_log
from tagging_assets.domain.errors import ModelError, ModelFailed

_CHILD = Path(__file__).with_name("llm_child.py")
_STOP_SECONDS = 5.0
_HEALTH_SECONDS = 30.0
_LOG_BYTES = 1_000_000

#: Gemma's turns, after its vendor's template; a system message opens the user's turn. The embedded GGUF carries no
#: template, and the runtime's stand-in (ChatML) has markers that Gemma never saw: it answers at random then.
GEMMA_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message.role == 'system' %}<start_of_turn>user\n{{ message.content }}\n\n"
    "{% else %}"
    "{% if not (loop.previtem is defined and loop.previtem.role == 'system') %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}\n{% endif %}"
    "{{ message.content }}<end_of_turn>\n"
    "{% endif %}"
    "{% endfor %}"
    "<start_of_turn>model\n"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a chat model answers.

    Attributes:
        base_url: as OpenAI's clients take it, ending in ``/v1``.
        api_key: what to show; ``""`` for none.
        runtime: what serves it, for people.
    """

    base_url: str
    api_key: str
    runtime: str


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the model is served.

    Attributes:
        alias: the model's name in requests.
        context_tokens: room for one prompt and its answer.
        slots: answers made at once; each has its own context.
        threads: of the processor; 0 leaves it to the runtime. Threads wait for each other in every layer, by
            spinning: where other work wants the same cores, two of them answer a small model's prompt in 20-70 s
            and one in 1.1 s (two cores, load 4; quiet, 0.6 s and 0.75 s). More pay for large models on idle cores.
        gpu_layers: layers put on a GPU, where the installed runtime has one; -1 for as many as fit.
        seed: of the sampler. Requests say temperature 0, so that it only matters where they do not.
        chat_template: Jinja2; ``""`` uses the file's own.
        start_seconds: how long loading may take.
        restarts: how often a crashed process is started anew.
    """

    alias: str = "local"
    context_tokens: int = 2048
    slots: int = 1
    threads: int = 1
    gpu_layers: int = 0
    seed: int = 0
    chat_template: str = GEMMA_TEMPLATE
    start_seconds: float = 120.0
    restarts: int = 3


class ChatServer:
    """Serves one GGUF file; a context manager, and safe to use from several threads.

    Args:
        model: the file, or what fetches it; called at the first question.
        options: how to serve it.
        log_dir: where ``llm-server.log`` goes, which servers of several runs share; by default a temporary file
            that a clean stop removes.
    """

    def __init__(
        self,
        model: Path | Callable[[], Path],
        options: ServerOptions | None = None,
        log_dir: Path | None = None,
    ) -> None:
        self.options = options or ServerOptions()
        self._model = model
        self._log_dir = log_dir
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._endpoint: Endpoint | None = None
        self._log: Path | None = None
        self._starts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running server, ``None`` where none runs."""
        return self._process.pid if self._process is not None and self._running() else None

    @property
    def runtime(self) -> str:
        """What serves, ``not loaded`` before the first question."""
        return self._endpoint.runtime if self._endpoint is not None else "not loaded"

    @property
    def log(self) -> Path | None:
        """The runtime's log, while there is one."""
        return self._log

    def endpoint(self) -> Endpoint:
        """Where the model answers; starts it where it does not run.

        Raises:
            ModelError: the runtime is not installed.
            ModelFailed: it does not load the file, does not come up in time, or has crashed too often.
        """
        with self._lock:
            if self._endpoint is not None and self._running():
                return self._endpoint
            if self._starts > self.options.restarts:
                raise ModelFailed(f"the local chat model crashed {self._starts} times; its log is {self._log}")
            self._discard(keep_log=True)
            self._starts += 1
            try:
                self._endpoint = self._start()
            except BaseException:
                self._discard(keep_log=True)
                raise
            return self._endpoint

    def stop(self) -> None:
        """Stop it if it runs; a later question starts it again."""
        with self._lock:
            crashed = self._process is not None and not self._running()
            self._discard(keep_log=crashed or self._log_dir is not None)
            self._starts = 0
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _running(self) -> bool:
        # After a fork the process belongs to the parent, which may stop it at any time.
        return self._process is not None and self._owner == os.getpid() and self._process.poll() is None

    def _start(self) -> Endpoint:
        path = self._model() if callable(self._model) else self._model
        if not path.is_file():
            raise ModelFailed(f"{path}: no such model file; run `tagging models pull`")
        key = secrets.token_urlsafe(24)
        self._log = self._new_log()
        with open_log(self._log) as log:
            # -P: the script's folder stays off sys.path, where our modules could hide others of the same name.
            # A session of its own: Ctrl-C in a terminal reaches us alone, and we stop it in good order.
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter on our own file)
                [sys.executable, "-P", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                umask=PRIVATE_UMASK,
            )
        self._owner = os.getpid()
        atexit.register(self.stop)
        report = self._ask_child({**asdict(self.options), "path": str(path), "api_key": key})
        address = str(report["address"])
        self._wait_healthy(address)
        return Endpoint(f"{address}/v1", key, f"xllamacpp {report['version']}")

    def _new_log(self) -> Path:
        if self._log_dir is None:
            handle, name = tempfile.mkstemp(prefix="tagging-llm-", suffix=".log")
            os.close(handle)
            return Path(name)
        log = self._log_dir / "llm-server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
        return log

    def _ask_child(self, wishes: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ModelFailed("the local chat model has no pipes")
        try:
            process.stdin.write(json.dumps(wishes).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process.stdout, self.options.start_seconds)
        except BrokenPipeError:
            line = b""
        if line is None:
            raise ModelFailed(f"the local chat model did not load in {self.options.start_seconds:g} s; see {self._log}")
        report: dict[str, Any] = json.loads(line) if line.strip() else {}
        if "missing" in report:
            raise ModelError(f"{report['missing']}: install the local-llm extra, or set llm.model to a provider's")
        if "address" not in report:
            raise ModelFailed(
                f"the local chat model did not start: {report.get('error', 'it crashed')}; see {self._log}"
            )
        return report

    def _wait_healthy(self, address: str) -> None:
        until = time.monotonic() + min(_HEALTH_SECONDS, self.options.start_seconds)
        while time.monotonic() < until and self._running():
            if _is_healthy(address.removeprefix("http://")):
                return
            time.sleep(0.05)
        raise ModelFailed(f"the local chat model came up and does not answer; see {self._log}")

    def _discard(self, *, keep_log: bool) -> None:
        process, self._process, self._endpoint = self._process, None, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            if self._owner == os.getpid():
                _end(process)
        if self._log is not None and not keep_log:
            self._log.unlink(missing_ok=True)
            self._log = None


def _end(process: subprocess.Popen[bytes]) -> None:
    """The closed pipe asks it to go; where that does not help, the kernel does."""
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_line(pipe: IO[bytes], seconds: float) -> bytes | None:
    """One line, ``b""`` at the end of the pipe, ``None`` where nothing comes in time."""
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0] if lines else None


def _is_healthy(authority: str) -> bool:
    connection = http.client.HTTPConnection(authority, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
