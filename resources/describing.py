"""What is said about a photo: by its header, and by the files beside it.

What does not belong here: finding and opening those files (``photo_folder``), and which words win (``domain``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from resources.decoding import MAX_MEGAPIXELS, read_header
from tagging_assets.domain.captions import MAX_SIDECAR_BYTES, Caption, choose_caption
from tagging_assets.domain.images import Header
from tagging_assets.domain.keywords import union, xmp_keywords

#: Kind of a file beside a photo (``txt``, ``json`` or ``xmp``), and the file, open at its start.
Sidecar = tuple[str, BinaryIO]


@dataclass(frozen=True, slots=True)
class Description:
    """What was found.

    Attributes:
        header: what the photo says about itself.
        caption: the one that wins.
        keywords: of the sidecars.
    """

    header: Header
    caption: Caption
    keywords: tuple[str, ...]


def describe(
    name: str, stream: BinaryIO, sidecars: Sequence[Sidecar], *, max_megapixels: float = MAX_MEGAPIXELS
) -> Description:
    """Read a photo's header and its sidecars.

    Args:
        name: file name of the photo.
        stream: the photo, open.
        sidecars: in order of precedence; of what is too long for its kind nothing is read.
        max_megapixels: a photo with more pixels is refused.

    Raises:
        ImageError: one of its subclasses, as ``decoding.read_header`` says.
    """
    header = read_header(name, max_megapixels=max_megapixels, stream=stream)
    texts = [(kind, content) for kind, one in sidecars if (content := _text(kind, one)) is not None]
    caption = choose_caption(name, texts, header.captions)
    return Description(header, caption, union(*(xmp_keywords(data) for kind, data in texts if kind == "xmp")))


def _text(kind: str, stream: BinaryIO) -> bytes | None:
    """The bytes of a sidecar; ``None`` where they cannot be read, or became too many meanwhile."""
    try:
        content = stream.read(MAX_SIDECAR_BYTES[kind] + 1)
    except OSError:
        return None
    return content if len(content) <= MAX_SIDECAR_BYTES[kind] else None
