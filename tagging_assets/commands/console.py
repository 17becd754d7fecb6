"""What people and programs see: lines, tables, trees, progress and JSON; results on stdout, the rest on stderr.

All text is taken as it is: no letter of it is markup, and none reaches the terminal that moves the cursor, hides or
turns round what is there. Style is said beside the text (:func:`styled`), never within it; so nobody who prints can
forget to clean. No other module of the commands knows rich, a test holds that.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tagging_assets.domain.errors import TaggingError
from tagging_assets.domain.printable import for_json, for_line


def drop_stdout() -> None:
    """Let stdout lead nowhere from now on: what is left in its buffer cannot be handed over, nor fail again."""
    try:
        place = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, place)
    os.close(nowhere)


def reader_gone() -> NoReturn:
    """End in silence: whoever read our output has seen enough, as ``head`` does.

    Raises:
        SystemExit: with code 0, for nothing has failed.
    """
    drop_stdout()
    raise SystemExit(0)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        self.quiet = True
        reader_gone()


_stderr = _Console(stderr=True)
_stdout = _Console()

#: Part of a line: text as it is, or with a style.
Piece = str | Text


def on_terminal() -> bool:
    """Whether a person sees notes as they come."""
    return bool(_stderr.is_terminal)


def styled(text: object, style: str) -> Text:
    """Text with a style such as ``red`` or ``bold``."""
    return Text(for_line(str(text)), style)


def print_line(*pieces: Piece) -> None:
    """One line on stdout, whatever is in it: a result."""
    _print(_stdout, _joined(pieces))


def print_note(*pieces: Piece) -> None:
    """One line on stderr, whatever is in it: what people are told beside the result."""
    _print(_stderr, _joined(pieces))


def print_text(text: str, style: str = "") -> None:
    """Several lines on stdout, such as a file as it is."""
    for line in text.splitlines():
        _print(_stdout, styled(line, style))


def print_error(error: TaggingError) -> None:
    """What went wrong, on one line, and below it what was noted with it."""
    print_note(styled(error.kind, "red"), f": {error}")
    for note in getattr(error, "__notes__", ()):
        for line in note.splitlines():
            print_note(line)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    try:
        sys.stdout.write(for_json(value, _plain, indent=2) + "\n")
    except BrokenPipeError:
        reader_gone()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; cells are text as it is, or :func:`styled`."""
    table = Table(title=_cell(title), title_justify="left", header_style="bold", show_lines=False)
    for column in columns:
        table.add_column(_cell(column), overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    _stdout.print(table)


class Branch:
    """A tree to print, or a branch of one.

    Args:
        pieces: of its line.
    """

    def __init__(self, *pieces: Piece) -> None:
        self._tree = Tree(_joined(pieces))

    def add(self, *pieces: Piece) -> "Branch":
        """Put a branch under this one."""
        branch = Branch()
        branch._tree = self._tree.add(_joined(pieces))
        return branch

    def print(self) -> None:
        """The whole tree on stdout."""
        # Wrapped, not cut: rich crops the lines of a tree that may not wrap.
        _stdout.print(self._tree)


def _print(console: Console, line: Text) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def _joined(pieces: Iterable[Piece]) -> Text:
    return Text.assemble(*map(_cell, pieces))


def _cell(value: object) -> Text:
    return value if isinstance(value, Text) else Text(for_line(str(value)))


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line per change elsewhere; gives a function that says how much is done."""
    if _stderr.is_terminal:
        with Progress(_described(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=_stderr) as bars:
            task = bars.add_task(for_line(what), total=total)
            yield lambda done: bars.update(task, completed=done)
        return
    said: list[int] = []

    def show(done: int) -> None:
        if said[-1:] != [done]:
            said.append(done)
            print_note(f"{what}: {done} of {total}")

    yield show


def _described(width: int = 1) -> TextColumn:
    """What a bar is about; rich would take brackets in it for markup."""
    return TextColumn(f"{{task.description:<{width}}}", markup=False)


#: What a stage works through where that is not photos.
_PIECES = {"benchmark_answers": "question"}


class ProgressBars:
    """A progress bar per stage on a terminal, a line per stage elsewhere."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def begin(self, stage: str, partition: str, total: int) -> None:
        """Show a bar, or say the stage's name; nothing where there is nothing to do."""
        if total == 0:
            return
        if not _stderr.is_terminal:
            what = _PIECES.get(stage, "photo")
            print_note(f"{stage} {partition}: {total} {what}{'' if total == 1 else 's'}")
            return
        self._bars = Progress(
            _described(22),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=_stderr,
        )
        self._bars.start()
        self._task = self._bars.add_task(for_line(stage), total=total)

    def advance(self, images: int) -> None:
        """Move the bar."""
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, images)

    def end(self) -> None:
        """Let the finished bar stand."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
