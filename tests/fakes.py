"""Small models for tests: each keeps its Protocol's promises, counts what it is asked, and fails on demand.

``tests/resources/test_model_contracts.py`` holds them to the same assertions as the real adapters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

import numpy as np

from tagging_assets.domain.chat import Answer, ChatImage, ChatReply, Outcome, ReplyForm, Usage
from tagging_assets.domain.errors import TaggingError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.models import (
    Box,
    Detection,
    LabelScore,
    ModelCard,
    PersonLandmarks,
    RgbImage,
    Vectors,
    Wanted,
)
from tagging_assets.domain.prompts import Prompt, render
from tagging_assets.domain.skeleton import POINTS

#: A person standing upright, by joint: x and y in [0, 1] of the crop. Left joints are the mirror images of right ones.
_RIGHT_JOINTS: Mapping[str, tuple[float, float]] = {
    "shoulder": (0.32, 0.22),
    "elbow": (0.2, 0.38),
    "wrist": (0.18, 0.52),
    "hip": (0.4, 0.5),
    "knee": (0.42, 0.7),
    "ankle": (0.43, 0.88),
    "heel": (0.43, 0.9),
}


class Fake:
    """What all fakes share.

    Attributes:
        calls: how many images (crops, vectors, questions) each call was given.
        fails: raised by every call while it is set.
        closed: whether it was given back.
    """

    def __init__(self, name: str, *, revision: str = "1", fails: TaggingError | None = None) -> None:
        self.card = ModelCard(name, revision, f"{name}/1")
        self.calls: list[int] = []
        self.fails = fails
        self.closed = False

    def close(self) -> None:
        self.closed = True

    @property
    def provider(self) -> str:
        return "FakeExecutionProvider" if self.calls else "not loaded"

    @property
    def asked(self) -> int:
        """Images it was asked about, over all calls."""
        return sum(self.calls)

    def _called(self, count: int) -> None:
        if self.fails is not None:
            raise self.fails
        if count:
            self.calls.append(count)


class FakeDetector(Fake):
    """Finds the same people in every photo: (score, box as shares of the photo); and the same things after them."""

    def __init__(self, *people: tuple[float, Box], fails: TaggingError | None = None) -> None:
        super().__init__("fake-detector", fails=fails)
        self.people = sorted(people, reverse=True)
        #: Label to score; a thing fills the photo.
        self.things: dict[str, float] = {}

    def detect(self, images: Sequence[RgbImage]) -> list[list[Detection]]:
        self._called(len(images))
        return [
            [
                *(self._box(image, *person) for person in self.people),
                *(self._box(image, score, (0, 0, 1, 1), label) for label, score in self.things.items()),
            ]
            for image in images
        ]

    @staticmethod
    def _box(image: RgbImage, score: float, share: Box, label: str = "person") -> Detection:
        height, width = image.shape[:2]
        x0, y0, x1, y1 = share
        return Detection(label, (x0 * width, y0 * height, x1 * width, y1 * height), score)


class FakeLandmarker(Fake):
    """Sees one upright, symmetric person in every crop, or nobody."""

    def __init__(self, *, sees_people: bool = True, fails: TaggingError | None = None) -> None:
        super().__init__("fake-landmarker", fails=fails)
        self.sees_people = sees_people

    def landmarks(self, crop: RgbImage, wanted: Wanted = "parts") -> PersonLandmarks:
        self._called(1)
        if not self.sees_people:
            return PersonLandmarks(None, None, None)
        height, width = crop.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        mask[height // 10 : height - height // 10, width // 4 : width - width // 4] = 255
        return PersonLandmarks(_upright_pose(), None, mask)


def _upright_pose() -> np.ndarray:
    """(33, 5) float32, every point visible."""
    pose = np.zeros((33, 5), np.float32)
    pose[:, 3:] = 0.99
    pose[:, :2] = (0.5, 0.1)
    for name, (x, y) in _RIGHT_JOINTS.items():
        pose[POINTS[f"right_{name}"], :2] = (x, y)
        pose[POINTS[f"left_{name}"], :2] = (1 - x, y)
    return pose


class FakeEncoder(Fake):
    """A picture's vector is made of its mean and extreme colours: 9 numbers."""

    def __init__(self, *, fails: TaggingError | None = None) -> None:
        super().__init__("fake-encoder", fails=fails)

    def encode(self, images: Sequence[RgbImage]) -> Vectors:
        self._called(len(images))
        vectors = np.zeros((len(images), 9), np.float32)
        for vector, image in zip(vectors, images, strict=True):
            vector[:] = [*image.mean((0, 1)), *image.min((0, 1)), *image.max((0, 1))]
        return vectors + np.float32(1)


