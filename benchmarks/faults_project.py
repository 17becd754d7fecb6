"""Projects that ``faults.py`` breaks: their commands as processes, who is killed, and what stands afterwards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from speed_measuring import HERE

ROOT = HERE.parent
#: Every process that a command starts inherits it, and is found again by it.
MARK = "TAGGING_FAULTS_FOLDER"
#: A command that has not ended by then hangs.
HANGS_SECONDS = 240.0
#: How soon a command is to end after Ctrl-C or SIGTERM.
ENDS_SECONDS = 5.0
#: How soon what a killed command started is to be gone.
GONE_SECONDS = 30.0


class Fault(Exception):
    """Something is not as the product promises; the message goes into the table."""


@dataclass
class Project:
    """Settings, data and photos in one folder.

    Attributes:
        folder: holds settings and photos.
        photos: what is tagged; copied in.
        chat: whether the chat model is asked.
        data: the data folder.
    """

    folder: Path
    source: Path
    chat: bool
    data: Path = field(init=False)
    photos: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self.photos = self.folder / "photos"
        shutil.copytree(self.source, self.photos)
        settings = {
            "extends": str(ROOT / "tagging.yaml"),
            "data_dir": str(self.data),
            "sources": [{"path": str(self.folder / "inbox")}],
            "images": {"settle_seconds": 0},
            # The sample photos show adults; see demo/tagging.yaml.
            "people": {"enabled": True, "adults_only_source": True},
            "llm": {"enabled": self.chat},
        }
        self.settings.write_text(yaml.safe_dump(settings), encoding="utf-8")

    @property
    def settings(self) -> Path:
        """The project's settings file."""
        return self.folder / "tagging.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the project's commands: nothing of the product's own from outside but the weights."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TAGGING_", "DAGSTER_"))}
        weights = {name: os.environ[name] for name in ("TAGGING_WEIGHTS",) if name in os.environ}
        return {**own, **weights, "TAGGING_OFFLINE": "1", MARK: str(self.folder)}

    def start(self, *arguments: str) -> "Command":
        """A command under way."""
        return Command(self, arguments)

    def run(self, *arguments: str) -> "Command":
        """A command, to its end.

        Raises:
            Fault: it hangs.
        """
        command = self.start(*arguments)
        command.wait(HANGS_SECONDS)
        return command

    def tag(self) -> None:
        """``tagging run`` to its end.

        Raises:
            Fault: it hangs, or does not end well.
        """
        command = self.run("run", str(self.photos))
        if command.code != 0:
            raise Fault(f"the next run ended with {command.code}: {command.last_line}")

    def processes(self) -> list[psutil.Process]:
        """What commands of this project left or keep running, the database included."""
        found = []
        place, mark = str(self.folder), f"{MARK}={self.folder}"
        for process in psutil.process_iter():
            try:
                environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace").split("\0")
                if (
                    mark in environment
                    or any(place in part for part in process.cmdline())
                    or process.cwd().startswith(place)
                ):
                    found.append(process)
            except (psutil.Error, OSError):
                continue  # it has just ended
        return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    def named(self, word: str) -> list[psutil.Process]:
        """Those whose command line has a word in it."""
        found = []
        for process in self.processes():
            try:
                if word in " ".join([process.name(), *process.cmdline()]):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def check_nothing_left(self) -> None:
        """Raise where a process of this project goes on without a command.

        Raises:
            Fault: it does.
        """
        if not wait_for(lambda: not self.processes(), GONE_SECONDS):
            names = sorted({_name(process) for process in self.processes()})
            raise Fault(f"left running: {', '.join(names)}")

    def snapshot(self) -> dict[str, Any]:
        """What the tables say, in terms that do not depend on when and by whom; see ``faults_snapshot.py``."""
        done = subprocess.run(
            [sys.executable, str(HERE / "faults_snapshot.py"), str(self.settings)],
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=HANGS_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise Fault(f"the tables cannot be read: {(done.stderr.strip().splitlines() or [''])[-1]}")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def remove(self) -> None:
        """End what is left and delete the folder."""
        for process in self.processes():
            kill(process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Command:
    """A ``tagging`` command in a process of its own; what it says on stderr is read as it comes."""

    def __init__(self, project: Project, arguments: Sequence[str]) -> None:
        handle, name = tempfile.mkstemp(dir=project.folder, prefix="said-", suffix=".log")
        self._said = Path(name)
        self.started = time.monotonic()
        with os.fdopen(handle, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tagging_assets.cli", *arguments, "--settings", str(project.settings)],
                cwd=ROOT,
                env=project.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Its stderr so far."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    @property
    def last_line(self) -> str:
        """The last thing it said."""
        return (self.said.strip().splitlines() or ["nothing"])[-1][:200]

    @property
    def code(self) -> int | None:
        """Its exit code; ``None`` while it goes on."""
        return self.process.poll()

    def wait(self, seconds: float) -> float:
        """Wait for its end; how long that took.

        Raises:
            Fault: it does not come.
        """
        started = time.monotonic()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise Fault(f"did not end within {seconds:.0f} s; last said: {self.last_line}") from None
        if "Traceback" in self.said:
            raise Fault(f"a traceback: {self.last_line}")
        return time.monotonic() - started

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself in that time."""
        return wait_for(lambda: self.code is not None, seconds)

    def reaches(self, words: str, seconds: float = HANGS_SECONDS) -> bool:
        """Wait until it says something; whether it did before it ended."""
        return wait_for(lambda: words in self.said or self.code is not None, seconds) and words in self.said

    def end_by(self, number: signal.Signals) -> float:
        """Send it a signal; how many seconds it took to end.

        Raises:
            Fault: it does not end.
        """
        kill(self.process.pid, number)
        return self.wait(HANGS_SECONDS)


@contextmanager
def project(source: Path, *, chat: bool, parent: Path | None = None) -> Iterator[Project]:
    """A fresh project, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=parent))
    made = Project(folder, source, chat)
    try:
        yield made
    finally:
        made.remove()
        shutil.rmtree(folder, ignore_errors=True)


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait_for(happened: Callable[[], object], seconds: float) -> bool:
    """Wait until something has happened, at most so long; whether it has."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Names of the tables that are not equal, with how many lines differ."""
    told = []
    for name in sorted({*wanted, *found}):
        one, other = wanted.get(name), found.get(name)
        if one != other:
            lines = sum(row not in (other or []) for row in one or []) + sum(
                row not in (one or []) for row in other or []
            )
            told.append(f"{name} ({lines} lines)")
    return told


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(Path(part).name if part.startswith("/") else part for part in process.cmdline()[:4])[:60]
    except psutil.Error:
        return str(process.pid)
