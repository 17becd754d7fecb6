import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from resources.conse import ConseOptions, ConseScorer
from resources.image_classifier import EfficientNetEncoder
from resources.text_encoder import MiniLmEncoder
from resources.weights import WeightsStore
from tagging_assets.domain.conse import unit_rows
from tagging_assets.domain.models import ModelCard, RgbImage, Vectors

LABELS = [
    *("cat", "dog", "bird", "coffee", "pizza", "rocket", "motorcycle", "bus", "flower", "temple", "beach"),
    *("mountain", "guitar", "book", "computer", "sofa"),
]


class HashEncoder:
    """Unit vectors out of the text's hash; tells what it was asked."""

    provider = "FakeExecutionProvider"

    def __init__(self, revision: str = "1") -> None:
        self.card = ModelCard("hash", revision, "none")
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        values = np.array([list(digest) for digest in digests], dtype=np.float32).reshape(-1, 32)
        return unit_rows(values - np.float32(127.5))


@pytest.fixture
def own_store(weights_store: WeightsStore, tmp_path: Path) -> WeightsStore:
    """A store of its own that has the classifier, so that derived files are this test's."""
    store = WeightsStore(cache_dir=tmp_path, offline=True)
    place = store.location("efficientnet-lite0")
    place.parent.mkdir(parents=True)
    place.symlink_to(weights_store.path("efficientnet-lite0"))
    return store


@pytest.fixture(scope="module")
def vectors(weights_store: WeightsStore, sample_images: dict[str, RgbImage]) -> dict[str, Vectors]:
    encoder = EfficientNetEncoder(weights_store)
    return {name: encoder.encode([image]) for name, image in sample_images.items()}


@pytest.fixture(scope="module")
def scorer(weights_store: WeightsStore) -> ConseScorer:
    return ConseScorer(weights_store, MiniLmEncoder(weights_store))


@pytest.mark.parametrize(
    ("photo", "label", "score"),
    [
        ("chelsea.png", "cat", 0.80),
        ("coffee.png", "coffee", 0.55),
        ("rocket.jpg", "rocket", 0.70),
        ("motorcycle_left.png", "motorcycle", 0.53),
        ("bus.jpg", "bus", 0.68),
        ("flower.jpg", "flower", 0.57),
        ("china.jpg", "temple", 0.48),
    ],
)
def test_first_choice_of_real_photos(
    scorer: ConseScorer, vectors: dict[str, Vectors], photo: str, label: str, score: float
) -> None:
    scores = scorer.score(vectors[photo], [[f"a photo of a {one}", one] for one in LABELS])[0]
    assert LABELS[int(scores.argmax())] == label
    assert scores.max() == pytest.approx(score, abs=5e-2)


def test_scores_are_the_same_in_any_company(scorer: ConseScorer, vectors: dict[str, Vectors]) -> None:
    prompts = [["a cat"], ["a rocket", "a missile"]]
    together = scorer.score(np.concatenate(list(vectors.values())), prompts)
    assert together.shape == (len(vectors), 2)
    alone = np.concatenate([scorer.score(one, prompts) for one in vectors.values()])
    assert np.array_equal(together, alone)


def test_a_label_without_prompts_scores_nothing(scorer: ConseScorer, vectors: dict[str, Vectors]) -> None:
    assert scorer.score(vectors["bus.jpg"], [[], ["a bus"]])[0, 0] == 0


@pytest.mark.parametrize(("images", "labels"), [(0, 3), (2, 0), (0, 0)])
def test_nothing_in_nothing_out_and_nothing_loaded(tmp_path: Path, images: int, labels: int) -> None:
    scorer = ConseScorer(WeightsStore(cache_dir=tmp_path, offline=True), HashEncoder())
    scores = scorer.score(np.zeros((images, 1280), dtype=np.float32), [["x"]] * labels)
    assert scores.shape == (images, labels)


def test_class_vectors_are_made_once(own_store: WeightsStore) -> None:
    one = np.ones((1, 1280), dtype=np.float32)
    first, second = HashEncoder(), HashEncoder()
    scores = ConseScorer(own_store, first).score(one, [["x"]])
    assert len(first.asked) == 1001
    assert np.array_equal(ConseScorer(own_store, second).score(one, [["x"]]), scores)
    assert second.asked == ["x"]


def test_class_vectors_of_another_encoder_or_template_are_made_anew(own_store: WeightsStore) -> None:
    one = np.ones((1, 1280), dtype=np.float32)
    ConseScorer(own_store, HashEncoder()).score(one, [["x"]])
    newer, other = HashEncoder("2"), HashEncoder()
    ConseScorer(own_store, newer).score(one, [["x"]])
    ConseScorer(own_store, other, ConseOptions(template="a {}")).score(one, [["x"]])
    assert len(newer.asked) == len(other.asked) == 1001
    assert "a tabby" in other.asked


def test_damaged_class_vectors_are_made_anew(own_store: WeightsStore) -> None:
    one = np.ones((1, 1280), dtype=np.float32)
    scores = ConseScorer(own_store, HashEncoder()).score(one, [["x"]])
    (kept,) = own_store.derived("conse-lite0-minilm", "any").parent.glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:100])
    assert np.array_equal(ConseScorer(own_store, HashEncoder()).score(one, [["x"]]), scores)


@pytest.mark.parametrize(
    "options",
    [
        ConseOptions(top_k=5),
        ConseOptions(temperature=2.0),
        ConseOptions(lemmas=0),
        ConseOptions(template="a photo of a {}"),
    ],
)
def test_every_knob_is_part_of_the_identity(weights_store: WeightsStore, options: ConseOptions) -> None:
    usual = ConseScorer(weights_store, HashEncoder()).card
    assert ConseScorer(weights_store, HashEncoder(), options).card != usual
    assert ConseScorer(weights_store, HashEncoder()).card == usual


def test_all_lemmas_of_a_class_may_speak(own_store: WeightsStore) -> None:
    encoder = HashEncoder()
    ConseScorer(own_store, encoder, ConseOptions(lemmas=0)).place(np.ones((1, 1280), dtype=np.float32))
    assert {"tabby", "tabby cat"} <= set(encoder.asked)


def test_own_texts_may_stand_for_the_classes(own_store: WeightsStore) -> None:
    encoder = HashEncoder()
    texts = [[f"class {i}", f"kind {i}"] for i in range(1000)]
    scorer = ConseScorer(own_store, encoder, class_texts=texts)
    assert scorer.card != ConseScorer(own_store, encoder).card
    scorer.place(np.ones((1, 1280), dtype=np.float32))
    assert set(encoder.asked) == {text for pair in texts for text in pair}
    with pytest.raises(ValueError, match="texts for 2 classes"):
        ConseScorer(own_store, encoder, class_texts=[["a"], ["b"]])
