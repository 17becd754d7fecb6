"""What adapters of picture models share: who they are, what they run on, and how they are opened and checked.

What does not belong here: what any one kind of model makes of a picture.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.model_notes import Preprocessing
from resources.preprocessing import prepare, version_of
from tagging_assets.domain.errors import WeightsMissing
from tagging_assets.domain.models import ModelCard, RgbImage, Vectors
from tagging_assets.domain.zero_shot import VIEWS

#: Knobs that change what an encoder sees, or how.
_SEEING = ("precision", VIEWS)


class PictureModel(ABC):
    """An adapter: loads nothing before its first picture, and is asked its self-test once it is open.

    Args:
        model: the entry in use.
        inference: in place of the model's own, for tests.
    """

    #: File of the model that looks at pictures.
    role: ClassVar[str] = "model"

    def __init__(self, model: ModelInUse, *, inference: Inference | None = None) -> None:
        self._model = model
        self._inference = inference or model.inference(self.role, check=self._check)

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._model.card()

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._inference.provider

    @abstractmethod
    def _check(self, inference: Inference) -> None:
        """The self-test.

        Raises:
            ModelFailed: it does not find in a known photo what is known to be there.
        """


class NotedPictureModel(PictureModel):
    """One whose notes say how it wants its pictures."""

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return picture_card(self._model)

    def prepare(self, image: RgbImage) -> Vectors:
        """One picture as the network's input: (3, height, width) float32.

        Raises:
            WeightsMissing: the model is yet to be made.
        """
        return prepare(image, self._wanted)

    @cached_property
    def _wanted(self) -> Preprocessing:
        return preprocessing_of(self._model)

    def _rows(self, images: Sequence[RgbImage], output: str, inference: Inference | None = None) -> Vectors:
        """The named output, a row per image; (0, dimensions) for no images."""
        if not images:
            notes = self._model.notes
            return np.zeros((0, notes.dimensions if notes else 0), dtype=np.float32)
        made = (inference or self._inference).run([self.prepare(image) for image in images], (output,))
        return np.asarray(np.stack([row for (row,) in made]), dtype=np.float32)


def picture_card(model: ModelInUse) -> ModelCard:
    """Identity of a model that brings its own preprocessing."""
    card, notes = model.card(), model.notes
    if notes is None or notes.preprocessing is None:
        return card
    return replace(card, preprocessing=version_of(notes.preprocessing))


def encoder_card(model: ModelInUse) -> ModelCard:
    """The same with the knobs alone that change vectors: no photo is encoded anew for another threshold."""
    card = picture_card(model)
    return replace(card, parameters={name: card.parameters[name] for name in _SEEING if name in card.parameters})


def preprocessing_of(model: ModelInUse) -> Preprocessing:
    """How a model wants its pictures.

    Raises:
        WeightsMissing: nobody noted it: the model is yet to be made, or has no such notes.
    """
    notes = model.notes
    if notes is None or notes.preprocessing is None:
        raise unnoted(model, "its pictures")
    return notes.preprocessing


def unnoted(model: ModelInUse, what: str) -> WeightsMissing:
    """What a user hears where nobody noted how a model wants something."""
    name = model.entry.name
    return WeightsMissing(
        f"{name}: nothing says how it wants {what}; run `tagging models export {name}`, or choose another model"
    )
