"""Colours of irises and hair, as people name them, from pixels in CIELAB.

A colour gets the name of the nearest reference colour. CIELAB (CIE 15:2018, D65, 2 degrees) is made so that
equal distances look about equally different; lightness counts less here than hue, because photos differ most in
exposure.

What does not belong here: ratios of a body (``tagging_assets.domain.body_features``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.parts import Part, PartMap, where
from tagging_assets.domain.skeleton import ramp

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
References = tuple[tuple[str, tuple[float, float, float]], ...]

#: Linear sRGB to XYZ (IEC 61966-2-1), relative to the D65 white.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)

#: Share of a lightness difference that counts in :func:`named_colour`.
_LIGHTNESS_WEIGHT = 0.6

#: Twice the lead in distance, over every other name, from which on a colour has its name beyond doubt.
_CLEAR_LEAD = 16.0

#: Reference colours (L*, a*, b*) of hair, set by hand. Natural ones lie on one curve from black over brown to
#: light blond, red hair beside it on the red side, grey to white on the neutral axis; any other strong hue is dye.
HAIR_COLOURS: References = (
    ("black", (10, 1, 1)),
    ("black", (20, 1, 1)),
    ("brown", (24, 6, 8)),
    ("brown", (34, 8, 14)),
    ("brown", (44, 8, 18)),
    ("blond", (56, 6, 24)),
    ("blond", (68, 4, 26)),
    ("blond", (78, 2, 20)),
    ("red", (28, 18, 16)),
    ("red", (38, 24, 28)),
    ("red", (50, 24, 34)),
    ("grey", (38, 0, 1)),
    ("grey", (52, 0, 2)),
    ("grey", (66, 0, 3)),
    ("grey", (84, 0, 4)),
    ("dyed", (40, 5, -35)),
    ("dyed", (55, -15, -25)),
    ("dyed", (50, -35, 20)),
    ("dyed", (60, 40, -5)),
    ("dyed", (40, 35, -30)),
    ("dyed", (40, 55, 30)),
)

#: Reference colours (L*, a*, b*) of irises, set by hand, from dark brown to grey. Blue irises have no blue
#: pigment: beside the white of the eye they are a little bluish at most.
IRIS_COLOURS: References = (
    ("brown", (12, 4, 4)),
    ("brown", (22, 9, 10)),
    ("brown", (32, 11, 18)),
    ("hazel", (42, 5, 22)),
    ("green", (44, -8, 14)),
    ("green", (55, -12, 18)),
    ("blue", (36, -2, -12)),
    ("blue", (50, -4, -14)),
    ("blue", (62, -4, -10)),
    ("grey", (46, 0, 0)),
    ("grey", (60, -1, 1)),
)

# Points of the face mesh (MediaPipe's canonical face model): iris centre and rim, and the outline of that eye.
_IRISES = ((468, (469, 470, 471, 472)), (473, (474, 475, 476, 477)))
_EYE_OUTLINES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398),
)
_FACE_OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_FOREHEAD, _CHIN = 10, 152
_SKIN_POINTS = (50, 280, 9)  # both cheeks, between the brows

#: An iris of fewer pixels across is mostly eyelash and reflection; from the second number on it is large enough.
_IRIS_RADIUS = (3.0, 8.0)

#: Pixels of hair needed at all, and for full confidence.
_HAIR_PIXELS = (80, 1500)

#: Closer to the face's colour than this, a pixel above the face is taken for skin: a high forehead, or no hair.
#: Lightness counts less than hue here too, as the top of a head lies in another light than a face.
_SKIN_DISTANCE, _SKIN_LIGHTNESS_WEIGHT = 8.0, 0.35

#: a* and b* of skin in neutral light, in the middle of what skins have; they differ mostly in lightness. Where a
#: face differs, it is mostly the light (Bianco, Schettini, "Color constancy using faces", CVPR 2012).
_SKIN = (12.0, 17.0)
_MOST_CAST = 14.0

#: Skin of less chroma than this is that of a black-and-white photo.
_COLOURLESS = 4.0

_SCLERA = (4.0, 6.0)  # a*, b* of the white of an eye in neutral light


@dataclass(frozen=True, slots=True)
class NamedColour:
    """A colour name with its confidence in [0, 1]."""

    name: str
    confidence: float


def lab_of_rgb(rgb: NDArray[np.uint8]) -> Floats:
    """CIELAB of sRGB pixels.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (..., 3): L* in [0, 100], a* and b* in about [-128, 128].
    """
    coded = rgb.astype(np.float64) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    cubed = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = cubed[..., 0], cubed[..., 1], cubed[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def named_colour(lab: Floats, references: References) -> NamedColour:
    """The name of the median of (n, 3) CIELAB colours, as sure as the single ones agree on it.

    Each colour votes between 0 and 1, by how much nearer the name's references are than those of any other name.
    """
    scale = np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0])
    table = np.array([colour for _, colour in references]) * scale
    names = np.array([name for name, _ in references])
    middle = np.linalg.norm(np.median(lab, axis=0) * scale - table, axis=1)
    name = str(names[middle.argmin()])
    distances = np.linalg.norm(lab[:, None, :] * scale - table[None], axis=2)
    own, other = distances[:, names == name].min(axis=1), distances[:, names != name].min(axis=1)
    return NamedColour(name, float(np.clip(0.5 + (other - own) / _CLEAR_LEAD, 0, 1).mean()))


def iris_colour(crop: RgbImage, face: NDArray[np.float32]) -> NamedColour | None:
    """Colour of the irises; ``None`` where they are too small, closed or turned away.

    Each iris is read between pupil and rim, inside the eyelids, without reflections; its colour is taken relative
    to the white of the same eye, which removes most of a colour cast.

    Args:
        crop: (h, w, 3) uint8 sRGB.
        face: (478, 3) points, x and y relative to the crop.
    """
    points = face[:, :2].astype(np.float64) * (crop.shape[1], crop.shape[0])
    seen = [
        _iris_pixels(crop, points, centre, rim, outline)
        for (centre, rim), outline in zip(_IRISES, _EYE_OUTLINES, strict=True)
    ]
    found = [one for one in seen if one is not None]
    if not found:
        return None
    pixels = np.concatenate([lab for lab, _ in found])
    named = named_colour(pixels, IRIS_COLOURS)
    low, high = _IRIS_RADIUS
    radius = float(np.mean([radius for _, radius in found]))
    size = min(1.0, 0.3 + 0.7 * (radius - low) / (high - low))
    return NamedColour(named.name, named.confidence * size * (1.0 if len(found) == 2 else 0.7))


def _iris_pixels(
    crop: RgbImage, points: Floats, centre: int, rim: tuple[int, ...], outline: tuple[int, ...]
) -> tuple[Floats, float] | None:
    """CIELAB pixels of one iris, corrected by the white of the eye, and its radius in pixels."""
    middle = points[centre]
    radius = float(np.linalg.norm(points[list(rim)] - middle, axis=1).mean())
    eye = _polygon(points[list(outline)], crop.shape[:2])
    if radius < _IRIS_RADIUS[0] or not eye.any():
        return None
    y, x = np.nonzero(eye)
    away = np.hypot(x - middle[0], y - middle[1]) / radius
    iris = (away > 0.45) & (away < 0.9)
    # A lid that hides most of the iris leaves lashes and shadow to read.
    whole_ring = np.pi * (0.9**2 - 0.45**2) * radius**2
    if iris.sum() < max(8.0, 0.3 * whole_ring):
        return None
    lab = lab_of_rgb(crop[y, x])
    ring = lab[iris]
    low, high = np.percentile(ring[:, 0], (10, 90))
    ring = ring[(ring[:, 0] >= low) & (ring[:, 0] <= high)]
    white = lab[(away > 1.15) & (lab[:, 0] > np.median(ring[:, 0]))]
    if len(white) >= 8:
        ring = ring - np.array([0.0, *np.clip(np.median(white[:, 1:], axis=0) - _SCLERA, -15, 15)])
    return ring, radius


def hair_colour(
    crop: RgbImage, face: NDArray[np.float32], mask: NDArray[np.uint8], parts: PartMap | None = None
) -> NamedColour | None:
    """Colour of the hair; ``None`` where none is seen (bald, cut off) and in photos without colour.

    Hair is what the parts say. Without them it is what belongs to the silhouette around the upper face, outside the
    face's outline, and is not of the skin's colour; a hat is taken for hair then, as nothing can tell them apart. The
    skin also tells the colour of the light.

    Args:
        crop: (h, w, 3) uint8 sRGB.
        face: (478, 3) points, x and y relative to the crop.
        mask: (h', w') uint8 silhouette that covers the crop.
        parts: of the person, where a model tells them; cover the crop.
    """
    height, width = crop.shape[:2]
    points = face[:, :2].astype(np.float64) * (width, height)
    skins = _skin(crop, points)
    skin = np.median(skins, axis=0)
    if np.hypot(skin[1], skin[2]) < _COLOURLESS:
        return None
    if parts is None:
        pixels, sure = _hair_around_face(crop, points, mask, skins), _raised(face, (width, height))
    else:
        pixels, sure = lab_of_rgb(crop[where(parts, (Part.HAIR,), (height, width))]), 1.0
    if len(pixels) < _HAIR_PIXELS[0]:
        return None
    # A coloured light shows on light hair as it does on skin, on black hair hardly.
    cast = np.clip(skin[1:] - _SKIN, -_MOST_CAST, _MOST_CAST)
    share = np.clip(pixels[:, :1] / max(float(skin[0]), 1.0), 0.0, 1.0)
    pixels = np.hstack([pixels[:, :1], pixels[:, 1:] - share * cast])
    # Strands cast shadows on each other; the middle of the lightness range is the hair's own colour.
    low, high = np.percentile(pixels[:, 0], (20, 90))
    named = named_colour(pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)], HAIR_COLOURS)
    enough = min(1.0, 0.4 + 0.6 * len(pixels) / _HAIR_PIXELS[1])
    return NamedColour(named.name, named.confidence * enough * sure)


def _hair_around_face(crop: RgbImage, points: Floats, mask: NDArray[np.uint8], skins: Floats) -> Floats:
    """CIELAB pixels of hair, (n, 3); none where most of what is above the face is skin."""
    height, width = crop.shape[:2]
    person = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR)) > 127
    outline = points[list(_FACE_OUTLINE)]
    region = person & _around_face(points, (height, width))
    region &= ~_polygon(outline.mean(axis=0) + 1.06 * (outline - outline.mean(axis=0)), (height, width))
    pixels = lab_of_rgb(crop[region])
    apart = (pixels[:, None, :] - skins[None]) * (_SKIN_LIGHTNESS_WEIGHT, 1.0, 1.0)
    hair: Floats = pixels[np.linalg.norm(apart, axis=2).min(axis=1) > _SKIN_DISTANCE]
    return hair if len(hair) >= 0.25 * region.sum() else hair[:0]


def _raised(face: NDArray[np.float32], size: tuple[int, int]) -> float:
    """1 for a face that looks ahead, 0 for one that looks at the ground or the sky, whose hairline is not seen."""
    # The mesh's z is in units of x.
    x, y, z = (face[_CHIN].astype(np.float64) - face[_FOREHEAD]) * (size[0], size[1], size[0])
    return ramp(float(np.degrees(np.arctan2(abs(z), np.hypot(x, y)))), 45.0, 20.0)


def _around_face(points: Floats, size: tuple[int, int]) -> Flags:
    """The band above the face and beside its upper half, along the face's own axis."""
    top, chin = points[_FOREHEAD], points[_CHIN]
    down = chin - top
    length = max(float(np.hypot(*down)), 1e-6)
    down = down / length
    y, x = np.mgrid[: size[0], : size[1]]
    along = ((x - top[0]) * down[0] + (y - top[1]) * down[1]) / length
    across = np.abs((x - top[0]) * down[1] - (y - top[1]) * down[0]) / length
    return np.asarray((along > -0.4) & (along < 0.45) & (across < 0.65), np.bool_)


def _skin(crop: RgbImage, points: Floats) -> Floats:
    """Median CIELAB colours of small patches of skin, (k, 3); points outside the crop are read at its edge."""
    reach = max(1, round(float(np.hypot(*(points[_CHIN] - points[_FOREHEAD]))) * 0.04))
    patches = []
    for point in _SKIN_POINTS:
        x = int(np.clip(points[point, 0], 0, crop.shape[1] - 1))
        y = int(np.clip(points[point, 1], 0, crop.shape[0] - 1))
        patch = crop[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        patches.append(np.median(lab_of_rgb(patch.reshape(-1, 3)), axis=0))
    return np.stack(patches)


def _polygon(points: Floats, size: tuple[int, int]) -> Flags:
    """Pixels inside a polygon of x, y points, as an (h, w) mask."""
    canvas = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(canvas, np.bool_)
