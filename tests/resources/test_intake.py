"""From folders to the manifest, and a cursor that remembers what was not at rest."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from resources.database import Database
from resources.intake import Intake, cursor_from_looks, looks_from_cursor
from resources.manifest import Manifest
from tests.workshop import clear


@pytest.fixture
def manifest(database: Database) -> Manifest:
    clear(database)
    return Manifest(database.engine)


def intake(manifest: Manifest, folder: Path, settle_seconds: float = 0) -> Intake:
    return Intake(manifest, [folder], batch_size=10, settle_seconds=settle_seconds, threads=1)


def test_what_is_watched_is_looked_at_by_default_and_other_folders_on_demand(
    manifest: Manifest, tmp_path: Path
) -> None:
    for name in ("watched/a.jpg", "other/b.jpg"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(name)
    it = intake(manifest, tmp_path / "watched")
    assert it.look().summary == "1 new"
    assert it.look([tmp_path / "other"]).summary == "1 new"
    assert it.look().summary == "nothing new"


def test_every_file_of_a_folder_is_accounted_for(manifest: Manifest, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.txt", "notes.doc"):
        (tmp_path / name).write_text(name)
    taken = intake(manifest, tmp_path).look([tmp_path, tmp_path / "no such folder"])
    assert taken.change.counts == {"new": 1}
    assert [Path(name).name for name in taken.ignored] == ["notes.doc"]
    assert taken.unstable == ()


def test_a_file_is_taken_once_it_is_left_alone(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"half")
    it = intake(manifest, tmp_path, settle_seconds=3600)
    first = it.look()
    assert first.summary == "nothing new; 1 still being written"
    path.write_bytes(b"half and half")
    second = it.look(previous=first.result.looks())
    assert second.change.counts == {}, "it has grown"
    assert it.look(previous=second.result.looks()).change.counts == {"new": 1}


def test_patience_sees_the_end_of_a_copy(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"start")

    def copy_slowly() -> None:
        for _ in range(3):
            time.sleep(0.1)
            with path.open("ab") as file:
                file.write(b"more")

    copying = threading.Thread(target=copy_slowly)
    copying.start()
    taken = intake(manifest, tmp_path, settle_seconds=0.4).look_until_stable([tmp_path], patience_seconds=20)
    copying.join()
    assert taken.change.counts == {"new": 1}
    assert [ref.bytes for ref in manifest.known()] == [len(b"start" + 3 * b"more")]


def test_patience_ends(manifest: Manifest, tmp_path: Path) -> None:
    ahead = time.time_ns() + 10**12
    (tmp_path / "a.jpg").write_bytes(b"?")
    os.utime(tmp_path / "a.jpg", ns=(ahead, ahead))
    taken = intake(manifest, tmp_path, settle_seconds=5).look_until_stable([tmp_path], patience_seconds=0)
    assert len(taken.unstable) == 1


@pytest.mark.parametrize(
    ("cursor", "looks"),
    [
        (None, {}),  # the first tick
        ("", {}),
        (cursor_from_looks({}), {}),
        (cursor_from_looks({"/p/Käse 🙂.jpg": (3, 2**62)}), {"/p/Käse 🙂.jpg": (3, 2**62)}),
        ('{"version": 0, "looks": "other"}', {}),  # of another version
        ('{"looks": {"/p/a.jpg": [1, 2]}}', {}),  # of none
    ],
)
def test_cursors(cursor: str | None, looks: dict[str, tuple[int, int]]) -> None:
    assert looks_from_cursor(cursor) == looks


@pytest.mark.parametrize(
    "seconds",
    [
        10_413_792_000,  # the year 2300
        -11_644_473_600,  # 1601, where Windows begins to count
        -1,
        0,
        2**33,
        15_032_385_535,  # the last second that ext4 knows
    ],
)
def test_photos_and_folders_of_any_date_are_taken(manifest: Manifest, tmp_path: Path, seconds: int) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "a.txt"):
        (folder / name).write_text(name)
        os.utime(folder / name, (seconds, seconds))
    os.utime(folder, (seconds, seconds))
    it = intake(manifest, folder)
    assert it.look().change.counts == {"new": 2}
    assert it.watch().result.is_empty
    assert it.look().result.is_empty
    (folder / "b.jpg").write_text("other bytes")
    os.utime(folder / "b.jpg", (seconds, seconds))
    assert it.look().change.counts == {"changed": 1}


def test_what_is_no_file_waits_for_nobody(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_text("a photo")
    os.mkfifo(folder / "pipe.jpg")
    os.mkfifo(folder / "a.txt")  # a sidecar by its name
    os.mkfifo(folder / "CACHEDIR.TAG")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "round").symlink_to(folder)
    with socket.socket(socket.AF_UNIX) as door:
        monkeypatch.chdir(folder)  # the name of a socket may have a hundred characters
        door.bind("door.jpg")
    it = intake(manifest, folder)
    roots = [folder, folder / "pipe.jpg", folder / "loop.jpg", Path("/dev/zero"), Path("/proc"), Path("/sys")]
    taken = it.look(roots)
    assert taken.change.counts == {"new": 1}
    assert taken.unreadable.keys() == {*map(str, roots[1:])}
    assert {Path(one).name for one in taken.ignored} == {"pipe.jpg", "door.jpg", "CACHEDIR.TAG"}
    assert it.watch().result.is_empty


def test_a_file_that_cannot_be_read_is_named_and_not_waited_for(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a photo")
    # opens, and fails at its first byte, as a file on a dying disk does
    (tmp_path / "bad.jpg").symlink_to("/proc/self/mem")
    taken = intake(manifest, tmp_path).look_until_stable([tmp_path], patience_seconds=600)
    assert taken.change.counts == {"new": 1}
    assert taken.unreadable == {str(tmp_path / "bad.jpg"): "Input/output error"}
    assert taken.unstable == ()


def test_a_link_into_the_systems_own_files_is_not_followed(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a photo")
    (tmp_path / "all").symlink_to("/proc/self/root")
    (tmp_path / "system").symlink_to("/sys")
    with_links = intake(manifest, tmp_path).look([tmp_path / "system", tmp_path / "a.jpg"])
    assert with_links.change.counts == {"new": 1}
    assert list(with_links.unreadable) == ["/sys"]
