"""Pictures as chat models get them: the proxy, scaled down, as a JPEG without any of the file's metadata."""

import io
from dataclasses import dataclass
from functools import partial

from resources.proxy_store import ProxyStore
from tagging_assets.domain.chat import ChatImage
from tagging_assets.domain.frames import Row

#: Part of a picture's key, and so of what makes a question: bumped where the same proxy would look otherwise.
VERSION = "jpeg-q88/1"

_QUALITY = 88


@dataclass(frozen=True, slots=True)
class ChatPictures:
    """Makes pictures for questions.

    Attributes:
        proxies: where the working copies are.
        side: longest side in pixels; smaller proxies stay as they are.
    """

    proxies: ProxyStore
    side: int

    @property
    def version(self) -> str:
        """What decides, besides its pixels, how a photo looks to a model."""
        return f"{self.side}/{VERSION}"

    def of(self, proxy: Row) -> ChatImage:
        """The picture of one photo; its file is read only when the question is really sent.

        Args:
            proxy: row of ``proxies``.
        """
        return ChatImage(f"{proxy['pixel_id']}/{self.version}", partial(self._jpeg, proxy["path"]))

    def _jpeg(self, path: str) -> bytes:
        """Bytes of a JPEG file.

        Raises:
            ImageGone: the proxy is not there or damaged.
        """
        from PIL import Image

        image = Image.fromarray(self.proxies.load(path))
        image.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=_QUALITY)
        return stream.getvalue()
