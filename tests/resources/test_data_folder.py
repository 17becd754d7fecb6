import os
from pathlib import Path

import pytest

from resources.data_folder import open_data_folder
from tagging_assets.domain.errors import SettingsError, StorageError


def test_it_is_made_for_us_alone_and_once(tmp_path: Path) -> None:
    data = tmp_path / "a/data"
    for _ in range(2):
        assert open_data_folder(data) == data
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700])
def test_one_that_is_there_keeps_its_rights(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    open_data_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == mode


def test_it_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    open_data_folder(tmp_path / "link")


def plain_file(data: Path) -> None:
    data.write_text("x")


def for_everybody(data: Path) -> None:
    data.mkdir()
    data.chmod(0o777)


def for_everybody_like_tmp(data: Path) -> None:
    data.mkdir()
    data.chmod(0o1777)


def planted(data: Path) -> None:
    data.mkdir()
    (data / "proxies").symlink_to(data.parent)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (plain_file, "is no folder"),
        (for_everybody, "chmod o-w"),
        (for_everybody_like_tmp, "chmod o-w"),
        (planted, "proxies is a link"),
    ],
)
def test_folders_that_cannot_be_trusted(tmp_path: Path, make: object, says: str) -> None:
    data = tmp_path / "data"
    assert callable(make)
    make(data)
    with pytest.raises(SettingsError, match=says) as told:
        open_data_folder(data)
    assert "\n" not in str(told.value)


def test_one_below_a_file_or_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(StorageError, match="a file is where a folder belongs"):
        open_data_folder(tmp_path / "link")
    with pytest.raises(StorageError, match="a file is where a folder belongs"):
        open_data_folder(tmp_path / "file/data")


def test_a_folder_of_another_user(tmp_path: Path) -> None:
    # Where we may not give a folder away, the system's own folders are somebody else's: root's, who is trusted.
    if os.geteuid() != 0:
        with pytest.raises(StorageError, match="cannot be written to"):
            open_data_folder(Path("/usr"))
        return
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(SettingsError, match="belongs to another user"):
        open_data_folder(tmp_path)
