"""Photos in: a file's header, and its picture as upright sRGB. Originals are decoded here and nowhere else.

Built for libraries of any origin: each error is one of ``domain.errors.ImageError``, decompression bombs are
refused by their header, and a truncated file is an error, never half a picture in grey.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from resources.opening import METADATA_ERRORS, Source, check_size, limited_pillow, open_pillow, open_raw, open_source
from resources.pixels import ORIENTATION_TAG, VERSION, orientation, to_upright_srgb
from tagging_assets.domain.captions import clean, decode_text, parse_exif_comment, parse_iptc, parse_xmp
from tagging_assets.domain.errors import UnreadableImage
from tagging_assets.domain.images import (
    PROXY_SIDE,
    RAW_EXTENSIONS,
    Header,
    camera_name,
    exif_time,
    extension,
    upright_size,
)
from tagging_assets.domain.keywords import exif_keywords, iptc_keywords, union, xmp_keywords
from tagging_assets.domain.models import RgbImage

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_MEGAPIXELS", "VERSION", "Decoded", "decode", "read_header"]

#: Largest picture decoded by default; the largest cameras of 2025 make 100 to 150.
MAX_MEGAPIXELS = 100.0

_EXIF_DIRECTORY = 0x8769
_BLOCK = 64 * 1024
#: Zeros at the end of a JPEG that no encoder writes as picture data, bytes.
_PADDING = 64

#: LibRaw's flip to EXIF orientation.
_FLIP = {3: 3, 5: 8, 6: 6}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A photo as every later stage sees it.

    Attributes:
        pixels: (h, w, 3) uint8 upright sRGB, long side at most the limit asked for.
        width: of the original, pixels, upright.
        height: of the original, pixels, upright.
        format: e.g. ``JPEG``; of raw files the kind, e.g. ``NEF``.
        orientation: the EXIF orientation that was applied; 1 where there was none to apply, as always in HEIF.
    """

    pixels: RgbImage
    width: int
    height: int
    format: str
    orientation: int


def decode(
    path: str | os.PathLike[str],
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    max_side: int = PROXY_SIDE,
    stream: BinaryIO | None = None,
) -> Decoded:
    """Decode a photo, once and at the least scale that will do.

    Of animations and documents of several pages, the first frame; of raw files, the embedded preview if it is
    large enough, else the sensor's data at half size; transparency is laid on white.

    Args:
        path: the file.
        max_megapixels: more pixels than this are refused before decoding.
        max_side: longest side of the result, pixels.
        stream: the file, where it is open already.

    Raises:
        ImageError: one of its subclasses, as ``opening.open_source`` says.
    """
    with open_source(path, stream) as source, limited_pillow(max_megapixels):
        if source.is_raw:
            return _decode_raw(source, max_megapixels, max_side)
        if source.format == "JPEG":
            _refuse_zero_filled(source.stream)
        with open_pillow(source.stream, max_megapixels) as image:
            turned = orientation(image)
            width, height = _upright(image, turned)
            pixels = to_upright_srgb(image, max_side)
            return Decoded(pixels, width, height, _format(image), turned)


def read_header(
    path: str | os.PathLike[str], *, max_megapixels: float = MAX_MEGAPIXELS, stream: BinaryIO | None = None
) -> Header:
    """What a file says about itself, without decoding pixels. Malformed metadata is as good as none.

    Raises:
        ImageError: one of its subclasses; also for a picture over ``max_megapixels``.
    """
    with open_source(path, stream) as source, limited_pillow(max_megapixels):
        if source.is_raw:
            return _raw_header(source, max_megapixels)
        with open_pillow(source.stream, max_megapixels) as image:
            turned = orientation(image)
            return _header(_told(image), _format(image), _upright(image, turned), turned)


def _refuse_zero_filled(stream: BinaryIO) -> None:
    """Refuse a JPEG whose tail is zeros where picture data should be, and leave the stream at its start.

    This is what an interrupted download into reserved space looks like; libjpeg decodes the zeros to flat grey
    without complaint. Zeros after the end marker are padding, and harmless.
    """
    end = stream.seek(0, os.SEEK_END)
    tail = b""
    while end and not tail.rstrip(b"\x00"):
        start = max(0, end - _BLOCK)
        stream.seek(start)
        tail = stream.read(end - start)
        end = start
    zeros = len(tail) - len(tail.rstrip(b"\x00"))
    stream.seek(0)
    if zeros >= _PADDING and not tail.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise UnreadableImage("truncated JPEG: it ends in zeros; copy or download it again")


