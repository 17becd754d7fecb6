import os
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.intake import Intake, Taken
from resources.manifest import Manifest
from tagging_assets.domain.errors import DatabaseUnavailable, StorageError
from tagging_assets.domain.scan import Change, Found, ScanResult, SeenFile
from tests.workshop import clear

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


@pytest.fixture
def manifest(database: Database) -> Manifest:
    clear(database)
    return Manifest(database.engine)


@pytest.fixture
def engine(database: Database) -> sa.Engine:
    return database.engine


def found(*uris: str, content: str | None = None, size: int = 10) -> ScanResult:
    return ScanResult(new=tuple(Found(SeenFile(uri, size, 100, 5), content or f"hash-{uri}") for uri in uris))


def look(manifest: Manifest, root: Path) -> Taken:
    return Intake(manifest, [root], batch_size=1000, settle_seconds=0).look()


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def ids(manifest: Manifest) -> dict[str, str]:
    """Image id by content of the file's name, of the images that are there."""
    return {Path(ref.uri).name: ref.image_id for ref in manifest.known() if not ref.gone}


def test_rows_come_back_as_they_went(manifest: Manifest) -> None:
    change = manifest.apply(found("/p/Käse 🙂.jpg"), now=NOW)
    (ref,) = manifest.known()
    assert re.fullmatch(r"[0-9a-f]{32}", ref.image_id)
    assert (ref.uri, ref.batch, ref.content_hash) == ("/p/Käse 🙂.jpg", "b000001", "hash-/p/Käse 🙂.jpg")
    assert (ref.bytes, ref.mtime_ns, ref.sidecar_mtime_ns) == (10, 100, 5)
    assert (ref.pixel_id, ref.gone_at, ref.gone) == (None, None, False)
    assert ref.first_seen_ns == int(NOW.timestamp()) * 10**9 + 678_901_000
    assert (change.new_batches, change.touched_batches) == (("b000001",), ("b000001",))
    assert change.counts == {"new": 1}
    assert manifest.images("b000001") == [ref]
    assert manifest.images("b000002") == []


def test_batches_fill_up_before_new_ones_open(manifest: Manifest) -> None:
    first = manifest.apply(found("/p/1", "/p/2"), batch_size=3)
    second = manifest.apply(found("/p/3", "/p/4"), batch_size=3)
    third = manifest.apply(found(*(f"/p/{n}" for n in range(5, 9))), batch_size=3)
    assert (first.new_batches, first.touched_batches) == (("b000001",), ("b000001",))
    assert (second.new_batches, second.touched_batches) == (("b000002",), ("b000001", "b000002"))
    assert (third.new_batches, third.touched_batches) == (("b000003",), ("b000002", "b000003"))
    assert manifest.batches() == ["b000001", "b000002", "b000003"]
    assert [len(manifest.images(batch)) for batch in manifest.batches()] == [3, 3, 2]


def sums(manifest: Manifest) -> list[tuple[str, int, int, int]]:
    return [(one.batch, one.images, one.gone, one.revision) for one in manifest.batch_sums()]


def test_batches_are_summed_up_by_every_change(manifest: Manifest, engine: sa.Engine) -> None:
    manifest.apply(found("/p/1", "/p/2", "/p/3", "/p/4", "/p/5"), batch_size=3, now=NOW)
    assert sums(manifest) == [("b000001", 3, 0, 1), ("b000002", 2, 0, 1)]
    refs = {ref.uri: ref for ref in manifest.known()}
    manifest.apply(ScanResult(gone=(refs["/p/1"], refs["/p/2"])))
    assert sums(manifest) == [("b000001", 1, 2, 2), ("b000002", 2, 0, 1)]
    lost = {ref.uri: ref for ref in manifest.known()}
    there = SeenFile("/p/1", 10, 100, 5)
    manifest.apply(ScanResult(restored=(Change(lost["/p/1"], there, "hash-/p/1"),)))
    assert sums(manifest) == [("b000001", 2, 1, 3), ("b000002", 2, 0, 1)]
    elsewhere = SeenFile("/q/2", 10, 100, 5)
    manifest.apply(ScanResult(moved=(Change(lost["/p/2"], elsewhere, "hash-/p/2"),)))
    assert sums(manifest) == [("b000001", 3, 0, 4), ("b000002", 2, 0, 1)]
    retimed = SeenFile("/p/3", 10, 101, 5)
    manifest.apply(ScanResult(retimed=(Change(refs["/p/3"], retimed, "hash-/p/3"),)))
    assert sums(manifest) == [("b000001", 3, 0, 4), ("b000002", 2, 0, 1)], "nothing is to be done for it"
    manifest.apply(found("/p/6", "/p/7"), batch_size=3)
    assert sums(manifest) == [("b000001", 3, 0, 4), ("b000002", 3, 0, 2), ("b000003", 1, 0, 1)]
    assert manifest.batch("b000001").changed_at > NOW  # type: ignore[union-attr]
    assert manifest.batch("b000009") is None
    assert [one.batch for one in manifest.batch_sums(["b000002", "b000009"])] == ["b000002"]
    counted = sa.text(
        "SELECT batch, count(*) FILTER (WHERE gone_at IS NULL), count(gone_at) FROM tagging.image GROUP BY 1 ORDER BY 1"
    )
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(counted)]
    assert rows == [one[:3] for one in sums(manifest)]


