"""How values travel to Postgres and back: rows as arrays, ten thousand to a statement, and the driver's errors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from tagging_assets.domain.errors import DatabaseUnavailable, DiskFull, StorageError

T = TypeVar("T")

_CHUNK = 10_000

_FULL = "no space left for Postgres ({0}); make room where its data lies, and run the same command again"
_DAMAGED = (
    "the database is damaged ({0}); restore it from a backup, for people's decisions and the history are in it alone"
)
_DISK = "Postgres cannot read or write its files ({0}); check the disk and the owner of its data folder"
_OTHER_TABLES = "tables of the database are missing or have another form ({0}); restore it from a backup"
_READ_ONLY = "the database takes no changes ({0}); name the primary server in TAGGING_DATABASE_URL"
_MAY_NOT = "the database's user may not do this ({0}); grant it, or name another user in TAGGING_DATABASE_URL"

#: What Postgres' own codes mean, by how they begin (its manual, appendix A), the longest first.
_BY_CODE: tuple[tuple[str, type[StorageError], str], ...] = (
    ("53100", DiskFull, _FULL),
    ("25006", StorageError, _READ_ONLY),
    ("42501", StorageError, _MAY_NOT),
    ("42P01", StorageError, _OTHER_TABLES),
    ("42703", StorageError, _OTHER_TABLES),
    ("42883", StorageError, _OTHER_TABLES),
    ("3F000", StorageError, _OTHER_TABLES),
    ("3D000", StorageError, _OTHER_TABLES),
    ("58", StorageError, _DISK),
    ("XX", StorageError, _DAMAGED),
)

#: What the system says where Postgres has no code for it, and where the server has gone with it.
SAYS_FULL = ("No space left on device", "no space left", "Disk quota exceeded", "File too large")


@contextmanager
def guard() -> Iterator[None]:
    """Translate the driver's errors.

    Raises:
        As :func:`database_error` says.
    """
    try:
        yield
    except DBAPIError as error:
        raise database_error(error) from error


def database_error(error: DBAPIError) -> StorageError:
    """What an error of the driver means, in one line; the statement and its values are left out.

    Returns:
        DiskFull: no space left for the server's files.
        DatabaseUnavailable: no connection, or none that lasts.
        StorageError: the database is damaged, is not as it should be, or refused a statement.
    """
    said = " ".join(str(error.orig).split())[:200]
    if any(words in said for words in SAYS_FULL):
        return DiskFull(_FULL.format(said))
    code = str(getattr(error.orig, "pgcode", None) or "")
    for beginning, kind, line in _BY_CODE:
        if code.startswith(beginning):
            return kind(line.format(said))
    if isinstance(error, OperationalError | InterfaceError):
        return DatabaseUnavailable("Postgres does not answer; check that it runs and its URL")
    return StorageError(f"Postgres refused: {said}")


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items, ten thousand at a time: one statement each."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def rows_of(columns: Mapping[str, Any], rows: Sequence[Sequence[object]]) -> sa.TableValuedAlias:
    """Rows as a table inside a statement: one array a column, however many rows."""
    arrays = [
        sa.cast(sa.literal([row[index] for row in rows], ARRAY(kind)), ARRAY(kind))
        for index, kind in enumerate(columns.values())
    ]
    named = [sa.column(name, kind) for name, kind in columns.items()]
    return sa.func.unnest(*arrays).table_valued(*named).render_derived(name="incoming")


def array(values: Sequence[str]) -> sa.Select[Any]:
    """Values to be looked for, as one array however many there are."""
    return sa.select(rows_of({"value": sa.Text}, [(value,) for value in values]).c.value)


def nanoseconds(moment: datetime) -> int:
    """Since the epoch, exact to the microsecond."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
