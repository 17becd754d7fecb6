"""The line over a folder of photos, with a stop-watch on each stage: a part of ``pipeline.py``.

python benchmarks/pipeline_line.py SETTINGS PHOTOS
"""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from speed_measuring import Clock, answer, clocked, peak_mib

from resources.toolbox import Toolbox
from tagging_assets.commands import batches
from tagging_assets.commands import run as run_command
from tagging_assets.commands.session import Session, open_database
from tagging_assets.settings import load_settings


class StopWatch:
    """A reporter that takes the time of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.cpu_seconds: dict[str, float] = defaultdict(float)
        self._stage, self._began = "", (0.0, 0.0)

    def begin(self, stage: str, partition: str, total: int) -> None:
        """The watch starts."""
        self._stage, self._began = stage, (time.perf_counter(), time.process_time())

    def advance(self, images: int) -> None:
        """No matter."""

    def end(self) -> None:
        """The watch stops."""
        self.seconds[self._stage] += time.perf_counter() - self._began[0]
        self.cpu_seconds[self._stage] += time.process_time() - self._began[1]


class GpuWatch:
    """Asks ``nvidia-smi`` five times a second how busy the GPU is; nothing where there is none."""

    def __init__(self) -> None:
        self.busy: float | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for as long as this lasts."""
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200"]
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            process.terminate()
            said, _ = process.communicate()
            shares = [float(line) for line in said.splitlines() if line.strip().isdigit()]
            self.busy = sum(shares) / len(shares) / 100 if shares else None


def since_start() -> float:
    """Seconds since this process was started, the import of its modules included."""
    return time.time() - psutil.Process().create_time()


def main() -> None:
    """Run, and tell."""
    settings_path, photos = Path(sys.argv[1]), Path(sys.argv[2])
    settings = load_settings(settings_path)
    database = open_database(settings)
    watch, gpu = StopWatch(), GpuWatch()
    toolbox = Toolbox(settings, database, watch)
    session = Session(settings_path, settings, database, toolbox)
    jobs: list[Clock] = []
    try:
        opened = since_start()
        run_batches = batches.run_batches

        def timed(*arguments: object, **named: object) -> dict[str, str]:
            with gpu.watching(), clocked() as job:
                runs = run_batches(*arguments, **named)  # type: ignore[arg-type]
            jobs.append(job)
            return runs

        # What `tagging run` calls.
        vars(run_command)["run_batches"] = timed
        with clocked() as clock:
            report = run_command.run_paths(session, [photos])
        session.instance.dispose()
    finally:
        toolbox.close()
        database.close()
    answer(
        {
            "images": len(report.images),
            "failed": len(report.failed),
            "stages": dict(watch.seconds),
            "stages_cpu": dict(watch.cpu_seconds),
            "job_seconds": sum(job.seconds for job in jobs),
            "job_cpu_seconds": sum(job.cpu_seconds for job in jobs),
            "run_seconds": clock.seconds,
            "cpu_seconds": clock.cpu_seconds,
            "open_seconds": opened,
            "command_seconds": since_start(),
            "peak_mib": peak_mib(),
            "gpu_busy": gpu.busy,
        }
    )


if __name__ == "__main__":
    main()
