"""The data folder: made for us alone, and looked at before anything is written into it."""

import os
import stat
from pathlib import Path

from resources.files import private_folder, storage_error
from tagging_assets.domain.errors import SettingsError, StorageError

#: Whoever can write into a folder of these owners could do so anyhow.
_ROOT = 0


def open_data_folder(data: Path) -> Path:
    """Make the data folder if it is not there, and see that nobody else can make us write elsewhere.

    A folder that is there keeps its owner and its rights. It may be a link; what lies in it may not, for whoever once
    could write there may have planted it.

    Returns:
        The folder.

    Raises:
        SettingsError: it is no folder, or others could change what is in it.
        DiskFull, StorageError: it cannot be made, or not written to.
    """
    try:
        if data.exists() and not data.is_dir():
            raise SettingsError(f"data_dir {data} is no folder; name one that is, or one that is not there yet")
        private_folder(data)
        _check_owner(data, data.stat())
        for entry in data.iterdir():
            if entry.is_symlink():
                raise SettingsError(
                    f"{entry} is a link, which may lead anywhere; put a folder in its place (data_dir itself may be a "
                    "link)"
                )
    except OSError as error:
        raise storage_error(error, data) from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise StorageError(f"data_dir {data} cannot be written to; check its owner and mount, or name another")
    return data


def _check_owner(data: Path, found: os.stat_result) -> None:
    if found.st_mode & stat.S_IWOTH:
        raise SettingsError(
            f"everybody can write into data_dir {data}, and so make this user write elsewhere; run `chmod o-w` on it, "
            "or name another"
        )
    if found.st_uid not in (_ROOT, os.geteuid()):
        raise SettingsError(
            f"data_dir {data} belongs to another user (number {found.st_uid}), who could make this one write "
            "elsewhere; run as its owner, or name another"
        )
