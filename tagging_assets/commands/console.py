"""What people and programs see: tables, progress and JSON. Logs and progress go to stderr, results to stdout."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table


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


stderr = _Console(stderr=True)
stdout = _Console()


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    try:
        json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=_plain)
        sys.stdout.write("\n")
    except BrokenPipeError:
        reader_gone()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout."""
    table = Table(title=title, title_justify="left", header_style="bold", show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    stdout.print(table)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line per change elsewhere; gives a function that says how much is done."""
    if stderr.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=stderr) as bars:
            task = bars.add_task(what, total=total)
            yield lambda done: bars.update(task, completed=done)
        return
    said: list[int] = []

    def show(done: int) -> None:
        if said[-1:] != [done]:
            said.append(done)
            stderr.print(f"{what}: {done} of {total}", highlight=False)

    yield show


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
        if not stderr.is_terminal:
            what = _PIECES.get(stage, "photo")
            stderr.print(f"{stage} {partition}: {total} {what}{'' if total == 1 else 's'}")
            return
        self._bars = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=stderr,
        )
        self._bars.start()
        self._task = self._bars.add_task(stage, total=total)

    def advance(self, images: int) -> None:
        """Move the bar."""
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, images)

    def end(self) -> None:
        """Let the finished bar stand."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
