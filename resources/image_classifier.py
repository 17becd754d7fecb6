"""EfficientNet-Lite0 as image encoder and as tagger of ImageNet's 1,000 classes.

What does not belong here: how the network is made from its checkpoint; see ``efficientnet``.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from resources.efficientnet import BUILDER_VERSION, EMBEDDING_SIZE, INPUT_SIZE, build_onnx
from resources.inference import Inference
from resources.onnx_session import DEFAULT_OPTIONS, OnnxOptions, Session, open_session
from resources.tuning import Tuning
from resources.weights import WeightsStore
from tagging_assets.domain.conse import softmax
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.models import LabelScore, ModelCard, RgbImage, Vectors

ENTRY = "efficientnet-lite0"

#: Scores below say nothing: 1,000 classes share what is left.
SCORE_FLOOR = 0.05
CATEGORY = "object"

_LABELS = Path(__file__).with_name("imagenet_labels.txt")
_CROP_FRACTION = 0.875
_RESIZED = int(INPUT_SIZE / _CROP_FRACTION)


@functools.cache
def imagenet_labels() -> tuple[tuple[str, ...], ...]:
    """Per ImageNet class, in the order of the logits, its WordNet lemmas, the usual one first."""
    lines = _LABELS.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(lemma.strip() for lemma in line.split(",")) for line in lines)


def preprocess(image: RgbImage) -> Vectors:
    """The network's view of an image: short side to 256 pixels, bicubic, the middle 224 square, in [-1, 1].

    Args:
        image: upright sRGB (h, w, 3) uint8.

    Returns:
        (3, 224, 224) float32.
    """
    height, width = image.shape[:2]
    scale = _RESIZED / min(height, width)
    size = (max(round(width * scale), _RESIZED), max(round(height * scale), _RESIZED))
    left, top = ((edge - INPUT_SIZE) // 2 for edge in size)
    resized = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    square = np.asarray(resized.crop((left, top, left + INPUT_SIZE, top + INPUT_SIZE)), dtype=np.float32)
    return np.ascontiguousarray((square / 127.5 - 1.0).transpose(2, 0, 1))


class _Lite0:
    """What encoder and tagger share: a lazy session, and images through it."""

    def __init__(
        self, store: WeightsStore, options: OnnxOptions = DEFAULT_OPTIONS, *, session: Session | None = None
    ) -> None:
        self._store = store
        self._options = options
        self._inference = Inference(self._open if session is None else lambda: session, batch=options.batch)

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._store.card(ENTRY, self._parameters())

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._inference.provider

    def _parameters(self) -> Mapping[str, float | int | str | bool]:
        return {}

    def _open(self) -> Session:
        checkpoint = self._store.path(ENTRY)
        name = f"efficientnet-lite0-builder{BUILDER_VERSION}.onnx"
        path = build_onnx(checkpoint, self._store.derived(ENTRY, name))
        # Of what it was made from; whoever makes it otherwise makes it under another name.
        made_from = content_hash([self._store.catalogue.revision(ENTRY), BUILDER_VERSION])
        return open_session(path, made_from, Tuning(self._store.cache_dir).applied(self._options, made_from))

    def prepare(self, image: RgbImage) -> Vectors:
        """One picture's input: see :func:`preprocess`."""
        return preprocess(image)

    def _run(self, images: Sequence[RgbImage], output: str) -> list[Vectors]:
        """The named output of each image."""
        return [row for (row,) in self._inference.run([preprocess(image) for image in images], [output])]


class EfficientNetEncoder(_Lite0):
    """Implements ``ImageEncoder``: raw pooled features of 1280 dimensions."""

    def encode(self, images: Sequence[RgbImage]) -> Vectors:
        """(n, 1280) float32 raw vectors; (0, 1280) for no images.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not images:
            return np.zeros((0, EMBEDDING_SIZE), dtype=np.float32)
        return np.stack(self._run(images, "embedding"))


class EfficientNetTagger(_Lite0):
    """Implements ``Tagger``: ImageNet's classes by their usual name, with raw softmax scores."""

    def _parameters(self) -> Mapping[str, float | int | str | bool]:
        return {"score_floor": SCORE_FLOOR}

    def tag(self, images: Sequence[RgbImage]) -> list[list[LabelScore]]:
        """Per image the classes above the floor, best first.

        Two classes may bear one name (``crane``, the bird and the machine); the higher score stands for both.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        return [_above_floor(softmax(row[np.newaxis])[0]) for row in self._run(images, "logits")]


def _above_floor(scores: Vectors) -> list[LabelScore]:
    best: dict[str, float] = {}
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] < SCORE_FLOOR:
            break
        best.setdefault(imagenet_labels()[index][0], float(scores[index]))
    return [LabelScore(label, CATEGORY, score) for label, score in best.items()]
