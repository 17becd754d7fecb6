"""Ctrl-C and SIGTERM end a command within five seconds, at any moment, with one line and exit code 130.

In good order where the command gets to it: both arrive as ``KeyboardInterrupt``. Where it does not (native code, a
thread that does not end, a library that keeps signals to itself) a thread that watches ends the process; where even
that cannot run, for a call of native code lets no Python run, a child that watches kills it. A second signal ends at
once. None of it harms: a command may be killed at any moment, and the same command continues.

The first module that a command imports, so it needs nothing but Python's own library.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

#: Exit code of a command that was interrupted.
INTERRUPTED = 130

_LINE = b"Interrupted; the same command continues where this one stopped.\n"
_SHOW_CURSOR = b"\x1b[?25h"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: Seconds that a command has to end in good order, and that the thread has to hear a signal at all.
_ORDERLY_SECONDS, _DEAF_SECONDS = 3.5, 4.5
#: How long the main thread takes to hear a signal where nothing keeps it from that.
_HEARS_SECONDS = 0.3
#: How often the child looks whether its parent is there; the pipe says so at once, unless others have it, too.
_LOOK_MILLISECONDS = 2000


class _Watch:
    """Hears signals beside the command: Python's own signal handler, in C, writes each into a pipe."""

    def __init__(self, *, starting: bool) -> None:
        self.heard = 0
        self.starting = starting
        self._arrived = 0
        self._deadline: float | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        if starting:
            _start_child(self._reader, self._writer)
        self._before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._wait, name="interrupts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave signals as they were found."""
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._writer)
        self._thread.join()
        os.close(self._reader)

    def answer(self) -> None:
        """Forget what was heard."""
        self.heard = self._arrived = 0
        self._deadline = None

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.heard += 1
        if self.starting or self.heard > 1:
            end()
        raise KeyboardInterrupt

    def _wait(self) -> None:
        while True:
            readable, _, _ = select.select([self._reader], [], [], self._left())
            if readable:
                said = os.read(self._reader, 64)
                if not said:
                    return
                self._note(sum(number in _SIGNALS for number in said))
            elif self._deadline is not None:
                end()

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _note(self, arrived: int) -> None:
        if arrived and self._deadline is None:
            self._deadline = time.monotonic() + _ORDERLY_SECONDS
        self._arrived += arrived
        if arrived and self._arrived > 1:
            # One that serves pages hears the first itself, and has it sent again once it has ended in good order.
            time.sleep(_HEARS_SECONDS)
            if not self.heard and self._arrived > 1:
                end()


_watch: _Watch | None = None


def arm(module: str) -> None:
    """Watch from now on, where a module is the command of this process; whatever is imported next may take long.

    Args:
        module: its ``__name__``.
    """
    global _watch
    if _watch is None and (module == "__main__" or Path(sys.argv[0]).name == "tagging"):
        _open_standard_streams()
        _watch = _Watch(starting=True)


def _open_standard_streams() -> None:
    """Put nothing in the place of a standard stream that was closed for us, as schedulers and ``>&-`` do.

    What is opened next would take its number: a database's file or a pipe of ours would be what is printed to.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
            # Python has none of its own where it was closed at its start.
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


@contextmanager
def watched() -> Iterator[None]:
    """Watch while a command runs, and end the process's command as one that was interrupted where it was.

    Raises:
        SystemExit: with code 130, after one line, where a signal came and the command did not end well all the same.
    """
    global _watch
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = _watch is None
    watch = _watch = _watch or _Watch(starting=False)
    watch.starting = False
    try:
        yield
    except BaseException as error:
        # Whatever else it raises then comes of that: libraries that were interrupted raise all kinds of things.
        if not (watch.heard or _is_interrupt(error)) or _is_success(error):
            raise
        _say()
        raise SystemExit(INTERRUPTED) from None
    finally:
        watch.starting = True
        if own:
            watch.close()
            _watch = None


def answered() -> None:
    """Say that a signal was what the command waited for, so that it goes on."""
    if _watch is not None:
        _watch.answer()


def end() -> NoReturn:
    """End the process at once."""
    _say()
    os._exit(INTERRUPTED)


def _is_interrupt(error: BaseException) -> bool:
    # The second is what Typer makes of the first.
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and error.code == INTERRUPTED)


def _is_success(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and not error.code


def _say() -> None:
    # Not through Python's files: their locks may be held by what does not end.
    with contextlib.suppress(OSError, ValueError):
        number = sys.stderr.fileno() if hasattr(sys.stderr, "fileno") else 2
        os.write(number, (_SHOW_CURSOR if os.isatty(number) else b"") + _LINE)


def _start_child(reader: int, writer: int) -> None:
    """Start the child that kills this process where a signal stays unread, as while native code lets no Python run."""
    parent = os.getpid()
    if os.fork():
        return
    try:
        for number in (*_SIGNALS, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        os.close(writer)
        nothing = os.open(os.devnull, os.O_RDWR)
        for file in range(3):
            os.dup2(nothing, file)
        _watch_parent(parent, reader)
    finally:
        os._exit(0)


def _watch_parent(parent: int, reader: int) -> None:
    pipe = select.poll()
    pipe.register(reader, select.POLLIN)
    while os.getppid() == parent:
        for _, event in pipe.poll(_LOOK_MILLISECONDS):
            if not event & select.POLLIN:
                return
            deadline = time.monotonic() + _DEAF_SECONDS
            while pipe.poll(0) and os.getppid() == parent:
                if time.monotonic() > deadline:
                    os.kill(parent, signal.SIGKILL)
                    return
                time.sleep(0.1)
