"""What the process that exports and the one that asks for it say to each other: a job, and what came of it.

Both sides import this; it knows no torch.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from resources.catalogue import Capability, Export
from resources.model_notes import Preprocessing, TextTower
from tagging_assets.domain.models import RgbImage

#: Told of progress, a few words at a time.
Report = Callable[[str], None]

Arrays = Mapping[str, NDArray[Any]]

#: What ultralytics predicts with where nothing else is said, and what parity is measured at.
CONFIDENCE = 0.25
IOU = 0.7

#: What a text tower is compared on: plain, long, with punctuation, accents, capitals and nothing at all.
TEXTS = (
    "a photo of a cat",
    "a photo of two people standing beside a bus in a city street, seen from across the road on a rainy day",
    "A Café, at NIGHT!",
    "don't touch: hot/cold (50%)",
    "",
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Job(_Strict):
    """What is to be exported; all paths are absolute.

    Attributes:
        entry: of the catalogue.
        export: how.
        checkpoint: the weights, their SHA-256 verified.
        beside: the entry's other files by role.
        photos: see :func:`save_photos`.
        folder: where the files go; it is there and empty.
        original: where the original's outputs go (``.npz``).
    """

    entry: str
    export: Export
    checkpoint: Path
    beside: dict[str, Path]
    photos: Path
    folder: Path
    original: Path


class Made(_Strict):
    """What was made: the part of ``ModelNotes`` that only the exporter knows.

    Attributes:
        files: name within the folder by role.
        options: that were used.
        libraries: versions.
    """

    files: dict[str, str]
    options: dict[str, Capability]
    libraries: dict[str, str]
    preprocessing: Preprocessing | None = None
    text: TextTower | None = None
    names: tuple[str, ...] = ()
    dimensions: int = 0


class Original:
    """The original library's outputs, collected where it runs and compared where ours run (``resources/parity.py``).

    Attributes:
        arrays: ``boxes/N``: (n, 6) of photo N: x0, y0, x1, y1 in its pixels, score, class; ``embedding``: (photos,
            dimensions); ``text``: (texts, dimensions) of :data:`TEXTS`; ``scores``: (photos, classes) in [0, 1];
            ``graph/ROLE/in/NAME`` and ``graph/ROLE/out/NAME``: one input of an ONNX file and the outputs it must give.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}

    def graph(self, role: str, feeds: Arrays, outputs: Arrays) -> None:
        """Note what one of the files must answer to an input."""
        self.arrays |= {f"graph/{role}/in/{name}": array for name, array in feeds.items()}
        self.arrays |= {f"graph/{role}/out/{name}": array for name, array in outputs.items()}


def save_photos(path: Path, photos: Sequence[RgbImage]) -> None:
    """Hand photos over as pixels, so that no second decoder has a say in the comparison."""
    # The stubs take a mapping for the function's own keyword arguments.
    np.savez(path, **{str(place): photo for place, photo in enumerate(photos)})  # type: ignore[arg-type]


def load_photos(path: Path) -> list[RgbImage]:
    """The photos, in their order."""
    with np.load(path) as stored:
        return [stored[str(place)] for place in range(len(stored.files))]
