"""The process that runs llama.cpp; started by ``resources/llm_server.py``, and by nothing else.

It stands alone (no import from this project), so that it starts fast and its crash is nobody else's. One JSON line
on standard input says what to run, one JSON line on standard output says where it listens or what went wrong; all
the runtime's own chatter goes to standard error.

It ends when its standard input ends or its parent is gone, so that not even ``kill -9`` of the parent leaves it
behind. (Linux' death signal would be simpler, but it comes when the *thread* that started the process ends.)
"""

import json
import os
import sys
import threading
import time
from typing import Any

_PARENT_CHECK_SECONDS = 1.0


def main() -> None:
    """Serve until the parent lets go."""
    parent = os.getppid()
    # The C++ code may print as it likes: only what is written through ``report`` reaches the parent.
    report_fd = os.dup(1)
    os.dup2(2, 1)
    said = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        import xllamacpp

        server = xllamacpp.Server(_parameters(xllamacpp, said))
        report = {"address": server.listening_address, "version": xllamacpp.__version__}
    except ImportError as error:
        report = {"missing": str(error)}
    except (RuntimeError, OSError, ValueError, TypeError, AttributeError) as error:
        report = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(report_fd, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(report) + "\n")
    if "address" not in report:
        sys.exit(1)
    # A process forked from the parent meanwhile may hold the pipe open, so its end alone is not enough.
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(0)


def _end_with_stdin() -> None:
    while sys.stdin.readline():
        pass
    # Nothing is kept on disk, and the runtime's own shutdown waits for requests under way.
    os._exit(0)


def _parameters(xllamacpp: Any, said: dict[str, Any]) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = said["path"]
    parameters.model_alias = {said["alias"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0  # the system gives a free one, so two runs never race for the same
    parameters.api_keys = [said["api_key"]]
    parameters.cors_origins = ""
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.offline = True
    parameters.n_ctx = said["context_tokens"] * said["slots"]
    parameters.n_parallel = said["slots"]
    parameters.n_gpu_layers = said["gpu_layers"]
    parameters.sampling.seed = said["seed"]
    parameters.sampling.temp = 0.0
    # A prompt whose beginning comes from the cache is computed in other batches, and its answer may differ.
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.n_threads_http = max(2, said["slots"] + 1)
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        if said["threads"]:
            cpu.n_threads = said["threads"]
        # Waiting threads sleep instead of spinning: spinning made a prompt take 27 s instead of 0.8 s on a busy
        # machine.
        cpu.poll = 0
    if said["chat_template"]:
        parameters.chat_template = said["chat_template"]
    return parameters


if __name__ == "__main__":
    main()
