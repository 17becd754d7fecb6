"""Masks and joints of what a YOLO saw, from the numbers it gives beside its boxes.

What does not belong here: what a mask or a joint says about a person.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from resources.yolo import Seen
from resources.yolo_letterbox import to_photo
from tagging_assets.domain.models import Vectors

#: Prototypes have a quarter of the input's resolution.
_PROTOTYPE = 4


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
