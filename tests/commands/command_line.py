"""The commands as a user runs them: processes of their own, on a project folder of their own."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from resources.database import Database
from resources.weights import default_cache_dir
from tagging_assets.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]

#: How variables begin that say how a project is run, or where its database is: a test's project has its own.
PROJECTS_OWN = ("TAGGING_", "DAGSTER_", "PG")

#: Every process that a command starts inherits it, and is found again by it.
_MARK = "TAGGING_TEST_FOLDER"

#: Python runs a module of this name at start, in child processes too.
_SPY = """
import json
import os
import sys

_EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


def _note(event, arguments):
    if event in _EVENTS:
        address = arguments[_EVENTS[event]]
        with open(os.environ["TAGGING_TEST_SOCKETS"], "a") as file:
            file.write(json.dumps([event, address if isinstance(address, (list, tuple)) else str(address)]) + "\\n")


sys.addaudithook(_note)
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        """What it said, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line it ended with, for people; fails where there is a second line or a traceback.

        On a busy machine it may have said before that, what it waited for.
        """
        lines = [line for line in self.err.strip().splitlines() if not line.startswith("waiting for")]
        assert len(lines) == 1, self.err
        return lines[0]


@dataclass(frozen=True)
class Project:
    """Settings, data and photos in one folder.

    Attributes:
        folder: holds everything.
        extra: further settings, as YAML.
        base: settings file it extends.
        environment: variables on top of the usual ones.
    """

    folder: Path
    extra: str = ""
    base: Path = REPOSITORY / "tagging.yaml"
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.photos.mkdir(parents=True, exist_ok=True)
        said = f"extends: {self.base}\ndata_dir: data\nsources:\n  - path: inbox\n{self.extra}"
        self.settings.write_text(said, encoding="utf-8")

    @property
    def settings(self) -> Path:
        return self.folder / "tagging.yaml"

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def sockets(self) -> Path:
        """Where a watched command's addresses are written down, one JSON list a line."""
        return self.folder / "sockets.jsonl"

    def command(self, *arguments: str | Path) -> list[str]:
        said = [str(argument) for argument in arguments]
        return [sys.executable, "-m", "tagging_assets.cli", *said, "--settings", str(self.settings)]

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The user's environment: weights cached, network off, nothing of the project's own set."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(PROJECTS_OWN)}
        return {
            **own,
            "TAGGING_WEIGHTS": str(default_cache_dir()),
            "TAGGING_OFFLINE": "1",
            _MARK: str(self.folder),
            **self.environment,
            **(more or {}),
        }

    def run(
        self,
        *arguments: str | Path,
        more: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        timeout: float = 180,
    ) -> Done:
        """Run a command to its end, with ``more`` environment variables, under the command ``prefix``."""
        started = time.monotonic()
        done = subprocess.run(
            [*prefix, *self.command(*arguments)],
            cwd=REPOSITORY,
            env=self.variables(more),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def call(self, *arguments: str | Path) -> Done:
        """Run a command within this process: seconds faster, for commands that start no Dagster run and no model."""
        out, err = io.StringIO(), io.StringIO()
        line = self.command(*arguments)[3:]
        before, argv, code = dict(os.environ), sys.argv, 0
        # Asked while the environment is whole: HOME says where the weights are.
        variables = self.variables()
        started = time.monotonic()
        try:
            os.environ.clear()
            os.environ.update(variables)
            sys.argv = ["tagging", *line]
            with redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.argv = argv
            os.environ.clear()
            os.environ.update(before)
        return Done(code, out.getvalue(), err.getvalue(), time.monotonic() - started)

    def run_watched(self, *arguments: str | Path) -> Done:
        """Run a command and write down where it and its Python children want to connect to."""
        spy = self.folder / "spy"
        spy.mkdir(exist_ok=True)
        (spy / "sitecustomize.py").write_text(_SPY, encoding="utf-8")
        path = os.pathsep.join([str(spy), *filter(None, [os.environ.get("PYTHONPATH")])])
        return self.run(*arguments, more={"PYTHONPATH": path, "TAGGING_TEST_SOCKETS": str(self.sockets)})

    @contextmanager
    def started(self, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
        """A command under way, its stderr in ``stderr.log``; what is left of it is killed at the end."""
        with (self.folder / "stderr.log").open("wb") as log:
            process = self._start(log, *arguments)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _start(self, log: IO[bytes], *arguments: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=REPOSITORY,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )

    def said(self) -> str:
        """What the command under way wrote to stderr so far."""
        return (self.folder / "stderr.log").read_text(encoding="utf-8")

    def processes(self, word: str = "") -> dict[int, str]:
        """Command lines of the processes that commands of this project left or keep, by id; Linux only."""
        mark, found = f"{_MARK}={self.folder}".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if word in line:
                        found[int(place.name)] = line
            except OSError:
                continue  # it has just ended, or is somebody else's
        return found

    def dagster_runs(self) -> dict[str, str]:
        """Status of Dagster's runs by id."""
        database = Database.open(self.data, None)
        try:
            with database.engine.connect() as connection:
                return {
                    row.run_id: row.status for row in connection.execute(sa.text("SELECT run_id, status FROM runs"))
                }
        finally:
            database.close()


@dataclass(frozen=True)
class Tagged:
    """A project that was tagged, and the command that did it."""

    project: Project
    first: Done

    def path(self, name: str) -> str:
        """As results name a photo of the project."""
        return str(self.project.photos.resolve() / name)


def wait_for(happened: Callable[[], object], seconds: float, what: Callable[[], object] = lambda: "") -> None:
    """Wait until something has happened.

    Args:
        happened: asked every few hundredths of a second.
        seconds: patience.
        what: said where patience ends.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.03)
