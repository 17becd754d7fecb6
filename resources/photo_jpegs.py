"""Photos as a person looks at them on a screen: JPEG files made from proxies, never from originals.

What does not belong here: pictures for models (``chat_pictures``) and for contact sheets (``gallery``).
"""

from collections.abc import Collection, Sequence
from functools import cached_property

from resources.contact_sheet import encode_jpeg
from resources.frame_store import FrameStore
from resources.proxy_store import ProxyStore
from tagging_assets.domain.errors import ImageGone

#: Long side, pixels: fills a screen beside two lists of tags, at a fifth of the proxy's bytes.
_SIDE = 1024


class PhotoJpegs:
    """Makes pictures of some photos; safe to use from several threads.

    Args:
        frames: knows the photos' working copies.
        proxy_files: holds them.
        batches: that the photos are in.
        image_ids: the photos; there are no pictures of others.
        side: the long side is at most so many pixels.
    """

    def __init__(
        self,
        frames: FrameStore,
        proxy_files: ProxyStore,
        batches: Sequence[str],
        image_ids: Collection[str],
        side: int = _SIDE,
    ) -> None:
        self._frames = frames
        self._proxy_files = proxy_files
        self._batches = tuple(batches)
        self._image_ids = frozenset(image_ids)
        self._side = side

    def of(self, image_id: str) -> bytes:
        """The bytes of a JPEG file without any metadata.

        Raises:
            ImageGone: the photo is none of these, or its working copy is not there.
        """
        import numpy as np
        from PIL import Image

        path = self._paths.get(image_id)
        if path is None:
            raise ImageGone("the photo has no working copy; run `tagging run` on its folder")
        picture = Image.fromarray(self._proxy_files.load(path))
        picture.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        return encode_jpeg(np.asarray(picture))

    @cached_property
    def _paths(self) -> dict[str, str]:
        return {
            record.image_id: str(record.rows[0]["path"])
            for batch in self._batches
            for record in self._frames.read("proxies", batch).current
            if record.ok and record.image_id in self._image_ids
        }
