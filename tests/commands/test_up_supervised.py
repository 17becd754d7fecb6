"""Whatever ends `tagging up`, nothing of it stays behind; whatever ends a part of it is noticed and said."""

import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from resources.database import Database
from tests.commands.command_line import Project, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes under /proc"),
]

_NO_CHAT = "llm: {enabled: false}\n"


@pytest.fixture
def project(tmp_path: Path, cached_weights: Path) -> Project:
    return Project(tmp_path, extra=_NO_CHAT)


class Up:
    """A `tagging up` that serves."""

    def __init__(self, project: Project, pid: int) -> None:
        self.project = project
        self.pid = pid
        self._access = json.loads((project.data / "up.json").read_text())
        self.address: str = self._access["address"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._access['token']}"}

    def child(self, word: str) -> int:
        """The process that leads a group and has this word in its command line."""
        (found,) = [pid for pid in self.project.processes(word) if os.getpgid(pid) == pid]
        return found

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/server_info", headers=self.headers, timeout=5).is_success
        except httpx.TransportError:
            return False

    def port_is_free(self) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(self.address.rpartition(":")[2])))
            except OSError:
                return False
        return True


@contextmanager
def serving(project: Project) -> Iterator[tuple[Up, "object"]]:
    with project.started("up", "--port", "0") as process:

        def is_up() -> bool:
            assert process.poll() is None, project.said()
            return "Ctrl-C stops" in project.said()

        wait_for(is_up, 120, project.said)
        yield Up(project, process.pid), process


def nothing_stays(project: Project, up: Up | None = None) -> None:
    wait_for(lambda: not project.processes(), 20, project.processes)
    if up is not None:
        wait_for(up.port_is_free, 5)


def last_line(project: Project) -> str:
    said = project.said()
    assert "Traceback" not in said
    return said.strip().splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_it_ends_everything(project: Project, number: signal.Signals) -> None:
    with serving(project) as (up, process):
        assert len(project.processes("dagster")) >= 3, "web server, daemon, their code servers"
        os.kill(up.pid, number)
        code = process.wait(30)
        assert code == (-number if number == signal.SIGKILL else 0), project.said()
        nothing_stays(project, up)


@pytest.mark.parametrize(("word", "name"), [("dagster_ui", "dagster-webserver"), ("dagster._daemon", "dagster-daemon")])
def test_a_part_that_is_killed_is_named_and_ends_it(project: Project, word: str, name: str) -> None:
    with serving(project) as (up, process):
        os.kill(up.child(word), signal.SIGKILL)
        assert process.wait(30) == 2
        said = last_line(project)
        assert said.startswith(f"ProcessDied: {name} was killed by SIGKILL; see ")
        assert "start `tagging up` again" in said
        nothing_stays(project, up)


def test_code_servers_that_are_killed_come_back(project: Project) -> None:
    with serving(project) as (up, process):

        def code_servers() -> dict[int, int]:
            return {pid: os.getpgid(pid) for pid in project.processes("api grpc")}

        wait_for(lambda: len(code_servers()) == 2, 60, code_servers)
        killed = code_servers()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        def are_back() -> bool:
            assert process.poll() is None, project.said()
            now = code_servers()
            return not killed.keys() & now.keys() and set(now.values()) == set(killed.values())

        # Dagster's daemon looks every minute.
        wait_for(are_back, 180, code_servers)
        assert up.answers()


def test_a_part_ends_with_it_even_where_both_are_killed_at_once(project: Project) -> None:
    with serving(project) as (up, process):
        parts = [up.child("dagster_ui"), up.child("dagster._daemon")]
        for pid in (up.pid, *parts):
            os.kill(pid, signal.SIGKILL)
        process.wait(30)
        nothing_stays(project, up)


def test_the_embedded_database_is_started_again(project: Project) -> None:
    with serving(project) as (up, process):
        first = int((project.data / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(first, signal.SIGKILL)

        def is_back() -> bool:
            assert process.poll() is None, project.said()
            database = Database.open(project.data, None)
            try:
                return database.is_alive()
            finally:
                database.close()

        wait_for(is_back, 60, project.said)
        wait_for(up.answers, 60, project.said)
        assert process.poll() is None, project.said()
        os.kill(up.pid, signal.SIGTERM)
        assert process.wait(30) == 0
        nothing_stays(project, up)


def test_a_database_of_the_operators_is_waited_for(tmp_path: Path, cached_weights: Path) -> None:
    operators = Database.open(tmp_path / "operators", None)
    project = Project(tmp_path / "project", _NO_CHAT, environment={"TAGGING_DATABASE_URL": operators.url})
    with serving(project) as (up, process):
        operators.close()
        wait_for(lambda: "everything waits for it" in project.said(), 60, project.said)
        assert process.poll() is None
        operators = Database.open(tmp_path / "operators", None)
        try:
            wait_for(lambda: "Postgres answers again" in project.said(), 60, project.said)
            wait_for(up.answers, 90, project.said)
            os.kill(up.pid, signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            operators.close()
        nothing_stays(project, up)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_can_be_ended_while_it_starts(project: Project, seconds: float, number: signal.Signals) -> None:
    with project.started("up", "--port", "0") as process:
        with pytest.raises(Exception, match="timed out"):
            process.wait(seconds)
        os.kill(process.pid, number)
        process.wait(30)
        nothing_stays(project)


def test_only_its_user_reads_what_it_writes_and_gets_in(project: Project) -> None:
    project.data.mkdir()
    (project.data / "logs").mkdir(mode=0o755)
    log = project.data / "logs" / "dagster-daemon.log"
    log.write_text("of an older version\n")
    log.chmod(0o644)
    with serving(project) as (up, process):
        files = [project.data / "up.json", *(project.data / "logs").iterdir()]
        assert len(files) == 3
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        second = project.run("up", "--port", "0")
        assert (second.code, second.error) == (
            2,
            f"SettingsError: `tagging up` runs on {project.data} already; stop it first",
        )
        link = project.run("up", "--link").out.strip()
        assert link.startswith(f"{up.address}/enter?key=")
        with httpx.Client() as browser:
            assert browser.get(up.address).status_code == 403
            assert browser.get(link).status_code == 200
            assert "dagster" in browser.get(up.address).text.lower()
        # Neither the link nor the token stands where others can see it.
        for pid, line in project.processes().items():
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            for secret in (up._access["token"], link.rpartition("=")[2]):
                assert secret not in line
                assert secret not in environment
        os.kill(up.pid, signal.SIGINT)
        assert process.wait(30) == 0
    assert (project.data / "up.json").read_text() == ""
    none = project.run("up", "--link")
    assert (none.code, none.error) == (
        2,
        "SettingsError: `tagging up` does not run on this data folder; start it",
    )
