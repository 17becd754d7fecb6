"""Who runs a model: adapter names of the catalogue to the classes that know such models.

A new kind of model is a new adapter class and a line here. Adapters are made of a :class:`ModelInUse` and load
nothing before their first picture.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from resources.clip import ClipEncoder, ClipTextEncoder
from resources.clip_scorer import ClipScorer
from resources.human_parsing import SchpParser
from resources.image_classifier import EfficientNetEncoder, EfficientNetTagger
from resources.landmarker import MediaPipeLandmarker
from resources.model_in_use import ModelInUse
from resources.relevance import RelevanceScorer
from resources.shaped_landmarker import ShapedLandmarker
from resources.silhouettes import PpHumanSeg
from resources.text_encoder import MiniLmEncoder
from resources.text_vectors import KeptVectors
from resources.timm_tagger import TimmEncoder, TimmTagger
from resources.wd_tagger import WdTagger
from resources.yolo import YoloDetector
from resources.yolo_parts import YoloSilhouettes
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import (
    Detector,
    HumanParser,
    ImageEncoder,
    Landmarker,
    Silhouettes,
    Tagger,
    ZeroShotScorer,
)

Adapter = TypeVar("Adapter")

#: The model that serves a task; ``None`` where none does.
Choose = Callable[[str], ModelInUse | None]

DETECTORS: Mapping[str, Callable[[ModelInUse], Detector]] = {
    "yolo": YoloDetector,
}
ENCODERS: Mapping[str, Callable[[ModelInUse], ImageEncoder]] = {
    "efficientnet-lite0": lambda model: EfficientNetEncoder(model.store, model.options),
    "open_clip": ClipEncoder,
    "timm": TimmEncoder,
}
TAGGERS: Mapping[str, Callable[[ModelInUse], Tagger]] = {
    "efficientnet-lite0": lambda model: EfficientNetTagger(model.store, model.options),
    "timm": TimmTagger,
    "wd": WdTagger,
}
SILHOUETTES: Mapping[str, Callable[[ModelInUse], Silhouettes]] = {"pp-humanseg": PpHumanSeg, "yolo": YoloSilhouettes}
PARSERS: Mapping[str, Callable[[ModelInUse], HumanParser]] = {"schp": SchpParser}
#: Made of the scorer's own entry, of what serves the other tasks, and of a folder to keep text vectors in.
SCORERS: Mapping[str, Callable[[ModelInUse, Choose, Path], ZeroShotScorer]] = {
    "open_clip": lambda model, _choose, kept: ClipScorer(model, KeptVectors(ClipTextEncoder(model), kept)),
    "relevance": lambda model, _choose, kept: RelevanceScorer(
        # On what suits it, whatever the settings say: its int8 products have no GPU kernels.
        model.store,
        KeptVectors(MiniLmEncoder(model.store), kept),
    ),
}


def make_detector(choose: Choose) -> Detector:
    """Finds people and things."""
    model = needed(choose, "person_detection")
    return _adapter(DETECTORS, model)(model)


def make_landmarker(choose: Choose) -> Landmarker:
    """Finds pose, face and silhouette; the silhouette, and parts, by models of their own where any are chosen."""
    pose, face = needed(choose, "pose"), needed(choose, "face")
    points = MediaPipeLandmarker.from_weights(pose.store, pose.entry.name, face.entry.name)
    silhouette, parts = choose("silhouette"), choose("human_parsing")
    if silhouette is None and parts is None:
        return points
    return ShapedLandmarker(
        points,
        _adapter(SILHOUETTES, silhouette)(silhouette) if silhouette else None,
        _adapter(PARSERS, parts)(parts) if parts else None,
    )


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
