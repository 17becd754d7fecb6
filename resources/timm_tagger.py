"""timm's classifiers on ONNX Runtime: as taggers of their own classes, and as image encoders."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from resources.inference import Inference
from resources.picture_model import NotedPictureModel, encoder_card
from resources.self_testing import check_encoder, check_tagger
from tagging_assets.domain.conse import softmax
from tagging_assets.domain.errors import WeightsCorrupt
from tagging_assets.domain.models import LabelScore, ModelCard, RgbImage, Vectors
from tagging_assets.domain.text_likeness import sigmoid_scores

CATEGORY = "object"

#: Knob: scores below are not told. Of a thousand classes most have next to nothing.
SCORE_FLOOR = "score_floor"
_USUAL_FLOOR = 0.05


class TimmTagger(NotedPictureModel):
    """Implements ``Tagger``: the classes by their first name, with raw scores.

    Args:
        model: with a file for the role ``model``, whose notes name the classes.
        inference: in place of the model's own, for tests.
    """

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        card = super().card
        return replace(card, parameters={**card.parameters, SCORE_FLOOR: self._floor})

    def tag(self, images: Sequence[RgbImage]) -> list[list[LabelScore]]:
        """Per image the classes from the floor on, best first: a softmax, or a sigmoid where classes are not exclusive.

        Where two classes bear one name, the higher score stands for both.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        return self._tag(images) if images else []

    @property
    def _floor(self) -> float:
        return float(self._model.knobs.get(SCORE_FLOOR, _USUAL_FLOOR))

    def _tag(self, images: Sequence[RgbImage], inference: Inference | None = None) -> list[list[LabelScore]]:
        logits = self._rows(images, "logits", inference)
        if len(self._classes) != logits.shape[1]:
            raise WeightsCorrupt(
                f"{self._model.entry.name} has {logits.shape[1]} classes and names for {len(self._classes)}; "
                "export it again"
            )
        scores = sigmoid_scores(logits, 1.0, 0.0) if self._judges_alone else softmax(logits)
        return [_above(row, self._classes, self._floor) for row in scores]

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        """The first name of each: ImageNet's are lists of synonyms."""
        notes = self._model.notes
        return tuple(name.split(",")[0].strip() for name in notes.names) if notes else ()

    @cached_property
    def _judges_alone(self) -> bool:
        notes = self._model.notes
        return notes is not None and notes.options.get("activation") == "sigmoid"

    def _check(self, inference: Inference) -> None:
        check_tagger(self._model.entry, lambda images: self._tag(images, inference))


class TimmEncoder(NotedPictureModel):
    """Implements ``ImageEncoder``: raw pooled features, what the classifier's last layer sees.

    Args:
        model: with a file for the role ``model`` that gives an ``embedding``.
        inference: in place of the model's own, for tests.
    """

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return encoder_card(self._model)

    def encode(self, images: Sequence[RgbImage]) -> Vectors:
        """(n, d) float32 raw vectors; (0, d) for no images.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        return self._rows(images, "embedding")

    def _check(self, inference: Inference) -> None:
        check_encoder(self._model.entry, lambda images: self._rows(images, "embedding", inference))


def _above(scores: Vectors, names: Sequence[str], floor: float) -> list[LabelScore]:
    best: dict[str, float] = {}
    for place in np.argsort(-scores, kind="stable"):
        if scores[place] < floor:
            break
        best.setdefault(names[place], float(scores[place]))
    return [LabelScore(name, CATEGORY, score) for name, score in best.items()]
