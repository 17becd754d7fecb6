"""Looks that take the time of folders: against real folders, and against walks over everything."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from resources.database import Database
from resources.folder_watch import Pace
from resources.photo_folder import canonical
from tagging_assets.domain.folders import NEVER
from tests.watched import STRICT, Library, write


@pytest.fixture
def library(tmp_path: Path, database: Database) -> Library:
    made = Library(tmp_path, database)
    for name in ("a.jpg", "x/b.jpg", "x/c.jpg", "x/deep/d.jpg", "y/e.jpg"):
        write(made.root / name)
    made.settle()
    return made


def test_an_idle_look_lists_no_folder(library: Library) -> None:
    taken = library.watch()
    assert (taken.listed, taken.summary) == (0, "nothing new")


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


CHANGES: list[tuple[Callable[[Path], object], dict[str, int], int]] = [
    # a new photo: its folder is listed
    (lambda p: write(p / "x/new.jpg"), {"new": 1}, 1),
    # deleted
    (lambda p: (p / "x/b.jpg").unlink(), {"gone": 1}, 1),
    # renamed
    (lambda p: (p / "x/b.jpg").rename(p / "x/z.jpg"), {"moved": 1}, 1),
    # moved to another folder: both are listed
    (lambda p: (p / "x/b.jpg").rename(p / "y/b.jpg"), {"moved": 1}, 2),
    # a caption is put beside it
    (lambda p: write(p / "x/b.txt"), {"metadata_only": 1}, 1),
    # replaced by a copy that is written first, as most programs save
    (lambda p: write(p / "x/tmp", "edited").rename(p / "x/b.jpg"), {"changed": 1}, 1),
    # new folders in new folders
    (lambda p: [write(p / "new/deep/er/1.jpg"), write(p / "new/2.jpg")], {"new": 2}, 4),
    # a folder is renamed: itself and all below it
    (lambda p: (p / "x").rename(p / "renamed"), {"moved": 3}, 3),
    # … or moved into another one
    (lambda p: (p / "x").rename(p / "y/x"), {"moved": 3}, 4),
    # … or deleted
    (lambda p: shutil.rmtree(p / "x"), {"gone": 3}, 1),
    # … or hidden
    (lambda p: (p / "x").rename(p / ".x"), {"gone": 3}, 1),
    # … or made a cache: nothing below it is a photo of anybody
    (lambda p: write(p / "x/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n"), {"gone": 3}, 1),
    # … or replaced by a link to itself: photos are known by their real path
    (lambda p: (p / "x").symlink_to((p / "x").rename(p / "z")), {"moved": 3}, 3),
    # a link to what is known anyway: nothing, wherever it leads
    (lambda p: (p / "y/again").symlink_to(p / "x"), {}, 1),
    (lambda p: (p / "x/deep/up").symlink_to(p), {}, 1),
    # a link to other photos: they are known by the link
    (lambda p: (p / "l").symlink_to(write(p.parent / "other/1.jpg").parent), {"new": 1}, 2),
    # emptied
    (empty, {"gone": 5}, 1),
    # a folder becomes a file
    (lambda p: write((p / "y").rename(p.parent / "y").parent / "photos/y"), {"gone": 1}, 1),
    # two folders change their names with each other
    (
        lambda p: [(p / "x").rename(p / "t"), (p / "y").rename(p / "x"), (p / "t").rename(p / "y")],
        {"moved": 4},
        4,
    ),
]


@pytest.mark.parametrize(("change", "counts", "listed"), CHANGES)
def test_what_happened_is_found_in_the_folders_where_it_did(
    library: Library, change: Callable[[Path], object], counts: dict[str, int], listed: int
) -> None:
    before = library.ids()
    change(library.root)
    taken = library.watch()
    assert (taken.change.counts, taken.listed) == (counts, listed)
    if "moved" in counts:
        assert set(library.ids().values()) == set(before.values())
    assert sorted(library.ids()) == library.listing()
    library.age()
    library.watch()
    last = library.watch()
    assert (last.listed, last.summary) == (0, "nothing new"), "all is settled"


def test_a_file_rewritten_in_place_is_found_in_turn(library: Library) -> None:
    (library.root / "x/b.jpg").write_text("other bytes")
    assert library.watch().change.counts == {}, "its folder does not tell"
    one_at_a_time = replace(STRICT, turn_seconds=1e-9)
    found = []
    for _ in range(4):
        taken = library.watch(one_at_a_time)
        assert taken.listed == 1
        found.append(taken.change.counts)
    assert sorted(found, key=len) == [{}, {}, {}, {"changed": 1}], "each of the four folders had its turn"


def test_a_turn_has_all_the_time_it_is_given(library: Library) -> None:
    assert library.watch(replace(STRICT, turn_seconds=30)).listed == 4


def test_a_change_in_the_moment_of_the_look_is_seen_by_the_next(library: Library) -> None:
    folder = library.root / "y"
    write(folder / "f.jpg")
    library.watch()
    mtime_ns = folder.stat().st_mtime_ns
    write(folder / "g.jpg")
    os.utime(folder, ns=(mtime_ns, mtime_ns))  # a coarse clock
    assert library.watch().change.counts == {"new": 1}


def test_a_photo_that_leaves_now_and_arrives_later_keeps_its_identity(library: Library) -> None:
    before = library.ids()
    away = library.root.parent / "on its way.jpg"
    (library.root / "x/b.jpg").rename(away)
    assert library.watch().change.counts == {"gone": 1}
    away.rename(library.root / "y/b.jpg")
    assert library.watch().change.counts == {"moved": 1}
    assert library.ids()["y/b.jpg"] == before["x/b.jpg"]


def test_a_photo_that_arrives_before_its_old_folder_is_looked_at_keeps_its_identity(library: Library) -> None:
    before = library.ids()
    folder = library.root / "x"
    mtime_ns = folder.stat().st_mtime_ns
    (folder / "b.jpg").rename(library.root / "y/b.jpg")
    os.utime(folder, ns=(mtime_ns, mtime_ns))  # as if it had left after this look came by
    assert library.watch().change.counts == {"moved": 1}
    assert library.ids()["y/b.jpg"] == before["x/b.jpg"]


def test_a_disk_that_is_away_loses_nothing_and_costs_nothing(library: Library) -> None:
    before, disk = library.ids(), library.root.parent / "disk"
    mount = library.root / "x"
    mount.rename(disk)
    mount.mkdir()
    os.utime(mount, ns=(10**15, 10**15))  # a mount point is older than what was mounted
    away = library.watch()
    assert away.change.counts == {}
    assert away.summary == f"nothing new; 2 out of sight, their tags stay; out of sight below {mount}, tags stay"
    library.age()
    library.watch()
    still = library.watch()
    assert (still.listed, still.hidden) == (0, (str(mount),))
    assert library.watch(replace(STRICT, turn_seconds=30)).change.counts == {}, "not in turn either"
    mount.rmdir()
    disk.rename(mount)
    assert library.watch().change.counts == {}
    assert library.ids() == before
    (mount / "deep/d.jpg").unlink()
    assert library.watch().change.counts == {"gone": 1}, "it is seen again"


def test_a_root_that_is_away_loses_nothing(library: Library) -> None:
    before, disk = library.ids(), library.root.parent / "disk"
    library.root.rename(disk)
    away = library.watch()
    assert (away.change.counts, away.listed, away.hidden) == ({}, 0, (str(library.root),))
    assert "out of sight" in away.summary
    disk.rename(library.root)
    assert library.watch().listed == 0
    assert library.ids() == before


def test_a_link_that_leads_nowhere_loses_nothing(library: Library) -> None:
    other = library.root.parent / "other"
    write(other / "sub/1.jpg")
    (library.root / "link").symlink_to(other)
    library.settle()
    before = library.ids()
    other.rename(other.with_name("away"))
    assert library.watch().change.counts == {}
    assert library.watch(Pace(turn_seconds=30)).change.counts == {}
    assert library.intake().look().change.counts == {}
    other.with_name("away").rename(other)
    assert library.watch().change.counts == {}
    assert library.ids() == before


def test_what_was_deleted_while_the_disk_was_away_is_gone(library: Library) -> None:
    disk = library.root.parent / "disk"
    library.root.rename(disk)
    library.watch()
    shutil.rmtree(disk / "x")
    disk.rename(library.root)
    assert library.watch().change.counts == {"gone": 3}


def test_a_file_that_is_still_written_has_its_folder_looked_at_again(library: Library) -> None:
    it = library.intake(settle_seconds=3600)
    path = write(library.root / "y/new.jpg", "half")
    first = it.watch()
    assert first.summary == "nothing new; 1 still being written"
    library.age()
    it.watch()
    path.write_text("half and half")  # its folder does not tell
    second = it.watch(first.looks)
    assert (second.change.counts, len(second.unstable)) == ({}, 1)
    third = it.watch(second.looks)
    assert third.change.counts == {"new": 1}
    it.watch()
    assert it.watch().listed == 0


def test_a_look_that_was_cut_short_is_made_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    write(library.root / "y/new.jpg")
    it = library.intake()
    with monkeypatch.context() as patch:
        # After the manifest was written and before the folders are remembered.
        patch.setattr(it._book, "keep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            it.watch()
    assert "y/new.jpg" in library.ids()
    again = library.watch()
    assert (again.listed, again.change.counts) == (1, {})


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "pace",
    [
        replace(STRICT, list_seconds=0),  # one folder a look
        replace(STRICT, files=1),
        replace(STRICT, hash_seconds=0),  # a few files a look
    ],
)
def test_a_library_is_taken_in_over_many_looks(tmp_path: Path, database: Database, pace: Pace) -> None:
    library = Library(tmp_path, database)
    expected = sorted(f"{folder}/{number}.jpg" for folder in ("a", "a/b", "c/d/e") for number in range(20))
    for name in expected:
        write(library.root / name, name)
    (library.root / "c/link").symlink_to(library.root / "a")
    looks = [library.watch(pace) for _ in range(12)]
    assert sum(taken.change.counts.get("new", 0) for taken in looks) == 60
    assert looks[0].change.counts.get("new", 0) < 60
    assert "left for the next look" in looks[0].summary
    assert sorted(library.ids()) == expected
    assert not any(taken.change.counts.keys() - {"new"} for taken in looks)


def test_lost_folders_are_judged_over_many_looks_and_only_when_nothing_waits(
    library: Library,
) -> None:
    before = library.ids()
    (library.root / "x").rename(library.root / "z")
    one_at_a_time = replace(STRICT, list_seconds=0, files=1)
    looks = [library.watch(one_at_a_time) for _ in range(8)]
    assert looks[0].change.counts == {}, "photos of lost folders may turn up in those that wait"
    assert library.ids().keys() == {"a.jpg", "y/e.jpg", "z/b.jpg", "z/c.jpg", "z/deep/d.jpg"}
    assert set(library.ids().values()) == set(before.values())
    shutil.rmtree(library.root / "z")
    looks = [library.watch(one_at_a_time) for _ in range(6)]
    assert sum(taken.change.counts.get("gone", 0) for taken in looks) == 3
    assert library.manifest.folder_book.at_or_below([str(library.root)]).keys() == {
        str(library.root),
        str(library.root / "y"),
    }


def test_a_walk_over_everything_spares_the_watch(tmp_path: Path, database: Database) -> None:
    library = Library(tmp_path, database)
    for name in ("a.jpg", "x/b.jpg", ".hidden/c.jpg"):
        write(library.root / name)
    library.age()
    assert library.intake().look().change.counts == {"new": 2}
    assert library.watch().listed == 0
    # What is hidden is taken in by name, and the watch leaves it alone.
    assert library.intake().look([library.root / ".hidden"]).change.counts == {"new": 1}
    assert library.watch(Pace(turn_seconds=30)).change.counts == {}
    shutil.rmtree(library.root / "x")
    assert library.intake().look([library.root / "x"]).change.counts == {}
    assert library.intake().look().change.counts == {"gone": 2}, "a walk has everything below its roots in view"
    assert library.manifest.folder_book.at_or_below([str(library.root)]).keys() == {str(library.root)}


def test_photos_known_before_there_was_a_watch(library: Library, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE tagging.folder")
    shutil.rmtree(library.root / "x")
    assert library.watch().change.counts == {"gone": 3}


def test_single_files_and_roots_within_roots(library: Library) -> None:
    single = write(library.root.parent / "single.jpg")
    library.roots = [library.root, library.root / "x", single, write(library.root / ".kept/k.jpg").parent]
    assert library.watch().change.counts == {"new": 2}
    library.age()
    library.watch()
    assert library.watch().listed == 0
    single.write_text("edited")
    assert library.watch().change.counts == {"changed": 1}
    single.unlink()
    assert library.watch().change.counts == {"gone": 1}
    (library.root / "x/b.jpg").unlink()
    assert library.watch().change.counts == {"gone": 1}


def test_names_of_all_kinds(library: Library) -> None:
    for name in ("caf\udce9/\udcff.jpg", "x/\udcfe.jpg", "Käse 🙂/a.jpg", "x/back\\slash.jpg", "100%_a/b.jpg"):
        write(library.root / name, name.encode("utf-8", "surrogateescape").hex())
    assert library.watch().change.counts == {"new": 5}
    library.age()
    assert library.watch().change.counts == {}
    assert library.watch().listed == 0
    (library.root / "x/\udcfe.jpg").unlink()
    shutil.rmtree(library.root / "caf\udce9")
    assert library.watch().change.counts == {"gone": 2}


def test_what_another_process_wrote_in_between_is_looked_at_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(library.root / "y/new.jpg")
    library.age()
    it, apply = library.intake(), library.manifest.apply

    def second(*given: object, **more: object) -> object:
        apply(*given, **more)  # type: ignore[arg-type]
        return apply(*given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(library.manifest, "apply", second)
        assert it.watch().change.counts == {}
    kept = library.manifest.folder_book.at_or_below([str(library.root / "y")])
    assert [one.mtime_ns for one in kept.values()] == [NEVER]


def test_a_watch_and_a_walk_agree_on_roots(library: Library) -> None:
    (library.root.parent / "alias").symlink_to(library.root)
    library.roots = [library.root.parent / "alias"]
    assert library.watch().listed == 0
    assert canonical(library.roots[0]) == str(library.root)


def test_thousands_of_folders_are_asked_in_no_time(tmp_path: Path, database: Database) -> None:
    library = Library(tmp_path, database)
    for number in range(2000):
        (library.root / f"{number % 40}" / f"{number}").mkdir(parents=True)
    library.settle()
    started = time.monotonic()
    assert library.watch().listed == 0
    assert time.monotonic() - started < 2
