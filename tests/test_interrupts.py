"""Ctrl-C and SIGTERM end a command, whatever it is busy with; each case here would go on for ever without them."""

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tagging_assets import interrupts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what stands still does so in the C library of Linux")

REPOSITORY = Path(__file__).parents[1]
LINE = "Interrupted; the same command continues where this one stopped."

#: A command that says when it has begun, and then does one thing.
COMMAND = """
import sys
from tagging_assets import interrupts
interrupts.arm(__name__)

def begun():
    print("begun", flush=True)

def work():
{work}

@interrupts.watched()
def main():
    work()

main()
"""

SLEEP = """
    import time
    begun()
    time.sleep(600)
"""
#: Waits for a lock that it holds, in C, which no signal interrupts.
NATIVE = """
    import ctypes
    library = ctypes.{kind}(None)
    mutex = ctypes.create_string_buffer(128)
    library.pthread_mutex_lock(mutex)
    begun()
    library.pthread_mutex_lock(mutex)
"""
SWALLOWED = """
    import time
    begun()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""
CAPTURED = """
    import time
    from dagster._utils.interrupts import capture_interrupts
    with capture_interrupts():
        begun()
        while True:
            time.sleep(600)
"""
THREADS = """
    import time
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool:
        done = pool.submit(time.sleep, 600)
        begun()
        done.result()
"""
TURNED_INTO_ANOTHER_ERROR = """
    import time
    begun()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        raise ImportError("what was being imported did not load")
"""

WORK = {
    "python": SLEEP,
    "native code that lets Python run": NATIVE.format(kind="CDLL"),
    "an interrupt that is swallowed": SWALLOWED,
    "signals captured by Dagster": CAPTURED,
    "a pool of threads that do not end": THREADS,
    "an interrupt turned into another error": TURNED_INTO_ANOTHER_ERROR,
}


def stand_still(pid: int) -> None:
    """Wait until the main thread has come to what it waits in: asleep, and not for a moment between two steps."""
    place, quiet, before = Path(f"/proc/{pid}/task/{pid}/stat"), 0, ""
    pause = threading.Event()
    while quiet < 6:
        state, *rest = place.read_text().rpartition(")")[2].split()
        used = " ".join(rest[10:12])
        quiet = quiet + 1 if state == "S" and used == before else 0
        before = used
        pause.wait(0.05)


@contextmanager
def command(work: str) -> Iterator[subprocess.Popen[str]]:
    script = COMMAND.format(work=textwrap.dedent(work).replace("\n", "\n    "))
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n", process.stderr and process.stderr.read()
            stand_still(process.pid)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_a_signal_ends_it_with_one_line_and_130(work: str, number: signal.Signals) -> None:
    with command(work) as process:
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told.splitlines()) == (130, [LINE])


def test_where_native_code_lets_no_python_run_it_is_killed() -> None:
    with command(NATIVE.format(kind="PyDLL")) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize("work", [SWALLOWED, CAPTURED, NATIVE.format(kind="CDLL")])
def test_a_second_signal_ends_it_at_once(work: str) -> None:
    with command(work.replace("begun()", "begun(); interrupts._ORDERLY_SECONDS = 600")) as process:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@pytest.mark.parametrize("started", ["python", "killed"])
def test_nothing_stays_behind(started: str) -> None:
    with command(SLEEP) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT if started == "python" else signal.SIGKILL)
        process.communicate(timeout=60)
    assert children, "the child that watches"
    gone = threading.Event()
    for _ in range(600):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            break
        gone.wait(0.1)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_within_another_program_signals_are_left_as_they_were_found() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    threads = threading.active_count()
    with pytest.raises(SystemExit) as ended, interrupts.watched():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == interrupts.INTERRUPTED
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert threading.active_count() == threads


def test_a_signal_that_was_waited_for_is_no_interruption() -> None:
    with interrupts.watched():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.answered()
    with pytest.raises(ValueError, match="another"), interrupts.watched():
        raise ValueError("another error is what it is")
