"""How values travel to Postgres and back: rows as arrays, ten thousand to a statement, and the driver's errors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from tagging_assets.domain.errors import DatabaseUnavailable, StorageError

T = TypeVar("T")

_CHUNK = 10_000


@contextmanager
def guard() -> Iterator[None]:
    """Translate the driver's errors.

    Raises:
        DatabaseUnavailable: no connection.
        StorageError: Postgres refused a statement.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable("Postgres does not answer; check that it runs and its URL") from error
    except DBAPIError as error:
        raise StorageError(f"Postgres refused: {' '.join(str(error.orig).split())[:200]}") from error


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
