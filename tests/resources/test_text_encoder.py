from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from resources.onnx_session import Session
from resources.text_encoder import MiniLmEncoder, mean_pool
from resources.weights import WeightsStore
from tagging_assets.domain.errors import WeightsMissing


class CountingSession:
    """Passes on to a real session, and keeps the number of tokens of each run."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tokens: list[int] = []

    @property
    def provider(self) -> str:
        return self.session.provider

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        self.tokens.append(feeds["input_ids"].size)
        return self.session.run(feeds, outputs)


@pytest.fixture(scope="module")
def encoder(weights_store: WeightsStore) -> MiniLmEncoder:
    return MiniLmEncoder(weights_store)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([1, 1], [2.0, 3.0]),  # the mean of both
        ([1, 0], [1.0, 2.0]),  # padding does not count
        ([0, 0], [0.0, 0.0]),  # nothing at all
    ],
)
def test_mean_pool(mask: list[int], expected: list[float]) -> None:
    states = np.array([[[1.0, 2.0], [3.0, 4.0]]], dtype=np.float32)
    assert mean_pool(states, np.array([mask]))[0].tolist() == expected


def test_vectors_have_length_one(encoder: MiniLmEncoder) -> None:
    vectors = encoder.encode(["a photo of a cat", "", "Grüße, 東京 🚀"])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert encoder.provider == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("anchor", "near", "far"),
    [
        ("tabby cat", "a photo of a cat", "a photo of a rocket"),
        ("espresso", "a cup of coffee", "a mountain lake"),
        ("motor scooter", "motorcycle", "flower"),
    ],
)
def test_like_meanings_lie_together(encoder: MiniLmEncoder, anchor: str, near: str, far: str) -> None:
    vectors = encoder.encode([anchor, near, far])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_a_text_is_the_same_in_any_company(weights_store: WeightsStore) -> None:
    together = MiniLmEncoder(weights_store).encode(["a cat", "a much longer text about a dog in the park"])
    alone = MiniLmEncoder(weights_store).encode(["a cat"])
    assert np.array_equal(together[:1], alone)


def test_texts_are_encoded_once_and_cut_at_256_tokens(weights_store: WeightsStore) -> None:
    opened = MiniLmEncoder(weights_store)._open()
    session = CountingSession(opened)
    encoder = MiniLmEncoder(weights_store, session=session)
    first = encoder.encode(["word " * 1000, "cat", "cat"])
    assert session.tokens == [256, 3]
    assert np.array_equal(encoder.encode(["cat", "word " * 1000])[[1, 0]], first[:2])
    assert session.tokens == [256, 3]


def test_nothing_is_loaded_before_the_first_text(tmp_path: Path) -> None:
    encoder = MiniLmEncoder(WeightsStore(cache_dir=tmp_path, offline=True))
    assert encoder.card.name == "minilm-l6-int8"
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.provider == "not loaded"
    with pytest.raises(WeightsMissing, match="tagging models pull"):
        encoder.encode(["cat"])