def test_photos_of_folders(manifest: Manifest) -> None:
    uris = ["/p/a", "/p/sub/b", "/p b/c", "file:///p/%FF", "file:///p/%FE/e", "/d", "C:\\p\\f", "C:\\p\\sub\\g"]
    manifest.apply(found(*uris))

    def inside(*folders: str, files: Sequence[str] = ()) -> list[str]:
        return sorted(ref.uri for ref in manifest.in_folders(folders, files))

    assert inside("/p") == ["/p/a", "file:///p/%FF"]
    assert inside("/p/\udcfe") == ["file:///p/%FE/e"]
    assert inside("/p/sub", "/p b/", files=["/p/a", "/p/\udcff"]) == ["/p b/c", "/p/a", "/p/sub/b", "file:///p/%FF"]
    assert inside("/") == ["/d"]
    assert inside("C:\\p") == ["C:\\p\\f"]
    assert sorted(ref.uri for ref in manifest.known(["C:\\p"])) == ["C:\\p\\f", "C:\\p\\sub\\g"]
    assert inside() == []
    assert manifest.inhabited(["/p", "/p/\udcfe", "/", "/empty"]) == {"/p", "/p/\udcfe", "/"}
    (gone,) = manifest.in_folders(["/p b"])
    manifest.apply(ScanResult(gone=(gone,)))
    assert manifest.inhabited(["/p b", "/p/sub"]) == {"/p/sub"}
    assert inside("/p b") == ["/p b/c"]
    assert manifest.standing(["/p b"], seen_before_ns=None, limit=9) == []
    assert len(manifest.standing(["/p", "/p/sub"], seen_before_ns=None, limit=9)) == 3
    assert len(manifest.standing(["/p", "/p/sub"], seen_before_ns=None, limit=2)) == 2
    assert manifest.standing(["/p"], seen_before_ns=gone.first_seen_ns - 10**10, limit=9) == []
    assert len(manifest.standing(["/p"], seen_before_ns=gone.first_seen_ns, limit=9)) == 2


