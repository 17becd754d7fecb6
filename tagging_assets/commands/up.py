"""``tagging up``: database, Dagster's web pages and daemon on this machine, until Ctrl-C.

Whatever happens to one of them is noticed: the embedded database is started again, one of the operator's that goes
away is waited for, and a process that dies ends the command with one line. What is started here ends with it, however
it ends.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from resources.files import private_folder, storage_error
from tagging_assets import interrupts
from tagging_assets.commands.console import print_note
from tagging_assets.commands.exporting import make_missing
from tagging_assets.commands.models import ensure
from tagging_assets.commands.session import PROJECT, Session
from tagging_assets.commands.supervised import ProcessDied, Supervised, stop
from tagging_assets.domain.errors import SettingsError
from tagging_assets.review.gate import ENTRANCE
from tagging_assets.review.serving import HOST

_START_SECONDS = 90.0
#: A database that does not answer for so long is taken to be gone.
_ANSWER_SECONDS = 5.0
#: In a row, a second apart.
_UNANSWERED = 3

#: In the data folder, readable by its owner alone: where `tagging up` is, and the token for programs.
ACCESS_FILE = "up.json"

_NOT_THERE = "`tagging up` does not run on this data folder; start it"

#: What ends the command in good order.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Access:
    """What lets people and programs of this machine's user in.

    Attributes:
        address: of the web pages.
        token: for programs, as ``Authorization: Bearer``.
        session: worth of the browsers' cookie; known to the web server alone.
    """

    address: str
    token: str
    session: str = ""

    def link(self) -> str:
        """A new link, for one browser.

        Raises:
            SettingsError: nobody is there.
        """
        try:
            reply = httpx.post(f"{self.address}{ENTRANCE}", headers=self.headers, timeout=10)
            path = reply.raise_for_status().json()["link"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise SettingsError(_NOT_THERE) from error
        return f"{self.address}{path}"

    @property
    def headers(self) -> dict[str, str]:
        """Of a program's requests."""
        return {"Authorization": f"Bearer {self.token}"}


def up(session: Session, listener: socket.socket) -> None:
    """Serve until interrupted; whatever ends this process ends the others.

    Args:
        session: open.
        listener: what the web server is to listen on.

    Raises:
        SettingsError: another one runs on the data folder.
        ProcessDied: the web server or the daemon ended.
        DatabaseUnavailable: the embedded Postgres ended, and does not start again.
    """
    served = False
    with _interrupted_by(_ENDING):
        up_now = _Up(session, listener)
        try:
            up_now.prepare()
            up_now.start()
            served = True
            up_now.watch()
        except KeyboardInterrupt:
            if not served:
                raise
            # From here on nothing takes long, and it is not the command that was interrupted.
            interrupts.answered()
            print_note("Stopping …")
        finally:
            up_now.stop()


def link(data_dir: Path) -> str:
    """A new link to the pages of a ``tagging up`` that is under way.

    Raises:
        SettingsError: none is.
    """
    return AccessFile(data_dir / ACCESS_FILE).read().link()


