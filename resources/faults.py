"""What an error that nobody has translated means, in one line: the last edge, for whole commands.

What does not belong here: errors of single images, and whatever an adapter can say better where it happens.
"""

import secrets
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CalledProcessError

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from resources.files import free_bytes, is_full, storage_error, write_atomically
from resources.statements import SAYS_FULL, database_error
from tagging_assets.domain.errors import (
    DatabaseUnavailable,
    DiskFull,
    InternalError,
    ModelError,
    RunFailed,
    StorageError,
    TaggingError,
)

#: Postgres stops where it cannot write so much: one segment of its log.
_LEAST_FREE = 16 * 1024 * 1024
#: So much of what a library says is shown.
_MOST_SAID = 300

#: Libraries' errors that are known by name, with what one of their messages begins with: importing them takes a second.
_NEWER = (
    ("CommandError", "Can't locate revision"),
    ("DagsterInstanceSchemaOutdated", ""),
    ("DagsterInstanceMigrationRequired", ""),
)


def understood(error: BaseException, data: Path | None) -> TaggingError:
    """What an error means to whoever gave the command.

    Errors of this project stand as they are. Those of libraries are looked for along the chain of causes, for
    frameworks wrap them; a full disk behind them goes before what followed from it.

    Args:
        error: that ended a command.
        data: the data folder, where it is known: tracebacks of what nobody foresaw are kept in it.
    """
    chain = list(_chain(error))
    own = next((one for one in chain if isinstance(one, TaggingError)), None)
    if own is not None and not isinstance(own, StorageError | ModelError):
        return own
    full = next((found for one in chain if (found := _full(one)) is not None), None)
    if full is not None:
        return full
    meant: TaggingError | None = own or next((said for one in chain if (said := _known(one)) is not None), None)
    if isinstance(meant, DatabaseUnavailable) and data is not None:
        # A server that cannot write its log stops without a word to its clients.
        free = free_bytes(data)
        if free is not None and free < _LEAST_FREE:
            return DiskFull(
                f"no space left for Postgres ({free / 1e6:.1f} MB are free in {data}); make room, or move the data "
                "folder, and run the same command again"
            )
    if meant is None and all(_is_dagsters(one) for one in chain):
        meant = RunFailed(f"Dagster ended the run: {_line(error)}; the same command continues")
    return meant or _internal(error, data)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what it wraps, and what it came of, nearest first."""
    seen, waiting = set[int](), [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        context = None if one.__suppress_context__ else one.__context__
        behind = (getattr(one, "user_exception", None), one.__cause__, context)
        waiting += [other for other in behind if isinstance(other, BaseException)]


def _is_dagsters(error: BaseException) -> bool:
    return any(base.__name__ == "DagsterError" for base in type(error).__mro__)


def _full(error: BaseException) -> DiskFull | None:
    found: TaggingError | None
    if isinstance(error, DiskFull):
        return error
    if isinstance(error, OSError) and is_full(error):
        found = storage_error(error, _place(error))
    elif isinstance(error, StorageError | ModelError | CalledProcessError):
        # A program that was started has only words for it.
        said = f"{error} {getattr(error, 'stdout', '')} {getattr(error, 'stderr', '')}"
        words = next((words for words in SAYS_FULL if words in said), None)
        line = _line(error)
        # Who said so in our words has said what to do as well.
        line = line if line.startswith("no space left") else f"no space left ({words}): {line}; make room and run again"
        found = DiskFull(line) if words else None
    elif isinstance(error, DBAPIError):
        found = database_error(error)
    else:
        return None
    return found if isinstance(found, DiskFull) else None


def _known(error: BaseException) -> TaggingError | None:
    if isinstance(error, DBAPIError):
        return database_error(error)
    if isinstance(error, SQLAlchemyError):
        return DatabaseUnavailable(f"Postgres does not answer ({_line(error)}); check that it runs")
    if any(type(error).__name__ == name and str(error).startswith(said) for name, said in _NEWER):
        return StorageError(
            "the data folder, or its database, was written by a newer version of this product; install that version, "
            f"or name another data_dir ({_line(error)})"
        )
    if isinstance(error, MemoryError):
        return StorageError("not enough memory; close other programs, or set inference.threads: 1")
    # Of files and folders only: other errors of the system have classes of their own below it.
    if isinstance(error, OSError) and error.filename is not None:
        return storage_error(error, _place(error))
    return None


def _place(error: OSError) -> Path | None:
    """What was written: the file an error names, or the temporary folder where that is full."""
    if isinstance(error.filename, str | bytes | Path):
        return Path(error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename)
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError:
        return None
    free = free_bytes(temporary)
    return temporary / "a temporary file" if free is not None and free < _LEAST_FREE else None


def _internal(error: BaseException, data: Path | None) -> InternalError:
    kept = None if data is None else _keep_traceback(error, data)
    cause = next((one for one in _chain(error) if not _is_dagsters(one)), error)
    where = f"details are in {kept}" if kept else "TAGGING_DEBUG=1 shows where"
    return InternalError(f"{type(cause).__name__}: {_line(cause)}; this is a fault of the program, {where}")


def _keep_traceback(error: BaseException, data: Path) -> Path | None:
    now = datetime.now(UTC)
    path = data / "logs" / f"error-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.log"
    told = "".join(traceback.format_exception(error))
    try:
        write_atomically(path, told.encode(errors="backslashreplace"))
    except OSError:
        return None
    return path


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_MOST_SAID] or type(error).__name__
