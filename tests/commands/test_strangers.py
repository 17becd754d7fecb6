"""What other users of the machine can read of a project, and what a project leaves as it was."""

import stat
from pathlib import Path

import pytest

from resources.database import Database
from tests.commands.command_line import Project, Tagged


def rights(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.slow
def test_nothing_in_the_data_folder_can_be_read_by_others(tagged: Tagged) -> None:
    data = tagged.project.data
    # The server's own folder is closed at its door.
    own = [path for path in data.rglob("*") if path.relative_to(data).parts[0] != "postgres"]
    assert {path.relative_to(data).parts[0] for path in own} >= {"tables", "proxies", "dagster", "logs"}
    open_ones = {str(path.relative_to(data)): oct(rights(path)) for path in own if rights(path) & 0o077}
    assert open_ones == {}


@pytest.mark.slow
def test_outputs_follow_the_umask_and_what_is_there_stays(tagged: Tagged, tmp_path: Path) -> None:
    page, folder = tmp_path / "why.html", tagged.project.folder
    before = {path: rights(path) for path in (folder, tagged.project.photos, tmp_path)}
    done = tagged.project.run(
        "explain", tagged.path("chelsea.png"), "--html", page, prefix=("sh", "-c", 'umask 027; exec "$@"', "sh")
    )
    assert done.code == 0, done.err
    assert rights(page) == 0o640
    assert {path: rights(path) for path in before} == before


@pytest.mark.slow
def test_an_output_on_a_full_disk_is_one_line(tagged: Tagged) -> None:
    done = tagged.project.run("explain", tagged.path("chelsea.png"), "--html", "/dev/full")
    assert done.code == 2
    assert done.error.startswith("DiskFull: no space left to write /dev/full")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("mode", [0o755, 0o700, None], ids=["open", "closed", "not-there"])
def test_folders_that_are_there_keep_their_rights(project: Project, database: Database, mode: int | None) -> None:
    if mode is not None:
        project.data.mkdir()
        project.data.chmod(mode)
    above = rights(project.folder)
    done = project.run("status", more={"TAGGING_DATABASE_URL": database.url})
    assert done.code == 0, done.err
    assert (rights(project.data), rights(project.folder)) == (mode or 0o700, above)
