"""How a model runs fastest on this machine: what searches found (``tuning_search``), kept and found again.

Nothing is searched unasked: the defaults are within a few per cent of the best on most machines, and a first photo
should not wait for a search (`tagging models tune` does it).
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from resources.files import storage_error, write_output
from resources.onnx_providers import CPU, OnnxOptions, preferred
from resources.onnx_runtime import load_onnxruntime
from resources.processor import line_of, processor_name

#: Raise it where kept results were measured otherwise than now.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """What a result holds for.

    Attributes:
        sha256: of the model file.
        provider: that really runs.
        fp16: see :class:`OnnxOptions`.
        cores: that this process may use.
        machine: model of the processor or GPU.
        runtime: version of ONNX Runtime.
    """

    sha256: str
    provider: str
    fp16: bool
    cores: int
    machine: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way of running a model; see :class:`OnnxOptions` for what the numbers mean."""

    callers: int
    threads: int
    batch: int
    spin: bool = False

    def on(self, options: OnnxOptions) -> OnnxOptions:
        """The options with these numbers."""
        return replace(options, callers=self.callers, threads=self.threads, batch=self.batch, spin=self.spin)


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate and its medians over the rounds.

    Attributes:
        wins: share of the rounds in which it was faster than the default.
    """

    candidate: Candidate
    pictures_per_second: float
    pictures_per_cpu_second: float
    wins: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found.

    Attributes:
        model: name for people.
        subject: what it holds for.
        shape: of a picture's input.
        measured: every candidate, the default first.
        chosen: the best of them.
        seconds: that the search took.
    """

    model: str
    subject: Subject
    shape: tuple[int, ...]
    measured: tuple[Measured, ...]
    chosen: Candidate
    seconds: float

    @property
    def gain(self) -> float:
        """Speed of the chosen candidate over that of the default."""
        speeds = {one.candidate: one.pictures_per_second for one in self.measured}
        return speeds[self.chosen] / speeds[self.measured[0].candidate]


@dataclass(frozen=True, slots=True)
class _File:
    version: int
    tuned: Tuned


_FILE = TypeAdapter(_File)


class Tuning:
    """Keeps results and finds them again.

    Args:
        folder: of the weights' cache (``WeightsStore.cache_dir``).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tuning"

    def kept(self, subject: Subject) -> Tuned | None:
        """What was found for it; ``None`` where nothing was, or where the file is damaged."""
        return _read(self._path(subject))

    def keep(self, tuned: Tuned) -> None:
        """Keep a result.

        Raises:
            StorageError: it cannot be written.
        """
        path = self._path(tuned.subject)
        try:
            write_output(path, _FILE.dump_json(_File(_VERSION, tuned), indent=1))
        except OSError as error:
            raise storage_error(error, path) from error

    def told(self) -> list[Tuned]:
        """Everything that is kept, by model."""
        found = [tuned for path in self._folder.glob("*.json") if (tuned := _read(path)) is not None]
        return sorted(found, key=lambda one: (one.model, one.subject.provider))

    def applied(self, options: OnnxOptions, sha256: str) -> OnnxOptions:
        """Options as tuned for a model on this machine; as they are where it never was.

        Args:
            options: what was asked for; a batch that was is kept.
            sha256: of the model file.
        """
        if not self._folder.is_dir():
            return options
        tuned = self.kept(subject_of(sha256, options))
        if tuned is None:
            return options
        return replace(tuned.chosen.on(options), batch=options.batch or tuned.chosen.batch)

    def _path(self, subject: Subject) -> Path:
        told = json.dumps([_VERSION, asdict(subject)], sort_keys=True)
        return self._folder / f"{subject.sha256[:12]}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.json"


def subject_of(sha256: str, options: OnnxOptions) -> Subject:
    """A model on this machine, on the provider that is wanted."""
    provider = preferred(options.provider)
    machine = processor_name() if provider == CPU else _gpu(options.device)
    cores = len(os.sched_getaffinity(0))
    return Subject(sha256, provider, options.fp16, cores, machine, load_onnxruntime().__version__)


def _read(path: Path) -> Tuned | None:
    try:
        kept = _FILE.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    # A file whose choice was never measured was not written here.
    known = {one.candidate for one in kept.tuned.measured}
    return kept.tuned if kept.version == _VERSION and kept.tuned.chosen in known else None


def _gpu(device: int) -> str:
    """Model of the GPU, as NVIDIA's driver for Linux names it; ``""`` elsewhere."""
    visible = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.isdigit()]
    number = int(visible[device]) if device < len(visible) else device
    folders = sorted(Path("/proc/driver/nvidia/gpus").glob("*"))
    return line_of(folders[number] / "information", "Model") if number < len(folders) else ""
