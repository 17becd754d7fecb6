"""A process on a lifeline ends with its parent, and takes along whatever it has started; whoever is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.commands.command_line import REPOSITORY, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no process groups")

#: Starts a process of its own that knows nothing of lifelines, tells both, and hears no signal that can be ignored.
_MODULE = """
import pathlib, signal, subprocess, sys, time
if sys.argv[1] == "deaf":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
assert sys.stdin.read() == ""
print(other.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def tied(folder: Path, how: str = "") -> Iterator[tuple["subprocess.Popen[bytes]", list[psutil.Process]]]:
    """A process on a lifeline, and all that belongs to it."""
    (folder / "tied_module.py").write_text(_MODULE)
    process = subprocess.Popen(
        [sys.executable, "-m", "resources.lifeline", "tied_module", how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    with process.stdin, process.stdout:
        assert process.stdout.readline().strip().isdigit()
        leader = psutil.Process(process.pid)
        everybody = [leader, *leader.children(recursive=True)]
        assert len(everybody) == 3
        try:
            yield process, everybody
        finally:
            for one in everybody:
                if one.is_running():
                    one.kill()
            process.wait()


def all_gone(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("how", ["", "deaf"])
def test_it_ends_when_the_line_is_let_go(tmp_path: Path, how: str) -> None:
    with tied(tmp_path, how) as (process, everybody):
        assert process.stdin is not None
        process.stdin.close()
        wait_for(lambda: all_gone(everybody), 30)
        process.wait()


@pytest.mark.parametrize("which", ["leader", "watcher"])
def test_whoever_of_the_two_is_killed_the_other_ends_the_rest(tmp_path: Path, which: str) -> None:
    with tied(tmp_path, "deaf") as (process, everybody):
        lines = {one.pid: one.cmdline() for one in everybody}
        (watcher,) = [pid for pid, line in lines.items() if pid != process.pid and line == lines[process.pid]]
        os.kill(process.pid if which == "leader" else watcher, signal.SIGKILL)
        wait_for(lambda: all_gone(everybody), 30)


def test_it_ends_where_it_is_killed_together_with_its_parent(tmp_path: Path) -> None:
    with tied(tmp_path, "deaf") as (process, everybody):
        assert process.stdin is not None
        os.kill(process.pid, signal.SIGSTOP)
        process.stdin.close()
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: all_gone(everybody), 30)


def test_a_signal_to_the_group_ends_it_in_good_order(tmp_path: Path) -> None:
    with tied(tmp_path) as (process, everybody):
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
        wait_for(lambda: all_gone(everybody), 30)
