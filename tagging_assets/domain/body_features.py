"""Ratios and colours of a body in one photo, each with a confidence, and nothing where it cannot be seen.

All lengths are measured in the picture plane: widths of a silhouette, not girths of a body. Clothes and hair count
as silhouette. So a value describes the picture of a person; what it is called is decided by the label sets.
Nothing here estimates weight, age, gender, origin or health, and no feature may be added that does.

Where things are measured:

- Points are BlazePose's (Bazarevsky et al., "BlazePose", CV4ARVR 2020) and the MediaPipe face mesh's.
- Torso length, the unit of widths, runs from the middle of the shoulder points to the middle of the hip points.
- Waist: the narrowest place between ribs and pelvis, where the WHO measures it too ("Waist circumference and
  waist-hip ratio", report of an expert consultation, Geneva 2008, published 2011); hips: the widest place about
  the hip joints (ISO 8559-1:2017, hip girth). A body in clear view only: facing the camera, arms off the body or
  cut away.
- Lips: height of the red of both lips over the width of the mouth (Farkas, "Anthropometry of the Head and Face",
  1994: ls-sto, sto-li, ch-ch).
- Circularity: Cox 1927, see ``tagging_assets.domain.geometry``.

What does not belong here: finding points (``resources.landmarker``), and thresholds that make a tag of a number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.body_colours import hair_colour, iris_colour
from tagging_assets.domain.body_widths import TorsoWidths, torso_widths
from tagging_assets.domain.clothes_colours import GARMENTS, clothes_colour
from tagging_assets.domain.geometry import bounds_xyxy, largest_component, mask_shape
from tagging_assets.domain.landmarks import stored_landmarks
from tagging_assets.domain.models import PersonLandmarks, RgbImage
from tagging_assets.domain.parts import PartMap
from tagging_assets.domain.person import PERSON_THRESHOLD
from tagging_assets.domain.skeleton import Skeleton, ramp

#: Every feature and what its value is; colours have a label instead.
FEATURES: dict[str, str] = {
    "shoulder_width": "width of the silhouette at the shoulder points, in torso lengths",
    "waist_width": "width of the silhouette at its narrowest between ribs and pelvis, in torso lengths",
    "hip_width": "width of the silhouette at its widest about the hip joints, in torso lengths",
    "waist_hip_ratio": "waist width over hip width",
    "shoulder_hip_ratio": "shoulder width over hip width",
    "shoulder_waist_ratio": "shoulder width over waist width",
    "leg_length_ratio": "hip joint to heel over top of the head to heel, standing",
    "silhouette_aspect": "height over width of the silhouette's bounding box",
    "silhouette_circularity": "4 pi area / perimeter² of the silhouette, 1 for a disc",
    "lip_thickness_ratio": "height of both lips' red over the width of the mouth",
    "iris_colour": "brown, hazel, green, blue or grey",
    "hair_colour": "black, brown, blond, red, grey (white included) or dyed",
    "upper_clothes_colour": "one of the eleven basic colours, of what covers the trunk; where a model tells parts",
    "lower_clothes_colour": "likewise, of trousers or skirt",
}

#: A silhouette that covers less of its crop is a stray.
_MIN_MASK_FRACTION = 0.02

#: Mouth width in pixels from which on lips can be measured at all, and well.
_MOUTH_PIXELS = (14.0, 40.0)

#: Turn of the head in degrees up to which the mouth's width is right, and from which on it is not.
_HEAD_TURN = (15.0, 35.0)

# Points of the face mesh: lip edges at the midline (outer top, inner top, inner bottom, outer bottom), mouth
# corners, outer corners of the eyes.
_LIP_EDGES, _MOUTH_CORNERS, _EYE_CORNERS = (0, 13, 14, 17), (61, 291), (33, 263)


@dataclass(frozen=True, slots=True)
class Feature:
    """One ratio or colour of one person.

    Attributes:
        name: key of :data:`FEATURES`.
        value: a ratio, or ``None`` for colours and where it cannot be seen.
        label: a colour's name, or ``None``.
        confidence: [0, 1]; 0 where nothing can be seen.
    """

    name: str
    value: float | None
    label: str | None
    confidence: float


def body_feature_rows(image: RgbImage, landmarks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Features of every box that is a person and whose points were kept.

    Args:
        image: the photo's proxy.
        landmarks: its rows of the table ``landmarks``.

    Returns:
        Rows of the table ``body_features`` without ``image_id``: all :data:`FEATURES` of each person.
    """
    rows = []
    for row in landmarks:
        seen = stored_landmarks(row)
        if row["person_score"] < PERSON_THRESHOLD or (seen.pose is None and seen.face is None):
            continue
        crop = image[int(row["y0"]) : int(row["y1"]), int(row["x0"]) : int(row["x1"])]
        rows += [
            {
                "detection_id": row["detection_id"],
                "feature": feature.name,
                "value": feature.value,
                "label": feature.label,
                "confidence": feature.confidence,
            }
            for feature in body_features(crop, seen)
        ]
    return rows


