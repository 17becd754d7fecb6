import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.files import (
    open_log,
    private_files,
    private_folder,
    storage_error,
    write_atomically,
    write_output,
    write_within,
)
from tagging_assets.domain.errors import DiskFull, StorageError
from tests.full_disk import files_no_larger_than


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_what_is_ours_is_for_us_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    write_atomically(tmp_path / "data/tables/a.parquet", b"rows")
    with open_log(tmp_path / "data/logs/a.log") as log:
        log.write(b"line\n")
    folders = ["data", "data/tables", "data/logs"]
    assert {rights(tmp_path / name) for name in folders} == {0o700}
    assert rights(tmp_path / "data/tables/a.parquet") == 0o600
    assert rights(tmp_path / "data/logs/a.log") & 0o077 == 0


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o700, 0o1770])
def test_rights_of_folders_that_are_there_stay(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    folder.chmod(mode)
    above = rights(tmp_path)
    write_atomically(folder / "deep/er/a", b"x")
    write_within(folder, folder / "b", b"x")
    write_output(folder / "c", b"x")
    assert rights(folder) == mode
    assert rights(tmp_path) == above


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077], ids=oct)
@pytest.mark.parametrize("within", [False, True], ids=["outside", "while-libraries-write"])
def test_what_a_user_names_follows_the_umask(tmp_path: Path, mask: int, within: bool) -> None:
    before = os.umask(mask)
    try:
        if within:
            with private_files():
                write_output(tmp_path / "out/page.html", b"page")
                (tmp_path / "by-a-library").write_text("x")
        else:
            write_output(tmp_path / "out/page.html", b"page")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert rights(tmp_path / "out") == 0o777 & ~mask
    assert rights(tmp_path / "out/page.html") == 0o666 & ~mask
    if within:
        assert rights(tmp_path / "by-a-library") == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o600])
def test_an_output_that_is_there_keeps_its_rights_and_its_link(tmp_path: Path, mode: int) -> None:
    real, link = tmp_path / "real.html", tmp_path / "link.html"
    real.write_text("old")
    real.chmod(mode)
    link.symlink_to(real)
    write_output(link, b"new")
    assert link.is_symlink()
    assert (real.read_text(), rights(real)) == ("new", mode)


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_output(pipe, b"page")
    assert os.read(reader, 9) == b"page"
    os.close(reader)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_output(Path("/dev/full"), b"page")
    assert pipe.is_fifo()
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("planted", ["tables", "tables/tags", "tables/tags/deep"])
def test_a_planted_link_leads_nowhere(tmp_path: Path, planted: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "data" / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(StorageError, match="remove the link"):
        write_within(tmp_path / "data/tables", tmp_path / "data/tables/tags/deep/a.parquet", b"rows")
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "data/a"
    victim.write_text("theirs")
    target.parent.mkdir()
    target.symlink_to(victim)
    write_within(tmp_path / "data", target, b"ours")
    assert (victim.read_text(), target.read_text(), target.is_symlink()) == ("theirs", "ours", False)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    for write in (write_atomically, write_output):
        write(target, b"old")
        with files_no_larger_than(1000), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            write(target, b"x" * 5000)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]
    with files_no_larger_than(1000), pytest.raises(DiskFull, match=r"no space left .* to write .*a\.bin"):
        write_within(tmp_path, target, b"x" * 5000)
    write_within(tmp_path, target, b"x" * 5000)


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, DiskFull, "no space left to write"),
        (errno.EDQUOT, DiskFull, "quota"),
        (errno.EFBIG, DiskFull, "ulimit -f"),
        (errno.EROFS, StorageError, "mounted read-only"),
        (errno.EACCES, StorageError, "owner"),
        (errno.ENOTDIR, StorageError, "a file is where a folder belongs"),
        (errno.EIO, StorageError, "the disk fails"),
    ],
)
def test_what_failed_writes_say(tmp_path: Path, number: int, kind: type[StorageError], says: str) -> None:
    error = storage_error(OSError(number, os.strerror(number)), tmp_path / "nowhere/x")
    assert type(error) is kind
    assert says in str(error)
    assert "\n" not in str(error)
    assert ("MB are free in" in str(error)) is (number in (errno.ENOSPC, errno.EDQUOT))


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    for folder in ("a", "a/b"):
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            private_folder(tmp_path / folder)
