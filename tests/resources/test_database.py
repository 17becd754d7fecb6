"""One real Postgres: migrations, locks, recipes."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from resources.database import Database
from resources.tables import metadata
from tagging_assets.domain.errors import DatabaseUnavailable
from tagging_assets.domain.freshness import Recipe

REPOSITORY = Path(__file__).parents[2]


def test_migrations_make_exactly_the_declared_tables(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "version_table_schema": "tagging",
                "include_name": lambda name, kind, _parents: kind != "schema" or name == "tagging",
            },
        )
        assert compare_metadata(context, metadata) == []


def test_opening_again_joins_the_same_server(database, data_dir):
    again = Database.open(data_dir, None)
    assert again.url == database.url
    again.close()


def test_an_operators_url_is_used_as_it_is(database, data_dir):
    plain = database.url.replace("postgresql+psycopg2://", "postgresql://")
    other = Database.open(data_dir, plain)
    assert other.url == database.url
    assert not other.embedded
    other.close()


def test_a_database_that_is_away_is_one_line(data_dir):
    with pytest.raises(DatabaseUnavailable, match="check TAGGING_DATABASE_URL") as caught:
        Database.open(data_dir, "postgresql://nobody@127.0.0.1:1/nothing")
    assert "\n" not in str(caught.value)


def test_locks_exclude_one_another_by_name(database):
    order = []
    held = threading.Event()

    def second():
        held.wait(5)
        with database.lock("stage/b1"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with database.lock("stage/b1"):
        held.set()
        with database.lock("stage/b2"):  # another name does not wait
            order.append("first")
        thread.join(0.3)
    thread.join(5)
    assert order == ["first", "second"]


def test_recipes_are_kept_once_and_found_by_hash(database):
    recipe = Recipe("detections", "1", {"model": {"name": "m", "revision": "r"}})
    database.keep_recipe(recipe)
    database.keep_recipe(recipe)
    assert database.recipes({recipe.hash, "unknown"}) == {recipe.hash: recipe.body}
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT count(*) FROM tagging.recipe WHERE hash = :hash"), {"hash": recipe.hash}
        )
        assert rows.scalar_one() == 1


def test_a_killed_user_does_not_keep_the_server_up_for_ever(tmp_path):
    opening = (
        "import os, signal, sys; from pathlib import Path; from resources.database import Database; "
        "Database.open(Path(sys.argv[1]), None); os.kill(os.getpid(), int(sys.argv[2]))"
    )
    command = [sys.executable, "-c", opening, str(tmp_path)]
    killed = subprocess.run([*command, str(int(signal.SIGKILL))], check=False, cwd=REPOSITORY, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    pid = int((tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    assert psutil.pid_exists(pid)
    subprocess.run([*command, "0"], check=True, cwd=REPOSITORY, capture_output=True)
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
