"""MiniLM sentence embeddings on ONNX Runtime."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from resources.onnx_session import LazySession, OnnxOptions, Session, open_session
from resources.weights import WeightsStore
from tagging_assets.domain.conse import unit_rows
from tagging_assets.domain.models import Model, ModelCard, Vectors

ENTRY = "minilm-l6-int8"
DIMENSIONS = 384

_MODEL = "model.onnx"
_TOKENIZER = "tokenizer.json"
_MAX_TOKENS = 256
# int8 matrix products have no CUDA kernel: on a GPU each would travel back to the CPU.
_CPU_ONLY = OnnxOptions(provider="cpu", threads=1)


class TextEncoder(Model, Protocol):
    """Turns texts into unit vectors."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32 rows of length 1; (0, d) for no texts."""
        ...


class MiniLmEncoder:
    """all-MiniLM-L6-v2 of sentence-transformers in int8: 384 dimensions, English (Wang et al., NeurIPS 2020).

    Each text goes through the model alone, though batches would be quicker: this model is quantised dynamically,
    so a text's vector would depend on its neighbours (by up to 0.08). Vectors are kept for the process.
    """

    def __init__(
        self,
        store: WeightsStore,
        options: OnnxOptions = _CPU_ONLY,
        *,
        session: Session | None = None,
    ) -> None:
        self._store = store
        self._options = options
        self._lazy = LazySession(self._open, session)
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._vectors: dict[str, Vectors] = {}

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._store.card(ENTRY)

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._lazy.provider

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32 rows of length 1; (0, 384) for no texts. Beyond 256 tokens a text is cut.

        Raises:
            ModelError: the weights cannot be had, or the runtime fails.
        """
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        for text in dict.fromkeys(texts):
            if text not in self._vectors:
                self._vectors[text] = self._encode(text)
        return np.stack([self._vectors[text] for text in texts])

    def _encode(self, text: str) -> Vectors:
        encoding = self._tokens().encode(text)
        feeds = {
            "input_ids": np.array([encoding.ids], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        }
        states = self._lazy.get().run(feeds, ["last_hidden_state"])[0]
        return np.asarray(unit_rows(mean_pool(states, feeds["attention_mask"]))[0])

    def _tokens(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from tokenizers import Tokenizer

                tokenizer = Tokenizer.from_file(str(self._store.path(ENTRY, _TOKENIZER)))
                tokenizer.enable_truncation(_MAX_TOKENS)
                tokenizer.no_padding()
                self._tokenizer = tokenizer
            return self._tokenizer

    def _open(self) -> Session:
        path = self._store.path(ENTRY, _MODEL)
        return open_session(path, self._store.catalogue.entry(ENTRY).file(_MODEL).sha256, self._options)


def mean_pool(states: Vectors, mask: np.ndarray[Any, np.dtype[np.int64]]) -> Vectors:
    """Mean of the token vectors that the mask admits.

    Args:
        states: (n, tokens, d).
        mask: (n, tokens), 1 for a token, 0 for padding; a row of zeros gives a zero vector.

    Returns:
        (n, d) float32.
    """
    weights = mask[:, :, None].astype(np.float32)
    return np.asarray((states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0), dtype=np.float32)
