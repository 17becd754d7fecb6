"""Dagster's own tables: all there or none, and made whole where an earlier set-up was killed half-way.

Dagster makes them statement by statement, and from then on takes the first one for all of them. Here they are made in
one transaction, by one process at a time. What does not belong here: what is in the tables.
"""

import inspect
from collections.abc import Iterable

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from dagster._core.storage.event_log.migration import ASSET_DATA_MIGRATIONS, EVENT_LOG_DATA_MIGRATIONS
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.runs import migration as runs
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.schedules import migration as schedules
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from dagster._core.storage.sql import stamp_alembic_rev
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import pg_alembic_config

from resources.locks import Locks, process_name
from resources.statements import guard
from resources.waiting import Notice, say
from tagging_assets.domain.errors import StorageError

METADATA = (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata)

_LOCK = "dagster tables"

#: Changes of data that Dagster makes once and writes down; some of its queries look for them.
_DATA_MIGRATIONS = frozenset(
    name
    for migrations in (
        runs.REQUIRED_DATA_MIGRATIONS,
        runs.OPTIONAL_DATA_MIGRATIONS,
        EVENT_LOG_DATA_MIGRATIONS,
        ASSET_DATA_MIGRATIONS,
        schedules.REQUIRED_SCHEDULE_DATA_MIGRATIONS,
        schedules.OPTIONAL_SCHEDULE_DATA_MIGRATIONS,
    )
    for name in migrations
)


def make_complete(url: str, notice: Notice = say) -> None:
    """Make what is missing of Dagster's tables; a few questions where nothing is.

    Args:
        url: of the database.
        notice: is told where another process is at it.

    Raises:
        DatabaseUnavailable: Postgres does not answer.
        StorageError: a newer version of Dagster made them.
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"application_name": process_name()})
    with guard(), engine.connect() as connection:
        if _is_complete(connection):
            return
    with Locks(engine, notice).hold(_LOCK), guard():
        with engine.connect() as connection:
            older = _is_older(connection)
        if older:
            PostgresRunStorage(url, should_autocreate_tables=False).upgrade()
        with engine.begin() as connection:
            for metadata in METADATA:
                metadata.create_all(connection)
            for index in _missing_indexes(connection):
                index.create(connection)
            if _revisions(connection) != [_head()]:
                if _has_stamp(connection):
                    connection.execute(sa.text("DELETE FROM alembic_version"))
                stamp_alembic_rev(_alembic(), connection)
        _migrate_data(url)


def _migrate_data(url: str) -> None:
    """Each is skipped where it is written down as done."""
    run_storage = PostgresRunStorage(url, should_autocreate_tables=False)
    run_storage.migrate()
    run_storage.optimize()
    event_log = PostgresEventLogStorage(url, should_autocreate_tables=False)
    event_log.reindex_events()
    event_log.reindex_assets()
    schedule_storage = PostgresScheduleStorage(url, should_autocreate_tables=False)
    schedule_storage.migrate()
    schedule_storage.optimize()


def _is_complete(connection: sa.Connection) -> bool:
    tables = {table.name for metadata in METADATA for table in metadata.tables.values()}
    if not {*tables, "alembic_version"} <= _tables(connection) or any(_missing_indexes(connection)):
        return False
    done = connection.scalars(sa.text("SELECT name FROM secondary_indexes WHERE migration_completed IS NOT NULL")).all()
    return _revisions(connection) == [_head()] and set(done) >= _DATA_MIGRATIONS


def _is_older(connection: sa.Connection) -> bool:
    """Whether an earlier version of Dagster made them, and finished."""
    revisions = _revisions(connection)
    if not revisions or revisions == [_head()]:
        return False
    try:
        for revision in revisions:
            ScriptDirectory.from_config(_alembic()).get_revision(revision)
    except CommandError as error:
        raise StorageError(
            "a newer version of Dagster made the tables in this database; install that version here, too"
        ) from error
    return len(revisions) == 1


def _missing_indexes(connection: sa.Connection) -> Iterable[sa.Index]:
    there = set(connection.scalars(sa.text("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()")))
    wanted = {
        str(index.name): index for metadata in METADATA for table in metadata.tables.values() for index in table.indexes
    }
    return [index for name, index in wanted.items() if name not in there]


def _tables(connection: sa.Connection) -> set[str]:
    return set(connection.scalars(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")))


def _has_stamp(connection: sa.Connection) -> bool:
    return "alembic_version" in _tables(connection)


def _revisions(connection: sa.Connection) -> list[str]:
    if not _has_stamp(connection):
        return []
    return list(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))


def _alembic() -> Config:
    # It looks beside the package that the file is in.
    return pg_alembic_config(inspect.getfile(PostgresRunStorage))


def _head() -> str | None:
    return ScriptDirectory.from_config(_alembic()).get_current_head()