def _refuse_unfinished(raw: Any) -> None:
    """Refuse raw data whose last row is missing; LibRaw leaves what it could not read at zero.

    A real sensor row has noise above zero, however dark the scene.
    """
    rows = raw.raw_image_visible
    if rows is not None and not rows[-1].any():
        raise UnreadableImage("truncated raw file: the last rows of the sensor are missing; copy it again")


def _format(image: "Image.Image") -> str:
    """``MPO`` is a JPEG with more pictures behind the first; nobody calls it otherwise."""
    return {"MPO": "JPEG", "DIB": "BMP"}.get(image.format or "", image.format or "")


def _upright(image: "Image.Image", turned: int) -> tuple[int, int]:
    """Width and height as a viewer shows them; TIFF and HEIF give these already before loading.

    In HEIF the picture's own transformations count, which libheif applies, and EXIF's orientation must be ignored
    (ISO/IEC 23008-12); the decoder therefore says orientation 1.
    """
    return image.size if image.format in {"TIFF", "HEIF"} else upright_size(*image.size, turned)


def _raw_sizes(raw: Any, max_megapixels: float) -> tuple[int, int, int]:
    """Upright width and height, and EXIF orientation, of an opened raw file."""
    sizes = raw.sizes
    check_size(sizes.raw_width, sizes.raw_height, max_megapixels)
    turned = _FLIP.get(sizes.flip, 1)
    return (*upright_size(sizes.width, sizes.height, turned), turned)


def _decode_raw(source: Source, max_megapixels: float, max_side: int) -> Decoded:
    import rawpy
    from PIL import Image

    kind = _raw_kind(source)
    with open_raw(source) as raw:
        width, height, turned = _raw_sizes(raw, max_megapixels)
        preview = _preview(raw, max_megapixels)
        if preview is not None and max(preview.size) >= min(max_side, max(width, height)):
            pixels = _preview_pixels(preview, turned, max_side)
            if pixels is not None:
                return Decoded(pixels, width, height, kind, turned)
        _refuse_unfinished(raw)
        array = raw.postprocess(
            half_size=max(width, height) >= 2 * max_side,
            use_camera_wb=True,
            output_bps=8,
            output_color=rawpy.ColorSpace.sRGB,
        )
    return Decoded(to_upright_srgb(Image.fromarray(array), max_side), width, height, kind, turned)


def _raw_kind(source: Source) -> str:
    """As cameras name it; of a file that was named by hand, what its first bytes say."""
    named = extension(source.path.name)
    return named.removeprefix(".").upper() if named in RAW_EXTENSIONS else source.format or "RAW"


def _preview(raw: Any, max_megapixels: float) -> "Image.Image | None":
    """The largest embedded preview, opened but not decoded; None where there is none that can be read."""
    import rawpy
    from PIL import Image

    try:
        thumbnail = raw.extract_thumb()
        if thumbnail.format == rawpy.ThumbFormat.JPEG:
            return open_pillow(io.BytesIO(thumbnail.data), max_megapixels)
        return Image.fromarray(thumbnail.data)
    except (rawpy.LibRawError, *METADATA_ERRORS):
        return None


def _preview_pixels(preview: "Image.Image", turned: int, max_side: int) -> RgbImage | None:
    """The preview as upright sRGB; None where it is damaged, as the sensor's data may be sound."""
    with preview:
        if orientation(preview) == 1:
            # Most cameras write the orientation only into the raw file around the preview.
            preview.getexif()[ORIENTATION_TAG] = turned
        try:
            return to_upright_srgb(preview, max_side)
        except METADATA_ERRORS:
            return None


