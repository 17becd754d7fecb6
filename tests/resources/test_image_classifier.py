from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from resources.image_classifier import (
    CATEGORY,
    EfficientNetEncoder,
    EfficientNetTagger,
    imagenet_labels,
    preprocess,
)
from resources.weights import WeightsStore
from tagging_assets.domain.errors import WeightsMissing
from tagging_assets.domain.models import RgbImage


class LogitsSession:
    """A session that gives chosen classes chosen logits, and counts its batches."""

    def __init__(self, logits: Mapping[int, float], provider: str = "CPUExecutionProvider") -> None:
        self.row = np.full(1000, -20.0, dtype=np.float32)
        for index, logit in logits.items():
            self.row[index] = logit
        self.provider = provider
        self.batches: list[int] = []
        self.inputs = {"images": ("n", 3, 224, 224)}

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        self.batches.append(len(feeds["images"]))
        width = {"logits": 1000, "embedding": 1280}[(outputs or [""])[0]]
        return [np.tile(self.row, (len(feeds["images"]), 2))[:, :width]]


@pytest.fixture
def nothing(tmp_path: Path) -> WeightsStore:
    """A store without weights or network."""
    return WeightsStore(cache_dir=tmp_path, offline=True)


@pytest.fixture(scope="module")
def encoder(weights_store: WeightsStore) -> EfficientNetEncoder:
    return EfficientNetEncoder(weights_store)


def plain(height: int, width: int, value: int = 0) -> RgbImage:
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    ("index", "lemmas"),
    [
        (0, ("tench", "Tinca tinca")),
        (134, ("crane",)),  # the bird
        (281, ("tabby", "tabby cat")),
        (517, ("crane",)),  # the machine
        (999, ("toilet tissue", "toilet paper", "bathroom tissue")),
    ],
)
def test_labels_are_in_the_order_of_the_logits(index: int, lemmas: tuple[str, ...]) -> None:
    assert imagenet_labels()[index] == lemmas


def test_there_are_a_thousand_labels_none_empty() -> None:
    assert len(imagenet_labels()) == 1000
    assert all(lemma for lemmas in imagenet_labels() for lemma in lemmas)


@pytest.mark.parametrize(
    ("height", "width"),
    [
        (256, 256),
        (480, 640),
        (640, 480),
        (1, 1),  # as small as can be
        (10, 4000),  # a panorama
    ],
)
def test_any_shape_becomes_the_networks_square(height: int, width: int) -> None:
    view = preprocess(plain(height, width, 255))
    assert view.shape == (3, 224, 224)
    assert view.dtype == np.float32
    assert view == pytest.approx(1.0)


def test_black_is_minus_one() -> None:
    assert preprocess(plain(300, 300)) == pytest.approx(-1.0)


def test_the_middle_is_seen_and_the_edge_is_not() -> None:
    photo = plain(256, 512)
    photo[:, :100] = 255  # left of the middle square
    assert preprocess(photo).max() == pytest.approx(-1.0)
    photo[:, 250:262] = 255
    assert preprocess(photo)[0, 112, 112] > 0.9


def test_channels_are_red_green_blue() -> None:
    photo = plain(300, 300)
    photo[..., 0] = 255
    assert preprocess(photo)[:, 0, 0] == pytest.approx([1.0, -1.0, -1.0])


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ({281: 5.0}, [("tabby", 1.0)]),
        ({0: 5.0, 1: 5.0}, [("tench", 0.5), ("goldfish", 0.5)]),  # a tie keeps the order
        ({134: 5.0, 517: 5.0 + np.log(3)}, [("crane", 0.75)]),  # two classes of one name
        ({0: 5.0, 1: 5.0 - np.log(24)}, [("tench", 0.96)]),  # 0.04 is below the floor
        (dict.fromkeys(range(1000), 0.0), []),  # no idea at all
    ],
)
def test_tags(nothing: WeightsStore, logits: dict[int, float], expected: list[tuple[str, float]]) -> None:
    (found,) = EfficientNetTagger(nothing, session=LogitsSession(logits)).tag([plain(9, 9)])
    assert [(score.label, score.score) for score in found] == [
        (label, pytest.approx(value, abs=1e-4)) for label, value in expected
    ]
    assert {score.category for score in found} <= {CATEGORY}


@pytest.mark.parametrize(
    ("provider", "batches"),
    [
        ("CPUExecutionProvider", [1] * 40),  # same bits whatever else is in the partition
        ("CUDAExecutionProvider", [32, 8]),
    ],
)
def test_batches_depend_on_the_provider(nothing: WeightsStore, provider: str, batches: list[int]) -> None:
    session = LogitsSession({}, provider)
    assert EfficientNetEncoder(nothing, session=session).encode([plain(2, 2)] * 40).shape == (40, 1280)
    assert session.batches == batches


def test_nothing_is_loaded_before_the_first_image(nothing: WeightsStore) -> None:
    encoder, tagger = EfficientNetEncoder(nothing), EfficientNetTagger(nothing)
    assert encoder.card.name == tagger.card.name == "efficientnet-lite0"
    assert tagger.card.parameters == {"score_floor": 0.05}
    assert encoder.encode([]).shape == (0, 1280)
    assert tagger.tag([]) == []
    assert encoder.provider == tagger.provider == "not loaded"
    with pytest.raises(WeightsMissing, match="tagging models pull"):
        encoder.encode([plain(9, 9)])


@pytest.mark.parametrize(
    ("photo", "label", "score"),
    [
        ("chelsea.png", "tiger cat", 0.38),
        ("coffee.png", "espresso", 0.95),
        ("rocket.jpg", "missile", 0.30),
        ("motorcycle_left.png", "moped", 0.47),
        ("bus.jpg", "minibus", 0.62),
        ("flower.jpg", "daisy", 0.37),
        ("china.jpg", "palace", 0.32),
    ],
)
def test_first_tags_of_real_photos(
    weights_store: WeightsStore, sample_images: dict[str, RgbImage], photo: str, label: str, score: float
) -> None:
    (found,) = EfficientNetTagger(weights_store).tag([sample_images[photo]])
    assert found[0].label == label
    assert found[0].score == pytest.approx(score, abs=2e-2)
    assert all(0.05 <= one.score <= 1 for one in found)


def test_vectors_are_the_same_in_any_company(encoder: EfficientNetEncoder, sample_images: dict[str, RgbImage]) -> None:
    photos = [sample_images["bus.jpg"], sample_images["rocket.jpg"], sample_images["coffee.png"]]
    together = encoder.encode(photos)
    assert together.dtype == np.float32
    assert together[1:2] == pytest.approx(encoder.encode(photos[1:2]), abs=1e-4)
    if encoder.provider.startswith("CPU"):
        assert np.array_equal(together[1:2], encoder.encode(photos[1:2]))


def test_the_derived_network_is_kept_beside_the_checkpoint(
    encoder: EfficientNetEncoder, weights_store: WeightsStore
) -> None:
    encoder.encode([plain(9, 9)])
    folder = weights_store.derived("efficientnet-lite0", "any").parent
    assert [path.name for path in folder.glob("*.onnx")] == ["efficientnet-lite0-builder1.onnx"]
