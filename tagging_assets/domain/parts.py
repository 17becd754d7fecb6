"""Parts of a dressed person: what each value of a part map stands for, whichever data set a model learnt from.

The order is that of LIP (Gong et al., "Look into Person", CVPR 2017), with what only ATR knows (Liang et al., "Deep
Human Parsing with Active Template Regression", TPAMI 2015) at its end. What does not belong here: models
(``resources.human_parsing``) and what colours parts have (``clothes_colours``).
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: (h, w) uint8: a :class:`Part` per pixel.
PartMap = NDArray[np.uint8]


class Part(IntEnum):
    """Values of a part map. Left and right are the person's own."""

    BACKGROUND = 0
    HAT = 1
    HAIR = 2
    GLOVE = 3
    SUNGLASSES = 4
    UPPER_CLOTHES = 5
    DRESS = 6
    COAT = 7
    SOCKS = 8
    PANTS = 9
    JUMPSUIT = 10
    SCARF = 11
    SKIRT = 12
    FACE = 13
    LEFT_ARM = 14
    RIGHT_ARM = 15
    LEFT_LEG = 16
    RIGHT_LEG = 17
    LEFT_SHOE = 18
    RIGHT_SHOE = 19
    BELT = 20
    BAG = 21


#: Classes of models, in the order of their outputs.
LIP: tuple[Part, ...] = tuple(Part)[:20]
ATR: tuple[Part, ...] = (
    *(Part.BACKGROUND, Part.HAT, Part.HAIR, Part.SUNGLASSES, Part.UPPER_CLOTHES, Part.SKIRT, Part.PANTS, Part.DRESS),
    *(Part.BELT, Part.LEFT_SHOE, Part.RIGHT_SHOE, Part.FACE, Part.LEFT_LEG, Part.RIGHT_LEG, Part.LEFT_ARM),
    *(Part.RIGHT_ARM, Part.BAG, Part.SCARF),
)

#: What covers the trunk, and the legs below it. A dress or a jumpsuit is both, and counts where it is worn highest.
UPPER = (Part.UPPER_CLOTHES, Part.COAT, Part.DRESS, Part.JUMPSUIT)
LOWER = (Part.PANTS, Part.SKIRT)


def from_classes(classes: NDArray[np.integer], order: tuple[Part, ...]) -> PartMap:
    """A map of a model's class numbers as a part map.

    Args:
        classes: (h, w), each below ``len(order)``.
        order: what the model's classes are.
    """
    made: PartMap = np.array(order, np.uint8)[classes]
    return made


def shares(parts: PartMap) -> list[tuple[str, float]]:
    """Share of the pixels that each part covers, by its name in small letters; what is not there is left out."""
    counts = np.bincount(parts.ravel(), minlength=len(Part)) / max(parts.size, 1)
    return [(part.name.lower(), float(counts[part])) for part in Part if part and counts[part]]


def where(parts: PartMap, wanted: tuple[Part, ...], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a crop that show one of some parts.

    Args:
        parts: covers the crop at any resolution.
        wanted: parts.
        size: (height, width) of the crop.

    Returns:
        (height, width) flags.
    """
    shown = np.isin(parts, [int(part) for part in wanted])
    if parts.shape == size:
        return shown
    resized = Image.fromarray(shown).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized, np.bool_)
