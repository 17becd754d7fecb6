"""Fakes and real adapters keep the same promises."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from resources.database import Database
from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.landmarker import MediaPipeLandmarker
from resources.model_in_use import ModelInUse
from resources.relevance import RelevanceScorer
from resources.text_encoder import MiniLmEncoder
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.chat import ChatModel, ChatReply
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import (
    Detector,
    ImageEncoder,
    Landmarker,
    Model,
    RgbImage,
    Tagger,
    ZeroShotScorer,
)
from tagging_assets.domain.reply_forms import TagsForm
from tests.chat_desk import CAT, PROMPT, clear, desk
from tests.fakes import FakeChat, FakeDetector, FakeEncoder, FakeLandmarker, FakeScorer, FakeTagger
from tests.llm_stub import says

FAKE_AND_REAL = pytest.mark.parametrize("real", [False, True], ids=["fake", "real"])
MIDDLE = (0.1, 0.1, 0.4, 0.9)

Closing = Callable[..., object]


@pytest.fixture
def photos(sample_images: dict[str, RgbImage]) -> list[RgbImage]:
    """People, a cat, and a strip of one pixel's height."""
    return [sample_images["bus.jpg"], sample_images["chelsea.png"], sample_images["bus.jpg"][:1]]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def check_identity(model: Model) -> None:
    card = model.card
    assert card == model.card
    assert card.name
    assert card.revision
    assert card.preprocessing
    assert model.provider == "not loaded", "knowing what it is loads nothing"


@FAKE_AND_REAL
def test_detectors(photos: list[RgbImage], weights_store: WeightsStore, real: bool) -> None:
    detector: Detector = FakeDetector((0.3, MIDDLE), (0.9, MIDDLE))
    if real:
        detector = YoloDetector(ModelInUse(weights_store, weights_store.catalogue.entry("person-yolov8s")))
    check_identity(detector)
    assert detector.detect([]) == []
    found = detector.detect(photos)
    assert len(found) == len(photos)
    assert found[0], "there are people on the bus photo"
    for image, boxes in zip(photos[:2], found, strict=False):
        scores = [box.score for box in boxes]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= value <= 1 for value in scores)
        height, width = image.shape[:2]
        assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in (b.box_xyxy for b in boxes))
    assert detector.detect(photos[1:2]) == found[1:2], "an answer does not depend on its neighbours"
    assert detector.provider.endswith("ExecutionProvider")


@FAKE_AND_REAL
def test_landmarkers(photos: list[RgbImage], weights_store: WeightsStore, stack: ExitStack, real: bool) -> None:
    landmarker: Landmarker = FakeLandmarker()
    if real:
        landmarker = stack.enter_context(MediaPipeLandmarker.from_weights(weights_store))
    check_identity(landmarker)
    person = photos[0][395:905, 48:245]
    seen = landmarker.landmarks(person)
    assert seen.pose is not None
    assert (seen.pose.shape, seen.pose.dtype) == ((33, 5), np.float32)
    assert np.all((seen.pose[:, 3:] >= 0) & (seen.pose[:, 3:] <= 1))
    assert seen.mask is not None
    assert (seen.mask.ndim, seen.mask.dtype) == (2, np.uint8)
    assert seen.face is None or (seen.face.shape, seen.face.dtype) == ((478, 3), np.float32)
    assert landmarker.provider != "not loaded"


@FAKE_AND_REAL
def test_encoders(photos: list[RgbImage], weights_store: WeightsStore, real: bool) -> None:
    encoder: ImageEncoder = EfficientNetEncoder(weights_store) if real else FakeEncoder()
    check_identity(encoder)
    vectors = encoder.encode(photos)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(photos)
    assert encoder.encode([]).shape == (0, vectors.shape[1])
    np.testing.assert_array_equal(encoder.encode(photos[1:2])[0], vectors[1])
    assert np.linalg.norm(vectors, axis=1).min() > 0
    assert not np.array_equal(vectors[0], vectors[1])


@FAKE_AND_REAL
def test_taggers(photos: list[RgbImage], weights_store: WeightsStore, real: bool) -> None:
    tagger: Tagger = EfficientNetTagger(weights_store) if real else FakeTagger({"cat": 0.2, "bus": 0.8})
    check_identity(tagger)
    assert tagger.tag([]) == []
    found = tagger.tag(photos)
    assert len(found) == len(photos)
    for scores in found:
        values = [one.score for one in scores]
        assert values == sorted(values, reverse=True)
        assert all(0.05 <= value <= 1 for value in values)
        assert len({one.label for one in scores}) == len(scores), "a label once"
        assert all(one.category for one in scores)


@FAKE_AND_REAL
def test_scorers(photos: list[RgbImage], weights_store: WeightsStore, real: bool) -> None:
    encoder: ImageEncoder = EfficientNetEncoder(weights_store) if real else FakeEncoder()
    scorer: ZeroShotScorer = FakeScorer({"cat": 0.9})
    if real:
        scorer = RelevanceScorer(weights_store, MiniLmEncoder(weights_store))
    check_identity(scorer)
    vectors = encoder.encode(photos)
    prompts = [["a photo of a cat", "a photo of a kitten"], ["a photo of a submarine"], []]
    scores = scorer.score(vectors, prompts)
    assert (scores.shape, scores.dtype) == ((len(photos), 3), np.float32)
    assert np.all((scores >= -1) & (scores <= 1))
    assert scores[1, 0] > scores[1, 1], "chelsea is a cat"
    assert np.all(scores[:, 2] == 0), "no prompts, no score"
    assert scorer.score(vectors[:0], prompts).shape == (0, 3)
    np.testing.assert_array_equal(scorer.score(vectors[1:2], prompts)[0], scores[1])


@FAKE_AND_REAL
def test_chat_models(database: Database, stack: ExitStack, real: bool) -> None:
    chat: ChatModel = FakeChat(says={"tags": ["cat"]})
    if real:
        clear(database)
        chat = stack.enter_context(desk(database, says(CAT))).engine
    check_identity(chat)

    def ask(*allowed: str, repeat: int = 0) -> ChatReply:
        values = {"tags": [("cat", 0.8)], "caption": "At home", "name": "a.jpg", "allowed": allowed, "max_tags": 2}
        return chat.ask(PROMPT, values, TagsForm(allowed, 2), repeat=repeat)

    reply = ask("cat", "dog")
    assert (reply.outcome, reply.tags, reply.error, reply.asked) == ("ok", ("cat",), "", True)
    assert len(reply.request_hash) == 64
    again = ask("cat", "dog")
    assert (again.answer, again.request_hash) == (reply.answer, reply.request_hash), "the same question"
    assert ask("cat", "boat").request_hash != reply.request_hash
    assert ask("cat", "dog", repeat=1).request_hash != reply.request_hash, "another sample"
    assert ask("boat", "dog").outcome == "invalid", "nothing of it is allowed"
    with pytest.raises(SettingsError, match="select"):
        chat.ask(PROMPT, {}, TagsForm(("cat",), 2))
