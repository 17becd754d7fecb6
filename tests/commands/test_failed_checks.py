"""A check that fails is an outcome of a run, with a photo's name on it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.database import Database
from resources.workbench import StageRun, Workbench
from tagging_assets.commands.retag import Wanted, look, retag
from tagging_assets.commands.run import run_paths
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import RunFailed
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.models import LabelScore, RgbImage
from tests.fakes import FakeTagger
from tests.workshop import Workshop


class WrongAboutOne(FakeTagger):
    """Gives one photo a score that no tagger may give."""

    def tag(self, images: Sequence[RgbImage]) -> list[list[LabelScore]]:
        found = super().tag(images)
        return [
            [LabelScore("boat", "object", 1.5)] if is_first(image) else tags
            for image, tags in zip(images, found, strict=True)
        ]


def is_first(image: RgbImage) -> bool:
    """Whether it is the photo drawn with seed 1, by its ground."""
    return abs(int(image[-1, -1, 0]) - 67) < 8


class Breaking(Workbench):
    """Hands on a table of which every row breaks a check, as no photo of its own does."""

    def run(self, stage_name: str, *rest: Any, **more: Any) -> StageRun:
        done = super().run(stage_name, *rest, **more)
        if stage_name != "tagger_scores":
            return done
        broken = [replace(one, rows=tuple({**row, "score": 7.0} for row in one.rows)) for one in done.frame.records]
        return replace(done, frame=StageFrame(done.frame.table, tuple(broken)))


@pytest.fixture
def session(workshop: Workshop, database: Database, tmp_path: Path) -> Iterator[Session]:
    workshop.draw("a.jpg", "b.jpg", "c.jpg")
    said = tmp_path / "tagging.yaml"
    said.write_text("{}")
    opened = Session(said, workshop.tools.settings, database, workshop.tools)
    yield opened
    opened.instance.dispose()


def test_one_photo_fails_by_name_and_the_others_are_tagged(workshop: Workshop, session: Session) -> None:
    workshop.tools.__dict__["tagger"] = WrongAboutOne({"boat": 0.9})
    report = run_paths(session, [workshop.photos])
    assert {Path(uri).name for uri in report.failed} == {"a.jpg"}
    (error,) = report.failed.values()
    assert error.startswith("CheckFailed: above_floor: ")
    assert "boat" in workshop.published()["b.jpg"]
    again = run_paths(session, [workshop.photos])
    assert again.nothing_to_do
    assert again.failed == report.failed, "and it is not forgotten"


def test_a_check_that_no_photo_answers_for_stops_its_batch_with_all_names(workshop: Workshop, session: Session) -> None:
    bench = workshop.tools.bench
    workshop.tools.__dict__["bench"] = Breaking(**{name: getattr(bench, name) for name in bench.__dataclass_fields__})
    report = run_paths(session, [workshop.photos])
    assert {Path(uri).name for uri in report.failed} == {"a.jpg", "b.jpg", "c.jpg"}
    assert all("tagger_scores breaks the check above_floor" in error for error in report.failed.values())
    assert session.instance.get_runs(limit=1)[0].status.value == "FAILURE"
    # What stands in the table by then is each photo's own.
    done = retag(session, look(session, Wanted()), who="me", why="", detach=False)
    assert set(done["failed"]) == set(report.failed)
    assert all(error.startswith("CheckFailed: above_floor: ") for error in done["failed"].values())


def test_what_dagster_itself_ends_is_one_line(workshop: Workshop, session: Session) -> None:
    from tagging_assets.commands.in_process import executing

    with (
        pytest.raises(RunFailed, match=r"Dagster ended the run: .*no_such") as caught,
        executing(session, "tag_images", "op") as run,
    ):
        run("no_such", {}, None)
    assert "\n" not in str(caught.value)
