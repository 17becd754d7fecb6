"""Reads no more of a server's reply than makes sense, whatever the client library would do.

Imported where a client is opened: the HTTP library costs half a second.
"""

import time
from collections.abc import Iterator

import httpx2  # what the client library runs on

#: Of a reply that tells of an error; what is behind that is not read.
_ERROR_BYTES = 65_536


def bound_error(response: httpx2.Response, seconds: float) -> None:
    """Read little of an error, and not for ever: the client library reads all of it before it says what it is.

    Args:
        response: of which nothing was read yet.
        seconds: from now, in which what comes is read.
    """
    if response.is_error and isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Beginning(response.stream, time.monotonic() + seconds)


class _Beginning(httpx2.SyncByteStream):
    """The beginning of what a server sends."""

    def __init__(self, stream: httpx2.SyncByteStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        left = _ERROR_BYTES
        for part in self._stream:
            yield part[:left]
            left -= len(part)
            if left <= 0 or time.monotonic() > self._until:
                return

    def close(self) -> None:
        self._stream.close()
