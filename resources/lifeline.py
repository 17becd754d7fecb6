"""A process that ends with the one that started it, and takes along whatever it has started itself.

Its standard input is the lifeline: a pipe whose other end only the parent holds, so that the kernel closes it when
the parent is gone, ``kill -9`` included. Then the whole process group is killed. Run as
``python -m resources.lifeline MODULE ARGUMENTS``, this ties a module that knows nothing of it. Nothing of the project
is imported here.

The process must lead a group of its own; what it starts belongs to that group, unless it leaves it on purpose.
"""

import os
import runpy
import signal
import sys
import threading


def tie_to_parent() -> None:
    """From now on, end with the parent; standard input is empty for everybody else."""
    # Not inherited by what is started later.
    line = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_end_with, args=(line,), name="lifeline", daemon=True).start()


def _end_with(line: int) -> None:
    while os.read(line, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Run the module that the command line names."""
    tie_to_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