def _raw_header(source: Source, max_megapixels: float) -> Header:
    """Size and orientation from LibRaw, the rest from the TIFF around the data, or from the preview."""
    kind = _raw_kind(source)
    with open_raw(source) as raw:
        width, height, turned = _raw_sizes(raw, max_megapixels)
        preview = None if source.format == "TIFF" else _preview(raw, max_megapixels)
    told = _Told()
    if preview is not None:
        with preview:
            told = _told(preview)
    elif source.format == "TIFF":
        told = _told_by_tiff(source.stream)
    return _header(told, kind, (width, height), turned)


@dataclass(frozen=True, slots=True)
class _Told:
    """The metadata blocks of a file: EXIF's main directory, the one with the camera's details, XMP and IPTC."""

    main: Mapping[int, Any] = field(default_factory=dict)
    detail: Mapping[int, Any] = field(default_factory=dict)
    xmp: bytes = b""
    iptc: bytes = b""


def _told(image: "Image.Image") -> _Told:
    try:
        exif = image.getexif()
        main, detail = dict(exif), dict(exif.get_ifd(_EXIF_DIRECTORY))
    except METADATA_ERRORS:
        main, detail = {}, {}
    return _Told(main, detail, _xmp(image), _iptc(image, main))


def _told_by_tiff(stream: BinaryIO) -> _Told:
    """The directories of a TIFF whose picture Pillow may not know, such as a sensor's mosaic."""
    from PIL import Image

    try:
        exif = Image.Exif()
        stream.seek(0)
        exif.load_from_fp(stream)
        main, detail = dict(exif), dict(exif.get_ifd(_EXIF_DIRECTORY))
    except METADATA_ERRORS:
        return _Told()
    return _Told(main, detail, _bytes(main.get(0x02BC)), _bytes(main.get(0x83BB)))


def _header(told: _Told, kind: str, size: tuple[int, int], turned: int) -> Header:
    main, detail = told.main, told.detail
    xmp = parse_xmp(told.xmp)
    iptc = parse_iptc(told.iptc)
    exif = clean(_text(main, 0x010E)) or clean(_utf16(main, 0x9C9C)) or _comment(detail)
    keywords = union(xmp_keywords(told.xmp), iptc_keywords(told.iptc), exif_keywords(_utf16(main, 0x9C9E)))
    captions = {"xmp": xmp.text, "iptc": iptc.text, "exif": exif}
    taken = exif_time(_text(detail, 0x9003), _text(detail, 0x9011)) or exif_time(
        _text(detail, 0x9004), _text(detail, 0x9012)
    )
    return Header(
        format=kind,
        width=size[0],
        height=size[1],
        orientation=turned,
        captured_at=taken or exif_time(_text(main, 0x0132), _text(detail, 0x9010)),
        camera=camera_name(clean(_text(main, 0x010F)), clean(_text(main, 0x0110))),
        captions={source: text for source, text in captions.items() if text},
        creator=xmp.creator or iptc.creator or clean(_text(main, 0x013B)) or None,
        keywords=keywords,
    )


def _xmp(image: "Image.Image") -> bytes:
    for key in ("xmp", "XML:com.adobe.xmp"):
        value = image.info.get(key)
        if isinstance(value, str):
            return value.encode("utf-8", "replace")
        if isinstance(value, bytes):
            return value
    return b""


def _iptc(image: "Image.Image", main: Mapping[int, Any]) -> bytes:
    """The IPTC block: of TIFF in a tag of its own, else in Photoshop's image resource 0x0404."""
    resources = image.info.get("photoshop")
    found = resources.get(0x0404) if isinstance(resources, dict) else None
    return _bytes(main.get(0x83BB)) or _bytes(found)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(tags: Mapping[int, Any], tag: int) -> str:
    value = tags.get(tag, "")
    if isinstance(value, bytes):
        return decode_text(value.rstrip(b"\x00"))
    if not isinstance(value, str):
        return ""
    try:
        # The standard says ASCII and Pillow reads Latin-1; programs write UTF-8.
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _utf16(tags: Mapping[int, Any], tag: int) -> str:
    """A tag of Windows Explorer: UTF-16, little-endian."""
    value = tags.get(tag, b"")
    return value.decode("utf-16-le", "replace") if isinstance(value, bytes) else ""


def _comment(detail: Mapping[int, Any]) -> str:
    value = detail.get(0x9286, b"")
    return parse_exif_comment(value) if isinstance(value, bytes) else ""
