"""What the speed benchmarks share: processes of their own, seconds of CPU, memory, and what machine it was.

A contestant runs in a fresh process, so that no other's threads, caches or memory are in its figures; rounds are
interleaved (first one, then the other, then the first again), so that a machine that is busy for a while is busy for
all; medians are taken over the rounds. See ``speed.py`` and ``pipeline.py``.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

#: Libraries whose versions are told, where they are installed.
_LIBRARIES = (
    *("onnxruntime-gpu", "onnxruntime", "numpy", "pillow", "polars", "dagster", "mediapipe", "opencv-contrib-python"),
    *("torch", "torchvision", "timm", "open_clip_torch", "ultralytics"),
)
#: Rows of a process' answer are found by it: libraries print what they like.
_ANSWER = "benchmark-answer: "
#: Photos that are worked on before the clock starts.
_WARM_UP = 4


@dataclass(frozen=True, slots=True)
class Taken:
    """What one round of a contestant took, after a warm-up.

    Attributes:
        seconds: wall clock.
        cpu_seconds: user and system time of all threads of the process.
        images: photos that were worked on.
        peak_mib: largest resident memory of the process, its libraries and model included, MiB.
        note: what else is to be known, such as how many boxes were found.
    """

    seconds: float
    cpu_seconds: float
    images: int
    peak_mib: float
    note: str = ""


@dataclass(slots=True)
class Clock:
    """Seconds between two moments; filled in when :func:`clocked` ends."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def clocked() -> Iterator[Clock]:
    """Measure wall clock and CPU time of this process, children that have ended included."""
    clock = Clock()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    yield clock
    clock.seconds, clock.cpu_seconds = time.perf_counter() - wall, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    # Kilobytes on Linux, bytes on macOS.
    unit = 1024 if sys.platform != "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def answer(told: object) -> None:
    """Tell the process that started this one."""
    print(_ANSWER + json.dumps(told), flush=True)


def run(script: Path, *arguments: str) -> str:
    """Run a script of this folder in a process of its own; what it printed.

    Raises:
        SystemExit: it failed; what it said is shown.
    """
    paths = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"{script.name} {' '.join(arguments[:2])} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout


def ask(script: Path, *arguments: str) -> Any:
    """Run a script that gives an :func:`answer`.

    Raises:
        SystemExit: it failed, or gave none.
    """
    said = run(script, *arguments)
    for line in said.splitlines():
        if line.startswith(_ANSWER):
            return json.loads(line.removeprefix(_ANSWER))
    raise SystemExit(f"{script.name} {' '.join(arguments[:2])} gave no answer:\n{said[-2000:]}")


def compete(contestants: Mapping[str, Callable[[Path], Callable[[Sequence[Path]], str]]], argv: Sequence[str]) -> None:
    """One round of one contestant, in this process: load, warm up, work, answer.

    Args:
        contestants: by name, what makes the work from the folder of the models.
        argv: name, folder of the models, photos.
    """
    name, models, *rest = argv
    photos = [Path(one) for one in rest]
    work = contestants[name](Path(models))
    work(photos[:_WARM_UP])
    with clocked() as clock:
        note = work(photos)
    answer(asdict(Taken(clock.seconds, clock.cpu_seconds, len(photos), peak_mib(), note)))


def summed_up(rounds: Sequence[Taken]) -> dict[str, Any]:
    """Medians over the rounds, and rates."""
    seconds = statistics.median(one.seconds for one in rounds)
    cpu = statistics.median(one.cpu_seconds for one in rounds)
    images = rounds[0].images
    return {
        "images": images,
        "images_per_second": images / seconds,
        "images_per_cpu_second": images / cpu,
        "peak_mib": statistics.median(one.peak_mib for one in rounds),
        "note": rounds[-1].note,
        "rounds": [asdict(one) for one in rounds],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": _gpu(),
        # Above the number of cores somebody else was at work, and only ratios are worth something.
        "load_before": round(os.getloadavg()[0], 2),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpu() -> str:
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True
        )
    except OSError:
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; numbers to the right."""
    lines = [list(columns), ["---", *["---:"] * (len(columns) - 1)], *[[str(cell) for cell in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def hashes(folder: Path, suffixes: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the files of a folder with these endings, by path within it."""
    found = {}
    for path in sorted(one for one in folder.rglob("*") if one.suffix in suffixes and one.is_file()):
        with path.open("rb") as stream:
            found[str(path.relative_to(folder))] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def write_section(target: Path, name: str, text: str) -> None:
    """Put text between ``<!-- NAME -->`` and ``<!-- /NAME -->`` of a document; without these, it is the whole file."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    document = target.read_text(encoding="utf-8") if target.is_file() else ""
    before, found, rest = document.partition(start)
    after = rest.partition(end)[2]
    whole = f"{before}{start}\n\n{text.strip()}\n\n{end}{after}" if found and after else text
    target.write_text(whole, encoding="utf-8")


def machine_line(told: Mapping[str, Any]) -> str:
    """The machine in one line."""
    named = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    gpu = f", {told['gpu']}" if told["gpu"] else ""
    load = f"load before the start {told['load_before']}"
    return (
        f"{told['processor']}, {told['cores']} cores{gpu}, {told['system']}, Python {told['python']}; {named}; {load}"
    )
