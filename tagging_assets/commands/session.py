"""A command's hold on the project: settings, database, tools, and Dagster where it is needed."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from resources.data_folder import open_data_folder
from resources.database import Database
from resources.files import private_files, private_folder
from resources.toolbox import Toolbox
from tagging_assets.assets.line import Line
from tagging_assets.commands.console import ProgressBars, print_note
from tagging_assets.commands.exits import translating
from tagging_assets.domain.chat_settings import Strategy
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import DEFAULT_SETTINGS, Settings, load_settings, settings_file

if TYPE_CHECKING:
    import dagster as dg

#: Where ``dagster.yaml`` and ``workspace.yaml`` lie.
PROJECT = DEFAULT_SETTINGS.parent

#: Statements of Dagster that take longer are given up: listing all partitions of a large library takes seconds.
_STATEMENT_MILLISECONDS = 600_000
#: Connections that are older are made anew: firewalls forget idle ones.
_RECYCLE_SECONDS = 600


@dataclass(frozen=True)
class Session:
    """An open project.

    Attributes:
        settings_path: the file the settings came from.
        settings: validated.
        database: open and migrated.
        toolbox: models, stores and recipes; nothing heavy is loaded before it is used.
    """

    settings_path: Path
    settings: Settings
    database: Database
    toolbox: Toolbox

    @cached_property
    def line(self) -> Line:
        """Freshness of the stored tables."""
        tools = self.toolbox
        return Line(tools.bench.store, tools.recipes, tools.manifest, tools.states)

    @property
    def environment(self) -> dict[str, str]:
        """What Dagster's own processes need to find the same database, folders and settings."""
        return dagster_environment(self.settings_path, self.settings, self.database)

    @cached_property
    def instance(self) -> "dg.DagsterInstance":
        """The Dagster instance of ``dagster.yaml``, in the same database."""
        import dagster as dg

        from tagging_assets.assets.runs import forget_the_future
        from tagging_assets.jobs import set_pool_limits

        os.environ.update(self.environment)
        private_folder(self.settings.data_dir / "dagster")
        with private_files():
            instance = dg.DagsterInstance.from_config(str(PROJECT))
        # A connection for each of the thousand statements of a run takes as long as the statements do; Dagster knows
        # no other way to keep some open.
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, pool_recycle=_RECYCLE_SECONDS, max_overflow=8)
        set_pool_limits(instance)
        if ahead := forget_the_future(instance):
            print_note(f"The clock was put back; {', '.join(ahead)} would have waited for it, and goes on.")
        return instance

    def observe_recipes(self) -> None:
        """Tell Dagster the content hash of each external asset that has changed since it was last told."""
        from tagging_assets.assets.recipes import observe_changed

        observe_changed(self.instance, self.toolbox.source_versions)


def user() -> str:
    """Who is at the keyboard, as the history calls them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # No entry for the user in the system's list, as in some containers.
        return f"user {os.getuid()}"


def dagster_environment(settings_path: Path, settings: Settings, database: Database) -> dict[str, str]:
    """Environment variables that ``dagster.yaml`` and ``definitions.py`` read."""
    return {
        "DAGSTER_HOME": str(PROJECT),
        "TAGGING_DATABASE_URL": database.url,
        "TAGGING_DAGSTER_DIR": str(settings.data_dir.resolve() / "dagster"),
        "TAGGING_SETTINGS": str(settings_path.resolve()),
    }


def open_database(settings: Settings) -> Database:
    """The operator's Postgres where ``TAGGING_DATABASE_URL`` names one, else the embedded one of the data folder.

    Raises:
        SettingsError: ``TAGGING_DATABASE_URL`` is no URL of a Postgres; it is not shown, for it may hold a password;
            or the data folder cannot be trusted.
        DiskFull, StorageError: the data folder cannot be made.
        DatabaseUnavailable: Postgres does not answer.
    """
    url = os.environ.get("TAGGING_DATABASE_URL") or None
    if url and not _names_postgres(url):
        raise SettingsError(
            "TAGGING_DATABASE_URL is no URL of a Postgres; write postgresql://USER:PASSWORD@HOST:PORT/NAME"
        )
    return Database.open(open_data_folder(settings.data_dir), url)


def _names_postgres(url: str) -> bool:
    try:
        driver = sa.make_url(url).drivername
    except (sa.exc.ArgumentError, ValueError):
        return False
    return driver in ("postgres", "postgresql", "postgresql+psycopg2")


@contextmanager
def open_session(settings_path: Path | None, *, strategy: Strategy | None = None) -> Iterator[Session]:
    """Open what a command needs, and close it.

    Args:
        settings_path: the file; ``$TAGGING_SETTINGS``, then the project's own by default.
        strategy: in place of the one that the settings name.

    Raises:
        SettingsError: the settings say something impossible.
        TaggingError: whatever the command ends with, translated where nobody has done so.
    """
    path = settings_file(settings_path)
    settings = load_settings(path)
    if strategy is not None:
        llm = settings.llm.model_copy(update={"strategy": strategy})
        settings = settings.model_copy(update={"llm": llm})
    with translating(settings.data_dir):
        database = open_database(settings)
        toolbox = Toolbox(settings, database, ProgressBars())
        try:
            yield Session(path, settings, database, toolbox)
        finally:
            toolbox.close()
            database.close()
