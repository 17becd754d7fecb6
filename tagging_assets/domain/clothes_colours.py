"""Colours of clothes, where a part map says which pixels are clothes.

The names are the eleven basic colour terms of Berlin and Kay ("Basic Color Terms", 1969). What does not belong here:
how colours are named at all (``body_colours``).
"""

import numpy as np

from tagging_assets.domain.body_colours import NamedColour, References, lab_of_rgb, named_colour
from tagging_assets.domain.models import RgbImage
from tagging_assets.domain.parts import LOWER, UPPER, Part, PartMap, where

#: Parts by the feature that their colour is.
GARMENTS: dict[str, tuple[Part, ...]] = {"upper_clothes_colour": UPPER, "lower_clothes_colour": LOWER}

#: Reference colours (L*, a*, b*) of cloth, set by hand: its focal colour, and what it is in shadow or washed out.
CLOTHES_COLOURS: References = (
    ("black", (6, 0, 0)),
    ("black", (18, 0, 0)),
    ("grey", (38, 0, 0)),
    ("grey", (55, 0, 0)),
    ("grey", (72, 0, 0)),
    ("white", (88, 0, 1)),
    ("white", (97, 0, 1)),
    ("red", (30, 45, 28)),
    ("red", (45, 62, 42)),
    ("orange", (62, 42, 60)),
    ("orange", (72, 26, 66)),
    ("yellow", (84, 2, 76)),
    ("yellow", (88, -3, 45)),
    ("green", (28, -24, 18)),
    ("green", (48, -42, 36)),
    ("green", (70, -34, 38)),
    ("blue", (18, 8, -28)),
    ("blue", (36, 12, -48)),
    ("blue", (60, -6, -36)),
    ("purple", (26, 30, -26)),
    ("purple", (44, 46, -42)),
    ("pink", (62, 50, 2)),
    ("pink", (78, 26, 2)),
    ("brown", (24, 10, 14)),
    ("brown", (40, 16, 26)),
    ("brown", (60, 10, 24)),
)

#: Pixels of a garment needed at all, and for full confidence.
_PIXELS = (200, 4000)


def clothes_colour(crop: RgbImage, parts: PartMap, garment: tuple[Part, ...]) -> NamedColour | None:
    """Colour of a garment; ``None`` where too little of it is seen.

    A garment of several colours has the name of the middle one, with little confidence, as its pixels do not agree.

    Args:
        crop: (h, w, 3) uint8 sRGB.
        parts: covers the crop.
        garment: its parts.
    """
    pixels = lab_of_rgb(crop[where(parts, garment, (crop.shape[0], crop.shape[1]))])
    if len(pixels) < _PIXELS[0]:
        return None
    # Folds throw shadows and seams catch light.
    low, high = np.percentile(pixels[:, 0], (15, 90))
    named = named_colour(pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)], CLOTHES_COLOURS)
    return NamedColour(named.name, named.confidence * min(1.0, 0.4 + 0.6 * len(pixels) / _PIXELS[1]))
