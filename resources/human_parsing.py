"""SCHP: which part of a dressed person each pixel of a crop shows.

Li et al., "Self-Correction for Human Parsing" (TPAMI 2020), in the ONNX conversions that go around of the authors'
checkpoints: LIP, 20 classes at 473 x 473 pixels, and ATR, 18 classes at 512 x 512.

Everything follows the authors' own extraction: the crop is put on a black square corner to corner, blue first, with
ImageNet's mean and deviation; of the outputs the last of all with as many planes as there are classes is the refined
one; its logits, a quarter of the size, are sampled back bilinearly, and the highest wins.

What does not belong here: what parts there are (``tagging_assets.domain.parts``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resources.inference import Inference
from resources.picture_model import PictureModel
from resources.self_testing import check_labels, photo
from resources.silhouettes import input_size, mask_size
from tagging_assets.domain.errors import WeightsCorrupt
from tagging_assets.domain.models import ModelCard, RgbImage
from tagging_assets.domain.parts import ATR, LIP, PartMap, from_classes, shares

#: Long side of a part map, pixels, unless the crop's own is shorter.
MAP_SIDE = 512

#: ImageNet's, blue first.
_MEAN = np.array([0.406, 0.456, 0.485], np.float32)
_STD = np.array([0.225, 0.224, 0.229], np.float32)

_ORDERS = {len(LIP): LIP, len(ATR): ATR}

Floats = NDArray[np.float32]


class SchpParser(PictureModel):
    """Implements ``HumanParser``.

    Args:
        model: entry with one ONNX file.
        inference: in place of the model's own; for tests.
    """

    @property
    def card(self) -> ModelCard:
        """Identity, known without loading the weights."""
        return self._model.card({"map_side": MAP_SIDE})

    def prepare(self, image: RgbImage) -> Floats:
        """A crop as the model wants it: (3, side, side) float32.

        Raises:
            WeightsCorrupt: the model takes no squares of a fixed size.
            ModelError: it cannot be had.
        """
        return on_square(image, self._side())

    def parts(self, crop: RgbImage) -> PartMap:
        """Part of each pixel, in the crop's aspect; the long side is the crop's own, at most 512.

        Args:
            crop: (h, w, 3) uint8 upright sRGB, at least two pixels each way.

        Raises:
            WeightsCorrupt: the outputs are of no known set of parts.
            ModelError: the model cannot be had, or the runtime fails.
        """
        logits = self._refined(self._inference.run([self.prepare(crop)])[0])
        height, width = crop.shape[:2]
        size = mask_size(height, width, min(MAP_SIDE, max(height, width)))
        return from_classes(back_on_crop(logits, (height, width), size).argmax(axis=0), _ORDERS[len(logits)])

    def _side(self) -> int:
        height, width = input_size(self._inference, self._model.entry.name)
        if height != width:
            raise WeightsCorrupt(f"{self._model.entry.name} takes {height}x{width} pixels, not a square")
        return height

    def _refined(self, outputs: Sequence[NDArray[np.float32]]) -> Floats:
        # Before it come the unrefined parts, after it the edges between parts, of two planes.
        fitting = [one for one in outputs if one.ndim == 3 and one.shape[0] in _ORDERS]
        if not fitting:
            shapes = ", ".join("x".join(map(str, one.shape)) for one in outputs)
            raise WeightsCorrupt(
                f"{self._model.entry.name} gives {shapes} numbers, not a plane for each of {len(LIP)} parts (LIP) or "
                f"{len(ATR)} (ATR); choose another human_parsing model"
            )
        return np.asarray(fitting[-1], np.float32)

    def _check(self, _: Inference) -> None:
        test = self._model.entry.self_test
        if test is not None:
            # The score of a part is the share of the photo that it covers.
            check_labels(self._model.entry.name, test, shares(self.parts(photo(test.photo))))


def on_square(crop: RgbImage, side: int) -> Floats:
    """A crop on a black square, its long side from the first pixel to the last, the rest of it in the middle.

    Args:
        crop: (h, w, 3) uint8 sRGB.
        side: of the square, pixels.

    Returns:
        (3, side, side) float32, blue first, normalised.
    """
    height, width = crop.shape[:2]
    # The crop's pixel at a square's pixel q is (q - middle) * step + middle of the crop, counted from pixel centres;
    # Pillow counts from pixel corners. The frame of one pixel makes its border fade to black, as OpenCV's does.
    step = max(height - 1, width - 1, 1) / (side - 1)
    across, down = ((length - 1) / 2 - step * (side - 1) / 2 + 1.5 - step / 2 for length in (width, height))
    square = Image.fromarray(np.pad(crop, ((1, 1), (1, 1), (0, 0)))).transform(
        (side, side), Image.Transform.AFFINE, (step, 0.0, across, 0.0, step, down), Image.Resampling.BILINEAR
    )
    pixels = np.asarray(square, np.float32)[:, :, ::-1] / np.float32(255)
    return np.ascontiguousarray(((pixels - _MEAN) / _STD).transpose(2, 0, 1))


def back_on_crop(logits: Floats, crop: tuple[int, int], size: tuple[int, int]) -> Floats:
    """Planes of the square, sampled where a map of the crop has its pixels.

    Args:
        logits: (classes, m, m): cover the square corner to corner.
        crop: (height, width) of the crop that was put on the square.
        size: (height, width) of the map, which covers the crop.

    Returns:
        (classes, height, width) float32.
    """
    cells = logits.shape[1]
    long = max(crop[0] - 1, crop[1] - 1, 1)
    places = [
        ((np.arange(wanted) + 0.5) * length / wanted - 0.5 - (length - 1) / 2) * (cells - 1) / long + (cells - 1) / 2
        for length, wanted in zip(crop, size, strict=True)
    ]
    rows = _sampled(logits, places[0], axis=1)
    return _sampled(rows, places[1], axis=2)


def _sampled(planes: Floats, places: NDArray[np.float64], axis: int) -> Floats:
    """Linear interpolation along an axis; places beyond its ends are read at the ends."""
    last = planes.shape[axis] - 1
    inside = places.clip(0, last)
    low = np.floor(inside).astype(np.intp)
    share = (inside - low).astype(np.float32)
    share = share[:, None] if axis == 1 else share
    first = np.take(planes, low, axis=axis)
    second = np.take(planes, np.minimum(low + 1, last), axis=axis)
    made: Floats = first + (second - first) * share
    return made
