"""``tagging calibrate`` as a user runs it: fit, look, take back, without a single model being loaded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.database import Database
from resources.toolbox import Toolbox
from tagging_assets.domain.gathering import TAGGER
from tagging_assets.settings import load_settings
from tests.commands.command_line import Project
from tests.lessons import decide_on


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Database]]:
    """A project without photos or weights, and with decisions on what the tagger of the catalogue said."""
    project = Project(tmp_path_factory.mktemp("calibrate"), environment={"TAGGING_WEIGHTS": "/nowhere"})
    opened = Database.open(project.data, None)
    card = Toolbox(load_settings(project.settings), opened).tagger.card
    decide_on(opened, TAGGER, card.name, revision=card.revision)
    yield project, opened
    opened.close()


def test_a_calibration_from_fitting_to_taking_back(database: tuple[Project, Database], tmp_path: Path) -> None:
    project, opened = database
    empty = project.run("calibrate", "--revert")
    assert (empty.code, empty.out) == (2, "")
    assert "there is no calibration to take back" in empty.error

    tried = project.run("calibrate", "--dry-run", "--json")
    assert tried.code == 0, tried.err
    assert (tried.json["state"], tried.json["run_id"]) == ("dry run", None)

    page = tmp_path / "pages" / "calibration.html"
    done = project.run("calibrate", "--html", page, "--by", "anna", "--why", "enough of them", more={"COLUMNS": "200"})
    assert done.code == 0, done.err
    (row,) = [line for line in done.out.splitlines() if "tagger" in line]
    assert "object" in row
    assert "→" in row
    assert "tagging retag" in done.err
    assert "data:image/png;base64," in page.read_text()

    again = project.run("calibrate", "--json")
    assert again.json["state"] == "unchanged"
    (fit,) = again.json["fits"]
    assert (fit["decisions"], again.json["hash"]) == (120, tried.json["hash"])
    assert fit["after"]["ece"] < fit["before"]["ece"]
    assert project.dagster_runs()[again.json["run_id"]] == "SUCCESS"

    back = project.run("calibrate", "--revert", "--json")
    assert (back.json["state"], back.json["fits"]) == ("reverted", [])
    assert project.run("calibrate", "--json").json["state"] == "new"
    who = [row["who"] for row in Toolbox(load_settings(project.settings), opened).history.operations(10)]
    assert "anna" in who


def test_one_thing_at_a_time(database: tuple[Project, Database]) -> None:
    project, _ = database
    wrong = project.run("calibrate", "--revert", "--dry-run")
    assert wrong.code == 2
    assert "not both" in wrong.error
