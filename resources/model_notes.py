"""``model.json``: what was noted about a model when its ONNX files were made, kept beside them.

An adapter reads from it how the model wants its pictures, so that an exported model brings its own preprocessing;
people read from it what the file was made with and how near it is to the original.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resources.catalogue import Capability
from resources.fetch import sha256_of
from resources.files import storage_error, write_output
from tagging_assets.domain.errors import WeightsCorrupt

#: Name of the file in a model's folder. It is written last: a folder without it is unfinished.
NOTES = "model.json"

Precision = Literal["fp32", "fp16", "int8"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NotedFile(_Strict):
    """A file of the folder."""

    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: int

    @classmethod
    def of(cls, path: Path) -> "NotedFile":
        """What is to be noted of a file that is there."""
        return cls(name=path.name, sha256=sha256_of(path), size=path.stat().st_size)


class Preprocessing(_Strict):
    """How a model wants its pictures; carried out by ``resources/preprocessing.py``.

    Attributes:
        height: of the input, pixels; likewise ``width``.
        fit: ``shortest``: short side to ``size / crop``, then the middle; ``squash``: both sides, aspect lost;
            ``pad``: long side to ``size / crop``, then the middle, what is missing filled; ``square``: filled to a
            square first, then both sides to size, as the WD taggers' script does it.
        interpolation: of the resizing.
        antialias: whether it averages when it makes smaller, as Pillow and torchvision do and OpenCV does not.
        crop: share of the resized picture that the middle is, in (0, 1]; 1 where nothing is cut but the long side.
        fill: RGB of padding, 0 to 255.
        channels: their order.
        layout: of the batch.
        scale: pixels are multiplied by it first: 1/255 or 1.
        mean: then it is subtracted, per channel in ``channels``' order.
        std: then divided by.
    """

    height: int
    width: int
    fit: Literal["shortest", "squash", "pad", "square"]
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    antialias: bool = True
    crop: float = 1.0
    fill: tuple[int, int, int] = (255, 255, 255)
    channels: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class TextTower(_Strict):
    """How a model wants its texts, and what its scores are made with.

    Attributes:
        context: tokens per text; longer ones are cut.
        pad: token after the text.
        lower: whether texts are lower-cased and cleaned first, as the library does.
        punctuation: whether it stays in them; SigLIP's canonical texts have none.
        logit_scale: cosines are multiplied by it (already exponentiated).
        logit_bias: then it is added.
        activation: of the logits: ``sigmoid`` judges each label alone (SigLIP), ``softmax`` among labels (CLIP).
    """

    context: int
    pad: int = 0
    lower: bool = True
    punctuation: bool = True
    logit_scale: float
    logit_bias: float = 0.0
    activation: Literal["sigmoid", "softmax"]


class ModelNotes(_Strict):
    """What was noted.

    Attributes:
        entry: of the catalogue.
        precision: of the files.
        made_by: what made them, such as ``export ultralytics`` or ``static int8``.
        made_from: SHA-256 of what they were made from, by file name.
        files: by role: ``model``, ``image``, ``text``, ``tokenizer`` …
        opset: of the ONNX files.
        options: that the maker was given.
        libraries: versions of what made them.
        preprocessing: of pictures; ``None`` where the adapter knows it by the model's kind.
        text: of texts, where the model reads any.
        names: of its classes, in the order of its outputs.
        dimensions: of its vectors; 0 where it makes none.
        parity: how near it is to the original on real photos, by measure.
        accuracy: what the precision costs against fp32, on photos it was not calibrated on, by measure.
    """

    version: Literal[1] = 1
    entry: str
    precision: Precision = "fp32"
    made_by: str
    made_from: dict[str, str]
    files: dict[str, NotedFile]
    opset: int
    options: dict[str, Capability] = {}
    libraries: dict[str, str] = {}
    preprocessing: Preprocessing | None = None
    text: TextTower | None = None
    names: tuple[str, ...] = ()
    dimensions: int = 0
    parity: dict[str, float] = {}
    accuracy: dict[str, float] = {}

    @property
    def sha256(self) -> Mapping[str, str]:
        """Of each file, by role."""
        return {role: file.sha256 for role, file in self.files.items()}


def read_notes(folder: Path) -> ModelNotes | None:
    """Notes of a model's folder; ``None`` where it was never finished.

    Raises:
        WeightsCorrupt: the file says something impossible.
    """
    path = folder / NOTES
    try:
        return ModelNotes.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise WeightsCorrupt(f"{path} cannot be read; remove the folder and make the model again") from error


def write_notes(folder: Path, notes: ModelNotes) -> None:
    """Finish a model's folder."""
    told = json.dumps(notes.model_dump(mode="json"), indent=1, sort_keys=True)
    write_output(folder / NOTES, told.encode())


def put_in_place(made_in: Path, belongs_in: Path, notes: ModelNotes) -> None:
    """Finish a folder and rename it to where it belongs, in place of what was there: whole or not at all.

    Raises:
        DiskFull, StorageError: it cannot be put there.
    """
    try:
        write_notes(made_in, notes)
        shutil.rmtree(belongs_in, ignore_errors=True)
        made_in.replace(belongs_in)
    except OSError as error:
        # Whoever made the same model meanwhile made the same bytes.
        if read_notes(belongs_in) != notes:
            raise storage_error(error, belongs_in) from error
