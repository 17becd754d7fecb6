"""The two towers of CLIP and its relatives (SigLIP, OpenCLIP) on ONNX Runtime: pictures and texts in one space.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhai et al.,
"Sigmoid Loss for Language Image Pre-Training", ICCV 2023. What does not belong here: how vectors become scores
(``clip_scorer``), how texts become tokens (``clip_tokens``), and how the files are made (``export_open_clip``).
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from resources.clip_tokens import TextReader
from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.model_notes import TextTower
from resources.picture_model import NotedPictureModel, encoder_card, unnoted
from resources.self_testing import check_encoder
from tagging_assets.domain.conse import unit_rows
from tagging_assets.domain.models import ModelCard, RgbImage, Vectors

IMAGE, TEXT, TOKENIZER = "image", "text", "tokenizer"

EMBEDDING = "embedding"
#: What a card says of the texts: raise it where the same text would become other tokens.
_TEXT_VERSION = "clip-text/1"


class ClipEncoder(NotedPictureModel):
    """Implements ``ImageEncoder``: raw vectors of the image tower.

    On a CPU a picture's vector is the same to the last bit whatever other pictures there are.

    Args:
        model: with a file for the role ``image``, and notes that say how it wants its pictures.
        inference: in place of the model's own, for tests.
    """

    role = IMAGE

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return encoder_card(self._model)

    def encode(self, images: Sequence[RgbImage]) -> Vectors:
        """(n, d) float32 raw vectors; (0, d) for no images.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        return self._rows(images, EMBEDDING)

    def _check(self, inference: Inference) -> None:
        check_encoder(self._model.entry, lambda images: self._rows(images, EMBEDDING, inference))


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
        made = self._inference.run([reader.tokens(text, padded=fixed) for text in texts], (EMBEDDING,))
        return unit_rows(np.asarray(np.stack([vector for (vector,) in made]), dtype=np.float32))

    def _read(self) -> TextReader:
        with self._lock:
            if self._reader is None:
                self._reader = TextReader(self._model.path(TOKENIZER), text_tower_of(self._model))
            return self._reader


def text_tower_of(model: ModelInUse) -> TextTower:
    """How a model wants its texts.

    Raises:
        WeightsMissing: nobody noted it: the model is yet to be made, or has no such notes.
    """
    notes = model.notes
    if notes is None or notes.text is None:
        raise unnoted(model, "its texts")
    return notes.text
