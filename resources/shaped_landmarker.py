"""A landmarker whose silhouette, and parts if any, come from models of their own.

What does not belong here: the models (``landmarker``, ``silhouettes``, ``human_parsing``).
"""

from dataclasses import replace

from tagging_assets.domain.models import (
    HumanParser,
    Landmarker,
    Model,
    ModelCard,
    PersonLandmarks,
    RgbImage,
    Silhouettes,
    Wanted,
)


class ShapedLandmarker:
    """Implements ``Landmarker``: points of one landmarker, shapes of others.

    Args:
        points: finds pose and face, and a silhouette that stands where ``silhouettes`` is missing. Closed with this.
        silhouettes: finds the silhouette.
        parser: finds the parts.
    """

    def __init__(
        self, points: Landmarker, silhouettes: Silhouettes | None = None, parser: HumanParser | None = None
    ) -> None:
        self._points = points
        self._silhouettes = silhouettes
        self._parser = parser

    @property
    def card(self) -> ModelCard:
        """Identity of all of them, known without loading any.

        The name is the landmarker's: people's evidence is weighed under it, and shapes are no reason to weigh anew.
        """
        points = self._points.card
        revisions, preprocessing, parameters = [points.revision], [points.preprocessing], dict(points.parameters)
        for task, model in self._shapes.items():
            card = model.card
            revisions.append(card.revision)
            preprocessing.append(card.preprocessing)
            parameters[task] = card.name
            parameters |= {f"{task}.{name}": value for name, value in card.parameters.items()}
        return ModelCard(points.name, "+".join(revisions), "+".join(preprocessing), parameters)

    @property
    def provider(self) -> str:
        """What really runs, each once."""
        models: list[Model] = [self._points, *self._shapes.values()]
        return ", ".join(dict.fromkeys(model.provider for model in models))

    def landmarks(self, crop: RgbImage, wanted: Wanted = "parts") -> PersonLandmarks:
        """Landmarks of the most prominent person of the crop; shapes only where there is anybody.

        Raises:
            ModelError: a model cannot be had, or fails.
        """
        seen = self._points.landmarks(crop, wanted)
        if wanted == "points" or (seen.pose is None and seen.face is None):
            return seen
        if self._silhouettes is not None:
            seen = replace(seen, mask=self._silhouettes.silhouette(crop))
        if self._parser is not None and wanted == "parts":
            seen = replace(seen, parts=self._parser.parts(crop))
        return seen

    def close(self) -> None:
        """Give the landmarker's native parts back."""
        close = getattr(self._points, "close", None)
        if close is not None:
            close()

    @property
    def _shapes(self) -> dict[str, Model]:
        """By the task that they serve."""
        found = {"silhouette": self._silhouettes, "human_parsing": self._parser}
        return {task: model for task, model in found.items() if model is not None}
