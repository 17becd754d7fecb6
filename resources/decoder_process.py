"""One process that decodes, as its parent sees it: started, asked, ended, and what its end means.

What does not belong here: who asks when (``decoder_pool``) and what the process does (``decoder_child``).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from resources.decoder_child import PATIENCE
from tagging_assets.domain import errors
from tagging_assets.domain.errors import DecoderCrashed, DecoderMissing, DecoderTimedOut, ImageError
from tagging_assets.domain.models import RgbImage

_ROOT = Path(__file__).resolve().parents[1]
#: Of the parent's environment only what libraries are found by goes on: no key, no database URL.
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    # Each arena and each thread would take address space, which is what the limit on memory counts.
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_START_SECONDS = 120.0
_END_SECONDS = 5.0
#: The child's own timers end it first, unless somebody has stopped it.
_GRACE_SECONDS = 5.0
#: The longest description is a caption of 5,000 characters and 100 keywords; what is longer is no answer.
_LONGEST_ANSWER = 4 * 2**20
#: Signals by which the child's timers end it.
_TIMERS = frozenset({signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU})
#: Signals that come from outside (an administrator, a system out of memory) and say nothing about the photo.
_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

_ERRORS = {
    one.__name__: one
    for one in vars(errors).values()
    if isinstance(one, type) and issubclass(one, ImageError) and one is not ImageError
}


class DecoderEnded(Exception):
    """Somebody else ended the process; the photo is not to blame."""


class DecoderProcess:
    """A process that decodes; for one thread at a time, but for :meth:`kill`."""

    def __init__(self, memory_bytes: int) -> None:
        """Start it and wait until it is ready.

        Args:
            memory_bytes: what it may take for a photo.

        Raises:
            DecoderMissing: it does not start.
        """
        self._killed = False
        self._line, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-s", "-m", "resources.decoder_child"]
        told = [str(theirs.fileno()), str(os.getpid()), str(memory_bytes)]
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on our own module
                [*command, *told],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Decoders print what files make them print, as much as they like.
                stderr=subprocess.DEVNULL,
                env={**kept, **_ENVIRONMENT, "PYTHONPATH": str(_ROOT)},
                cwd="/",
                pass_fds=[theirs.fileno()],
                # Ctrl-C at the terminal is the parent's to answer.
                start_new_session=True,
            )
        except OSError as error:
            self._line.close()
            raise DecoderMissing(f"no process to decode photos can be started: {error.strerror or error}") from error
        finally:
            theirs.close()
        try:
            self.confined: tuple[str, ...] = tuple(self._answer(time.monotonic() + _START_SECONDS)["confined"])
        except (OSError, EOFError, ValueError, KeyError) as error:
            self.kill()
            code = self.close()
            raise DecoderMissing(
                f"the process that decodes photos ended at once (code {code}); run `tagging doctor`"
            ) from error
        except BaseException:
            self.kill()
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._killed and self._process.poll() is None

    def ask(
        self, question: Mapping[str, Any], files: Sequence[BinaryIO], seconds: float, max_side: int
    ) -> tuple[dict[str, Any], RgbImage | None]:
        """Have it do something with a photo.

        Args:
            question: for ``decoder_child``.
            files: the photo, then its sidecars.
            seconds: computing time it may take.
            max_side: no picture may be larger.

        Returns:
            The answer, and the pixels where it has any.

        Raises:
            ImageError: the photo is at fault; the process is gone where it crashed or took too long.
            DecoderEnded: the process was ended by somebody.
        """
        deadline = time.monotonic() + PATIENCE * seconds + _GRACE_SECONDS
        asked = json.dumps({**question, "seconds": seconds}).encode() + b"\n"
        try:
            for file in files:
                # The place in an open file is shared with the process that had it before.
                os.lseek(file.fileno(), 0, os.SEEK_SET)
            self._line.settimeout(_left(deadline))
            socket.send_fds(self._line, [asked], [file.fileno() for file in files])
            answer = self._answer(deadline)
            _raise_told(answer)
            return answer, self._pixels(answer, max_side, deadline) if "shape" in answer else None
        except ImageError:
            raise
        except TimeoutError as error:
            self.kill()
            raise _too_long(seconds) from error
        except (OSError, EOFError) as error:
            raise self._why_ended(seconds) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.kill()
            raise DecoderCrashed(
                "its decoder gave no answer that makes sense; the file is damaged or hostile"
            ) from error
        except BaseException:
            # Ctrl-C: what it does now is for nobody.
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once; from any thread."""
        self._killed = True
        self._process.kill()

    def close(self) -> int:
        """End it, if it has not ended; its exit code."""
        self._line.close()
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _answer(self, deadline: float) -> dict[str, Any]:
        """The next line; whatever comes behind it stays."""
        parts: list[bytes] = []
        length = 0
        while length < _LONGEST_ANSWER:
            self._line.settimeout(_left(deadline))
            seen = self._line.recv(65_536, socket.MSG_PEEK)
            if not seen:
                raise EOFError
            end = seen.find(b"\n") + 1
            parts.append(self._line.recv(end or len(seen)))
            length += len(parts[-1])
            if end:
                answer = json.loads(b"".join(parts))
                if not isinstance(answer, dict):
                    break
                return answer
        raise ValueError("no answer")

    def _pixels(self, answer: Mapping[str, Any], max_side: int, deadline: float) -> RgbImage:
        height, width = answer["shape"]
        if not (1 <= height <= max_side and 1 <= width <= max_side):
            raise ValueError("no such picture was asked for")
        pixels = np.empty((height, width, 3), np.uint8)
        room = pixels.data.cast("B")
        while room:
            self._line.settimeout(_left(deadline))
            taken = self._line.recv_into(room)
            if not taken:
                raise EOFError
            room = room[taken:]
        return pixels

    def _why_ended(self, seconds: float) -> ImageError | DecoderEnded:
        code = self.close()
        if -code in _TIMERS:
            return _too_long(seconds)
        if -code in _OUTSIDE:
            return DecoderEnded()
        how = f"ended with code {code}"
        with contextlib.suppress(ValueError):
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else how
        return DecoderCrashed(
            f"its decoder {how}; the file is damaged or hostile, and nothing is wrong with the others"
        )


def _raise_told(answer: Mapping[str, Any]) -> None:
    if "error" in answer:
        raise _ERRORS[answer["error"]](str(answer["message"]))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _too_long(seconds: float) -> DecoderTimedOut:
    return DecoderTimedOut(
        f"decoding it takes longer than {seconds:g} s; raise images.decode_seconds and run `tagging retag --failed` "
        "if the photo is genuine"
    )