class FakeTagger(Fake):
    """Gives every photo the same labels."""

    def __init__(self, scores: Mapping[str, float], *, fails: TaggingError | None = None) -> None:
        super().__init__("fake-tagger", fails=fails)
        self.scores = scores

    def tag(self, images: Sequence[RgbImage]) -> list[list[LabelScore]]:
        self._called(len(images))
        ranked = sorted(self.scores.items(), key=lambda pair: -pair[1])
        return [[LabelScore(label, "object", score) for label, score in ranked] for _ in images]


class FakeScorer(Fake):
    """Gives a label the score of the first word it knows in the label's prompts, and 0 where it knows none."""

    def __init__(self, words: Mapping[str, float], *, fails: TaggingError | None = None) -> None:
        super().__init__("fake-scorer", fails=fails)
        self.words = words

    def score(
        self,
        vectors: Vectors,
        prompts: Sequence[Sequence[str]],
        *,
        exclusive: bool = False,
        neutral: Sequence[str] = (),
    ) -> Vectors:
        self._called(len(vectors))
        row = [self._of(" ".join(ensemble).split()) for ensemble in prompts]
        return np.tile(np.array(row, np.float32), (len(vectors), 1))

    def _of(self, words: Sequence[str]) -> float:
        return next((score for word, score in self.words.items() if word in words), 0.0)


class FakeChat(Fake):
    """Answers with the first of the allowed tags, or does what its knobs say; it obeys whoever sets them.

    Attributes:
        count: how many of the allowed tags it answers.
        says: what it says instead, as JSON, whatever is asked.
        outcome: of every reply; tags come with ``ok`` only.
        retryable: of every reply that is not ``ok``.
        sees: whether pictures may be put before it.
        usage: of every reply.
        questions: what was asked: the prompt's id, the values, the keys of the pictures, and which repeat.
    """

    def __init__(
        self,
        *,
        count: int = 1,
        says: object = None,
        outcome: Outcome = "ok",
        retryable: bool = False,
        sees: bool = False,
        fails: TaggingError | None = None,
    ) -> None:
        super().__init__("fake-chat", fails=fails)
        self.count = count
        self.says = says
        self.outcome: Outcome = outcome
        self.retryable = retryable
        self.sees = sees
        self.usage = Usage(cost_usd=Decimal(0), cost_source="local")
        self.questions: list[Question] = []

    def ask(
        self,
        prompt: Prompt,
        values: Mapping[str, object],
        form: ReplyForm,
        images: Sequence[ChatImage] = (),
        *,
        repeat: int = 0,
    ) -> ChatReply:
        messages = render(prompt, values)
        self._called(1)
        shown = tuple(image.key for image in images)
        self.questions.append(Question(prompt.id, values, shown, repeat))
        said = [(message.role, message.content) for message in messages]
        asked = content_hash([asdict(self.card), prompt.hash, said, shown, repeat, dict(form.schema)])
        if self.outcome != "ok":
            answer = Answer(self.outcome, error=f"the fake was told to be {self.outcome}")
            return ChatReply(answer, asked, self.retryable, self.usage, asked=True)
        read = form.read(self._said(form, values) if self.says is None else self.says)
        return ChatReply(read or Answer("invalid", error="not of the form"), asked, usage=self.usage, asked=True)

    def _said(self, form: ReplyForm, values: Mapping[str, object]) -> dict[str, object]:
        allowed = values.get("allowed", ())
        assert isinstance(allowed, Sequence)
        words: dict[str, object] = dict.fromkeys(form.schema["properties"], "a photo")
        return {**words, "winner": "tie", "keywords": ["photo"], "tags": list(allowed[: self.count])}


@dataclass(frozen=True)
class Question:
    """What a fake was asked."""

    prompt: str
    values: Mapping[str, object]
    pictures: tuple[str, ...] = ()
    repeat: int = 0
