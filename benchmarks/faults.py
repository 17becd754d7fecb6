"""Kills the product at random and at chosen moments, and checks that the same command goes on to the same tables.

    PYTHONPATH=. python benchmarks/faults.py [--photos FOLDER] [--only KIND …] [--share 1.0] [--minutes 90]
                                             [--jobs 2] [--seed N] [--markdown docs/reliability.md]

One command, bounded in time: what ``--minutes`` leaves no time for is reported as not tried. ``--share 0.1`` makes a
tenth of the kills of each kind. A kind is one row of the table:

    random                 kills of ``tagging run`` at any moment, from its first second on
    set-up                 kills while a fresh data folder is set up
    stages                 kills once a stage has begun, for each stage that has work (a row each)
    postgres, chat server  kills of either under a run
    up                     kills of ``tagging up``, and of processes below it
    disk full              at five moments (needs root, for a small file system of its own)
    two runs, run beside up   commands at the same time

Each kill is SIGKILL, SIGTERM or SIGINT, by lot. Afterwards the same command is given again; its tables must be those
of an undisturbed run, nothing may be held for a dead run, nothing may be left running, and after SIGTERM and SIGINT
a command must have ended within five seconds. Linux only.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from faults_kinds import KINDS, STAGES, Bench, Trial
from faults_project import ENDS_SECONDS, Fault, project
from PIL import Image
from speed_measuring import machine, machine_line, markdown_table, write_section

from resources.samples import fetch_samples
from resources.weights import WeightsStore

#: A cat, a coffee, people.
_SAMPLES = ("chelsea.png", "coffee.png", "bus.jpg", "astronaut.png")
_SIDE = 400


@dataclass
class Row:
    """What one kind of fault, or one stage, came to."""

    name: str
    well: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)


class Rows(dict[str, Row]):
    """Rows by name, in the order in which they were first seen."""

    def add(self, trial: Trial) -> None:
        """Count what a trial came to; a problem stands in the row of its last fault."""
        for name, fault in trial.faults:
            row = self.setdefault(name, Row(name))
            row.faults[fault] += 1
            row.well += not trial.problem
        last = self.setdefault(trial.faults[-1][0] if trial.faults else trial.kind, Row(trial.kind))
        last.slowest = max([last.slowest, *trial.seconds])
        if trial.problem:
            last.problems[trial.problem] += 1


def main() -> int:
    """Try everything there is time for; 1 where something was not as promised."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-photos-")))
        photos = options.photos or _samples(folder / "photos")
        bench = Bench(photos=photos, deadline=time.monotonic() + options.minutes * 60)
        _undisturbed(bench)
        names = options.only or list(KINDS)
        rows = Rows({name: Row(name) for kind in names for name in (STAGES if kind == "stages" else [kind])})
        work = [
            (name, random.Random(f"{options.seed}/{name}/{number}"))
            for name in names
            for number in range(max(1, round(KINDS[name].times * options.share)))
        ]
        # So that a time that runs out cuts all kinds short alike.
        random.Random(options.seed).shuffle(work)
        with ThreadPoolExecutor(options.jobs) as pool:
            for trial in pool.map(lambda one: _tried(bench, *one), work):
                if trial is not None:
                    rows.add(trial)
                    _say(trial)
    text = _table(list(rows.values()))
    print(text)
    if options.markdown:
        write_section(options.markdown, "faults", text)
    return 1 if any(row.problems for row in rows.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder of few small photos; samples by default")
    parser.add_argument("--only", nargs="*", choices=list(KINDS), default=[])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _samples(target: Path) -> Path:
    target.mkdir()
    with WeightsStore() as store, tempfile.TemporaryDirectory() as whole:
        for path in fetch_samples(store, Path(whole)):
            if path.name in _SAMPLES:
                with Image.open(path) as photo:
                    small = photo.convert("RGB")
                small.thumbnail((_SIDE, _SIDE))
                small.save(target / f"{path.stem}.jpg", quality=92)
    return target


def _undisturbed(bench: Bench) -> None:
    """What the tables are to be, with the chat model and without, and how long a run takes."""
    for chat in (False, True):
        with project(bench.photos, chat=chat) as made:
            started = time.monotonic()
            made.tag()
            bench.run_seconds[chat] = time.monotonic() - started
            made.check_nothing_left()
            bench.wanted[chat] = made.snapshot()
            print(f"undisturbed, chat {chat}: {bench.run_seconds[chat]:.1f} s", file=sys.stderr)


def _tried(bench: Bench, name: str, dice: random.Random) -> Trial | None:
    if time.monotonic() > bench.deadline:
        return None
    trial = Trial(name)
    try:
        KINDS[name].attempt(bench, trial, dice)
    except Fault as fault:
        trial.problem = str(fault)
    slow = [seconds for seconds in trial.seconds if seconds > ENDS_SECONDS]
    if slow and not trial.problem:
        trial.problem = f"took more than {ENDS_SECONDS:.0f} s to end"
    return trial


def _say(trial: Trial) -> None:
    print(f"{trial.kind}: {len(trial.faults)} faults, {trial.problem or 'well'}", file=sys.stderr, flush=True)


def _table(rows: Sequence[Row]) -> str:
    lines = [
        [
            row.name,
            row.faults.total(),
            ", ".join(f"{count} {name}" for name, count in sorted(row.faults.items())),
            f"{row.slowest:.1f}" if row.slowest else "",
            row.well,
            "; ".join(f"{problem} ({count})" for problem, count in row.problems.most_common())
            or ("none" if row.faults else "not tried"),
        ]
        for row in rows
    ]
    columns = ("what", "faults", "by", "longest end after SIGTERM or SIGINT, s", "went on to equal tables", "problems")
    return f"{markdown_table(columns, lines)}\n\n{machine_line(machine())}"


if __name__ == "__main__":
    raise SystemExit(main())
