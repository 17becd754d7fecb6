"""`tagging up`: photos put into the inbox are tagged, changed rules applied, and Ctrl-C leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import sys
import time
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
    # What is waited for needs the processor more than the asking.
    time.sleep(1)
    done = project.run("tags", "--json")
    assert done.code == 0, done.err
    return {tag["tag"] for one in done.json for tag in one["tags"]}


def _asked(address: str, query: str, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{address}/graphql", json={"query": query}, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_photos_are_tagged_and_changes_applied_until_ctrl_c(
    project: Project, sample_photos: Mapping[str, Path]
) -> None:
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    with project.started("up", "--port", str(port)) as process:

        def is_up() -> bool:
            assert process.poll() is None, project.said()
            return f"Dagster is at {address}/enter?key=" in project.said()

        wait_for(is_up, 90, project.said)
        token = json.loads((project.data / "up.json").read_text())["token"]
        assert httpx.get(f"{address}/server_info", timeout=10).status_code == 403
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{address}/server_info", headers=headers, timeout=10).json()["dagster_version"]
        shutil.copy(sample_photos["chelsea.png"], project.folder / "inbox")
        wait_for(lambda: "cat" in _tags(project), 60, lambda: _logs(project))
        runs = _asked(address, "{ runsOrError { ... on Runs { results { status jobName } } } }", token)["runsOrError"]
        assert {run["jobName"] for run in runs["results"]} == {"tag_images"}

        # Somebody asks for it: the daemon does it, as a backfill that the UI shows.
        settings = project.settings.read_text(encoding="utf-8")
        project.settings.write_text(f"{settings}\nrules: {{banned: [cat]}}\n", encoding="utf-8")
        done = project.run("retag", "--json").json["done"]
        # The sweep may have been quicker; then there was nothing left for a backfill to change.
        assert done["changes"] in ({"withdrawn": 1}, {}), _logs(project)
        query = "{ partitionBackfillsOrError { ... on PartitionBackfills { results { id status } } } }"
        shown = _asked(address, query, token)["partitionBackfillsOrError"]["results"]
        assert shown == [{"id": done["backfill"], "status": "COMPLETED_SUCCESS"}]
        assert "cat" not in _tags(project)
        # Nobody asks: the sweep finds it.
        project.settings.write_text(settings, encoding="utf-8")
        wait_for(lambda: "cat" in _tags(project), 120, lambda: _logs(project))

        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0, project.said()
    # Web server, daemon, code servers, run workers, chat model, database.
    wait_for(lambda: not project.processes(), 15, project.processes)


def _logs(project: Project) -> str:
    """The ends of the logs."""
    files = sorted((project.data / "logs").glob("*.log"))
    return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-1500:]}" for file in files)
