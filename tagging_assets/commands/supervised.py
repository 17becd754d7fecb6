"""Processes that a command starts and answers for: each leads a group, logs to a file, and ends with the command.

However the command ends, ``kill -9`` included, the group ends too: see ``resources/lifeline.py``.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from resources.files import PRIVATE_UMASK, open_log
from tagging_assets.commands.session import PROJECT
from tagging_assets.domain.errors import TaggingError

#: With the database's end after it, a command ends within five seconds.
_STOP_SECONDS = 1.5


class ProcessDied(TaggingError):
    """A process that the command needs ended by itself."""


class Supervised:
    """A process of our own interpreter, and whatever it starts.

    Args:
        name: as people are told it; the log is called so.
        module: run with ``python -m``; its standard input is its lifeline.
        arguments: of its command line, which everybody on this machine can read.
        environment: of the process.
        logs: folder; the log is added to.
        handed: one line for its standard input.
        descriptors: of files that it takes over.

    Attributes:
        log: what it writes.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        *,
        handed: str = "",
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with open_log(self.log) as file:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, "-m", module, *arguments],
                env=environment,
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches us alone, and we stop it in order.
                start_new_session=True,
                umask=PRIVATE_UMASK,
                pass_fds=descriptors,
            )
        if handed:
            self._hand(handed)

    def _hand(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it has died, which ``check`` tells

    def check(self) -> None:
        """Raise where it has ended.

        Raises:
            ProcessDied: it has; one line says how, and where more is to be read.
        """
        code = self._process.poll()
        if code is not None:
            how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended by itself (exit {code})"
            raise ProcessDied(f"{self.name} {how}; see {self.log}, and start `tagging up` again")

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all it has started; also where it is gone itself."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def let_go(self) -> None:
        """Forget an ended process."""
        if self._process.stdin is not None:
            self._process.stdin.close()


def stop(processes: Iterable[Supervised]) -> None:
    """End processes with all they have started: in good order for a moment, then whatever they do.

    Nothing is lost by the latter: what a run has done stands, and the next one goes on there.
    """
    processes = list(processes)
    for process in processes:
        process.signal_group(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        process.wait(deadline - time.monotonic())
    for process in processes:
        # Of those that went in good order, too: what they have started may be left.
        process.signal_group(signal.SIGKILL)
        process.wait(_STOP_SECONDS)
        process.let_go()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
