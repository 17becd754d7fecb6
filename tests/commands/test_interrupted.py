"""`kill -9` in the middle of a run costs what was under way, and nothing else."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image

from tagging_assets.domain.stages import STAGES
from tests.commands.command_line import Project, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes under /proc"),
]

#: What the chat model's question is made from; done by the time it is asked.
_ABOVE_CHAT = ("images", "proxies", "detections", "landmarks", "zero_shot_scores", "tagger_scores")


@pytest.fixture
def eight(project: Project, sample_photos: Mapping[str, Path]) -> Iterator[Project]:
    """Eight small distinct photos."""
    for name in list(sample_photos)[:8]:
        with Image.open(sample_photos[name]) as photo:
            small = photo.convert("RGB")
        small.thumbnail((400, 400))
        small.save(project.photos / f"{Path(name).stem}.jpg", quality=92)
    yield project
    for left in project.processes():
        os.kill(left, signal.SIGKILL)


def _kill_when(project: Project, what: str) -> None:
    with project.started("run", project.photos) as process:
        stored = project.data / "tables" / "proxies"

        def reached() -> bool:
            assert process.poll() is None, project.said()
            return any(stored.glob("*.parquet")) if what == "proxies" else bool(project.processes("llm_child"))

        wait_for(reached, 90, project.said)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_killed_twice_it_goes_on_where_it_stopped(eight: Project) -> None:
    _kill_when(eight, "proxies")
    _kill_when(eight, "llm_child")
    # The chat model lost its parent, and goes.
    wait_for(lambda: not eight.processes("llm_child"), 15, eight.processes)

    done = eight.run("run", eight.photos, "--json")
    assert done.code == 0, done.err
    told = done.json
    assert (told["images"], told["failed"]) == (8, [])
    assert {stage: told["computed"][stage] for stage in _ABOVE_CHAT} == dict.fromkeys(_ABOVE_CHAT, 0)
    assert told["computed"]["tags"] == 8

    for one in told["tags"]:
        names = [tag["tag"] for tag in one["tags"]]
        assert len(names) == len(set(names))
    status = eight.run("status", "--json").json
    assert status["images"] == 8
    assert status["published_tags"] == sum(len(one["tags"]) for one in told["tags"]) > 0
    held = {stage: (one["ok"], one["to_compute"]) for stage, one in status["stages"].items()}
    assert held == {**dict.fromkeys(STAGES, (8, 0)), "decisions": (0, 0)}
    # No run, no chat model and no database stays behind.
    wait_for(lambda: not eight.processes(), 15, eight.processes)
