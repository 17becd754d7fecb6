"""Captions: where they may stand, how to read them, and which one wins.

In order: a ``.txt`` beside the photo, a ``.json``, an ``.xmp``, then what is embedded: XMP, IPTC, EXIF. What a
person put beside the photo is newer and more deliberate than what travelled inside it.

Every parser takes bytes and gives what it found; malformed input gives nothing and never raises. None takes more than
a time in proportion to its input: what is read here was written by strangers.
"""

import contextlib
import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

#: Longest caption kept, characters.
MAX_CAPTION = 5_000

#: Longest sidecar read, bytes, per kind; editors keep whole retouching histories in theirs.
MAX_SIDECAR_BYTES: Mapping[str, int] = {"txt": 256 * 1024, "json": 4 * 1024**2, "xmp": 16 * 1024**2}

#: Namespaces of the properties, as ElementTree writes them.
DC = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_MARKS = 30

_CAPTION_KEYS = ("caption", "description", "text", "title")
_CREATOR_KEYS = ("creator", "author", "artist", "photographer", "username", "blog_name")
_WRAPPERS = ("metadata", "post", "photo", "image", "data")

#: What cameras and phones write into the caption field by themselves.
_CAMERA_NOISE = re.compile(
    r"(olympus|minolta|konica minolta|samsung|sony|kodak|casio)?\s*digital (still )?camera|sony dsc|dcim\\.*"
    r"|screenshot|edf|cof|oznor|hdr[a-z]*|untitled|default|null|none|n/a|<?[a-z0-9_\-]+\.(jpe?g|png|heic)>?",
    re.IGNORECASE,
)
_HTML_TAG = re.compile(r"</?(?:p|br|a|b|i|em|strong|div|span|blockquote|ul|ol|li|h[1-6]|figure|img)\b[^<>]*>", re.I)
# No pattern holds a packet from end to end: where the end is missing, each beginning would look for it to the last.
_PACKET_BEGINS = re.compile(r"<(?:\w+:)?(xmpmeta|xapmeta|RDF)\b")
_PACKET_ENDS = re.compile(r"</(?:\w+:)?(xmpmeta|xapmeta|RDF)\s*>")


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said about a photo, where it was found, and by whom; empty strings where nothing is known.

    Attributes:
        text: the caption, clean (see :func:`clean`).
        source: ``txt``, ``json``, ``xmp_sidecar``, ``xmp``, ``iptc`` or ``exif``.
        creator: the author a sidecar names.
    """

    text: str = ""
    source: str = ""
    creator: str = ""


def sidecar_names(name: str) -> tuple[tuple[str, str], ...]:
    """The names a photo's sidecars may have, as (kind, file name), the first that has a caption wins.

    A name with the photo's extension comes first, as ``a.jpg`` and ``a.png`` may share ``a.txt``.
    """
    stem = name.rpartition(".")[0] or name
    return (
        ("txt", f"{name}.txt"),
        ("txt", f"{stem}.txt"),
        ("json", f"{name}.json"),
        ("json", f"{stem}.json"),
        ("xmp", f"{name}.xmp"),
        ("xmp", f"{stem}.xmp"),
    )


def choose_caption(
    name: str, sidecars: Sequence[tuple[str, bytes]], embedded: Mapping[str, str] | None = None
) -> Caption:
    """The caption that wins.

    Args:
        name: file name of the photo; a caption that only repeats it is none.
        sidecars: (kind, content) in the order of :func:`sidecar_names`.
        embedded: caption per source ``xmp``, ``iptc``, ``exif``.
    """
    found = [_parse_sidecar(kind, data) for kind, data in sidecars if len(data) <= MAX_SIDECAR_BYTES[kind]]
    creator = next((caption.creator for caption in found if caption.creator), "")
    found += [Caption(clean((embedded or {}).get(source, "")), source) for source in ("xmp", "iptc", "exif")]
    for caption in found:
        if caption.text and not _is_noise(caption.text, name):
            return Caption(caption.text, caption.source, creator)
    return Caption(creator=creator)


def clean(text: str) -> str:
    """Text fit to be stored and shown: NFC, no control or half characters, no HTML tags, trimmed, not too long."""
    text = text.encode("utf-8", "ignore").decode()
    if _HTML_TAG.search(text):
        text = _HTML_TAG.sub(" ", text)
        # A reference of more digits than Python reads at once is none.
        with contextlib.suppress(ValueError):
            text = html.unescape(text)
    text = _composed(text[: 4 * MAX_CAPTION].replace("\r\n", "\n").replace("\r", "\n"))
    kept = "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"})
    lines = (" ".join(line.split()) for line in kept.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:MAX_CAPTION].rstrip()


def _composed(text: str) -> str:
    """NFC, with no more than 30 marks in a row, which is ample for every language (Stream-Safe Text Format, UAX #15).

    Marks are put in order first, which takes the square of their number.
    """
    if text.isascii():
        return text
    kept, marks = [], 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= _MARKS:
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def decode_text(data: bytes) -> str:
    """Bytes as text: by byte order mark, else UTF-8, else Windows-1252, else Latin-1; never fails."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def parse_json(data: bytes) -> Caption:
    """The caption and creator of a JSON sidecar: an object (or a list of one) with a key for either, or a string.

    Keys, in order: ``caption``, ``description``, ``text``, ``title``, at the top or in one wrapping object.
    """
    try:
        value = json.loads(decode_text(data))
    except (ValueError, RecursionError):
        return Caption()
    if isinstance(value, list):
        value = next(iter(value), None)
    if isinstance(value, str):
        return Caption(clean(value), "json")
    if not isinstance(value, dict):
        return Caption()
    places = [value, *(value[key] for key in _WRAPPERS if isinstance(value.get(key), dict))]
    text = next(_values(places, _CAPTION_KEYS), "")
    creator = next(_values(places, _CREATOR_KEYS), "")
    return Caption(text, "json" if text else "", creator)


def parse_xmp(data: bytes) -> Caption:
    """``dc:description`` (the default language, else the first) and ``dc:creator`` of an XMP packet."""
    nodes = xmp_descriptions(data)
    text = next(filter(None, (_property(node, "description") for node in nodes)), "")
    creator = next(filter(None, (_property(node, "creator") for node in nodes)), "")
    return Caption(text, "xmp" if text else "", creator)


def xmp_descriptions(data: bytes) -> list[Element]:
    """The elements whose children and attributes are a packet's properties; none where it is malformed.

    XMP specification, part 1 (ISO 16684-1): properties are elements or attributes of the ``rdf:Description``
    elements directly below ``rdf:RDF``. Document types and entities are refused (billion laughs, XXE).
    """
    root = _xml(data)
    rdf = None if root is None else root if root.tag == f"{RDF}RDF" else root.find(f".//{RDF}RDF")
    return [] if rdf is None else rdf.findall(f"{RDF}Description")


def parse_iptc(data: bytes) -> Caption:
    """Caption-Abstract (2:120) and By-line (2:80) of an IPTC-IIM block, alone or in an image resource."""
    records: dict[tuple[int, int], bytes] = {}
    for key, value in iptc_fields(data):
        records.setdefault(key, value)
    text, creator = (clean(decode_text(records.get(key, b""))) for key in ((2, 120), (2, 80)))
    return Caption(text, "iptc" if text else "", creator)


def iptc_fields(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """The data sets of an IPTC-IIM block in their order, as ((record, number), value); some may come repeatedly."""
    at = data.find(b"\x1c")
    while 0 <= at <= len(data) - 5 and data[at] == 0x1C:
        size = int.from_bytes(data[at + 3 : at + 5])
        if size > 0x7FFF:  # extended data sets are for binary objects; no text field needs one
            return
        yield (data[at + 1], data[at + 2]), data[at + 5 : at + 5 + size]
        at += 5 + size


def parse_exif_comment(data: bytes) -> str:
    """An EXIF UserComment: eight bytes that name the encoding, then the text."""
    code, body = data[:8].rstrip(b"\x00 ").upper(), data[8:]
    if code == b"UNICODE":
        # Big-endian by the standard, little-endian in most cameras: ASCII text shows which.
        order = "utf-16-le" if body[1:2] == b"\x00" else "utf-16-be"
        return clean(body.decode(order, "replace"))
    if code in {b"ASCII", b""}:
        return clean(decode_text(body.rstrip(b"\x00")))
    return ""


def _parse_sidecar(kind: str, data: bytes) -> Caption:
    if kind == "json":
        return parse_json(data)
    if kind == "xmp":
        found = parse_xmp(data)
        return Caption(found.text, "xmp_sidecar" if found.text else "", found.creator)
    text = clean(decode_text(data))
    return Caption(text, "txt" if text else "")


def _is_noise(text: str, name: str) -> bool:
    stem = name.rpartition(".")[0]
    return text in {name, stem} or _CAMERA_NOISE.fullmatch(text) is not None


def _values(places: Sequence[Mapping[str, object]], keys: Sequence[str]) -> Iterator[str]:
    """Non-empty texts under the keys, in the order of places, then keys; keys are matched in lower case."""
    for place in places:
        lowered = {str(key).lower(): value for key, value in place.items()}
        for key in keys:
            value = lowered.get(key)
            if isinstance(value, dict):
                value = value.get("text") or value.get("name")
            if isinstance(value, list):
                value = ", ".join(part for part in value if isinstance(part, str))
            if isinstance(value, str) and (text := clean(value)):
                yield text


def _xml(data: bytes) -> Element | None:
    """The root element; where the whole does not parse, of the packet inside it; None where that fails too."""
    root = _parse(data.strip(b"\x00 \r\n\t"))
    if root is None and (packet := _packet(decode_text(data))):
        root = _parse(packet.encode("utf-8", "replace"))
    return root


def _packet(text: str) -> str:
    """From the first beginning of a packet that has an end, to its last end; ``""`` where there is none."""
    ends = {found[1]: found for found in _PACKET_ENDS.finditer(text)}
    for begins in _PACKET_BEGINS.finditer(text):
        last = ends.get(begins[1])
        if last is not None and last.start() >= begins.end():
            return text[begins.start() : last.end()]
    return ""


def _parse(data: bytes) -> Element | None:
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return None
    return root


def _property(node: Element, name: str) -> str:
    """A Dublin Core property of a description, as text; several creators are joined by commas."""
    if text := clean(node.get(DC + name, "")):
        return text
    element = node.find(DC + name)
    if element is None:
        return ""
    items = list(element.iter(f"{RDF}li"))
    texts = [(item.get(_LANG, ""), clean(item.text or "")) for item in items]
    if name == "creator":
        joined = ", ".join(text for _, text in texts if text)[:MAX_CAPTION]
        return joined or clean(element.text or "")
    default = next((text for lang, text in texts if lang == "x-default" and text), "")
    return default or next((text for _, text in texts if text), "") or clean(element.text or "")
