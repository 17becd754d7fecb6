"""The two towers of CLIP and its relatives (SigLIP, OpenCLIP) on ONNX Runtime: pictures and texts in one space.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhai et al.,
"Sigmoid Loss for Language Image Pre-Training", ICCV 2023. What does not belong here: how vectors become scores
(``clip_scorer``), how texts become tokens (``clip_tokens``), and how the files are made (``export_open_clip``).
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from resources.clip_tokens import TextReader
from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.model_notes import Preprocessing, TextTower
from resources.preprocessing import prepare, version_of
from resources.self_testing import check_encoder
from tagging_assets.domain.conse import unit_rows
from tagging_assets.domain.errors import WeightsMissing
from tagging_assets.domain.models import ModelCard, RgbImage, Vectors
from tagging_assets.domain.zero_shot import VIEWS

IMAGE, TEXT, TOKENIZER = "image", "text", "tokenizer"

_OUTPUT = ("embedding",)
#: Knobs that change what an encoder sees, or how.
_SEEING = ("precision", VIEWS)
#: What a card says of the texts: raise it where the same text would become other tokens.
_TEXT_VERSION = "clip-text/1"


class ClipEncoder:
    """Implements ``ImageEncoder``: raw vectors of the image tower.

    On a CPU a picture's vector is the same to the last bit whatever other pictures there are.

    Args:
        model: with a file for the role ``image``, and notes that say how it wants its pictures.
        inference: in place of the model's own, for tests.
    """

    def __init__(self, model: ModelInUse, *, inference: Inference | None = None) -> None:
        self._model = model
        self._inference = inference or model.inference(IMAGE, check=self._check)

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return encoder_card(self._model)

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._inference.provider

    def prepare(self, image: RgbImage) -> Vectors:
        """One picture as the image tower's input: (3, height, width) float32.

        Raises:
            WeightsMissing: the model is yet to be made.
        """
        return prepare(image, self._wanted)

    def encode(self, images: Sequence[RgbImage]) -> Vectors:
        """(n, d) float32 raw vectors; (0, d) for no images.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not images:
            notes = self._model.notes
            return np.zeros((0, notes.dimensions if notes else 0), dtype=np.float32)
        return self._encode(self._inference, images)

    @cached_property
    def _wanted(self) -> Preprocessing:
        return preprocessing_of(self._model)

    def _encode(self, inference: Inference, images: Sequence[RgbImage]) -> Vectors:
        made = inference.run([self.prepare(image) for image in images], _OUTPUT)
        return np.asarray(np.stack([vector for (vector,) in made]), dtype=np.float32)

    def _check(self, inference: Inference) -> None:
        check_encoder(self._model.entry, lambda images: self._encode(inference, images))


class ClipTextEncoder:
    """Implements ``TextEncoder``: unit vectors of the text tower.

    Where the tower takes texts of any length, as it can where tokens see only those before them, a text is computed
    as long as it is: a label of ten tokens costs a fifth of the 77 that it would be filled up to.

    Args:
        model: with files for the roles ``text`` and ``tokenizer``, and notes that say how it wants its texts.
        inference: in place of the model's own, for tests.
    """

    def __init__(self, model: ModelInUse, *, inference: Inference | None = None) -> None:
        self._model = model
        self._inference = inference or model.inference(TEXT)
        self._lock = threading.Lock()
        self._reader: TextReader | None = None

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights: of the text tower alone, so that vectors outlive the rest."""
        model = self._model
        if not (model.has(TEXT) and model.has(TOKENIZER)):
            return replace(model.card(), preprocessing=_TEXT_VERSION)
        revision = f"{model.sha256(TEXT)}+{model.sha256(TOKENIZER)}"
        tower = text_tower_of(model)
        parameters = {"context": tower.context, "pad": tower.pad, "lower": tower.lower, "points": tower.punctuation}
        return ModelCard(model.entry.name, revision, _TEXT_VERSION, parameters)

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._inference.provider

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32 rows of length 1; (0, d) for no texts. Beyond the model's context a text is cut.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not texts:
            notes = self._model.notes
            return np.zeros((0, notes.dimensions if notes else 0), dtype=np.float32)
        (shape,) = self._inference.session.inputs.values()
        fixed = isinstance(shape[1], int)
        reader = self._read()
        made = self._inference.run([reader.tokens(text, padded=fixed) for text in texts], _OUTPUT)
        return unit_rows(np.asarray(np.stack([vector for (vector,) in made]), dtype=np.float32))

    def _read(self) -> TextReader:
        with self._lock:
            if self._reader is None:
                self._reader = TextReader(self._model.path(TOKENIZER), text_tower_of(self._model))
            return self._reader


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
        raise WeightsMissing(_unmade(model, "its pictures"))
    return notes.preprocessing


def text_tower_of(model: ModelInUse) -> TextTower:
    """How a model wants its texts.

    Raises:
        WeightsMissing: nobody noted it: the model is yet to be made, or has no such notes.
    """
    notes = model.notes
    if notes is None or notes.text is None:
        raise WeightsMissing(_unmade(model, "its texts"))
    return notes.text


def _unmade(model: ModelInUse, what: str) -> str:
    name = model.entry.name
    return f"{name}: nothing says how it wants {what}; run `tagging models export {name}`, or choose another model"
