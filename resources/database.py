"""One Postgres for everything: the operator's where ``TAGGING_DATABASE_URL`` names one, else an embedded one.

The embedded server is a real PostgreSQL that lives in the data folder, listens on a Unix socket there, is shared
by all processes that open the folder and stops with the last. Dagster keeps its tables in the same database.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.embedded_postgres import EmbeddedPostgres, Notice, say
from resources.tables import recipe as recipe_table
from resources.tables import source_text
from tagging_assets.domain.errors import DatabaseUnavailable
from tagging_assets.domain.freshness import Recipe
from tagging_assets.domain.text_differences import SourceText

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_401_377_001


class Database:
    """An open database with its schema up to date.

    Args:
        url: SQLAlchemy URL with the driver in it (``postgresql+psycopg2://…``); plain ``postgresql://`` is taken
            to mean psycopg2, which Dagster uses too.
        server: the embedded server, kept alive as long as this object.
    """

    def __init__(self, url: str, server: EmbeddedPostgres | None = None) -> None:
        self.url = _with_driver(url)
        self.embedded = server is not None
        self._server = server
        self.engine = sa.create_engine(self.url, pool_pre_ping=True, pool_size=5, max_overflow=10)
        if server is not None:
            sa.event.listen(self.engine, "do_connect", partial(_connect, server))

    @classmethod
    def open(cls, data_dir: Path, url: str | None, notice: Notice = say) -> "Database":
        """Connect to ``url``, or start (or join) the embedded server under ``data_dir``; migrate.

        Args:
            data_dir: the data folder; the embedded server's own lies in it.
            url: of the operator's Postgres, if there is one.
            notice: told in one line what is waited for, after two seconds.

        Raises:
            DatabaseUnavailable: it does not answer, or refuses; one line says what to do.
        """
        if url:
            database = cls(url)
        else:
            server = EmbeddedPostgres(data_dir / "postgres", notice)
            database = cls(server.url, server)
        try:
            database.migrate()
        except sa.exc.OperationalError as error:
            database.close()
            where = "TAGGING_DATABASE_URL" if url else f"the embedded server in {data_dir / 'postgres'}"
            raise DatabaseUnavailable(
                f"Postgres does not answer ({str(error.orig).strip().splitlines()[0]}); check {where}"
            ) from error
        except BaseException:
            database.close()
            raise
        return database

    def is_alive(self) -> bool:
        """Whether the server answers now; nothing is started."""
        try:
            psycopg2.connect(sa.make_url(self.url).set(drivername="postgresql").render_as_string(False)).close()
        except psycopg2.Error:
            return False
        return True

    def ensure_running(self) -> None:
        """Start the embedded server anew where it is gone; its address stays the same.

        Raises:
            DatabaseUnavailable: it cannot be had, or the operator's server does not answer.
        """
        if self.is_alive():
            return
        if self._server is None:
            raise DatabaseUnavailable("Postgres does not answer; check TAGGING_DATABASE_URL")
        self._server.ensure_running()

    def migrate(self) -> None:
        """Bring the schema up to date (Alembic); a no-op where it is."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self.engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock by name across processes; freed by the server if the holder dies."""
        key = sa.func.hashtextextended(name, 0)
        with self.engine.connect() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
            connection.commit()
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
                connection.commit()

    def is_held(self, name: str) -> bool:
        """Whether somebody holds the lock of that name now."""
        key = sa.func.hashtextextended(name, 0)
        with self.engine.connect() as connection:
            free = connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one()
            if free:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
            connection.commit()
        return not free

    def keep_recipe(self, recipe: Recipe) -> None:
        """Remember what a recipe hash stands for."""
        row = {"hash": recipe.hash, "stage": recipe.stage, "body": recipe.body, "first_seen": sa.func.now()}
        with self.engine.begin() as connection:
            connection.execute(insert(recipe_table).values(row).on_conflict_do_nothing())

    def keep_texts(self, texts: Mapping[str, SourceText]) -> None:
        """Remember the texts that recipes name by hash."""
        rows = [{"hash": key, **asdict(one), "first_seen": sa.func.now()} for key, one in sorted(texts.items())]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(insert(source_text).values(rows).on_conflict_do_nothing())

    def texts(self, names: Collection[str]) -> dict[str, SourceText]:
        """Every text of these names that was ever in use, by hash."""
        columns = source_text.c
        chosen = sa.select(columns.hash, columns.kind, columns.name, columns.text).where(columns.name.in_(names))
        with self.engine.connect() as connection:
            return {key: SourceText(kind, name, text) for key, kind, name, text in connection.execute(chosen)}

    def texts_by_hash(self, beginning: str) -> dict[str, SourceText]:
        """Every text that was ever in use whose hash begins so, by hash."""
        columns = source_text.c
        chosen = sa.select(columns.hash, columns.kind, columns.name, columns.text).where(
            columns.hash.startswith(beginning, autoescape=True)
        )
        with self.engine.connect() as connection:
            return {key: SourceText(kind, name, text) for key, kind, name, text in connection.execute(chosen)}

    def recipes(self, hashes: set[str]) -> dict[str, dict[str, Any]]:
        """Bodies of recipes by hash; unknown hashes are left out."""
        chosen = sa.select(recipe_table.c.hash, recipe_table.c.body).where(recipe_table.c.hash.in_(hashes))
        with self.engine.connect() as connection:
            return {row.hash: row.body for row in connection.execute(chosen)}

    def version(self) -> str:
        """Of the server, e.g. ``PostgreSQL 18.1``."""
        with self.engine.connect() as connection:
            said: str = connection.execute(sa.text("SHOW server_version")).scalar_one()
        return f"PostgreSQL {said}"

    def close(self) -> None:
        """Give the connections back; the embedded server stops with its last user."""
        self.engine.dispose()
        if self._server is not None:
            self._server.close()


def _connect(server: EmbeddedPostgres, dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    """Connect, starting the embedded server anew where it has gone meanwhile."""
    try:
        return dialect.connect(*arguments, **options)
    except psycopg2.OperationalError:
        server.ensure_running()
        return dialect.connect(*arguments, **options)


def _with_driver(url: str) -> str:
    plain = ("postgresql://", "postgres://")
    return next((f"postgresql+psycopg2://{url[len(prefix) :]}" for prefix in plain if url.startswith(prefix)), url)