class AccessFile:
    """Tells the user's programs where ``tagging up`` is and what lets them in; nobody else can read it.

    Locked while it runs, which the kernel undoes for whoever dies.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: IO[str] | None = None

    def take(self) -> None:
        """Be the one that runs on this data folder.

        Raises:
            SettingsError: another one is.
            OSError: as the file system says.
        """
        # No link that lies in its place is followed, and nobody else can read it from its first byte on.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        file = os.fdopen(descriptor, "r+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise SettingsError(f"`tagging up` runs on {self.path.parent} already; stop it first") from error
        self._held = file
        os.fchmod(descriptor, 0o600)
        self.clear()

    def write(self, access: Access) -> None:
        """Tell."""
        self.clear()
        if self._held is not None:
            self._held.write(json.dumps({"address": access.address, "token": access.token}))
            self._held.flush()

    def clear(self) -> None:
        """Tell nothing; what was told does not hold any more."""
        if self._held is not None:
            self._held.seek(0)
            self._held.truncate()

    def read(self) -> Access:
        """What is told.

        Raises:
            SettingsError: nothing.
        """
        try:
            said = json.loads(self.path.read_text(encoding="utf-8"))
            return Access(str(said["address"]), str(said["token"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(_NOT_THERE) from error


class _Up:
    """The processes of one ``tagging up``."""

    def __init__(self, session: Session, listener: socket.socket) -> None:
        self._session = session
        self._listener = listener
        self._processes: list[Supervised] = []
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        self._access = Access(address, secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._logs = session.settings.data_dir / "logs"
        self._file = AccessFile(session.settings.data_dir / ACCESS_FILE)
        self._folders = [source.path for source in session.settings.sources]

    def prepare(self) -> None:
        """Folders, models and Dagster's tables.

        Raises:
            SettingsError: another `tagging up` runs on the data folder.
        """
        try:
            for folder in self._folders:
                folder.mkdir(parents=True, exist_ok=True)
            private_folder(self._logs)
            self._file.take()
        except OSError as error:
            raise storage_error(error, Path(str(error.filename))) from error
        make_missing(self._session)
        self._session.instance.dispose()  # migrated, its pools limited; the processes below open their own
        ensure(self._session.toolbox.weights, self._session.toolbox.models)

    def start(self) -> None:
        """Start the web server and the daemon, and tell where they are."""
        self._launch()
        self._file.write(self._access)
        print_note(f"Dagster is at {self._access.link()}")
        print_note("The link works once; `tagging up --link` prints another. Ctrl-C stops everything.")
        print_note(f"Programs send the token of {self._file.path} as a bearer.")
        for folder in self._folders:
            print_note(f"Photos put into {folder} are tagged.")

    def _launch(self) -> None:
        environment = {**os.environ, **self._session.environment}
        workspace = str(PROJECT / "workspace.yaml")
        number = self._listener.fileno()
        handed = {
            "listener": number,
            "session": self._access.session,
            "token": self._access.token,
            "workspace": workspace,
        }
        self._processes.append(
            Supervised(
                "dagster-webserver",
                "tagging_assets.commands.dagster_ui",
                [],
                environment,
                self._logs,
                handed=json.dumps(handed),
                descriptors=[number],
            )
        )
        daemon = ["dagster._daemon", "run", "-w", workspace]
        self._processes.append(Supervised("dagster-daemon", "resources.lifeline", daemon, environment, self._logs))
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self._check()
            try:
                reply = httpx.get(f"{self._access.address}/server_info", headers=self._access.headers, timeout=2)
                if reply.is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.3)
        raise ProcessDied(f"the web server does not answer after {_START_SECONDS:.0f} s; see {self._logs}")

    def _check(self) -> None:
        for process in self._processes:
            process.check()

    def watch(self) -> None:
        """Look after the database and the processes, for good."""
        unanswered = 0
        while True:
            unanswered = 0 if within(_ANSWER_SECONDS, self._session.database.is_alive) else unanswered + 1
            if unanswered >= _UNANSWERED:
                self._outlast()
                unanswered = 0
            elif not unanswered:
                # Without a database they may well die, which is not the thing to be told then.
                self._check()
            time.sleep(1)

    def _outlast(self) -> None:
        """Start the embedded Postgres anew, or wait for the operator's; stop meanwhile what cannot work.

        Raises:
            DatabaseUnavailable: the embedded one does not start.
        """
        database = self._session.database
        if database.embedded:
            print_note("Postgres has ended; it is started again.")
            database.ensure_running()
            return
        print_note("Postgres does not answer; everything waits for it. Ctrl-C stops everything.")
        stop(self._processes)
        self._processes.clear()
        while not within(_ANSWER_SECONDS, database.is_alive):
            time.sleep(1)
        print_note("Postgres answers again.")
        self._launch()

    def stop(self) -> None:
        """End everything; a second Ctrl-C changes nothing, for it takes no more than a few seconds."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        stop(self._processes)
        self._file.clear()


def within(seconds: float, asked: Callable[[], bool]) -> bool:
    """Whether the answer is yes, and comes in time.

    Asked in a thread: a server that accepts and then says nothing must not make us deaf to signals.
    """
    said: list[bool] = []
    asking = threading.Thread(target=lambda: said.append(asked()), name="asking the database", daemon=True)
    asking.start()
    asking.join(seconds)
    return said == [True]


@contextmanager
def _interrupted_by(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    before: Mapping[signal.Signals, int | Callable[..., object] | None] = {
        number: signal.signal(number, _as_interrupt) for number in numbers
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
