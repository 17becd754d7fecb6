"""Photos decoded by other processes, so that one that crashes a decoder, hangs it or fills the memory harms no other.

As many processes as threads ask at once, kept for the next photo, replaced where one has ended. The files are opened
here and handed over open: the processes need no access to any. What does not belong here: what the processes do
(``decoder_child``), how one is asked (``decoder_process``), and what keeps them in (``confinement``).
"""

import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from resources.decoder_process import DecoderEnded, DecoderProcess
from resources.decoding import MAX_MEGAPIXELS, Decoded
from resources.describing import Description, Sidecar
from resources.opening import open_regular, translated
from tagging_assets.domain.errors import DecoderCrashed, ImageError, ImageGone
from tagging_assets.domain.images import PROXY_SIDE
from tagging_assets.domain.models import RgbImage

#: Computing time that one photo may take by default, seconds; most take a tenth of one.
DECODE_SECONDS = 10.0

#: What decoders hold of a picture at their most, bytes per pixel (of floats, and of raw files), and besides.
_BYTES_PER_PIXEL, _BYTES = 24, 768 * 2**20

_DESCRIPTION = TypeAdapter(Description)


class DecoderPool:
    """Decodes photos and reads their headers; safe to use from several threads.

    Args:
        seconds: computing time that one photo may take; three times as much may pass by the clock.
        max_megapixels: of the largest photo, which decides how much memory a decoder may take.
    """

    def __init__(self, *, seconds: float = DECODE_SECONDS, max_megapixels: float = MAX_MEGAPIXELS) -> None:
        self._seconds = seconds
        self._memory = _BYTES + int(_BYTES_PER_PIXEL * max_megapixels * 1e6)
        self._lock = threading.Lock()
        self._idle: list[DecoderProcess] = []
        self._busy: set[DecoderProcess] = set()
        self._cancelled = False
        # Where nobody closes it, its processes end with it.
        weakref.finalize(self, _close_all, self._idle)

    def decode(
        self, path: str | os.PathLike[str], *, max_megapixels: float = MAX_MEGAPIXELS, max_side: int = PROXY_SIDE
    ) -> Decoded:
        """Decode a photo, as ``decoding.decode`` does.

        Raises:
            ImageError: one of its subclasses; also where its decoder crashed, or took too long.
            DecoderMissing: no process can be started.
        """
        question = {"do": "decode", "max_megapixels": max_megapixels, "max_side": max_side}
        with _opened(path) as photo:
            answer, pixels = self._ask(question, path, [photo], max_side)
        if pixels is None:
            raise DecoderCrashed("its decoder gave no pixels; the file is damaged or hostile")
        answer.pop("shape")
        return Decoded(pixels, **answer)

    def describe(
        self, path: str | os.PathLike[str], sidecars: Sequence[Sidecar] = (), *, max_megapixels: float = MAX_MEGAPIXELS
    ) -> Description:
        """Read a photo's header and sidecars, as ``describing.describe`` does.

        Raises:
            ImageError, DecoderMissing: as :meth:`decode`.
        """
        question = {"do": "describe", "max_megapixels": max_megapixels, "sidecars": [kind for kind, _ in sidecars]}
        with _opened(path) as photo:
            answer, _ = self._ask(question, path, [photo, *(stream for _, stream in sidecars)], 0)
        try:
            return _DESCRIPTION.validate_python(answer)
        except ValidationError as error:
            raise DecoderCrashed("its header was read to nonsense; the file is damaged or hostile") from error

    def cancel(self) -> None:
        """End every wait, now and from now on."""
        with self._lock:
            self._cancelled = True
            for process in self._busy:
                process.kill()

    def close(self) -> None:
        """End the processes that wait for work; what is asked afterwards starts others."""
        with self._lock:
            idle = self._idle[:]
            self._idle.clear()
        _close_all(idle)

    def _ask(
        self, question: Mapping[str, Any], path: str | os.PathLike[str], files: Sequence[BinaryIO], max_side: int
    ) -> tuple[dict[str, Any], RgbImage | None]:
        question = {**question, "name": Path(path).name}
        for _attempt in range(2):
            try:
                with self._process() as process:
                    return process.ask(question, files, self._seconds, max_side)
            except DecoderEnded:
                if self._cancelled:
                    raise ImageGone("interrupted before it was decoded; run it again") from None
        raise DecoderCrashed("its decoder was killed, twice; is there enough memory?")

    @contextmanager
    def _process(self) -> Iterator[DecoderProcess]:
        """A process for one question; it is kept where it is alive afterwards."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is None or not process.alive:
            if process is not None:
                process.close()
            process = DecoderProcess(self._memory)
        with self._lock:
            self._busy.add(process)
            if self._cancelled:
                process.kill()
        try:
            yield process
        finally:
            with self._lock:
                self._busy.discard(process)
                kept = process.alive and not self._cancelled
                if kept:
                    self._idle.append(process)
            if not kept:
                process.close()


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A photo, open.

    Raises:
        ImageGone: it is not there, not readable, or not a file.
        UnreadableImage: the file system says so.
    """
    try:
        stream = open_regular(path)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        raise translated(error, None) from error
    with stream:
        yield stream


def _close_all(idle: list[DecoderProcess]) -> None:
    for process in idle:
        process.close()
