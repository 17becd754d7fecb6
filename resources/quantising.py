"""Models in other precisions: made on this machine from its own photos, and their cost known before they are used.

What does not belong here: how (``quantising_int8``), how the cost is measured (``accuracy``), and the choice to use
what was made (the knob ``precision`` in tagging.yaml).
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from resources.accuracy import Cost, Preparing, cost, kinds
from resources.calibration_photos import Lazily, Photos
from resources.candidate_model import REFERENCE, CandidateModel
from resources.catalogue import Capability, Entry
from resources.files import storage_error, work_folder
from resources.model_in_use import ModelInUse, derived_folder
from resources.model_notes import ModelNotes, NotedFile, put_in_place, write_notes
from resources.onnx_runtime import load_onnxruntime
from resources.quantising_int8 import VERSION, to_fp16, to_int8
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed, SettingsError

Lower = Literal["int8", "fp16"]
Report = Callable[[str], None]

#: Files that hold a network of pictures. Others go along as they are: a text tower runs once per label, not per photo.
_NETWORKS = ("model", "image")
_WORK = ".quantise-"


@dataclass(frozen=True)
class Quantised:
    """A model that was made, and waits to be put in place.

    Attributes:
        notes: about it, its cost included.
        cost: what it loses against fp32.
        seconds: wall time.
        made_in: where its files are.
        belongs_in: where they go.
    """

    notes: ModelNotes
    cost: Cost
    seconds: float
    made_in: Path
    belongs_in: Path

    def accept(self, min_agreement: float | None = None) -> ModelNotes:
        """Put it in place, whole or not at all.

        Args:
            min_agreement: what it must reach; the default of its kind if ``None``.

        Raises:
            ModelFailed: it loses more; what was in place stays.
            DiskFull, StorageError: it cannot be put there.
        """
        least = self.cost.least if min_agreement is None else min_agreement
        if self.cost.agreement < least:
            raise ModelFailed(
                f"{self.notes.entry} in {self.notes.precision} was made and not kept: agreement with fp32 is "
                f"{self.cost.agreement:.3f} ({self.cost.means}), less than {least:g}; calibrate on more photos "
                "(--photos), stay with fp32, or accept it with --min-agreement"
            )
        put_in_place(self.made_in, self.belongs_in, self.notes)
        return self.notes


def check_choice(entry: Entry, precision: Lower) -> None:
    """Whether an entry may be had in a precision.

    Raises:
        SettingsError: its knobs do not know it, or what it would cost cannot be told.
    """
    knob = entry.knobs.get("precision")
    there = [str(one) for one in knob.choices] if knob else []
    if precision not in there:
        told = entry.capabilities.get("precision")
        already = f"; it is {told} as it comes" if told and not there else ""
        only = ", ".join(there) or "one precision"
        raise SettingsError(f"{entry.name} comes in {only} only, not in {precision}{already}")
    kinds(entry.adapter)


@contextmanager
def quantising(
    store: WeightsStore, entry: Entry, precision: Lower, photos: Photos, report: Report
) -> Iterator[Quantised]:
    """Make a model in another precision and measure what it costs; what was not accepted by the end is gone.

    Args:
        store: has the model in fp32.
        entry: of the catalogue.
        precision: wanted.
        photos: to calibrate on, and others to compare on.
        report: told of progress.

    Raises:
        SettingsError: see :func:`check_choice`; or the photos give nothing to compare.
        WeightsMissing, WeightsCorrupt: fp32 cannot be had.
        ModelFailed: the network cannot be put into it, or does not pass its self-test any more.
        DiskFull, StorageError: it cannot be written.
    """
    check_choice(entry, precision)
    began = time.monotonic()
    exact = ModelInUse(store, entry, REFERENCE, {"precision": "fp32"})
    sources = _sources(exact)
    belongs_in = derived_folder(store, entry, precision)
    work = work_folder(belongs_in, _WORK)
    try:
        folder = work / "model"
        folder.mkdir()
        for role, path in sources.items():
            report(f"{path.name}: {precision if role in _NETWORKS else 'as it is'}")
            _make(role, path, folder, precision, exact, photos)
        notes = _notes(exact, sources, folder, precision, photos)
        write_notes(folder, notes)
        report(f"comparing with fp32 on {len(photos.compare)} photos")
        candidate = CandidateModel(store, entry, REFERENCE, {"precision": precision}, folder)
        found = cost(exact, candidate, photos.compare)
        # What is half done carries no notes.
        (folder / "model.json").unlink()
        told = notes.model_copy(update={"accuracy": found.told()})
        yield Quantised(told, found, time.monotonic() - began, folder, belongs_in)
    except OSError as error:
        raise storage_error(error, belongs_in) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sources(exact: ModelInUse) -> dict[str, Path]:
    """The files of the model in fp32, by role."""
    notes = exact.notes
    roles = list(notes.files) if notes else [file.role for file in exact.entry.files]
    if exact.is_derived and not notes:
        exact.path()
    if not set(roles) & set(_NETWORKS):
        raise SettingsError(f"{exact.entry.name} has no ONNX network of pictures; there is nothing to quantise")
    return {role: exact.path(role) for role in roles}


def _make(role: str, source: Path, folder: Path, precision: Lower, exact: ModelInUse, photos: Photos) -> None:
    target = folder / source.name
    if role not in _NETWORKS:
        _beside(source, target)
    elif precision == "fp16":
        target.write_bytes(to_fp16(source))
    else:
        adapter: Preparing = kinds(exact.entry.adapter)[0].make(exact)
        target.write_bytes(to_int8(source, Lazily(photos.calibrate, adapter.prepare), folder.parent))


def _beside(source: Path, target: Path) -> None:
    """The same file once more; of a text tower that is a quarter of a gigabyte, so best without a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _notes(
    exact: ModelInUse, sources: Mapping[str, Path], folder: Path, precision: Lower, photos: Photos
) -> ModelNotes:
    import onnx

    before = exact.notes
    files = {role: NotedFile.of(folder / path.name) for role, path in sources.items()}
    network = next(files[role] for role in _NETWORKS if role in files)
    opset = onnx.load(str(folder / network.name), load_external_data=False).opset_import
    options: dict[str, Capability] = {"quantiser": VERSION}
    if precision == "int8":
        options |= {"photos": len(photos.calibrate), "photo_ids": photos.ids, "calibration": "least squared error"}
    # How pictures and texts are read, names and sizes are those of fp32.
    fields = before.model_dump(include={"preprocessing", "text", "names", "dimensions", "parity"}) if before else {}
    return ModelNotes(
        entry=exact.entry.name,
        precision=precision,
        made_by="static int8" if precision == "int8" else "float16",
        made_from={path.name: exact.sha256(role) for role, path in sources.items()},
        files=files,
        opset=next(one.version for one in opset if one.domain in ("", "ai.onnx")),
        options={**(before.options if before else {}), **options},
        libraries={"onnx": onnx.__version__, "onnxruntime": load_onnxruntime().__version__},
        **fields,
    )