def body_features(crop: RgbImage, seen: PersonLandmarks) -> list[Feature]:
    """All features of one person, in the order of :data:`FEATURES`.

    Args:
        crop: (h, w, 3) uint8 sRGB.
        seen: what the landmarkers found in it.
    """
    found = {feature.name: feature for feature in _found(crop, seen) if feature.confidence > 0}
    return [found.get(name, Feature(name, None, None, 0.0)) for name in FEATURES]


def _found(crop: RgbImage, seen: PersonLandmarks) -> Iterator[Feature]:
    if seen.mask is not None:
        mask = largest_component(seen.mask > 127)
        yield from _silhouette(mask)
        if seen.pose is not None:
            skeleton = Skeleton.of(seen.pose, (mask.shape[1], mask.shape[0]))
            yield from _widths(torso_widths(skeleton, mask))
            yield from _legs(skeleton, mask)
        if seen.face is not None:
            hair = hair_colour(crop, seen.face, seen.mask, seen.parts)
            if hair:
                yield Feature("hair_colour", None, hair.name, hair.confidence)
    if seen.parts is not None:
        yield from _clothes(crop, seen.parts)
    if seen.face is not None:
        yield from _lips(seen.face, (crop.shape[1], crop.shape[0]))
        iris = iris_colour(crop, seen.face)
        if iris:
            yield Feature("iris_colour", None, iris.name, iris.confidence)


def _clothes(crop: RgbImage, parts: PartMap) -> Iterator[Feature]:
    for name, garment in GARMENTS.items():
        colour = clothes_colour(crop, parts, garment)
        if colour:
            yield Feature(name, None, colour.name, colour.confidence)


def _silhouette(mask: NDArray[np.bool_]) -> Iterator[Feature]:
    """Shape of the whole silhouette; less sure the more sides of the crop cut it off."""
    shape = mask_shape(mask)
    if shape.fraction < _MIN_MASK_FRACTION:
        return
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    cut = sum(float(side.mean()) > 0.02 for side in sides)
    confidence = (0.9, 0.6, 0.35, 0.2, 0.1)[cut]
    yield Feature("silhouette_aspect", shape.aspect, None, confidence)
    yield Feature("silhouette_circularity", shape.circularity, None, confidence)


def _widths(widths: TorsoWidths) -> Iterator[Feature]:
    """Three widths in torso lengths, and the ratios of those that were seen."""
    parts = {"shoulder": widths.shoulder, "waist": widths.waist, "hip": widths.hip}
    for name, width in parts.items():
        if width is not None:
            yield Feature(f"{name}_width", width.length / widths.torso, None, width.confidence)
    for first, second in (("waist", "hip"), ("shoulder", "hip"), ("shoulder", "waist")):
        over, under = parts[first], parts[second]
        if over is not None and under is not None and under.length > 0:
            confidence = min(over.confidence, under.confidence)
            yield Feature(f"{first}_{second}_ratio", over.length / under.length, None, confidence)


def _legs(skeleton: Skeleton, mask: NDArray[np.bool_]) -> Iterator[Feature]:
    """Leg over stature of somebody who stands upright with straight legs, seen from head to heel."""
    legs = [leg for leg in (skeleton.leg("left"), skeleton.leg("right")) if leg is not None]
    bounds = bounds_xyxy(mask)
    if not legs or bounds is None or skeleton.torso_visibility == 0:
        return
    straightness = min(leg.straightness for leg in legs)
    upright = ramp(skeleton.tilt, 30.0, 12.0)
    # A head that touches the crop's edge may go on beyond it.
    head_seen = 1.0 if bounds[1] > 0 and skeleton.visibility("nose") > 0 else 0.3
    above = skeleton.shoulders[1] - bounds[1]
    if above <= 0:
        return
    leg_length = float(np.mean([leg.length for leg in legs]))
    stature = leg_length + skeleton.torso + above
    visible = min(min(leg.visibility for leg in legs), skeleton.torso_visibility)
    both = 1.0 if len(legs) == 2 else 0.6
    confidence = visible * straightness * upright * head_seen * both
    yield Feature("leg_length_ratio", leg_length / stature, None, float(confidence))


def _lips(face: NDArray[np.float32], crop_size: tuple[int, int]) -> Iterator[Feature]:
    """Lip height over mouth width of a face that looks at the camera with a mouth that is nearly closed."""
    width, height = crop_size
    # The mesh's z is in units of x.
    points = face.astype(np.float64) * (width, height, width)
    top, inner_top, inner_bottom, bottom = (points[index, :2] for index in _LIP_EDGES)
    mouth = float(np.hypot(*(points[_MOUTH_CORNERS[0], :2] - points[_MOUTH_CORNERS[1], :2])))
    across = points[_EYE_CORNERS[1]] - points[_EYE_CORNERS[0]]
    if mouth < _MOUTH_PIXELS[0]:
        return
    lips = float(np.hypot(*(top - inner_top)) + np.hypot(*(inner_bottom - bottom)))
    turn = float(np.degrees(np.arctan2(abs(across[2]), np.hypot(across[0], across[1]))))
    gape = float(np.hypot(*(inner_top - inner_bottom))) / mouth
    confidence = ramp(turn, _HEAD_TURN[1], _HEAD_TURN[0]) * ramp(gape, 0.6, 0.1) * ramp(mouth, *_MOUTH_PIXELS)
    yield Feature("lip_thickness_ratio", lips / mouth, None, confidence)
