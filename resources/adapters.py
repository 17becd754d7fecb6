"""Who runs a model: adapter names of the catalogue to the classes that know such models.

A new kind of model is a new adapter class and a line here. Adapters are made of a :class:`ModelInUse` and load
nothing before their first picture.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.landmarker import MediaPipeLandmarker
from resources.model_in_use import ModelInUse
from resources.person_detector import YoloPersonDetector
from resources.relevance import RelevanceScorer
from resources.text_encoder import MiniLmEncoder
from resources.text_vectors import KeptVectors
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import Detector, ImageEncoder, Landmarker, Tagger, ZeroShotScorer

Adapter = TypeVar("Adapter")

#: The model that serves a task; ``None`` where none does.
Choose = Callable[[str], ModelInUse | None]

DETECTORS: Mapping[str, Callable[[ModelInUse], Detector]] = {
    "yolo": lambda model: YoloPersonDetector(model.store, model.options),
}
ENCODERS: Mapping[str, Callable[[ModelInUse], ImageEncoder]] = {
    "efficientnet-lite0": lambda model: EfficientNetEncoder(model.store, model.options),
}
TAGGERS: Mapping[str, Callable[[ModelInUse], Tagger]] = {
    "efficientnet-lite0": lambda model: EfficientNetTagger(model.store, model.options),
}
#: Made of the scorer's own entry, of what serves the other tasks, and of a folder to keep text vectors in.
SCORERS: Mapping[str, Callable[[ModelInUse, Choose, Path], ZeroShotScorer]] = {
    "relevance": lambda model, _choose, kept: RelevanceScorer(
        model.store, KeptVectors(MiniLmEncoder(model.store, model.options), kept)
    ),
}


def make_detector(choose: Choose) -> Detector:
    """Finds people and things."""
    model = needed(choose, "person_detection")
    return _adapter(DETECTORS, model)(model)


def make_landmarker(choose: Choose) -> Landmarker:
    """Finds pose, face and silhouette."""
    pose, face = needed(choose, "pose"), needed(choose, "face")
    return MediaPipeLandmarker.from_weights(pose.store, pose.entry.name, face.entry.name)


def make_encoder(choose: Choose) -> ImageEncoder:
    """Turns pictures into vectors."""
    model = needed(choose, "image_embedding")
    return _adapter(ENCODERS, model)(model)


def make_tagger(choose: Choose) -> Tagger:
    """Scores a vocabulary of its own."""
    model = needed(choose, "tagging")
    return _adapter(TAGGERS, model)(model)


def make_scorer(choose: Choose, kept: Path) -> ZeroShotScorer:
    """Scores free text against the encoder's vectors.

    Raises:
        SettingsError: the scorer cannot read the vectors of the encoder in use.
    """
    model, encoder = needed(choose, "zero_shot"), needed(choose, "image_embedding")
    if encoder.entry.name not in (model.entry.name, *model.entry.uses):
        raise SettingsError(
            f"models: {model.entry.name} cannot read the vectors of {encoder.entry.name}; choose "
            f"image_embedding: {(*model.entry.uses, model.entry.name)[0]}, or another zero_shot"
        )
    return _adapter(SCORERS, model)(model, choose, kept)


def needed(choose: Choose, task: str) -> ModelInUse:
    """The model of a task that must have one.

    Raises:
        SettingsError: none serves it.
    """
    model = choose(task)
    if model is None:
        raise SettingsError(f"nothing serves {task}: name a model under `models`, or choose another profile")
    return model


def _adapter(adapters: Mapping[str, Adapter], model: ModelInUse) -> Adapter:
    try:
        return adapters[model.entry.adapter]
    except KeyError:
        raise SettingsError(
            f"{model.entry.name} is run by {model.entry.adapter}, which cannot do this; there are {', '.join(adapters)}"
        ) from None
