"""Keywords that people gave a photo before: where programs keep them, and which are kept here.

Read are, in this order and from each block of metadata, ``digiKam:TagsList`` (digiKam, Immich),
``lr:hierarchicalSubject`` (Lightroom, darktable), ``dc:subject`` (everybody), IPTC keywords (2:25) and Windows'
XPKeywords. No program reads all of them and none writes all of them, so only their union loses nothing.

Of a path such as ``Animals|Birds|Wren`` the last name is the keyword; the names above it are keywords only where they
are also given by themselves. Like captions, malformed metadata gives nothing and never raises.

What does not belong here: which keywords a chat model may be told (``asking``), and writing them.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from xml.etree.ElementTree import Element

from tagging_assets.domain.captions import DC, RDF, clean, decode_text, iptc_fields, xmp_descriptions

#: So many keywords are kept of a photo.
MAX_KEYWORDS = 100

#: What is longer is a sentence or a damaged block and no keyword, characters; IPTC itself allows 64 bytes.
MAX_KEYWORD = 100

#: So many entries are looked at: a damaged block may repeat one keyword a million times.
_LOOKED_AT = 20 * MAX_KEYWORDS

#: Before an entry is cleaned it may be so much longer, for what cleaning takes away.
_SLACK = 4

_TAGS_LIST = "{http://www.digikam.org/ns/1.0/}TagsList"
_HIERARCHICAL = "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject"
_SUBJECT = f"{DC}subject"
_IPTC_KEYWORDS = (2, 25)

#: darktable notes under this root what it did itself (``darktable|format|cr2``), and repeats every name of the path
#: in ``dc:subject``.
_MACHINE_ROOT = "darktable"

#: What programs write where there is no keyword, lower case.
_PLACEHOLDERS = frozenset({"n/a", "none", "null"})


def union(*groups: Iterable[str]) -> tuple[str, ...]:
    """Clean keywords in the order found, each once whatever its case, at most :data:`MAX_KEYWORDS`.

    Args:
        groups: keywords as they were found; the first spelling of each stands.
    """
    found: dict[str, str] = {}
    for text in islice(chain.from_iterable(groups), _LOOKED_AT):
        word = " ".join(clean(text).split()) if len(text) <= _SLACK * MAX_KEYWORD else ""
        if 0 < len(word) <= MAX_KEYWORD and word.casefold() not in _PLACEHOLDERS:
            found.setdefault(word.casefold(), word)
        if len(found) == MAX_KEYWORDS:
            break
    return tuple(found.values())


def xmp_keywords(data: bytes) -> tuple[str, ...]:
    """Keywords of an XMP packet or sidecar; what darktable notes of its own work is left out."""
    nodes = xmp_descriptions(data)
    paths = [
        [part.strip() for part in text.split(separator) if part.strip()]
        for name, separator in ((_TAGS_LIST, "/"), (_HIERARCHICAL, "|"))
        for text in _values(nodes, name)
    ]
    machine = {part.casefold() for path in paths if path and path[0] == _MACHINE_ROOT for part in path}
    leaves = (path[-1] for path in paths if path and path[0] != _MACHINE_ROOT)
    return union(leaves, (text for text in _values(nodes, _SUBJECT) if text.strip().casefold() not in machine))


def iptc_keywords(data: bytes) -> tuple[str, ...]:
    """Keywords (2:25) of an IPTC-IIM block, one to a data set."""
    return union(decode_text(value) for key, value in iptc_fields(data) if key == _IPTC_KEYWORDS)


def exif_keywords(text: str) -> tuple[str, ...]:
    """Keywords of Windows' XPKeywords, which separates them by semicolons."""
    return union(text.split(";"))


def _values(nodes: Iterable[Element], name: str) -> Iterator[str]:
    """The entries of an array property, whichever kind of array; a plain value counts as one entry."""
    for node in nodes:
        if node.get(name):
            yield node.get(name, "")
        for element in node.findall(name):
            items = list(element.iter(f"{RDF}li"))
            yield from (item.text or "" for item in items or [element])
