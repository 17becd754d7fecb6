"""What a model is to the rest of the project: small Protocols, and the plain values that cross them.

Adapters in ``resources`` implement these; assets and tests depend on nothing else. Every image array is upright
sRGB, ``uint8``, shape (height, width, 3), channels RGB. Boxes are ``xyxy`` in pixels of the image given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

RgbImage = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Box = tuple[float, float, float, float]

#: Label of the boxes that pose and face are looked for in; any other label is of a thing.
PERSON_LABEL = "person"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What makes two runs of a model the same run; part of every recipe.

    Attributes:
        name: entry in ``resources/weights.yaml``.
        revision: SHA-256 of the weights (of all files, joined by ``+``, where there are several).
        preprocessing: version of everything done to the input, e.g. ``letterbox-640/1``.
        parameters: knobs that change the output (floor, input size, precision …), JSON-able values.
    """

    name: str
    revision: str
    preprocessing: str
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)


class Model(Protocol):
    """What every model tells about itself without loading."""

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        ...

    @property
    def provider(self) -> str:
        """Execution provider that really runs, e.g. ``CPUExecutionProvider``; ``not loaded`` before first use."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """One box with its raw score in [0, 1]."""

    label: str
    box_xyxy: Box
    score: float


class Detector(Model, Protocol):
    """Finds people, and things where it knows any."""

    def detect(self, images: Sequence[RgbImage]) -> list[list[Detection]]:
        """Boxes per image, best first, in pixels of that image; raw scores above the model's low floor."""
        ...


@dataclass(frozen=True, slots=True)
class PersonLandmarks:
    """What the landmarkers saw in one person crop; ``None`` where they saw nothing.

    Attributes:
        pose: (33, 5) float32: x, y in [0, 1] of the crop, z, visibility, presence (BlazePose topology).
        face: (478, 3) float32: x, y in [0, 1] of the crop, z (MediaPipe face mesh with irises).
        mask: (h, w) uint8, 0-255 probability that a pixel is the person, any resolution, covers the crop.
        parts: (h, w) uint8, the part of the dressed person that a pixel shows (``parts.Part``), any resolution,
            covers the crop; ``None`` where no model tells parts.
    """

    pose: NDArray[np.float32] | None
    face: NDArray[np.float32] | None
    mask: NDArray[np.uint8] | None
    parts: NDArray[np.uint8] | None = None


#: How much of a person is asked for: pose and face, the silhouette too, or the parts as well.
Wanted = Literal["points", "shape", "parts"]


class Landmarker(Model, Protocol):
    """Finds pose, face and silhouette in a crop of one person."""

    def landmarks(self, crop: RgbImage, wanted: Wanted = "parts") -> PersonLandmarks:
        """Landmarks of the most prominent person of the crop; what is not wanted may be left out."""
        ...


class Silhouettes(Model, Protocol):
    """Tells a person from the ground."""

    def silhouette(self, crop: RgbImage) -> NDArray[np.uint8]:
        """(h, w) 0-255 probability that a pixel is a person, in the crop's aspect, any resolution."""
        ...


class HumanParser(Model, Protocol):
    """Tells the parts of a dressed person."""

    def parts(self, crop: RgbImage) -> NDArray[np.uint8]:
        """(h, w) values of ``parts.Part``, in the crop's aspect, any resolution."""
        ...


class ImageEncoder(Model, Protocol):
    """Turns images into vectors."""

    def encode(self, images: Sequence[RgbImage]) -> Vectors:
        """(n, d) float32 raw (not normalised) vectors; (0, d) for no images."""
        ...


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A raw score in [0, 1] for one label."""

    label: str
    category: str
    score: float


class Tagger(Model, Protocol):
    """Scores a fixed vocabulary of its own."""

    def tag(self, images: Sequence[RgbImage]) -> list[list[LabelScore]]:
        """Scores per image above the model's low floor, best first."""
        ...


class ZeroShotScorer(Model, Protocol):
    """Scores free text against image vectors."""

    def score(
        self,
        vectors: Vectors,
        prompts: Sequence[Sequence[str]],
        *,
        exclusive: bool = False,
        neutral: Sequence[str] = (),
    ) -> Vectors:
        """(n, len(prompts)) raw scores of raw image vectors (n, d) for each label's prompt ensemble.

        Args:
            vectors: raw image vectors.
            prompts: per label its texts.
            exclusive: whether at most one of the labels is true of a picture.
            neutral: what a picture of nothing in particular reads like; the scorer's own where there is none. A scorer
                may need neither.
        """
        ...
