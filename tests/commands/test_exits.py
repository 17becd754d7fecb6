"""How commands end where something concerns all images: one line, and an exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from resources.database import Database
from tests.commands.command_line import REPOSITORY, Project


def piped(project: Project, *arguments: str, stdout: int) -> tuple[int, str]:
    """Exit code and stderr of a command that writes to a file of ours."""
    done = subprocess.run(
        project.command(*arguments),
        cwd=REPOSITORY,
        env=project.variables(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=180,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [("prompts", "list"), ("prompts", "list", "--json")], ids=["table", "json"])
def test_output_to_a_full_disk(project: Project, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        code, err = piped(project, *arguments, stdout=full.fileno())
    assert code == 2
    (line,) = err.strip().splitlines()
    assert line.startswith("DiskFull: no space left")


@pytest.mark.parametrize("arguments", [("prompts", "list"), ("prompts", "list", "--json")], ids=["table", "json"])
def test_a_reader_that_has_seen_enough(project: Project, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, err = piped(project, *arguments, stdout=writing)
    os.close(writing)
    assert (code, err) == (0, "")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_standard_streams(project: Project, closed: tuple[int, ...]) -> None:
    """A scheduler, or ``>&-``, has closed them: what is opened in the command does not end up in their place."""
    shutting = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {shutting}', "sh", *project.command("status", "--json")],
        cwd=REPOSITORY,
        env=project.variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{") == (1 not in closed)


def folder_is_a_file(project: Project) -> None:
    project.data.write_text("x")


def folder_for_everybody(project: Project) -> None:
    project.data.mkdir()
    project.data.chmod(0o777)


def folder_with_a_planted_link(project: Project) -> None:
    project.data.mkdir()
    (project.data / "proxies").symlink_to(project.photos)


def settings_are_a_folder(project: Project) -> None:
    project.settings.unlink()
    project.settings.mkdir()


def settings_are_binary(project: Project) -> None:
    project.settings.write_bytes(bytes(range(256)))


def settings_are_a_dangling_link(project: Project) -> None:
    project.settings.unlink()
    project.settings.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("hurt", "says"),
    [
        (folder_is_a_file, "is no folder"),
        (folder_for_everybody, "chmod o-w"),
        (folder_with_a_planted_link, "is a link, which may lead anywhere"),
        (settings_are_a_folder, "cannot be read"),
        (settings_are_binary, "is not YAML"),
        (settings_are_a_dangling_link, "cannot be read"),
    ],
)
@pytest.mark.parametrize("arguments", [("status",), ("tags",)], ids=lambda said: said[0])
def test_hurt_folders_and_files(
    project: Project, hurt: Callable[[Project], None], says: str, arguments: tuple[str, ...]
) -> None:
    hurt(project)
    done = project.call(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert says in done.error
    assert list(project.photos.iterdir()) == []


def newer(connection: sa.Connection) -> None:
    connection.execute(sa.text("UPDATE alembic_version SET version_num = 'beyond'"))


def without_a_table(connection: sa.Connection) -> None:
    connection.execute(sa.text("DROP TABLE tagging.published_tag CASCADE"))


def without_a_column(connection: sa.Connection) -> None:
    connection.execute(sa.text("ALTER TABLE tagging.published_tag DROP COLUMN score"))


@pytest.mark.parametrize(
    ("hurt", "says"),
    [
        (newer, "newer version"),
        (without_a_table, "missing or have another form"),
        (without_a_column, "missing or have another form"),
    ],
)
def test_hurt_databases(project: Project, hurt: Callable[[sa.Connection], None], says: str) -> None:
    database = Database.open(project.data, None)
    try:
        with database.engine.begin() as connection:
            schema = connection.execute(
                sa.text("SELECT table_schema FROM information_schema.tables WHERE table_name = 'alembic_version'")
            ).scalars()
            connection.execute(sa.text(f"SET LOCAL search_path = {', '.join(schema)}"))
            hurt(connection)
        done = project.run("tags")
    finally:
        database.close()
    assert done.code == 2
    assert done.out == ""
    assert says in done.error
    assert done.error.startswith("StorageError")


def test_where_it_went_wrong_is_shown_on_demand(project: Project) -> None:
    project.data.write_text("x")
    done = project.run("status", more={"TAGGING_DEBUG": "1"})
    assert done.code == 2
    assert "Traceback" in done.err
    assert done.err.strip().splitlines()[-1].startswith("SettingsError")
    assert sys.executable not in done.out
