"""Whatever happens to a folder, watching it comes to what walking over all of it finds."""

import os
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from resources.database import Database
from resources.folder_watch import Pace
from tagging_assets.domain import folders
from tests.watched import STRICT, Library, write

OPERATIONS = ("write", "unlink", "rename", "rename folder", "make folder", "remove folder", "link", "unlink link")


def disturb(root: Path, dice: random.Random) -> None:
    """Change something somewhere, as people and programs do."""
    places = [Path(folder) for folder, _, _ in os.walk(root)]
    files = [Path(folder, name) for folder, _, names in os.walk(root) for name in names if not name.startswith(".")]
    links = [
        Path(folder, name) for folder, names, _ in os.walk(root) for name in names if Path(folder, name).is_symlink()
    ]
    somewhere, name = dice.choice(places), f"{dice.randrange(30)}"
    match dice.choice(OPERATIONS):
        case "write":
            (somewhere / f"{name}.jpg").unlink(missing_ok=True)
            write(somewhere / f"{name}.jpg", f"{dice.randrange(10**6)}")
        case "unlink" if files:
            dice.choice(files).unlink()
        case "rename" if files:
            dice.choice(files).rename(somewhere / f"{name}.jpg")
        case "rename folder" if len(places) > 1:
            folder = dice.choice(places[1:])
            if not somewhere.is_relative_to(folder) and not (somewhere / name).exists():
                folder.rename(somewhere / name)
        case "make folder" if not (somewhere / name).is_symlink():
            (somewhere / name).mkdir(exist_ok=True)
        case "remove folder" if len(places) > 4:
            shutil.rmtree(dice.choice(places[1:]))
        case "link" if not os.path.lexists(somewhere / name):
            (somewhere / name).symlink_to(dice.choice(places))
        case "unlink link" if links:
            dice.choice(links).unlink()
        case _:
            pass


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pace", [STRICT, replace(STRICT, list_seconds=0), replace(STRICT, files=3)])
def test_whatever_happens_watching_comes_to_what_walking_finds(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, pace: Pace
) -> None:
    # The clock of this file system is fine enough, and the test need not wait for it.
    monkeypatch.setattr(folders, "CLOCK_SLACK_NS", 20_000_000)
    library, dice = Library(tmp_path, database), random.Random(seed)
    for _ in range(12):
        for _ in range(dice.randrange(1, 8)):
            disturb(library.root, dice)
        time.sleep(0.02)
        looks = 0
        while library.watch(pace).listed:
            looks += 1
            assert looks < 200, "every look gets on"
        assert sorted(library.ids()) == library.listing()
