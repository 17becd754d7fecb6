"""Pictures for tests: small, and such that every turn, flip and swap of channels shows."""

from pathlib import Path

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 40), (40, 40, 190), (255, 255, 255)


def quarters(width: int = 80, height: int = 60) -> Image.Image:
    """Red and green above blue and white: shows every turn, flip and swap of channels."""
    picture = Image.new("RGB", (width, height), WHITE)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters, in reading order."""
    height, width = pixels.shape[:2]
    return [
        tuple(int(value) for value in pixels[y, x])
        for y in (height // 4, 3 * height // 4)
        for x in (width // 4, 3 * width // 4)
    ]


def assert_quarters(pixels: np.ndarray, tolerance: int = 12) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.shape[2] == 3
    difference = np.abs(np.array(corners(pixels)) - np.array([RED, GREEN, BLUE, WHITE]))
    assert difference.max() <= tolerance, corners(pixels)


def saved(folder: Path, name: str, picture: Image.Image, **options: object) -> Path:
    import pillow_heif

    pillow_heif.register_heif_opener()
    path = folder / name
    picture.save(path, **options)
    return path
