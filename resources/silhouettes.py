"""PP-HumanSeg: the silhouette of the person in a crop.

Chu et al., "PP-HumanSeg: Connectivity-Aware Portrait Segmentation with a Large-Scale Teleconferencing Video Dataset"
(WACV workshops 2022), as OpenCV's model zoo carries it: RGB in [-1, 1], stretched to 192 x 192 pixels by OpenCV's
bilinear sampling; out come two planes, background and person.

What does not belong here: putting silhouettes and landmarks together (``shaped_landmarker``).
"""

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.inference import Inference
from resources.model_notes import Preprocessing
from resources.picture_model import PictureModel
from resources.preprocessing import prepare
from resources.self_testing import check_labels, photo
from tagging_assets.domain.errors import WeightsCorrupt
from tagging_assets.domain.models import PERSON_LABEL, ModelCard, RgbImage

#: Long side of a mask, pixels: as MediaPipe's, so that shapes are measured alike.
MASK_SIDE = 512

_PERSON = 1


class PpHumanSeg(PictureModel):
    """Implements ``Silhouettes``.

    Args:
        model: entry with one ONNX file.
        inference: in place of the model's own; for tests.
    """

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._model.card({"mask_side": MASK_SIDE})

    def prepare(self, image: RgbImage) -> NDArray[np.float32]:
        """A crop as the model wants it: (3, height, width) float32 in [-1, 1].

        Raises:
            WeightsCorrupt: the model takes no pictures of a fixed size.
            ModelError: it cannot be had.
        """
        return prepare(image, _as_wanted(*input_size(self._inference, self._model.entry.name)))

    def silhouette(self, crop: RgbImage) -> NDArray[np.uint8]:
        """Probability that a pixel is of a person, 0 to 255, in the crop's aspect; the long side is 512.

        Args:
            crop: (h, w, 3) uint8 upright sRGB, at least one pixel.

        Raises:
            WeightsCorrupt: the outputs are not two planes.
            ModelError: the model cannot be had, or the runtime fails.
        """
        planes = self._inference.run([self.prepare(crop)])[0][0]
        if planes.ndim != 3 or planes.shape[0] != 2:
            raise WeightsCorrupt(
                f"{self._model.entry.name} gives {'x'.join(map(str, planes.shape))} numbers, not a plane for the "
                "ground and one for the person; choose another silhouette model"
            )
        size = mask_size(crop.shape[0], crop.shape[1], MASK_SIDE)
        person = Image.fromarray(_probability(np.asarray(planes, np.float32)))
        resized = person.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        levels: NDArray[np.uint8] = np.rint(np.asarray(resized) * 255).clip(0, 255).astype(np.uint8)
        return levels

    def _check(self, _: Inference) -> None:
        test = self._model.entry.self_test
        if test is not None:
            check_labels(self._model.entry.name, test, person_share(self.silhouette(photo(test.photo))))


def person_share(mask: NDArray[np.uint8]) -> list[tuple[str, float]]:
    """The label of people with the share of the pixels that are more likely one than not; none where there is none."""
    share = float((mask > 127).mean())
    return [(PERSON_LABEL, share)] if share else []


def input_size(inference: Inference, name: str) -> tuple[int, int]:
    """(height, width) of a model's pictures, channels first; opens it.

    Raises:
        WeightsCorrupt: it takes none of a fixed size.
        ModelError: it cannot be had.
    """
    shape = next(iter(inference.session.inputs.values()))
    if len(shape) == 4 and shape[1] == 3 and isinstance(shape[2], int) and isinstance(shape[3], int):
        return shape[2], shape[3]
    raise WeightsCorrupt(
        f"{name} takes {'x'.join(map(str, shape))}, not pictures of a fixed size with channels first; choose another "
        "model"
    )


def mask_size(height: int, width: int, side: int) -> tuple[int, int]:
    """(height, width) of a map that covers a crop in its aspect with a long side of ``side`` pixels."""
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


@functools.cache
def _as_wanted(height: int, width: int) -> Preprocessing:
    half = (0.5, 0.5, 0.5)
    return Preprocessing(
        height=height, width=width, fit="squash", interpolation="bilinear", antialias=False, mean=half, std=half
    )


def _probability(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the person, (h, w) in [0, 1]; exports end in probabilities or in logits."""
    if planes.min() >= 0.0 and np.allclose(planes.sum(axis=0), 1.0, atol=1e-3):
        person: NDArray[np.float32] = planes[_PERSON]
    else:
        person = 1.0 / (1.0 + np.exp(planes[1 - _PERSON] - planes[_PERSON]))
    return person
