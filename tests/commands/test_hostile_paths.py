"""What is given to ``run`` and is no photo, or is one that is made to take for ever."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.commands.command_line import Project, wait_for
from tests.resources import hostile_pictures as hostile
from tests.workshop import draw

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices and /proc are Linux's here")


def test_what_is_no_file_is_named_and_the_photos_beside_it_are_taken(project: Project) -> None:
    pipe = project.photos / "pipe.jpg"
    os.mkfifo(pipe)
    done = project.run("run", pipe, "/proc", "/dev/null", "--json")
    assert done.code == 1, done.err
    assert done.json["images"] == 0
    assert done.json["unreadable"] == {
        str(pipe.resolve()): "a named pipe, not a file",
        "/proc": "a folder of the system's own, not of photos",
        "/dev/null": "a device, not a file",
    }
    assert "Traceback" not in done.err
    assert sum(str(pipe.resolve()) in line for line in done.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_photo_that_takes_for_ever_can_be_interrupted(
    tmp_path: Path, cached_weights: Path, number: signal.Signals
) -> None:
    project = Project(tmp_path, extra="images: {decode_seconds: 3600}\n")
    draw(project.photos / "good.jpg", 1)
    hostile.many_scans(project.photos / "scans.jpg")
    with project.started("run", project.photos) as process:

        def decoding() -> list[psutil.Process]:
            assert process.poll() is None, project.said()
            found = psutil.Process(process.pid).children(recursive=True)
            return [child for child in found if _has_open(child, "scans.jpg")]

        wait_for(decoding, 120, project.said)
        children = decoding()
        process.send_signal(number)
        wait_for(lambda: process.poll() is not None, 60, project.said)
    wait_for(lambda: not any(child.is_running() for child in children), 30)
    assert "Traceback" not in project.said()


def _has_open(process: psutil.Process, name: str) -> bool:
    try:
        return any(one.path.endswith(name) for one in process.open_files())
    except psutil.Error:
        return False
