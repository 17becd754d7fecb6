"""``tagging up``: database, Dagster web server and daemon on this machine, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from resources.files import PRIVATE_UMASK, open_log, private_folder
from tagging_assets.commands.console import print_note, styled
from tagging_assets.commands.exporting import make_missing
from tagging_assets.commands.models import ensure
from tagging_assets.commands.session import PROJECT, Session
from tagging_assets.domain.errors import SettingsError, TaggingError

_HOST = "127.0.0.1"
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0


class ProcessDied(TaggingError):
    """A process of Dagster's ended by itself."""


def up(session: Session, port: int) -> None:
    """Serve until interrupted; whatever ends this process ends the others.

    Raises:
        SettingsError: the port is taken.
        ProcessDied: the web server or the daemon ended by itself.
    """
    _check_free(port)
    folders = [source.path for source in session.settings.sources]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **session.environment}
    make_missing(session)
    session.instance.dispose()  # migrated, its pools limited; the processes below open their own
    ensure(session.toolbox.weights, session.toolbox.models)
    logs = session.settings.data_dir / "logs"
    private_folder(logs)
    workspace = str(PROJECT / "workspace.yaml")
    commands = {
        "dagster-webserver": ["-m", "dagster_webserver", "-h", _HOST, "-p", str(port), "-w", workspace],
        "dagster-daemon": ["-m", "dagster._daemon", "run", "-w", workspace],
    }
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _as_interrupt)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            processes[name] = _start(command, environment, logs / f"{name}.log")
        _wait_until_up(port, processes, logs)
        print_note("Dagster is at ", styled(f"http://{_HOST}:{port}", "bold"), "; Ctrl-C stops everything.")
        for folder in folders:
            print_note(f"Photos put into {folder} are tagged.")
        while True:
            _check_alive(processes, logs)
            time.sleep(1)
    except KeyboardInterrupt:
        print_note("Stopping …")
    finally:
        _stop(processes)


def _as_interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _check_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise SettingsError(f"port {port} is taken; choose another with --port") from error


def _start(command: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with open_log(log) as file:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, *command],
            env=environment,
            cwd=PROJECT,
            stdout=file,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C reaches us alone, and we stop it in order.
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )


def _wait_until_up(port: int, processes: Mapping[str, subprocess.Popen[bytes]], logs: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        _check_alive(processes, logs)
        try:
            if httpx.get(f"http://{_HOST}:{port}/server_info", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise ProcessDied(f"the web server does not answer after {_START_SECONDS:.0f} s; see {logs}")


def _check_alive(processes: Mapping[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise ProcessDied(f"{name} ended by itself (exit {process.returncode}); see {logs / f'{name}.log'}")


def _stop(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for process in processes.values():
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
