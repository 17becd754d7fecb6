"""Zero-shot scores from EfficientNet vectors and MiniLM text; the method is in ``domain/zero_shot``.

What does not belong here: plain ConSE, which this is measured against (``conse``).
"""

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from resources.conse import ENTRY
from resources.efficientnet import load_head
from resources.files import write_output
from resources.image_classifier import ENTRY as CLASSIFIER
from resources.image_classifier import imagenet_labels
from resources.text_encoder import TextEncoder
from resources.weights import WeightsStore
from tagging_assets.domain.conse import softmax
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.models import ModelCard, Vectors
from tagging_assets.domain.zero_shot import Relevance, class_relevance, score_relevant

#: Changes whenever the same vectors and texts would score otherwise.
METHOD = "relevance/1"

#: Relevance matrices kept: one per label set and its contexts.
_KEPT = 32

Prompts = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RelevanceOptions:
    """Knobs of the method; all are part of the model card.

    Attributes:
        relevance: how near the texts of a class and a label must be.
        temperature: of the classifier's softmax; above 1 spreads an image over more classes.
        template: what class names and labels are put into before they are compared. The bare name is best: what a
            template adds to both makes everything look alike.
        context_weight: how much contexts count against the label's own names, 0 to 1.
    """

    relevance: Relevance = field(default_factory=Relevance)
    temperature: float = 1.0
    template: str = "{}"
    context_weight: float = 0.8


class RelevanceScorer:
    """Implements ``ZeroShotScorer`` for raw vectors of ``EfficientNetEncoder``.

    Args:
        store: has the classifier's head, and keeps text vectors on disk, since encoding them takes seconds.
        text_encoder: makes vectors of class names and prompts.
        options: knobs of the method.
    """

    def __init__(
        self, store: WeightsStore, text_encoder: TextEncoder, options: RelevanceOptions = RelevanceOptions()
    ) -> None:
        self._store = store
        self._text = text_encoder
        self._options = options
        self._lock = threading.Lock()
        self._head: tuple[Vectors, Vectors] | None = None
        self._classes: Vectors | None = None
        self._matrices: OrderedDict[Prompts, Vectors] = OrderedDict()
        # By thread: a photo's vectors are scored against one label set after the other.
        self._last = threading.local()

    @cached_property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights; asked for with every label set of every photo."""
        knobs = {name: value for name, value in asdict(self._options).items() if name != "relevance"}
        return self._store.card(ENTRY, {"method": METHOD, **knobs, **asdict(self._options.relevance)})

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
        """Raw scores of image vectors for each label's prompts; the prompt that fits best counts.

        Args:
            vectors: (n, 1280) raw vectors.
            prompts: per label its texts, in this scorer's ``template``.
            exclusive: changes nothing, since each label is judged alone; likewise ``neutral``.
            neutral: see there.

        Returns:
            (n, len(prompts)) float32 in [0, 1]; a label without prompts, or near no class, scores 0.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not len(vectors) or not prompts:
            return np.zeros((len(vectors), len(prompts)), dtype=np.float32)
        matrix = self._matrix(tuple(tuple(group) for group in prompts))
        return score_relevant(self._probabilities(vectors), matrix, self._options.relevance)

    def _probabilities(self, vectors: Vectors) -> Vectors:
        """Of the classes, (n, 1000); the last vectors' are remembered, as they cost more than all the rest."""
        last: tuple[Vectors, Vectors] | None = getattr(self._last, "made", None)
        if last is not None and np.array_equal(last[0], vectors):
            return last[1]
        made = self._classified(vectors)
        self._last.made = (vectors.copy(), made)
        return made

    def _classified(self, vectors: Vectors) -> Vectors:
        with self._lock:
            if self._head is None:
                self._head = load_head(self._store.path(CLASSIFIER))
            weights, bias = self._head
        # one by one, since the last bits of a matrix product depend on how many rows it has
        logits = np.stack([vector @ weights + bias for vector in vectors])
        return softmax(logits, self._options.temperature)

    def _matrix(self, prompts: Prompts) -> Vectors:
        with self._lock:
            if prompts not in self._matrices:
                self._matrices[prompts] = class_relevance(
                    self._class_vectors(), self._prompt_vectors(prompts), self._options.relevance
                )
            self._matrices.move_to_end(prompts)
            while len(self._matrices) > _KEPT:
                self._matrices.popitem(last=False)
            return self._matrices[prompts]

    def _class_vectors(self) -> Vectors:
        """Of the usual name of each class: the other lemmas are rarer words, and blur it."""
        if self._classes is None:
            self._classes = self._vectors([self._options.template.format(names[0]) for names in imagenet_labels()])
        return self._classes

    def _prompt_vectors(self, prompts: Prompts) -> list[Vectors]:
        texts = sorted({text for group in prompts for text in group})
        row = {text: place for place, text in enumerate(texts)}
        vectors = self._vectors(texts)
        return [vectors[[row[text] for text in group]] for group in prompts]

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        """Text vectors, from disk if these texts were encoded together before."""
        if not texts:
            return self._text.encode(texts)
        card = self._text.card
        identity = content_hash([list(texts), card.revision, card.preprocessing, dict(card.parameters)])
        path = self._store.derived(ENTRY, f"text-vectors-{identity[:16]}.npy")
        try:
            found = np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        except (OSError, ValueError, EOFError):  # none there, or cut short: it is derived, so it is made again
            found = np.zeros((0, 0), dtype=np.float32)
        if len(found) == len(texts):
            return found
        vectors = self._text.encode(texts)
        buffer = io.BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        # A cache that cannot be written costs time, and no answer.
        with suppress(OSError):
            write_output(path, buffer.getvalue())
        return vectors
