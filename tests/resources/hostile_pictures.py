"""Files that are made to harm who decodes them.

What does not belong here: what should become of them.
"""

import io
import random
import struct
import zlib
from pathlib import Path

from PIL import Image

from tagging_assets.domain.images import sniff


def many_scans(path: Path, scans: int = 200_000, side: int = 1024) -> Path:
    """A progressive JPEG that says the same of each of its coefficients over and over: minutes, from few bytes."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), "grey").save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    # The last but one scan refines coefficients; it may come as often as one likes.
    last = content.rindex(b"\xff\xda")
    before = content.rindex(b"\xff\xda", 0, last)
    start = content.rindex(b"\xff\xc4", 0, before) if content.rfind(b"\xff\xc4", 0, before) > 0 else before
    end = content.find(b"\xff\xc4", before)
    end = last if end < 0 or end > last else end
    path.write_bytes(content[:start] + content[start:end] * scans + content[end:])
    return path


def open_packets(path: Path, length: int = 3_000_000) -> Path:
    """A WebP whose XMP begins three hundred thousand times and never ends."""
    packet = b"<x:xmpmeta"
    Image.new("RGB", (60, 40), "red").save(path, "WEBP", xmp=packet * (length // len(packet)))
    return path


def png(path: Path, width: int, height: int, *, more: bytes = b"", rows: bytes | None = None) -> Path:
    """A grey PNG that says it has so many pixels; by default the first few rows are there."""
    body = zlib.compress(bytes(min((width + 1) * height, 100_000)) if rows is None else rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), more, chunk(b"IDAT", body), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def text_bomb(path: Path, kind: bytes, megabytes: int = 200) -> Path:
    """A small PNG with a block of text that is a thousand times as long as it looks."""
    packer = zlib.compressobj(9)
    zeros = b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0", b"iCCP": b"profile\0\0"}[kind]
    return png(path, 60, 40, more=chunk(kind, head + zeros))


def floats(path: Path, side: int) -> Path:
    """A TIFF of 32-bit floats, all zero; the file has a hole where they are."""
    entries = [
        (256, 4, side),
        (257, 4, side),
        (258, 3, 32),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 4096),
        (277, 3, 1),
        (278, 4, side),
        (279, 4, side * side * 4),
        (339, 3, 3),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    with path.open("wb") as stream:
        stream.write(b"II*\x00\x08\x00\x00\x00" + directory + bytes(4))
        stream.truncate(4096 + side * side * 4)
    return path


def big_frame_gif(path: Path) -> Path:
    """A GIF of one pixel whose first frame is 60,000 on each side."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x4c\x01\x00;"
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame)
    return path


def psd(path: Path) -> Path:
    """A Photoshop file that says it has 30,000 times 30,000 pixels."""
    path.write_bytes(b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 30_000, 30_000, 8, 3) + bytes(12) + bytes(64))
    return path


def full_of_segments(path: Path) -> Path:
    """A JPEG with all the EXIF, ICC and Photoshop segments that there is room for, of rubbish."""
    stream = io.BytesIO()
    Image.new("RGB", (60, 40), "blue").save(stream, "JPEG")
    content = stream.getvalue()
    blocks = {
        0xE1: b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        0xE2: b"ICC_PROFILE\0\1\xff",
        0xED: b"Photoshop 3.0\x008BIM\x04\x04",
    }
    segments = b"".join(
        struct.pack(">BBH", 0xFF, marker, 65_535) + (head + b"\x1c\x02\x19\x00\x00" * 14_000)[:65_533]
        for marker, head in blocks.items()
        for _ in range(40)
    )
    path.write_bytes(content[:2] + segments + content[2:])
    return path


def rubbish_raw(path: Path, seed: int) -> Path:
    """A camera's raw file by its first bytes, and noise behind."""
    heads = (
        b"II*\x00\x10\x00\x00\x00CR\x02\x00",
        b"FUJIFILMCCD-RAW 0201",
        b"IIU\x00\x18\x00\x00\x00",
        b"\x00MRM\x00\x10\x00\x00",
    )
    path.write_bytes(heads[seed % len(heads)] + random.Random(seed).randbytes(50_000))
    assert sniff(path.read_bytes()[:64])
    return path
