"""The smallest raw file that LibRaw develops, written from the DNG specification (1.7, Adobe)."""

import struct

import numpy as np
from sample_pictures import quarters

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}
_Tag = tuple[int, int, bytes]


def dng(
    width: int, height: int, orientation: int, *, rows_kept: int | None = None, preview: bytes | None = None
) -> bytes:
    """A 16-bit uncompressed RGGB mosaic of ``quarters``, with a JPEG preview in a second directory if given."""
    data = _mosaic(width, height)[: None if rows_kept is None else rows_kept * width * 2]
    tags = _raw_tags(width, height, orientation)
    first_size = _directory_size(tags)
    data_at = 8 + first_size
    preview_at = data_at + len(data)
    first = _directory(tags, 8, data_at, preview_at if preview else 0)
    file = b"II*\x00" + struct.pack("<I", 8) + first + data
    if preview:
        more = [
            (254, 4, struct.pack("<I", 1)),  # a preview
            (259, 3, struct.pack("<H", 6)),
            (513, 4, b"DATA"),
            (514, 4, struct.pack("<I", len(preview))),
        ]
        file += _directory(more, preview_at, preview_at + _directory_size(more), 0) + preview
    return file


def _mosaic(width: int, height: int) -> bytes:
    picture = np.asarray(quarters(width, height), np.uint16)
    mosaic = np.empty((height, width), "<u2")
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[y::2, x::2] = picture[y::2, x::2, channel] * 200 + 100
    return mosaic.tobytes()


def _raw_tags(width: int, height: int, orientation: int) -> list[_Tag]:
    return [
        (254, 4, struct.pack("<I", 0)),
        (256, 4, struct.pack("<I", width)),
        (257, 4, struct.pack("<I", height)),
        (258, 3, struct.pack("<H", 16)),
        (259, 3, struct.pack("<H", 1)),
        (262, 3, struct.pack("<H", 32803)),  # colour filter array
        (270, 2, b"a cat\x00"),
        (271, 2, b"Test\x00"),
        (272, 2, b"Model 1\x00"),
        (273, 4, b"DATA"),
        (274, 3, struct.pack("<H", orientation)),
        (277, 3, struct.pack("<H", 1)),
        (278, 4, struct.pack("<I", height)),
        (279, 4, struct.pack("<I", width * height * 2)),
        (306, 2, b"2024:05:01 12:30:00\x00"),
        (33421, 3, struct.pack("<HH", 2, 2)),
        (33422, 1, bytes([0, 1, 1, 2])),  # red, green, green, blue
        (50706, 1, bytes([1, 4, 0, 0])),
        (50708, 2, b"Test Model 1\x00"),
        (50717, 4, struct.pack("<I", 255 * 200 + 100)),  # white level
        (50721, 10, struct.pack("<18i", *(n for value in np.eye(3, dtype=int).flat for n in (int(value), 1)))),
        (50728, 5, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),  # neutral as shot
        (50778, 3, struct.pack("<H", 21)),  # daylight
    ]


def _directory_size(tags: list[_Tag]) -> int:
    return 2 + 12 * len(tags) + 4 + sum(len(value) + len(value) % 2 for _, _, value in tags if len(value) > 4)


def _directory(tags: list[_Tag], at: int, data_at: int, following: int) -> bytes:
    start = at + 2 + 12 * len(tags) + 4
    overflow = b""
    entries = b""
    for tag, kind, given in tags:
        value = struct.pack("<I", data_at) if given == b"DATA" else given
        place = value.ljust(4, b"\x00")
        if len(value) > 4:
            place = struct.pack("<I", start + len(overflow))
            overflow += value + b"\x00" * (len(value) % 2)
        entries += struct.pack("<HHI", tag, kind, len(value) // _SIZES[kind]) + place
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + overflow
