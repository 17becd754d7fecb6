"""`tagging up`: a photo put into the inbox is tagged, and Ctrl-C leaves nothing behind."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands.command_line import Project, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes under /proc"),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tags(project: Project) -> set[str]:
    done = project.run("tags", "--json")
    assert done.code == 0, done.err
    return {tag["tag"] for one in done.json for tag in one["tags"]}


def _asked(address: str, query: str) -> Any:
    answer = httpx.post(f"{address}/graphql", json={"query": query}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_photo_in_the_inbox_is_tagged_until_ctrl_c(project: Project, sample_photos: Mapping[str, Path]) -> None:
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    with project.started("up", "--port", str(port)) as process:

        def is_up() -> bool:
            assert process.poll() is None, project.said()
            return f"Dagster is at {address}" in project.said()

        wait_for(is_up, 90, project.said)
        assert httpx.get(f"{address}/server_info", timeout=10).json()["dagster_version"]
        shutil.copy(sample_photos["chelsea.png"], project.folder / "inbox")
        wait_for(lambda: "cat" in _tags(project), 60, lambda: _logs(project))
        runs = _asked(address, "{ runsOrError { ... on Runs { results { status jobName } } } }")["runsOrError"]
        assert {run["jobName"] for run in runs["results"]} == {"tag_images"}

        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0, project.said()
    # Web server, daemon, code servers, run workers, chat model, database.
    wait_for(lambda: not project.processes(), 15, project.processes)


def _logs(project: Project) -> str:
    """The ends of the logs."""
    files = sorted((project.data / "logs").glob("*.log"))
    return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-1500:]}" for file in files)
