"""Dagster's tables are complete after every opening, wherever an earlier set-up was killed."""

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.utils import pg_alembic_config
from sqlalchemy.schema import CreateIndex, CreateTable

from resources.dagster_storage import LeasedStorage
from resources.dagster_tables import METADATA, make_complete
from resources.database import Database
from tagging_assets.domain.errors import StorageError

REPOSITORY = Path(__file__).parents[2]

#: Statements of Dagster's set-up, in the order in which it makes them.
STATEMENTS = [
    statement
    for metadata in METADATA
    for table in metadata.sorted_tables
    for statement in (
        CreateTable(table, if_not_exists=True),
        *(CreateIndex(one, if_not_exists=True) for one in table.indexes),
    )
]

#: The last change but one of Dagster's tables.
BEFORE = (
    ScriptDirectory.from_config(pg_alembic_config(inspect.getfile(PostgresRunStorage)))
    .get_revision("head")
    .down_revision
)


def made_anew(database: Database, name: str) -> str:
    """URL of a database without a table."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return sa.make_url(database.url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def empty(database: Database) -> str:
    return made_anew(database, "dagster_made_anew")


@pytest.fixture
def engine(empty: str) -> Iterator[sa.Engine]:
    opened = sa.create_engine(empty)
    yield opened
    opened.dispose()


def anatomy(engine: sa.Engine) -> dict[str, list[str]]:
    """Tables with their columns, indexes and constraints, and what is written down of migrations."""
    seen = {
        "columns": "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1",
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "revision": "SELECT version_num FROM alembic_version",
        "migrations": "SELECT name FROM secondary_indexes WHERE migration_completed IS NOT NULL ORDER BY 1",
    }
    with engine.connect() as connection:
        return {what: list(connection.scalars(sa.text(query))) for what, query in seen.items()}


def execute(engine: sa.Engine, *statements: sa.Executable | str) -> None:
    with engine.begin() as connection:
        for one in statements:
            connection.execute(sa.text(one) if isinstance(one, str) else one)


def forget_everything(engine: sa.Engine) -> None:
    execute(engine, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


@pytest.fixture(scope="module")
def whole(database: Database) -> Iterator[dict[str, list[str]]]:
    """What Dagster itself makes of an empty database."""
    url = made_anew(database, "dagster_made_whole")
    DagsterPostgresStorage(url)
    engine = sa.create_engine(url)
    yield anatomy(engine)
    engine.dispose()


def works(url: str) -> None:
    """Write and read a run through the storage."""
    storage = LeasedStorage(url)
    run = dg.DagsterRun(job_name="job", run_id="0" * 32, tags={"some": "tag"})
    storage.run_storage.add_run(run)
    assert storage.run_storage.has_run(run.run_id)
    storage.run_storage.delete_run(run.run_id)


@pytest.mark.slow
def test_a_set_up_killed_after_any_statement_is_completed(
    empty: str, engine: sa.Engine, whole: dict[str, list[str]]
) -> None:
    assert len(STATEMENTS) > 50
    for done in range(len(STATEMENTS) + 1):
        forget_everything(engine)
        execute(engine, *STATEMENTS[:done])
        make_complete(empty)
        assert anatomy(engine) == whole, f"killed after {done} statements"
    works(empty)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        f"INSERT INTO alembic_version VALUES ('{BEFORE}')",  # an older one beside today's
        "DELETE FROM secondary_indexes",
        "UPDATE secondary_indexes SET migration_completed = NULL",
        "DROP TABLE secondary_indexes",
        "DROP TABLE run_tags",
        "DROP TABLE event_logs CASCADE",
        "DROP TABLE jobs, instigators, job_ticks",
        "DROP INDEX idx_run_tags",
        "DROP TABLE concurrency_slots, concurrency_limits, pending_steps",
    ],
)
def test_what_is_missing_is_made_and_what_is_there_is_kept(
    empty: str, engine: sa.Engine, whole: dict[str, list[str]], damage: str
) -> None:
    storage = LeasedStorage(empty)
    storage.run_storage.add_run(dg.DagsterRun(job_name="job", run_id="1" * 32))
    execute(engine, damage)
    repaired = LeasedStorage(empty)
    assert anatomy(engine) == whole
    assert repaired.run_storage.has_run("1" * 32)
    works(empty)


def test_several_processes_at_once_find_it_complete(empty: str, engine: sa.Engine, whole: dict[str, list[str]]) -> None:
    opening = "import sys; from resources.dagster_storage import LeasedStorage as Storage; Storage(sys.argv[1])"

    def opens(_number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", opening, empty]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env=os.environ)

    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(opens, range(3)))
    assert [one.returncode for one in ended] == [0, 0, 0], ended
    assert anatomy(engine) == whole


def test_tables_of_a_newer_dagster_are_left_alone(empty: str, engine: sa.Engine) -> None:
    make_complete(empty)
    execute(engine, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    before = anatomy(engine)
    with pytest.raises(StorageError, match="a newer version of Dagster"):
        LeasedStorage(empty)
    assert anatomy(engine) == before


def test_tables_of_an_older_dagster_are_brought_up_to_date(
    empty: str, engine: sa.Engine, whole: dict[str, list[str]]
) -> None:
    make_complete(empty)
    execute(engine, f"UPDATE alembic_version SET version_num = '{BEFORE}'")
    make_complete(empty)
    assert anatomy(engine) == whole
