"""The scorer with real weights on real photos."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from resources.image_classifier import EfficientNetEncoder
from resources.label_store import load_label_sets
from resources.relevance import RelevanceOptions, RelevanceScorer
from resources.text_encoder import MiniLmEncoder
from resources.weights import WeightsStore
from tagging_assets.domain.models import RgbImage, Vectors
from tagging_assets.domain.zero_shot import score_label_set, views


@pytest.fixture(scope="module")
def scorer(weights_store: WeightsStore) -> RelevanceScorer:
    return RelevanceScorer(weights_store, MiniLmEncoder(weights_store))


@pytest.fixture(scope="module")
def vectors(weights_store: WeightsStore, sample_images: dict[str, RgbImage]) -> dict[str, Vectors]:
    """Of all views of a few photos."""
    encoder = EfficientNetEncoder(weights_store)
    found = {}
    for name in ("chelsea.png", "coffee.png", "bus.jpg", "china.jpg", "rocket.jpg"):
        image = sample_images[name]
        boxes = [box for _, box in views(image.shape[1], image.shape[0])]
        found[name] = encoder.encode([image[int(y0) : int(y1), int(x0) : int(x1)] for x0, y0, x1, y1 in boxes])
    return found


@pytest.mark.parametrize(
    ("photo", "label_set", "expected"),
    [
        ("chelsea.png", "objects", "cat"),
        ("coffee.png", "objects", "cup"),
        ("bus.jpg", "objects", "bus"),
        ("rocket.jpg", "objects", "rocket"),
        ("china.jpg", "objects", "palace"),
        ("china.jpg", "setting", "outdoors"),
        ("bus.jpg", "scenes", "street"),
    ],
)
def test_best_label(
    scorer: RelevanceScorer, vectors: dict[str, Vectors], photo: str, label_set: str, expected: str
) -> None:
    chosen = load_label_sets()[label_set]
    scores = score_label_set(scorer, vectors[photo], chosen)
    best = int(scores.argmax())
    assert chosen.scored[best].name == expected
    assert scores[best] >= chosen.threshold_of(expected)


def test_any_vocabulary(scorer: RelevanceScorer, vectors: dict[str, Vectors]) -> None:
    # words no class has, and one that is near none
    scores = scorer.score(vectors["chelsea.png"], [["feline"], ["truck"], ["jurisprudence"], []]).mean(axis=0)
    assert scores[0] > 0.5 > scores[1]
    assert scores[2] == scores[3] == 0


def test_shapes(scorer: RelevanceScorer, vectors: dict[str, Vectors]) -> None:
    assert scorer.score(np.zeros((0, 1280), np.float32), [["cat"]]).shape == (0, 1)
    assert scorer.score(vectors["bus.jpg"], []).shape == (len(vectors["bus.jpg"]), 0)
    assert scorer.score(vectors["bus.jpg"], [[], []]).shape == (len(vectors["bus.jpg"]), 2)


def test_a_vector_scores_alike_in_any_company(scorer: RelevanceScorer, vectors: dict[str, Vectors]) -> None:
    together = scorer.score(vectors["china.jpg"], [["temple"], ["boat"]])
    for place, vector in enumerate(vectors["china.jpg"]):
        assert_array_equal(scorer.score(vector[None], [["temple"], ["boat"]])[0], together[place])


def test_what_is_remembered_of_one_photo_is_not_said_of_another(
    scorer: RelevanceScorer, vectors: dict[str, Vectors]
) -> None:
    labels = [["temple"], ["boat"]]
    first = scorer.score(vectors["china.jpg"], labels)
    changed = vectors["china.jpg"].copy()
    assert_array_equal(scorer.score(changed, labels), first)
    changed[:] = 0  # an array of the caller's, who may fill it with another photo's
    assert not np.array_equal(scorer.score(changed, labels), first)
    assert_array_equal(scorer.score(vectors["china.jpg"], labels), first)


def test_the_card_carries_every_knob(weights_store: WeightsStore) -> None:
    text = MiniLmEncoder(weights_store)
    card = RelevanceScorer(weights_store, text).card
    assert card.parameters["method"] == "relevance/1"
    assert card.parameters["template"] == "{}"
    assert card.parameters["same_most"] == 0.95
    warmer = RelevanceScorer(weights_store, text, RelevanceOptions(temperature=1.5)).card
    assert warmer.parameters != card.parameters


def test_text_vectors_are_read_again_from_disk(weights_store: WeightsStore, vectors: dict[str, Vectors]) -> None:
    folder = weights_store.derived("conse-lite0-minilm", "x").parent
    prompts = [["a word that no other test uses"], ["cat"]]
    before = set(folder.glob("text-vectors-*.npy"))
    first = RelevanceScorer(weights_store, MiniLmEncoder(weights_store)).score(vectors["bus.jpg"], prompts)
    added = set(folder.glob("text-vectors-*.npy")) - before
    again = RelevanceScorer(weights_store, MiniLmEncoder(weights_store)).score(vectors["bus.jpg"], prompts)
    assert_array_equal(first, again)
    for path in added:  # a file cut short is made again
        path.write_bytes(path.read_bytes()[:100])
    mended = RelevanceScorer(weights_store, MiniLmEncoder(weights_store)).score(vectors["bus.jpg"], prompts)
    assert_array_equal(first, mended)
    for path in added:
        path.unlink()
