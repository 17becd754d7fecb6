"""How a command waits for somebody else: it can be interrupted, and after two seconds it says for what."""

import sys
import time
from collections.abc import Callable

#: Waits that are over sooner are not worth a line.
PATIENCE_SECONDS = 2.0
#: Between two looks: short at first, for most waits are short; then as long as nobody minds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5

Notice = Callable[[str], None]


def say(line: str) -> None:
    """Write a line for people to stderr."""
    print(line, file=sys.stderr, flush=True)


def wait_until(
    over: Callable[[], bool], what: Callable[[], str], *, notice: Notice = say, patience: float = PATIENCE_SECONDS
) -> None:
    """Look again and again until something has happened; say what for after a while, and again where that changes.

    Between the looks the main thread sleeps in Python, so that Ctrl-C and SIGTERM are heard at once.

    Args:
        over: whether it has happened.
        what: what is waited for, as the end of the sentence "waiting for …"; asked only where it is to be said.
        notice: is given the sentence.
        patience: seconds before the first one.
    """
    began, pause, said = time.monotonic(), _FIRST_PAUSE, ""
    while not over():
        if time.monotonic() - began >= patience:
            line = f"waiting for {what()}"
            if line != said:
                notice(line)
                said = line
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
