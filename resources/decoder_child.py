"""The process that decodes photos of strangers; started by ``resources/decoder_pool.py``, and by nothing else.

It is handed open files, one photo at a time, and gives back pixels or what the header says. Decoders are a million
lines of C that read what anybody may have written, so the process has nothing worth taking: no secrets in its
environment, no files but its own programs, no network (``confinement``), so much memory and no more. The system ends
it where one photo takes too long: the timers are the kernel's, so not even a decoder that holds the interpreter's
lock escapes them. It ends with its parent, too, ``kill -9`` of the parent included.

Asked is by one line of JSON, with the files; answered by one line of JSON, with the pixels behind it.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import asdict
from typing import Any

from resources import opening
from resources.confinement import limit_memory, shut_in
from resources.decoding import decode
from resources.describing import describe
from tagging_assets.domain.errors import ImageError

#: A photo may take so many times its computing time by the clock: machines are busy, and disks are slow.
PATIENCE = 3.0

_PARENT_CHECK_SECONDS = 1.0
_MOST_FILES = 16
_LONGEST_QUESTION = 65_536


def main() -> None:
    """Answer until the parent lets go."""
    line = socket.socket(fileno=int(sys.argv[1]))
    parent = int(sys.argv[2])
    opening.load_decoders()
    limit_memory(int(sys.argv[3]))
    in_force = shut_in(_own_programs())
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    line.sendall(json.dumps({"confined": in_force}).encode() + b"\n")
    while True:
        question, handles, _flags, _sender = socket.recv_fds(line, _LONGEST_QUESTION, _MOST_FILES)
        if not question:
            return
        answer, pixels = _answer(json.loads(question), handles)
        line.sendall(json.dumps(answer).encode() + b"\n")
        if pixels is not None:
            line.sendall(pixels)


def _own_programs() -> list[str]:
    """Where Python finds its modules; of the project's folder, which may be anybody's, only the packages."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - as sys.path has it
    own = [os.path.join(root, name) for name in ("resources", "tagging_assets")]  # noqa: PTH118
    return [*own, *(path for path in sys.path if path and os.path.abspath(path) != root)]  # noqa: PTH100


def _end_with(parent: int) -> None:
    # The end of the line does not tell: a process forked from the parent meanwhile may hold it open.
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(0)


def _answer(question: dict[str, Any], handles: list[int]) -> tuple[dict[str, Any], memoryview | None]:
    files = [os.fdopen(handle, "rb") for handle in handles]
    seconds = float(question["seconds"])
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)
    try:
        return _work(question, files)
    except ImageError as error:
        return {"error": error.kind, "message": str(error)}, None
    except (MemoryError, *opening.METADATA_ERRORS) as error:
        meant = opening.translated(error, None)
        return {"error": meant.kind, "message": str(meant)}, None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for one in files:
            one.close()


def _work(question: dict[str, Any], files: list[Any]) -> tuple[dict[str, Any], memoryview | None]:
    photo, name, limit = files[0], question["name"], question["max_megapixels"]
    if question["do"] == "describe":
        sidecars = list(zip(question["sidecars"], files[1:], strict=True))
        return asdict(describe(name, photo, sidecars, max_megapixels=limit)), None
    decoded = decode(name, max_megapixels=limit, max_side=question["max_side"], stream=photo)
    told = {name: getattr(decoded, name) for name in ("width", "height", "format", "orientation")}
    return {**told, "shape": decoded.pixels.shape[:2]}, decoded.pixels.data.cast("B")


if __name__ == "__main__":
    main()
