"""How a command ends: everything said is handed over, and an error is one line and an exit code."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from tagging_assets.commands.console import drop_stdout, print_error, reader_gone

#: Wrong use, settings, or something that concerns all images.
_WRONG = 2


@contextmanager
def whole_output() -> Iterator[None]:
    """Hand over what was said on stdout before the command ends: where that fails, the command fails.

    Raises:
        OSError: stdout takes no more, as a file on a full disk.
    """
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            reader_gone()
        except OSError as error:
            drop_stdout()
            error.filename = error.filename or "the standard output"
            raise


@contextmanager
def translating(data: Path) -> Iterator[None]:
    """Raise what an error means in its place; see ``resources.faults``.

    Ends of the command that are no errors pass: of typer's own kind, and output that nobody reads any more.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        from resources.faults import understood

        told = understood(error, data)
        if told is error:
            raise
        raise told from error


def failed(error: Exception) -> int:
    """Say in one line what went wrong; with ``TAGGING_DEBUG`` set, where as well.

    Returns:
        The exit code.
    """
    if os.environ.get("TAGGING_DEBUG"):
        traceback.print_exception(error)
    # Knows the errors of the database's library, which takes long to load.
    from resources.faults import understood

    print_error(understood(error, None))
    return _WRONG
