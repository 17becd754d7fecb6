"""The toolbox as a Dagster resource."""

import threading
from pathlib import Path

import dagster as dg

from resources.data_folder import open_data_folder
from resources.database import Database
from resources.toolbox import Toolbox
from tagging_assets.domain.hashing import content_hash
from tagging_assets.settings import load_settings


class ToolboxResource(dg.ConfigurableResource[Toolbox]):
    """The toolbox of a settings file; one per process, state of the file and calibration, so that models stay warm."""

    settings_path: str
    database_url: str | None = None

    def create_resource(self, context: dg.InitResourceContext) -> Toolbox:
        """Open the database and make the (lazy) toolbox, or find the one made before."""
        return _shared_toolbox(Path(self.settings_path), self.database_url)


_lock = threading.Lock()
_databases: dict[tuple[Path, str | None], Database] = {}
_toolboxes: dict[tuple[str, str, str | None], Toolbox] = {}


def _shared_toolbox(path: Path, database_url: str | None) -> Toolbox:
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
