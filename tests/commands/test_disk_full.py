"""A full disk at different moments: one line, nothing half-written, and after making room the same command goes on.

The disk is full as a limit on the size of files has it: the system refuses what is beyond, and nobody needs to be root.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from resources.database import Database
from tests.commands.command_line import Done, Project
from tests.full_disk import no_file_beyond


def last_line(done: Done) -> str:
    assert "Traceback" not in done.err
    return done.err.strip().splitlines()[-1]


def half_written(project: Project) -> list[Path]:
    return list(project.folder.rglob(".new-*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pixels", "photos", "size", "where"),
    [
        (480, 1, 20_000, "proxies/"),  # a working copy
        (48, 16, 25_000, "tables/embeddings"),  # a table
    ],
    ids=["proxies", "tables"],
)
def test_room_made_later(
    project: Project, sample_photos: Mapping[str, Path], pixels: int, photos: int, size: int, where: str
) -> None:
    project = Project(project.folder, "llm: {enabled: false}\n")
    with Image.open(sample_photos["chelsea.png"]) as photo:
        for place in range(photos):
            picture = photo.convert("RGB").rotate(place * 5).resize((pixels, pixels))
            picture.save(project.photos / f"{place:02}.png")
    # The server is there already, and has room.
    database = Database.open(project.data, None)
    try:
        full = project.run("run", project.photos, prefix=no_file_beyond(size))
        assert full.code == 2, full.err
        assert last_line(full).startswith("DiskFull: no space left")
        assert where in last_line(full)
        assert half_written(project) == []
        again = project.run("run", project.photos, "--json")
    finally:
        database.close()
    assert again.code == 0, again.err
    assert len(again.json["tags"]) == photos


def test_a_limit_on_the_size_of_files_is_no_full_disk(project: Project) -> None:
    full = project.run("status", prefix=no_file_beyond(1_000_000))
    assert full.code == 2
    assert last_line(full).startswith("DiskFull: no space left under the limit on the size of files (ulimit -f)")
    assert last_line(full).count("no space left") == 1


@pytest.mark.slow
def test_no_room_for_setting_up(project: Project) -> None:
    full = project.run("status", prefix=no_file_beyond(4_000_000))
    assert full.code == 2
    assert last_line(full).startswith("DiskFull: no space left")
    assert half_written(project) == []
    assert project.run("status").code == 0
