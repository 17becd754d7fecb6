"""From possible people in a photo to rows of the table ``landmarks``.

What does not belong here: what the numbers are worth (``tagging_assets.domain.person``) and what they say about a
body (``tagging_assets.domain.body_features``).
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagging_assets.domain.geometry import MaskShape, crop_xyxy, mask_shape
from tagging_assets.domain.models import Box, Landmarker, PersonLandmarks, RgbImage, Wanted
from tagging_assets.domain.person import (
    EMBEDDED_WEIGHING,
    PersonEvidence,
    Weighing,
    face_score,
    person_score,
    pose_score,
)

#: Room around a box, relative to its sides: detectors cut off hair, hands and feet.
CROP_MARGIN = 0.1

_NOTHING = PersonLandmarks(pose=None, face=None, mask=None)


def landmark_rows(
    image: RgbImage,
    detections: Sequence[Mapping[str, Any]],
    landmarker: Landmarker,
    *,
    keep_points: bool,
    weighing: Weighing = EMBEDDED_WEIGHING,
) -> list[dict[str, Any]]:
    """Look at every box of a photo, as it is and mirrored.

    Args:
        image: the photo's proxy.
        detections: its rows of the table ``detections``, boxes in proxy pixels.
        landmarker: finds pose, face and silhouette.
        keep_points: also keep pose, face and mask; without it only scores remain.
        weighing: coefficients of ``person_score``.

    Returns:
        One row of the table ``landmarks`` per detection, without ``image_id``, in the order given.
    """
    return [_row(image, detection, landmarker, weighing, keep_points=keep_points) for detection in detections]


def _row(
    image: RgbImage, detection: Mapping[str, Any], landmarker: Landmarker, weighing: Weighing, *, keep_points: bool
) -> dict[str, Any]:
    height, width = image.shape[:2]
    box: Box = (detection["x0"], detection["y0"], detection["x1"], detection["y1"])
    x0, y0, x1, y1 = crop_xyxy(box, width, height, CROP_MARGIN)
    crop = image[y0:y1, x0:x1]
    seen, mirrored = look_twice(landmarker, crop, "parts" if keep_points else "shape")
    area = max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) / (width * height)
    return {
        "detection_id": detection["detection_id"],
        "x0": float(x0),
        "y0": float(y0),
        "x1": float(x1),
        "y1": float(y1),
        **landmark_scores(seen, mirrored, (x1 - x0, y1 - y0), float(detection["score"]), area, weighing),
        **(_points(seen) if keep_points else dict.fromkeys(("pose", "face", "mask_png", "parts_png"))),
    }


def look_twice(
    landmarker: Landmarker, crop: RgbImage, wanted: Wanted = "parts"
) -> tuple[PersonLandmarks, PersonLandmarks]:
    """Landmarks of a crop and of its mirror image, each in its own coordinates.

    The mirror image is asked only about what the first look found, as half of a detector's boxes show nothing, and
    about points only.
    """
    if 0 in crop.shape[:2]:
        return _NOTHING, _NOTHING
    seen = landmarker.landmarks(crop, wanted)
    if seen.pose is None and seen.face is None:
        return seen, _NOTHING
    return seen, landmarker.landmarks(np.ascontiguousarray(crop[:, ::-1]), "points")


def landmark_scores(
    seen: PersonLandmarks,
    mirrored: PersonLandmarks,
    crop_size: tuple[int, int],
    detection_score: float,
    area_fraction: float,
    weighing: Weighing = EMBEDDED_WEIGHING,
) -> dict[str, float]:
    """The scores of one box, by column name of the table ``landmarks``.

    Args:
        seen: landmarks of the crop.
        mirrored: landmarks of the mirrored crop.
        crop_size: (width, height) of the crop in pixels.
        detection_score: the detector's raw score, [0, 1].
        area_fraction: share of the photo that the box covers, [0, 1].
        weighing: coefficients of ``person_score``.
    """
    pose, face = pose_score(seen, mirrored, crop_size), face_score(seen, mirrored, crop_size)
    shape = MaskShape(0.0, 0.0, 0.0) if seen.mask is None else mask_shape(seen.mask > 127)
    return {
        "detection_score": detection_score,
        "pose_score": pose,
        "face_score": face,
        "mask_fraction": shape.fraction,
        "mask_aspect": shape.aspect,
        "mask_circularity": shape.circularity,
        "person_score": person_score(PersonEvidence(detection_score, pose, face, area_fraction), weighing),
    }


def stored_landmarks(row: Mapping[str, Any]) -> PersonLandmarks:
    """Landmarks as a row of the table ``landmarks`` keeps them; nothing where points were not kept."""
    pose, face, png, parts = row["pose"], row["face"], row["mask_png"], row.get("parts_png")
    return PersonLandmarks(
        pose=None if pose is None else np.asarray(pose, np.float32).reshape(-1, 5),
        face=None if face is None else np.asarray(face, np.float32).reshape(-1, 3),
        mask=None if png is None else mask_from_png(png),
        parts=None if parts is None else mask_from_png(parts),
    )


def mask_to_png(mask: NDArray[np.uint8]) -> bytes:
    """A mask, or a part map, as an 8-bit grey PNG."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def mask_from_png(png: bytes) -> NDArray[np.uint8]:
    """The mask that :func:`mask_to_png` wrote."""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("L"), np.uint8)


def _points(seen: PersonLandmarks) -> dict[str, Any]:
    return {
        "pose": None if seen.pose is None else seen.pose.ravel().tolist(),
        "face": None if seen.face is None else seen.face.ravel().tolist(),
        "mask_png": None if seen.mask is None else mask_to_png(seen.mask),
        "parts_png": None if seen.parts is None else mask_to_png(seen.parts),
    }
