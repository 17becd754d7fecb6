"""How long it takes to see what is to be done, in a library of millions of photos.

    python benchmarks/scale.py [--images 1000000 3000000 5000000] [--folder DIR] [--json FILE]

For each size a project of its own is made under ``--folder`` (hard links, an embedded Postgres; see
``scale_project.py``) and taken away again: five million photos take some ten minutes and 10 GB. Measured are ticks
of the sensors, ``tagging status``, ``tagging retag --dry-run`` and the queueing of a backfill over all batches: the
median of a few, in seconds. The growth is the exponent between one size and the next, log(time) by log(photos): 0 for
a time that does not depend on the size, 1 for one that grows with it. What a tick may take is printed last.

The sensor's tick includes the time in which it looks again into folders that were not modified. The answer of a tick
is thrown away: nothing is run.
"""

import argparse
import itertools
import json
import math
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from scale_project import change_files, images_per_batch, open_project, settle

from sensors.new_images import new_images
from sensors.retag import retag as retag_sensor
from tagging_assets.commands import retag
from tagging_assets.commands.backfill import launch
from tagging_assets.commands.overview import status
from tagging_assets.commands.session import Session
from tagging_assets.domain.retrying import Retrying

TICK_SECONDS = 2.0
CHANGED = (1, 10, 100, 1000)

#: Seconds by what was measured.
Figures = dict[str, float]


def median_of(times: int, action: Callable[[], object], *, before: Callable[[], object] = lambda: None) -> float:
    """Median time of an action, seconds; what comes before each is not counted."""
    taken = []
    for _ in range(times):
        before()
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def tick(session: Session, sensor: dg.SensorDefinition) -> None:
    """One tick of a sensor; its resources are those of the project."""
    tools = session.toolbox
    offered = {"line": session.line, "database": session.database}
    context = dg.build_sensor_context(
        instance=session.instance,
        resources={key: offered.get(key) or getattr(tools, key) for key in sensor.required_resource_keys},
    )
    sensor(context)


def measure_ticks(session: Session) -> Figures:
    """Ticks of the sensor for new images: nothing changed, and so many files changed."""
    photos = session.settings.sources[0].path
    dice = random.Random(1)

    def change(count: int) -> None:
        settle(session)
        change_files(photos, count, dice)

    tick(session, new_images)  # imports and connections
    settle(session)
    figures = {"tick, nothing changed": median_of(5, lambda: tick(session, new_images))}
    for count in CHANGED:
        figures[f"tick, {count} changed"] = median_of(
            3, lambda: tick(session, new_images), before=partial(change, count)
        )
    settle(session)
    change_files(photos, CHANGED[-1], dice)
    figures[f"{CHANGED[-1]} changed, to the end"] = median_of(1, lambda: watch_to_the_end(session))
    return figures


def watch_to_the_end(session: Session) -> None:
    """Look until no folder waits: a look stops at some ten thousand files, however many of them are as they were."""
    while session.toolbox.intake.watch().left:
        pass


def measure_status(session: Session) -> Figures:
    """``tagging status``, all fresh but for what the ticks have found."""
    return {"status": median_of(3, lambda: status(session))}


def measure_retag(session: Session) -> Figures:
    """A changed recipe makes every batch stale: seeing it, a tick over it, and leaving it all to the daemon."""
    changed = with_other_rules(session)
    figures = {
        "retag --dry-run": median_of(3, lambda: retag.told(changed, retag.look(changed, retag.Wanted()))),
        "tick of retag": median_of(3, lambda: tick(changed, retag_sensor)),
    }
    batches = changed.toolbox.manifest.batches()
    with session.database.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE tagging.claim"))  # what the ticks have asked for
    figures["queueing a backfill"] = median_of(
        1, lambda: launch(changed, batches, stages=None, operation=uuid.uuid4().hex, retrying=Retrying.NOW)
    )
    changed.toolbox.close()
    return figures


def with_other_rules(session: Session) -> Session:
    """The same project after somebody banned a tag."""
    settings = session.settings.model_copy(
        update={"rules": session.settings.rules.model_copy(update={"banned": ("boat",)})}
    )
    return Session(session.settings_path, settings, session.database, type(session.toolbox)(settings, session.database))


def measure(folder: Path, images: int, tags_each: int) -> Figures:
    """Everything, for one size."""
    started = time.perf_counter()
    with open_project(folder / f"scale-{images}", images, tags_each) as session:
        print(f"{images} photos are in place after {time.perf_counter() - started:.0f} s", file=sys.stderr)
        figures = {**measure_ticks(session), **measure_status(session), **measure_retag(session)}
    print(f"{images} photos are done after {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return figures


def growth(before: tuple[int, float], after: tuple[int, float]) -> float:
    """Exponent of the growth between two (size, seconds)."""
    return math.log(after[1] / before[1]) / math.log(after[0] / before[0])


def report(figures: Mapping[int, Figures]) -> dict[str, Any]:
    """Seconds by measure and size, the growth between sizes, and with the number of changed files."""
    sizes = sorted(figures)
    pairs = list(itertools.pairwise(sizes))
    return {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "batches": {size: -(-size // images_per_batch(size)) for size in sizes},
        "seconds": {name: {size: figures[size][name] for size in sizes} for name in figures[sizes[0]]},
        "growth": {
            name: [growth((one, figures[one][name]), (two, figures[two][name])) for one, two in pairs]
            for name in figures[sizes[0]]
        },
        "growth_with_changed_files": {size: _growth_with_changes(figures[size]) for size in sizes},
    }


def _growth_with_changes(figures: Figures) -> float:
    fewest, most = CHANGED[0], CHANGED[-1]
    return growth((fewest, figures[f"tick, {fewest} changed"]), (most, figures[f"tick, {most} changed"]))


def show(told: Mapping[str, Any]) -> None:
    """A line per measure, a column per size."""
    sizes: Sequence[int] = list(told["batches"])
    print(f"{'photos':24}" + "".join(f"{size:>12,}" for size in sizes) + "   growth")
    print(f"{'batches':24}" + "".join(f"{told['batches'][size]:>12,}" for size in sizes))
    for name, seconds in told["seconds"].items():
        exponents = "  ".join(f"{one:+.2f}" for one in told["growth"][name])
        print(f"{name:24}" + "".join(f"{seconds[size]:>12.3f}" for size in sizes) + f"   {exponents}")
    for size, exponent in told["growth_with_changed_files"].items():
        print(f"{size:,} photos: a tick grows with the number of changed files to the power of {exponent:.2f}")
    worst = max(max(one.values()) for name, one in told["seconds"].items() if name.startswith("tick"))
    print(f"the longest tick takes {worst:.2f} s; it may take {TICK_SECONDS:.0f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1_000_000, 3_000_000, 5_000_000])
    parser.add_argument("--folder", type=Path, help="on a file system with hard links; a temporary one by default")
    parser.add_argument("--tags", type=int, default=0, help="published tags per photo")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    os.environ.pop("TAGGING_DATABASE_URL", None)  # the benchmark makes a database of its own, and drops it
    with tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True) as folder:
        told = report({size: measure(Path(folder), size, options.tags) for size in options.images})
    show(told)
    if options.json:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
