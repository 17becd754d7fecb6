"""A process that ends with the one that started it, and takes along whatever it has started itself.

Its standard input is the lifeline: a pipe whose other end only the parent holds, so that the kernel closes it when
the parent is gone, ``kill -9`` included. Then the whole process group is killed. A second process, the watcher, sees
the same pipe and the first process: whichever of the two is killed, the other ends the group. Run as
``python -m resources.lifeline MODULE ARGUMENTS``, this ties a module that knows nothing of it. Nothing of the project
is imported here.

The process must lead a group of its own; what it starts belongs to that group, unless it leaves it on purpose.
"""

import os
import runpy
import select
import signal
import sys
import threading
from typing import NoReturn

#: How often the watcher looks whether its parent is there; the pipe says so at once, unless others hold it, too.
_LOOK_SECONDS = 1.0

#: Sent to whole groups to end them in good order; the watcher stays until the end.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def tie_to_parent() -> None:
    """From now on, end with the parent; standard input is empty for everybody else.

    To be called before any thread is started, for it forks.
    """
    # Neither end is inherited by what is started later.
    line, (there, here) = os.dup(0), os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    leader = os.getpid()
    watcher = os.fork()
    if not watcher:
        _watch(line, there, leader)
    os.close(there)
    for ended, what in ((_line_ends, line), (_watcher_ends, watcher)):
        threading.Thread(target=ended, args=(what,), name=f"lifeline {what}", daemon=True).start()
    # Open as long as this process lives: its end tells the watcher.
    _held.append(here)


_held: list[int] = []


def _line_ends(line: int) -> None:
    while os.read(line, 4096):
        pass
    _end_group(os.getpid())


def _watcher_ends(watcher: int) -> None:
    os.waitpid(watcher, 0)
    _end_group(os.getpid())


def _watch(line: int, there: int, leader: int) -> NoReturn:
    """Be the watcher."""
    try:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        _close_all_but(line, there)
        while os.getppid() == leader:
            readable, _, _ = select.select([line, there], [], [], _LOOK_SECONDS)
            if any(not os.read(one, 4096) for one in readable):
                break
    finally:
        _end_group(leader)


def _close_all_but(*kept: int) -> None:
    """Let go of what the process has open, such as the socket that it listens on."""
    first = 3
    for one in sorted(kept):
        os.closerange(first, one)
        first = one + 1
    # What is opened takes the lowest free number, so nothing lies far behind.
    os.closerange(first, first + 4096)


def _end_group(leader: int) -> NoReturn:
    if os.getpgrp() == leader:
        os.killpg(leader, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Run the module that the command line names."""
    tie_to_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
