"""The toolbox as a Dagster resource."""

import os
import threading
from pathlib import Path

import dagster as dg

from resources.data_folder import open_data_folder
from resources.database import Database
from resources.toolbox import Toolbox
from tagging_assets.domain.hashing import content_hash
from tagging_assets.settings import load_settings, settings_file


def toolbox_of_environment(_context: dg.InitResourceContext) -> Toolbox:
    """The toolbox of the settings and the database that the environment of this process names, and of no others.

    Whoever starts a run may write its configuration, so neither can be said there; and what stands in a resource's
    configuration is shown to everybody who looks at the code location, which is no place for a password.
    """
    return shared_toolbox(settings_file(), os.environ.get("TAGGING_DATABASE_URL") or None)


_lock = threading.Lock()
_databases: dict[tuple[Path, str | None], Database] = {}
_toolboxes: dict[tuple[str, str, str | None], Toolbox] = {}


def shared_toolbox(path: Path, database_url: str | None) -> Toolbox:
    """One per process, state of the settings file and calibration, so that models stay warm.

    Args:
        path: of the settings file.
        database_url: of the operator's Postgres; ``None`` for the embedded one.
    """
    settings = load_settings(path)
    version = content_hash(
        [settings.model_dump(mode="json"), *(file.read_text() for file in _texts(settings.prompts_dir))]
    )
    with _lock:
        # Costs nothing to make, and has looked which calibration is in use, once, for as long as it is used.
        fresh = Toolbox(settings, _shared_database(settings.data_dir, database_url))
        return _toolboxes.setdefault((version, fresh.calibration_hash, database_url), fresh)


def _shared_database(data_dir: Path, url: str | None) -> Database:
    """Asked for the calibration each time, so it is opened once."""
    key = (data_dir, url)
    if key not in _databases:
        _databases[key] = Database.open(open_data_folder(data_dir), url)
    return _databases[key]


def _texts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".md", ".yaml"))
