"""Masks and joints of what a YOLO saw, from the numbers it gives beside its boxes.

What does not belong here: what a mask or a joint says about a person.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from resources.yolo import Seen, YoloDetector
from resources.yolo_letterbox import to_photo
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import PERSON_LABEL, RgbImage, Vectors

#: Prototypes have a quarter of the input's resolution.
_PROTOTYPE = 4


class YoloSilhouettes(YoloDetector):
    """Implements ``Silhouettes`` with a YOLO that segments: the mask of the likeliest person of the crop."""

    def silhouette(self, crop: RgbImage) -> NDArray[np.uint8]:
        """Probability that a pixel is of that person, 0 to 255, of the crop's size; 0 all over where nobody is.

        Args:
            crop: (h, w, 3) uint8 upright sRGB.

        Raises:
            SettingsError: the model finds boxes and no masks.
            ModelError: it cannot be had, or the runtime fails.
        """
        (seen,) = self.look([crop])
        if seen.prototypes is None:
            name = self._model.entry.name
            raise SettingsError(
                f"models: {name} finds boxes and no silhouettes; choose one with masks, such as {name}-seg"
            )
        best = next((place for place, label in enumerate(seen.labels) if label == PERSON_LABEL), None)
        return masks_of(seen, [best])[0] if best is not None else np.zeros(crop.shape[:2], np.uint8)


def masks_of(seen: Seen, which: Sequence[int] | None = None) -> NDArray[np.uint8]:
    """How likely each pixel of the photo is part of what a box shows (Bolya et al., "YOLACT", ICCV 2019).

    Args:
        seen: by a model that segments.
        which: boxes by their place; all by default. A mask takes as much memory as a channel of the photo.

    Returns:
        (n, h, w) 0 to 255, 0 outside the box; no masks from a model that does not segment.
    """
    import cv2

    frame = seen.frame
    chosen = list(range(len(seen.labels)) if which is None else which)
    if seen.prototypes is None:
        chosen = []
    masks = np.zeros((len(chosen), frame.height, frame.width), np.uint8)
    if not chosen:
        return masks
    prototypes = cast("Vectors", seen.prototypes).astype(np.float32, copy=False)
    depth, rows, columns = prototypes.shape
    mixed = (seen.candidates.extra[chosen] @ prototypes.reshape(depth, -1)).reshape(-1, rows, columns)
    bottom, right = frame.top + frame.fitted_height, frame.left + frame.fitted_width
    for mask, logits, box in zip(masks, mixed, seen.boxes_xyxy[chosen], strict=True):
        # First to the input's resolution, where the padding ends between pixels and not within them.
        whole = cv2.resize(logits, (columns * _PROTOTYPE, rows * _PROTOTYPE), interpolation=cv2.INTER_LINEAR)
        fitted = cv2.resize(
            whole[frame.top : bottom, frame.left : right], (frame.width, frame.height), interpolation=cv2.INTER_LINEAR
        )
        x0, y0, x1, y1 = np.rint(box).astype(int)
        inside = np.clip(fitted[y0:y1, x0:x1], -20, 20)
        mask[y0:y1, x0:x1] = np.rint(255 / (1 + np.exp(-inside)))
    return masks


def joints_of(seen: Seen) -> Vectors:
    """Joints of each box in pixels of the photo: (n, joints, 3) of x, y and confidence in [0, 1].

    A model that says no confidence is taken to be sure. No joints, (n, 0, 3), from a model that finds none.
    """
    joints, numbers = seen.joints
    found = np.ones((len(seen.labels), joints, 3), np.float32)
    if joints:
        given = seen.candidates.extra.reshape(len(seen.labels), joints, numbers)
        found[..., :2] = to_photo(given[..., :2], seen.frame)
        if numbers > 2:
            found[..., 2] = given[..., 2]
    return found