def test_nothing_reads_the_whole_manifest(manifest: Manifest, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO tagging.image "
                "(image_id, uri, batch, content_hash, bytes, mtime_ns, first_seen, changed_at) "
                "SELECT n, '/p/' || n / 100 || '/' || n || '.jpg', 'b000001', md5(n::text), 1, 1, now(), now()"
                " FROM generate_series(1, 30000) AS n"
            )
        )
        connection.execute(sa.text("ANALYZE tagging.image"))
    looks: list[tuple[int, Callable[[], Collection[object]]]] = [
        (101, lambda: manifest.known(["/p/7", "/p/5/500.jpg", "/q"])),
        (200, lambda: manifest.in_folders(["/p/7", "/p/8"])),
        (200, lambda: manifest.standing(["/p/7", "/p/8"], seen_before_ns=None, limit=1000)),
        (2, lambda: manifest.inhabited(["/p/7", "/p/8", "/p/x"])),
        (1, lambda: manifest.with_hashes(["c4ca4238a0b923820dcc509a6f75849b"])),
    ]
    asked: list[tuple[str, Any]] = []

    def remember(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", remember)
    try:
        for count, look_up in looks:
            assert len(look_up()) == count
    finally:
        sa.event.remove(engine, "before_cursor_execute", remember)
    with engine.connect() as connection:
        for statement, parameters in asked:
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            assert "Seq Scan on image" not in plan, plan
            assert "Index" in plan


def test_the_life_of_photos(manifest: Manifest, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("a", "b", "c"):
        write(photos / f"{name}.jpg", f"content of {name}")
    assert look(manifest, photos).change.counts == {"new": 3}
    before = ids(manifest)
    assert look(manifest, photos).change.counts == {}, "nothing happened"

    (photos / "a.jpg").rename(write(photos / "sub/x", "").with_name("renamed.jpg"))
    assert look(manifest, photos).change.counts == {"moved": 1}
    assert ids(manifest)["renamed.jpg"] == before["a.jpg"]

    write(photos / "b.jpg", "edited")
    changed = look(manifest, photos)
    assert changed.change.counts == {"changed": 1}
    assert changed.change.touched_batches == ("b000001",)
    assert ids(manifest)["b.jpg"] == before["b.jpg"]

    (photos / "c.jpg").unlink()
    assert look(manifest, photos).change.counts == {"gone": 1}
    assert "c.jpg" not in ids(manifest)
    assert look(manifest, photos).change.counts == {}, "gone is said once"

    write(photos / "c.jpg", "content of c")
    assert look(manifest, photos).change.counts == {"restored": 1}
    assert ids(manifest)["c.jpg"] == before["c.jpg"]

    os.utime(photos / "c.jpg", ns=(1, 1))
    retimed = look(manifest, photos).change
    assert retimed.counts == {"retimed": 1}
    assert retimed.touched_batches == (), "nothing is to be done for it"

    write(photos / "c.txt", "a caption")
    assert look(manifest, photos).change.counts == {"metadata_only": 1}
    write(photos / "copy of c.jpg", "content of c")
    assert look(manifest, photos).change.counts == {"new": 1}
    assert {ref.batch for ref in manifest.known()} == {"b000001"}


def test_swapped_and_renumbered_photos_keep_their_identity(manifest: Manifest, tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        write(tmp_path / f"{name}.jpg", f"content of {name}")
    look(manifest, tmp_path)
    before = ids(manifest)

    (tmp_path / "1.jpg").rename(tmp_path / "x")
    (tmp_path / "2.jpg").rename(tmp_path / "1.jpg")
    (tmp_path / "x").rename(tmp_path / "2.jpg")
    os.utime(tmp_path / "1.jpg", ns=(5, 5))
    os.utime(tmp_path / "2.jpg", ns=(6, 6))
    assert look(manifest, tmp_path).change.counts == {"moved": 2}
    assert ids(manifest) == {"1.jpg": before["2.jpg"], "2.jpg": before["1.jpg"], "3.jpg": before["3.jpg"]}

    (tmp_path / "2.jpg").replace(tmp_path / "1.jpg")
    (tmp_path / "3.jpg").replace(tmp_path / "2.jpg")
    os.utime(tmp_path / "1.jpg", ns=(7, 7))
    os.utime(tmp_path / "2.jpg", ns=(8, 8))
    assert look(manifest, tmp_path).change.counts == {"moved": 2, "gone": 1}
    assert ids(manifest) == {"1.jpg": before["1.jpg"], "2.jpg": before["3.jpg"]}
    assert look(manifest, tmp_path).change.counts == {}

    write(tmp_path / "back.jpg", "content of 2")  # the lost one turns up again
    assert look(manifest, tmp_path).change.counts == {"moved": 1}
    assert ids(manifest)["back.jpg"] == before["2.jpg"]


def test_an_unplugged_disk_loses_nothing(manifest: Manifest, tmp_path: Path) -> None:
    disk, mount = tmp_path / "disk", tmp_path / "mount"
    write(disk / "a.jpg", "a")
    disk.rename(mount)
    look(manifest, mount)
    before = ids(manifest)
    mount.rename(disk)
    assert look(manifest, mount).change.counts == {}  # the folder is not there
    mount.mkdir()
    os.utime(mount, ns=(1, 1))  # a mount point is older than what was mounted
    unplugged = look(manifest, mount)
    assert unplugged.change.counts == {}
    assert len(unplugged.result.away) == 1
    mount.rmdir()
    disk.rename(mount)
    assert look(manifest, mount).change.counts == {}
    (mount / "a.jpg").unlink()
    assert look(manifest, mount).change.counts == {"gone": 1}  # emptied under our eyes
    write(mount / "a.jpg", "a")
    look(manifest, mount)
    assert ids(manifest) == before


def test_a_renamed_root_keeps_identity(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / "old/a.jpg", "a")
    write(tmp_path / "other/b.jpg", "a")
    look(manifest, tmp_path / "old")
    before = ids(manifest)
    assert look(manifest, tmp_path / "other").change.counts == {"new": 1}, "the old place is not empty"
    (tmp_path / "old").rename(tmp_path / "new")
    assert look(manifest, tmp_path / "new").change.counts == {"moved": 1}
    assert ids(manifest)["a.jpg"] == before["a.jpg"]


def test_files_without_a_name_in_unicode(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / "caf\udce9.jpg", "a")
    assert look(manifest, tmp_path).change.counts == {"new": 1}
    assert look(manifest, tmp_path).change.counts == {}
    (tmp_path / "caf\udce9.jpg").unlink()
    assert look(manifest, tmp_path).change.counts == {"gone": 1}


def test_roots_do_not_reach_into_one_another(manifest: Manifest) -> None:
    manifest.apply(found("/p/a", "/p/sub/b", "/pp/c", "/p_/d", "file:///p/%FF/e"))
    assert sorted(ref.uri for ref in manifest.known(["/p"])) == ["/p/a", "/p/sub/b", "file:///p/%FF/e"]
    assert sorted(ref.uri for ref in manifest.known(["/p_", "/p/a"])) == ["/p/a", "/p_/d"]
    assert len(manifest.known(["/"])) == 5
    assert manifest.known([]) == []


def test_the_same_scan_applied_twice_adds_once(manifest: Manifest) -> None:
    result = found("/p/a", "/p/b")
    assert manifest.apply(result).counts == {"new": 2}
    assert manifest.apply(result).counts == {}
    refs = sorted(manifest.known(), key=lambda ref: ref.uri)
    gone = ScanResult(gone=(refs[0],))
    assert manifest.apply(gone).counts == {"gone": 1}
    assert manifest.apply(gone).counts == {}


def test_many_sensors_at_once_add_once_and_fill_batches(manifest: Manifest) -> None:
    shared = [f"/p/{number}" for number in range(200)]

    def sensor(number: int) -> int:
        own = [f"/own/{number}/{index}" for index in range(25)]
        return manifest.apply(found(*shared, *own), batch_size=50).counts["new"]

    with ThreadPoolExecutor(6) as pool:
        added = sum(pool.map(sensor, range(6)))
    refs = manifest.known()
    assert added == len(refs) == 200 + 6 * 25
    assert [len(manifest.images(batch)) for batch in manifest.batches()] == [50] * 7


def test_a_scan_overtaken_by_another_changes_nothing(manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", "a")
    look(manifest, tmp_path)
    (stale,) = manifest.known()
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    look(manifest, tmp_path)
    assert manifest.apply(ScanResult(gone=(stale,))).counts == {}
    assert list(ids(manifest)) == ["b.jpg"]


def test_pixels_copies_and_duplicates(manifest: Manifest) -> None:
    manifest.apply(found("/p/a", "/p/b", "/p/c", "/p/d"), batch_size=2)
    by_uri = {ref.uri: ref for ref in manifest.known()}
    pixels = {by_uri[uri].image_id: "same" for uri in ("/p/a", "/p/b", "/p/d")} | {by_uri["/p/c"].image_id: "other"}
    assert manifest.set_pixel_ids(pixels) == 4
    assert manifest.set_pixel_ids(pixels) == 0, "no news"
    assert manifest.set_pixel_ids({}) == 0
    manifest.apply(ScanResult(gone=(by_uri["/p/d"],)))
    copies = manifest.copies_of(["same", "other", "unknown"])
    assert {(image_id, batch) for image_id, batch in copies["same"]} == {
        (by_uri[uri].image_id, by_uri[uri].batch) for uri in ("/p/a", "/p/b", "/p/d")
    }
    assert copies.keys() == {"same", "other"}
    assert [[ref.uri for ref in group] for group in manifest.duplicates()] == [["/p/a", "/p/b"]]


def test_finding_what_a_person_means(manifest: Manifest) -> None:
    manifest.apply(found("/p/100%_a.jpg", "/p/sub/b.jpg", "/q/b.jpg", "/p/1000_a.jpg"))
    by_uri = {ref.uri: ref.image_id for ref in manifest.known()}

    def find(text: str) -> list[str]:
        return [ref.uri for ref in manifest.find(text)]

    assert find("/p/sub/b.jpg") == ["/p/sub/b.jpg"]
    assert find(by_uri["/q/b.jpg"]) == ["/q/b.jpg"]
    assert find(by_uri["/q/b.jpg"][:12].upper()) == ["/q/b.jpg"]
    assert find("b.jpg") == ["/p/sub/b.jpg", "/q/b.jpg"]
    assert find("sub/b.jpg") == ["/p/sub/b.jpg"]
    assert find("100%_a.jpg") == ["/p/100%_a.jpg"]  # no wildcards by accident
    assert find("%") == []
    assert find("") == []
    assert find("nothing.jpg") == []


def test_what_postgres_says_is_translated(manifest: Manifest, tmp_path: Path) -> None:
    nowhere = Manifest(sa.create_engine(f"postgresql+psycopg2://nobody@/x?host={tmp_path}"))
    with pytest.raises(DatabaseUnavailable):
        nowhere.known()
    with pytest.raises(StorageError, match="Postgres refused"):
        manifest.apply(found("/p/a", size=2**70))


def test_a_large_folder_fills_batches_and_goes_again(manifest: Manifest) -> None:
    # More photos than one statement has room for; how long millions take is measured by benchmarks/scale.py.
    manifest.apply(found(*(f"/p/{number:06d}.jpg" for number in range(12_000))))
    refs = manifest.known(["/p"])
    manifest.set_pixel_ids({ref.image_id: ref.uri for ref in refs})
    manifest.apply(ScanResult(gone=tuple(refs)))
    assert len(manifest.batches()) == 12
    assert all(ref.gone for ref in manifest.known(["/p"]))
