"""Checkpoints to ONNX, once per machine, each proved against the library that it comes from before it is used.

torch runs in a process of its own (``exporting_child``), as it needs a gigabyte and seconds to load, and no other
process of the product ever does. What does not belong here: how a library's models are exported (``export_*``), and
what must agree (``parity``).
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from resources.candidate_model import REFERENCE, CandidateModel
from resources.catalogue import Capability, Catalogue, Entry, Export
from resources.decoding import decode
from resources.export_job import IOU, Job, Made, Report, save_photos
from resources.exporting_process import TIMEOUT_SECONDS, run_job
from resources.files import storage_error, work_folder
from resources.model_in_use import derived_folder
from resources.model_notes import ModelNotes, NotedFile, put_in_place, read_notes, write_notes
from resources.parity import Parity, compare
from resources.samples import fetch_samples
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed, SettingsError, WeightsMissing
from tagging_assets.domain.models import RgbImage

_CHECKPOINT = "checkpoint"
_WORK = ".export-"
_SELF_TEST_PHOTOS = Path(__file__).with_name("selftest")
#: Of the sample photos: people, an animal, things, a place.
_PHOTOS = ("bus.jpg", "zidane.jpg", "astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "china.jpg")


@dataclass(frozen=True)
class Exported:
    """A model that was made, and waits to be put in place.

    Attributes:
        notes: about it, parity included.
        parity: how near it is to the original.
        seconds: wall time.
        made_in: where its files are.
        belongs_in: where they go.
    """

    notes: ModelNotes
    parity: Parity
    seconds: float
    made_in: Path
    belongs_in: Path

    def accept(self) -> ModelNotes:
        """Put it in place, whole or not at all.

        Raises:
            ModelFailed: it is not near enough to the original.
            DiskFull, StorageError: it cannot be put there.
        """
        if not self.parity.ok:
            why = "; ".join(self.parity.missed) or "nothing could be compared"
            raise ModelFailed(f"{self.notes.entry} was exported and does not do what the original does: {why}")
        put_in_place(self.made_in, self.belongs_in, self.notes)
        return self.notes


def export(store: WeightsStore, entry: Entry, photos: Sequence[RgbImage], report: Report) -> ModelNotes:
    """Export a model, prove it and put it in place.

    Raises:
        As :func:`exporting` and :meth:`Exported.accept`.
    """
    with exporting(store, entry, photos, report) as exported:
        return exported.accept()


@contextmanager
def exporting(
    store: WeightsStore,
    entry: Entry,
    photos: Sequence[RgbImage],
    report: Report,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[Exported]:
    """Export a model and compare it with the original; what was not accepted by the end is gone.

    Args:
        store: has or fetches the checkpoint.
        entry: of the catalogue, with an ``export``.
        photos: upright sRGB; what both are compared on.
        report: told of progress.
        timeout_seconds: of the process that exports.

    Raises:
        SettingsError: the entry is not exported.
        WeightsMissing, WeightsCorrupt: the checkpoint cannot be had, or the extra ``export`` is not installed.
        ModelFailed: the library refuses the checkpoint, or the model does not run.
        DiskFull, StorageError: it cannot be written.
    """
    how = _how(entry)
    if missing_extra(entry):
        raise WeightsMissing(
            f"exporting {entry.name} needs torch and {how.exporter}: install the export extra: "
            "pip install 'tagging-assets[export]'"
        )
    began = time.monotonic()
    report("fetching the checkpoint")
    paths = {file.role: store.path(entry.name, file.name) for file in entry.files}
    belongs_in = derived_folder(store, entry, "fp32")
    work = work_folder(belongs_in, _WORK)
    try:
        job = _prepare(entry.name, how, paths, photos, work)
        made = run_job(job, work, report, timeout_seconds)
        report("comparing with the original")
        notes, parity = _prove(store, entry, how, made, job, photos)
        yield Exported(notes, parity, time.monotonic() - began, job.folder, belongs_in)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def exportable(catalogue: Catalogue) -> list[str]:
    """Entries that are exported on this machine, by name."""
    return sorted(name for name, entry in catalogue.entries.items() if entry.export is not None)


def exported(store: WeightsStore, entry: Entry) -> ModelNotes | None:
    """Notes of an exported model; ``None`` where it is yet to be made.

    Raises:
        WeightsCorrupt: they cannot be read.
    """
    return read_notes(derived_folder(store, entry, "fp32"))


def missing_extra(entry: Entry) -> bool:
    """Whether the libraries that know the entry's architecture are not installed."""
    return any(find_spec(name) is None for name in ("torch", _how(entry).exporter))


def parity_photos(store: WeightsStore, report: Report) -> list[RgbImage]:
    """The photos that models are compared on: the samples, or the two of the self-tests where those cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            paths = [path for path in fetch_samples(store, Path(folder)) if path.name in _PHOTOS]
        except WeightsMissing as error:
            report(f"comparing on two photos only: {error}")
            paths = sorted(_SELF_TEST_PHOTOS.glob("*.jpg"))
        return [decode(path).pixels for path in paths]


def _how(entry: Entry) -> Export:
    if entry.export is None:
        raise SettingsError(f"{entry.name} runs as it is; there is nothing to export")
    if not any(file.role == _CHECKPOINT for file in entry.files):
        raise SettingsError(f"{entry.name}: none of its files has the role {_CHECKPOINT}; mend the catalogue")
    return entry.export


def _prepare(name: str, how: Export, paths: Mapping[str, Path], photos: Sequence[RgbImage], work: Path) -> Job:
    job = Job(
        entry=name,
        export=how,
        checkpoint=paths[_CHECKPOINT].absolute(),
        beside={role: path.absolute() for role, path in paths.items() if role != _CHECKPOINT},
        photos=work.absolute() / "photos.npz",
        folder=work.absolute() / "model",
        original=work.absolute() / "original.npz",
    )
    try:
        job.folder.mkdir()
        save_photos(job.photos, photos)
    except OSError as error:
        raise storage_error(error, work) from error
    return job


def _prove(
    store: WeightsStore, entry: Entry, how: Export, made: Made, job: Job, photos: Sequence[RgbImage]
) -> tuple[ModelNotes, Parity]:
    """Notes of the files, and how near the model that they make is to the original."""
    notes = _notes(entry, how, made, job.folder)
    write_notes(job.folder, notes)
    # Whatever a user may choose is as the library has it.
    plain: dict[str, Capability] = {"precision": "fp32", "iou": IOU, "input_pixels": made.options.get("imgsz", 0)}
    said = {name: value for name, value in plain.items() if name in entry.knobs}
    with np.load(job.original) as stored:
        parity = compare(CandidateModel(store, entry, REFERENCE, said, job.folder), photos, dict(stored))
    return notes.model_copy(update={"parity": dict(parity.measures)}), parity


def _notes(entry: Entry, how: Export, made: Made, folder: Path) -> ModelNotes:
    files = {role: NotedFile.of(folder / name) for role, name in made.files.items()}
    return ModelNotes(
        entry=entry.name,
        made_by=f"export {how.exporter}",
        made_from={file.name: file.sha256 for file in entry.files},
        files=files,
        opset=how.opset,
        **made.model_dump(include={"options", "libraries", "names", "dimensions"}),
        preprocessing=made.preprocessing,
        text=made.text,
    )
