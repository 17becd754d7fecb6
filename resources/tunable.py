"""What can be tuned: the sessions that the models in use really open for a picture, each with a real picture's input.

What does not belong here: the search (``tuning_search``).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.adapters import PARSERS, SILHOUETTES, Choose, make_detector, make_encoder, make_tagger, needed
from resources.onnx_session import OnnxSession, close_sessions, warm_sessions
from tagging_assets.domain.models import Model, RgbImage

#: One person before a shuttle's model: a photo like any other.
_PHOTO = Path(__file__).with_name("selftest") / "astronaut.jpg"


class Preparing(Protocol):
    """An adapter that can show a picture's input."""

    def prepare(self, image: RgbImage) -> NDArray[Any]:
        """One picture's model input, without the batch's axis."""
        ...


@dataclass(frozen=True)
class Tunable:
    """A session and an input of it.

    Attributes:
        model: entry of the catalogue.
        task: that it serves.
        session: as the adapter opened it.
        array: of a real photo, without the batch's axis.
    """

    model: str
    task: str
    session: OnnxSession
    array: NDArray[Any]


def _detects(choose: Choose, photo: RgbImage) -> Model:
    adapter = make_detector(choose)
    adapter.detect([photo])
    return adapter


def _encodes(choose: Choose, photo: RgbImage) -> Model:
    adapter = make_encoder(choose)
    adapter.encode([photo])
    return adapter


def _tags(choose: Choose, photo: RgbImage) -> Model:
    adapter = make_tagger(choose)
    adapter.tag([photo])
    return adapter


def _outlines(choose: Choose, photo: RgbImage) -> Model:
    model = needed(choose, "silhouette")
    adapter = SILHOUETTES[model.entry.adapter](model)
    adapter.silhouette(photo)
    return adapter


def _parses(choose: Choose, photo: RgbImage) -> Model:
    model = needed(choose, "human_parsing")
    adapter = PARSERS[model.entry.adapter](model)
    adapter.parts(photo)
    return adapter


#: Tasks whose models look at pictures through ONNX Runtime: makes the adapter and puts it to work on one photo.
_AT_WORK: dict[str, Callable[[Choose, RgbImage], Model]] = {
    "person_detection": _detects,
    "image_embedding": _encodes,
    "tagging": _tags,
    "silhouette": _outlines,
    "human_parsing": _parses,
}


def tunables(choose: Choose, names: Collection[str] = ()) -> Iterator[Tunable]:
    """Sessions of the models in use, one after the other; what was open before is closed.

    Args:
        choose: the model of a task.
        names: entries of the catalogue; all by default.

    Raises:
        ModelError: a model cannot be had, or does not work.
    """
    with Image.open(_PHOTO) as photo:
        pixels = np.asarray(photo.convert("RGB"))
    done: set[str] = set()
    for task, put_to_work in _AT_WORK.items():
        model = choose(task)
        if model is None or (names and model.entry.name not in names) or model.entry.name in done:
            continue
        done.add(model.entry.name)
        close_sessions()
        array = cast("Preparing", put_to_work(choose, pixels)).prepare(pixels)
        # A self-test may have opened another part of the model, such as the one that reads texts.
        takes = [one for one in warm_sessions() if [len(shape) for shape in one.inputs.values()] == [array.ndim + 1]]
        for session in takes:
            yield Tunable(model.entry.name, task, session, array)
    close_sessions()
