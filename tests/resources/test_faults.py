import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError

import psycopg2
import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, OperationalError

from resources.database import Database
from resources.faults import understood
from resources.statements import guard
from tagging_assets.domain.errors import (
    DatabaseUnavailable,
    DiskFull,
    ImageGone,
    InternalError,
    SettingsError,
    StorageError,
    TaggingError,
)


class Wrapping(Exception):
    """As Dagster's, which hold what a step raised."""

    def __init__(self, inner: BaseException) -> None:
        super().__init__("Error occurred while executing op")
        self.user_exception = inner


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


def on(error: OSError, place: str) -> OSError:
    error.filename = place
    return error


def of_the_system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def of_the_driver(said: str) -> DBAPIError:
    return OperationalError("INSERT INTO t VALUES (:secret)", {"secret": "hunter2"}, psycopg2.OperationalError(said))


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        # ours, whatever is around it
        (SettingsError("a: no such setting"), SettingsError, "a: no such setting"),
        (Wrapping(ImageGone("a.jpg is gone")), ImageGone, "a.jpg is gone"),
        (caused(RuntimeError("framework"), Wrapping(StorageError("mine"))), StorageError, "mine"),
        # a full disk, however deep
        (on(of_the_system(errno.ENOSPC), "/nowhere/a"), DiskFull, "no space left to write /nowhere/a"),
        (of_the_system(errno.EDQUOT), DiskFull, "quota"),
        (Wrapping(of_the_system(errno.EFBIG)), DiskFull, "ulimit -f"),
        (caused(StorageError("cannot keep it"), of_the_system(errno.ENOSPC)), DiskFull, "no space left"),
        (of_the_driver('could not extend file "base/1/2": No space left on device'), DiskFull, "for Postgres"),
        (Wrapping(of_the_driver("could not write: Disk quota exceeded")), DiskFull, "for Postgres"),
        (
            caused(
                DatabaseUnavailable("it does not start"),
                CalledProcessError(1, ["initdb"], stderr="FATAL: No space left on device"),
            ),
            DiskFull,
            "initdb",
        ),
        # a database that is away
        (of_the_driver("server closed the connection unexpectedly"), DatabaseUnavailable, "does not answer"),
        (sa.exc.ResourceClosedError("closed"), DatabaseUnavailable, "does not answer"),
        # the file system
        (on(of_the_system(errno.EACCES), "/data/x"), StorageError, "cannot write /data/x: Permission denied"),
        (on(of_the_system(errno.EROFS), "/data/x"), StorageError, "mounted read-only"),
        # data of another version
        (CommandError("Can't locate revision identified by 'beyond'"), StorageError, "newer version"),
        (MemoryError(), StorageError, "not enough memory"),
        # what nobody foresaw
        (
            ZeroDivisionError("division by zero\nof two lines"),
            InternalError,
            "ZeroDivisionError: division by zero of two",
        ),
        (CommandError("another word of alembic's"), InternalError, "CommandError"),
    ],
)
def test_what_errors_mean(error: Exception, kind: type[TaggingError], says: str) -> None:
    told = understood(error, None)
    assert type(told) is kind
    assert says in str(told)
    assert "\n" not in str(told)
    assert "hunter2" not in str(told)


def test_a_full_disk_that_was_told_in_our_words_is_told_once() -> None:
    told = understood(DatabaseUnavailable("no space left for the database; free some"), None)
    assert type(told) is DiskFull
    assert str(told) == "no space left for the database; free some"


def test_what_was_dealt_with_before_is_not_the_reason() -> None:
    error = SettingsError("something else")
    error.__context__ = of_the_system(errno.ENOSPC)
    assert understood(error, None) is error
    unforeseen = ZeroDivisionError("zero")
    unforeseen.__context__ = of_the_system(errno.ENOSPC)
    unforeseen.__suppress_context__ = True
    assert type(understood(unforeseen, None)) is InternalError


def test_the_traceback_of_what_nobody_foresaw_is_kept_for_us_alone(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 // 0
    told = understood(raised.value, tmp_path / "data")
    (kept,) = (tmp_path / "data/logs").iterdir()
    assert str(kept) in str(told)
    assert "test_faults.py" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    # A folder that cannot be written to does not hide the error.
    (tmp_path / "file").write_text("x")
    assert "TAGGING_DEBUG=1" in str(understood(ZeroDivisionError("zero"), tmp_path / "file"))


def test_an_error_that_names_no_file_on_a_sound_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert str(understood(of_the_system(errno.ENOSPC), None)).startswith("no space left")


def missing_table(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT * FROM tagging.no_such_table"))


def missing_column(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT no_such_column FROM tagging.image"))


def read_only(connection: sa.Connection) -> None:
    connection.execute(sa.text("SET TRANSACTION READ ONLY"))
    connection.execute(sa.text("CREATE TABLE public.never (a int)"))


def says(code: str, message: str) -> Callable[[sa.Connection], None]:
    def raised(connection: sa.Connection) -> None:
        body = f"BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{code}'; END"
        connection.execute(sa.text(f"DO $${body}$$"))

    return raised


@pytest.mark.parametrize(
    ("break_it", "kind", "line"),
    [
        (missing_table, StorageError, "missing or have another form"),
        (missing_column, StorageError, "missing or have another form"),
        (read_only, StorageError, "takes no changes"),
        (says("53100", "could not extend file"), DiskFull, "make room"),
        (says("58030", "could not read block 3"), StorageError, "check the disk"),
        (says("XX001", "invalid page in block 3"), StorageError, "damaged"),
        (says("XX002", "index is corrupted"), StorageError, "damaged"),
        (says("XX000", "could not open relation"), StorageError, "damaged"),
        (says("XX000", "could not extend file: File too large"), DiskFull, "make room"),
        (says("42501", "permission denied"), StorageError, "grant"),
        (says("57P01", "terminating connection"), DatabaseUnavailable, "does not answer"),
        (says("23505", "duplicate key"), StorageError, "Postgres refused: duplicate key"),
    ],
)
def test_what_postgres_says(
    database: Database, break_it: Callable[[sa.Connection], None], kind: type[StorageError], line: str
) -> None:
    with pytest.raises(StorageError, match=line) as told, guard(), database.engine.begin() as connection:
        break_it(connection)
    assert type(told.value) is kind
    assert "\n" not in str(told.value)
    # Outside of the guard, as where Dagster asks, it is understood in the same way.
    with pytest.raises(DBAPIError) as raw, database.engine.begin() as connection:
        break_it(connection)
    assert str(understood(raw.value, None)) == str(told.value)
