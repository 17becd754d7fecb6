"""Zero-shot scores from the two towers of one model; the method is in ``domain/text_likeness``."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from resources.clip import text_tower_of
from resources.model_in_use import ModelInUse
from resources.model_notes import TextTower
from resources.text_encoder import TextEncoder
from tagging_assets.domain.conse import ensemble_means, unit_rows
from tagging_assets.domain.models import ModelCard, Vectors
from tagging_assets.domain.text_likeness import NEUTRAL, against_neutral, among_labels, sigmoid_scores

#: Changes whenever the same vectors and texts would score otherwise.
METHOD = "text-likeness/1"

#: Knob that divides the model's own scale of cosines; above 1 scores are less sure of themselves.
TEMPERATURE = "temperature"

#: Matrices of label vectors kept: one per label set, and one per vocabulary.
_KEPT = 32

Prompts = tuple[tuple[str, ...], ...]


class ClipScorer:
    """Implements ``ZeroShotScorer`` for raw vectors of ``ClipEncoder``.

    A label is the mean direction of the unit vectors of its prompts (Radford et al., ICML 2021, section 3.1.4).

    Args:
        model: the one whose image tower made the vectors.
        texts: its text tower, or what keeps that one's vectors.
    """

    def __init__(self, model: ModelInUse, texts: TextEncoder) -> None:
        self._model = model
        self._texts = texts
        self._lock = threading.Lock()
        self._matrices: OrderedDict[Prompts, Vectors] = OrderedDict()
        self._known: ModelCard | None = None

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        if self._known is None:
            card = self._model.card()
            parameters = {**card.parameters, "method": METHOD}
            told = ModelCard(card.name, card.revision, self._texts.card.preprocessing, parameters)
            if self._model.notes is None:
                # What is made later has another revision.
                return told
            self._known = told
        return self._known

    @property
    def provider(self) -> str:
        """Execution provider of the text tower, or ``not loaded``; the rest is NumPy."""
        return self._texts.provider

    def score(
        self,
        vectors: Vectors,
        prompts: Sequence[Sequence[str]],
        *,
        exclusive: bool = False,
        neutral: Sequence[str] = NEUTRAL,
    ) -> Vectors:
        """Raw scores of image vectors for each label's prompt ensemble.

        Args:
            vectors: (n, d) raw vectors.
            prompts: per label its texts.
            exclusive: whether at most one label is true of a picture. A sigmoid model judges each alone anyway.
            neutral: what a picture of nothing in particular reads like; a sigmoid model needs none.

        Returns:
            (n, len(prompts)) float32 in [0, 1]; a label without prompts scores 0. The same bits for a row whatever
            other rows there are.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not len(vectors) or not any(prompts):
            return np.zeros((len(vectors), len(prompts)), dtype=np.float32)
        tower = self._tower
        labels = self._matrix((*(tuple(group) for group in prompts), tuple(neutral or NEUTRAL)))
        # One by one, since the last bits of a matrix product depend on how many rows it has.
        cosines = np.stack([labels @ vector for vector in unit_rows(vectors)])
        wanted = [place for place, group in enumerate(prompts) if group]
        scores = np.zeros((len(vectors), len(prompts)), dtype=np.float32)
        scale = tower.logit_scale / float(self._model.knobs.get(TEMPERATURE, 1.0))
        if tower.activation == "sigmoid":
            scores[:, wanted] = sigmoid_scores(cosines[:, wanted], scale, tower.logit_bias)
        else:
            weigh = among_labels if exclusive else against_neutral
            scores[:, wanted] = weigh(cosines[:, wanted], cosines[:, -1], scale)
        return scores

    @cached_property
    def _tower(self) -> TextTower:
        return text_tower_of(self._model)

    def _matrix(self, prompts: Prompts) -> Vectors:
        """(labels, d) unit rows, zeros for a label without prompts."""
        with self._lock:
            if prompts not in self._matrices:
                vectors = self._texts.encode([text for group in prompts for text in group])
                self._matrices[prompts] = ensemble_means(vectors, [len(group) for group in prompts])
            self._matrices.move_to_end(prompts)
            while len(self._matrices) > _KEPT:
                self._matrices.popitem(last=False)
            return self._matrices[prompts]
