"""Zero-shot scores from EfficientNet vectors and MiniLM text; the method is in ``domain/conse``."""

import hashlib
import io
import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from resources.efficientnet import load_head
from resources.files import write_output
from resources.image_classifier import ENTRY as CLASSIFIER
from resources.image_classifier import imagenet_labels
from resources.text_encoder import TextEncoder
from resources.weights import WeightsStore
from tagging_assets.domain.conse import cosine_scores, ensemble_means, softmax, synthesise
from tagging_assets.domain.models import ModelCard, Vectors

ENTRY = "conse-lite0-minilm"


@dataclass(frozen=True, slots=True)
class ConseOptions:
    """Knobs of the method; all are part of the model card.

    Attributes:
        top_k: classes that an image is combined of.
        temperature: of the classifier's softmax; above 1 spreads an image over more classes.
        lemmas: WordNet lemmas of a class that its text vector is the mean of; 0 for all.
        template: what a lemma is put into before it is encoded.
    """

    top_k: int = 10
    temperature: float = 1.0
    lemmas: int = 1
    template: str = "{}"


class ConseScorer:
    """Implements ``ZeroShotScorer`` for raw vectors of ``EfficientNetEncoder``.

    Args:
        store: has the classifier's head, and keeps the classes' text vectors.
        text_encoder: makes vectors of prompts and classes.
        options: knobs of the method.
        class_texts: per ImageNet class the texts its vector is the mean of, in place of its WordNet lemmas;
            ``options.lemmas`` and ``options.template`` do not apply to them.

    Raises:
        ValueError: there are not as many ``class_texts`` as classes.
    """

    def __init__(
        self,
        store: WeightsStore,
        text_encoder: TextEncoder,
        options: ConseOptions = ConseOptions(),
        *,
        class_texts: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self._store = store
        self._text = text_encoder
        self._options = options
        if class_texts is not None and len(class_texts) != len(imagenet_labels()):
            raise ValueError(f"texts for {len(class_texts)} classes, but there are {len(imagenet_labels())}")
        self._own_texts = class_texts
        self._lock = threading.Lock()
        self._loaded: tuple[Vectors, Vectors, Vectors] | None = None

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._store.card(ENTRY, {**asdict(self._options), "classes": _hash(self._class_texts())[:12]})

    @property
    def provider(self) -> str:
        """Execution provider of the text encoder, or ``not loaded``; the rest is NumPy."""
        return self._text.provider

    def score(
        self,
        vectors: Vectors,
        prompts: Sequence[Sequence[str]],
        *,
        exclusive: bool = False,
        neutral: Sequence[str] = (),
    ) -> Vectors:
        """(n, len(prompts)) cosines in [-1, 1] of raw image vectors (n, 1280) with each label's prompt ensemble.

        A label without prompts scores 0; each is judged alone, whether ``exclusive`` or not. Images are scored one by
        one, since the last bits of a matrix product depend on how many rows it has.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not len(vectors) or not prompts:
            return np.zeros((len(vectors), len(prompts)), dtype=np.float32)
        labels = ensemble_means(
            self._text.encode([text for group in prompts for text in group]), [len(group) for group in prompts]
        )
        return np.concatenate([cosine_scores(self.place(vectors[i : i + 1]), labels) for i in range(len(vectors))])

    def place(self, vectors: Vectors) -> Vectors:
        """Raw image vectors (n, 1280) as unit vectors (n, 384) in the text encoder's space."""
        weights, bias, classes = self._load()
        probabilities = softmax(vectors @ weights + bias, self._options.temperature)
        return synthesise(probabilities, classes, self._options.top_k)

    def _load(self) -> tuple[Vectors, Vectors, Vectors]:
        with self._lock:
            if self._loaded is None:
                weights, bias = load_head(self._store.path(CLASSIFIER))
                self._loaded = (weights, bias, self._class_vectors())
            return self._loaded

    def _class_texts(self) -> list[list[str]]:
        if self._own_texts is not None:
            return [list(texts) for texts in self._own_texts]
        count = self._options.lemmas or None
        return [[self._options.template.format(name) for name in names[:count]] for names in imagenet_labels()]

    def _class_vectors(self) -> Vectors:
        """Text vectors of the classes, from disk if they were made before: encoding them takes seconds."""
        texts = self._class_texts()
        card = self._text.card
        identity = _hash([texts, card.revision, card.preprocessing, dict(card.parameters)])
        path = self._store.derived(ENTRY, f"class-vectors-{identity[:12]}.npy")
        found = _read_array(path)
        if found is not None and len(found) == len(texts):
            return found
        vectors = ensemble_means(
            self._text.encode([text for group in texts for text in group]), [len(group) for group in texts]
        )
        buffer = io.BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        # A cache that cannot be written costs time, and no answer.
        with suppress(OSError):
            write_output(path, buffer.getvalue())
        return vectors


def _read_array(path: Path) -> Vectors | None:
    """The array, or ``None`` where there is none or it cannot be read: it is derived, so it can be made again."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except (OSError, ValueError, EOFError):
        return None


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
