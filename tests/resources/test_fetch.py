import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resources.fetch import Fetcher, is_ready, sha256_of, stamp_path
from resources.sources import Sources, check_source
from resources.sources_http import Http, SourceFailed, console_progress, silent_progress
from resources.sources_pip import download_wheel, pip_command, pip_environment, wheel_link
from tagging_assets.domain.errors import SettingsError, WeightsCorrupt, WeightsMissing

CONTENT = bytes(range(256)) * 4096  # 1 MiB, compresses well


@dataclass
class Want:
    """A wanted file; implements ``resources.fetch.Wanted``."""

    content: bytes = CONTENT
    sources: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    name: str = "model.bin"
    sha256: str = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self.size = len(self.content)


class FileServer(ThreadingHTTPServer):
    """Serves bytes by path on loopback, as well or as badly as a test says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.statuses: list[int] = []  # answered one by one before the files are
        self.cuts: list[int] = []  # per answer, break off after so many bytes
        self.requests: list[tuple[str, str]] = []  # path, Range
        self.headers: list[dict[str, str]] = []
        self.sent = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, format: str, *args: object) -> None:
        """Tests read ``requests`` instead."""

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range", "")
        server.requests.append((self.path[1:], asked))
        server.headers.append(dict(self.headers))
        if server.statuses:
            self.send_response(server.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = server.files.get(self.path[1:])
        if content is None:
            self.send_error(404)
            return
        start, end, status = 0, len(content), 200
        if asked and server.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(len(content) - int(last), 0)
            end = min(int(last) + 1, len(content)) if first and last else len(content)
            status = 206 if start < len(content) else 416
        body = content[start:end]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(content)}")
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else len(body)
        server.sent += len(body[:cut])
        self.wfile.write(body[:cut])


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A small but complete wheel with two data files, one packed and one stored."""
    path = tmp_path / "index" / "tiny_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/packed.bin", CONTENT)
        archive.writestr("tiny/stored.bin", CONTENT[::-1], compress_type=zipfile.ZIP_STORED)
        archive.writestr("tiny/ballast.bin", os.urandom(1 << 20), compress_type=zipfile.ZIP_STORED)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


PACKED = "pypi:tiny-weights==1.0#tiny/packed.bin"
STORED = "pypi:tiny-weights==1.0#tiny/stored.bin"


def http() -> Http:
    return Http(silent_progress, pause_seconds=0)


def fetcher() -> Fetcher:
    """A fetcher for what is on the loopback server or this disk."""
    return Fetcher(sources=Sources(Path("/nowhere"), http=http()))


def leftovers(target: Path) -> set[str]:
    """Everything beside the file but its lock and its stamp."""
    expected = {target.name, f"{target.name}.lock", stamp_path(target).name}
    return {path.name for path in target.parent.iterdir()} - expected


@pytest.mark.parametrize(
    "source",
    [
        "pypi:some-package==1.2.3#some_package/model.onnx",
        "pypi:some.package==1!2.0+cpu#a/b c".replace(" ", "_"),
        "hf:owner/repo@main#onnx/model.onnx",
        "hf:owner/repo@refs/pr/1#model.onnx",
        "https://example.org/model.onnx",
        "file:/srv/models/model.onnx",
        "file:///srv/models/model.onnx",
        "file:~/models/model.onnx",
    ],
)
def test_sources_that_are_understood(source: str) -> None:
    assert check_source(source) == source


@pytest.mark.parametrize(
    "source",
    [
        "pypi:some-package#model.onnx",  # no version: not reproducible
        "pypi:some-package>=1#model.onnx",  # a range of versions: likewise
        "pypi:some-package==1.0",  # no member
        "pypi:--index-url==1#x y",  # blanks
        "hf:repo#model.onnx",  # no owner, no revision
        "ftp://example.org/model.onnx",  # a scheme nobody serves any more
        "model.onnx",  # no scheme
        "",
    ],
)
def test_sources_that_are_refused(source: str) -> None:
    with pytest.raises(SettingsError, match="is no source"):
        check_source(source)


def test_a_requirement_cannot_pose_as_an_option_of_pip() -> None:
    with pytest.raises(SettingsError):
        check_source("pypi:--index-url==1#member")


def test_http_brings_the_file_with_its_stamp_and_nothing_else(server: FileServer, tmp_path: Path) -> None:
    server.files["m"] = CONTENT
    target, want = tmp_path / "new" / "model.bin", Want(sources=(server.url("m"),))
    with fetcher() as one:
        one.fetch(want, target)
        one.fetch(want, target)  # is there already
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert leftovers(target) == set()
    assert is_ready(target, want)


def test_an_interrupted_transfer_goes_on_where_it_stopped(server: FileServer, tmp_path: Path) -> None:
    server.files["m"] = CONTENT
    server.cuts = [300_000]
    target = tmp_path / "model.bin"
    with fetcher() as one:
        one.fetch(Want(sources=(server.url("m"),)), target)
    assert target.read_bytes() == CONTENT
    assert server.requests[1][1].startswith("bytes=")
    assert server.sent < len(CONTENT) + 300_000


def test_a_later_process_goes_on_too(server: FileServer, tmp_path: Path) -> None:
    server.files["m"] = CONTENT
    server.cuts = [200_000, 0, 0, 0]
    target, want = tmp_path / "model.bin", Want(sources=(server.url("m"),))
    with fetcher() as one, pytest.raises(WeightsMissing, match="does not answer"):
        one.fetch(want, target)
    assert not target.exists()
    with fetcher() as another:
        another.fetch(want, target)
    assert target.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert leftovers(target) == set()


def test_servers_that_ignore_ranges_start_over(server: FileServer, tmp_path: Path) -> None:
    server.files["m"] = CONTENT
    server.ranges = False
    server.cuts = [300_000]
    target = tmp_path / "model.bin"
    with fetcher() as one:
        one.fetch(Want(sources=(server.url("m"),)), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "left",
    [
        b"x" * 1000,  # of another version of the file
        b"x" * len(CONTENT),  # as long as the file, and wrong
        b"x" * (len(CONTENT) + 5),  # longer than the file
        CONTENT,  # complete, killed before it was put in place
    ],
)
def test_bad_leftovers_of_an_earlier_attempt_do_no_harm(server: FileServer, tmp_path: Path, left: bytes) -> None:
    server.files["m"] = CONTENT
    server.cuts = [10, 0, 0, 0]
    target, want = tmp_path / "model.bin", Want(sources=(server.url("m"),))
    with fetcher() as one:
        with pytest.raises(WeightsMissing):
            one.fetch(want, target)
        (partial,) = tmp_path.glob("*.partial")
        partial.write_bytes(left)
        one.fetch(want, target)
    assert target.read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.files["m"] = CONTENT
    server.statuses = [503, 429]
    target = tmp_path / "model.bin"
    with fetcher() as one:
        one.fetch(Want(sources=(server.url("m"),)), target)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("served", "error", "message"),
    [
        (None, WeightsMissing, "answers 404"),  # not there
        (CONTENT[:-1] + b"!", WeightsCorrupt, "other bytes"),  # same length, other content
        (CONTENT + b"!", WeightsMissing, "more than"),  # longer: not even read to the end
        (b"<html>sign in</html>", WeightsCorrupt, "other bytes"),  # a captive portal
    ],
)
def test_what_is_not_the_file_is_refused(
    server: FileServer, tmp_path: Path, served: bytes | None, error: type[Exception], message: str
) -> None:
    if served is not None:
        server.files["m"] = served
    target = tmp_path / "model.bin"
    with fetcher() as one, pytest.raises(error, match=message) as caught:
        one.fetch(Want(sources=(server.url("m"),)), target)
    assert not target.exists()
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_next_source_serves_where_the_first_fails(server: FileServer, tmp_path: Path) -> None:
    server.files["wrong"] = b"wrong"
    server.files["right"] = CONTENT
    sources = (server.url("gone"), server.url("wrong"), server.url("right"))
    with fetcher() as one:
        one.fetch(Want(sources=sources), tmp_path / "model.bin")
    assert sha256_of(tmp_path / "model.bin") == Want().sha256


def test_parts_are_joined_and_kept_over_failures(server: FileServer, tmp_path: Path) -> None:
    server.files["a"] = CONTENT[:500_000]
    target = tmp_path / "model.bin"
    want = Want(parts=(server.url("a"), server.url("b")))
    with fetcher() as one:
        with pytest.raises(WeightsMissing, match="404"):
            one.fetch(want, target)
        server.files["b"] = CONTENT[500_000:]
        one.fetch(want, target)
    assert target.read_bytes() == CONTENT
    assert [path for path, _ in server.requests].count("a") == 1
    assert leftovers(target) == set()


def test_hub_files_come_from_the_endpoint_with_the_token(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["owner/repo/resolve/refs%2Fpr%2F1/onnx/model.bin"] = CONTENT
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with fetcher() as one:
        one.fetch(Want(sources=("hf:owner/repo@refs/pr/1#onnx/model.bin",)), tmp_path / "model.bin")
    assert server.headers[0]["Authorization"] == "Bearer hf_secret"


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
def test_local_files_serve_offline(tmp_path: Path, form: str) -> None:
    origin = tmp_path / "share" / "model.bin"
    origin.parent.mkdir()
    origin.write_bytes(CONTENT)
    with Fetcher(offline=True, progress=silent_progress) as one:
        one.fetch(Want(sources=(form.format(origin),)), tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("source", ["file:/nowhere/model.bin", PACKED, "https://example.invalid/m"])
def test_offline_says_how_to_mend_it(tmp_path: Path, source: str) -> None:
    with (
        Fetcher(offline=True, progress=silent_progress) as one,
        pytest.raises(WeightsMissing, match="tagging models pull"),
    ):
        one.fetch(Want(sources=(source,)), tmp_path / "model.bin")


@pytest.mark.parametrize("source", [PACKED, STORED])
def test_one_member_of_a_remote_wheel_costs_little_more_than_its_bytes(
    server: FileServer, wheel: Path, tmp_path: Path, source: str
) -> None:
    server.files["w.whl"] = wheel.read_bytes()
    sources = Sources(tmp_path / "wheels", http=http(), link=lambda _: server.url("w.whl"))
    content = CONTENT if source == PACKED else CONTENT[::-1]
    target = tmp_path / "cache" / "model.bin"
    with Fetcher(sources=sources) as one:
        one.fetch(Want(content, sources=(source,)), target)
    assert target.read_bytes() == content
    assert server.sent < len(wheel.read_bytes()) - 900_000
    assert not (tmp_path / "wheels").exists()
    assert leftovers(target) == set()


def test_members_resume_as_files_do(server: FileServer, wheel: Path, tmp_path: Path) -> None:
    server.files["w.whl"] = wheel.read_bytes()
    sources = Sources(tmp_path / "wheels", http=http(), link=lambda _: server.url("w.whl"))
    server.cuts = [1 << 16, 30, 400_000]  # directory, local header, then the member itself
    with Fetcher(sources=sources) as one:
        one.fetch(Want(CONTENT[::-1], sources=(STORED,)), tmp_path / "model.bin")
    assert server.sent < len(CONTENT) + (1 << 16) + 60


def test_pip_serves_where_the_mirror_wants_its_credentials(server: FileServer, wheel: Path, tmp_path: Path) -> None:
    server.statuses = [401, 401]
    asked = []

    def download(requirement: str, folder: Path) -> Path:
        asked.append(requirement)
        folder.mkdir(parents=True)
        return wheel.rename(folder / wheel.name)

    sources = Sources(tmp_path / "wheels", http=http(), link=lambda _: server.url("w"), download=download)
    with Fetcher(sources=sources) as one:
        one.fetch(Want(sources=(PACKED,)), tmp_path / "packed.bin")
        one.fetch(Want(CONTENT[::-1], sources=(STORED,)), tmp_path / "stored.bin")
    assert asked == ["tiny-weights==1.0"]  # one wheel serves both


def test_threads_that_want_members_of_one_wheel_have_it_downloaded_once(wheel: Path, tmp_path: Path) -> None:
    asked = []

    def download(requirement: str, folder: Path) -> Path:
        folder.mkdir(parents=True)
        asked.append(requirement)
        return wheel.rename(folder / wheel.name)

    sources = Sources(tmp_path / "wheels", http=http(), link=lambda _: None, download=download)
    threads = [
        threading.Thread(target=sources.obtain, args=(source, tmp_path / f"{i}.bin", len(CONTENT)))
        for i, source in enumerate([PACKED, STORED, PACKED])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["tiny-weights==1.0"]
    assert [(tmp_path / f"{i}.bin").stat().st_size for i in range(3)] == [len(CONTENT)] * 3


def test_whole_wheels_go_when_the_fetcher_closes(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with Fetcher(progress=silent_progress) as one:
        one.fetch(Want(sources=(PACKED,)), tmp_path / "model.bin")
    assert list((tmp_path / "temporary").glob("tagging-wheels-*")) == []


def test_pip_is_asked_with_the_users_own_settings(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    link = wheel_link("tiny-weights==1.0")
    assert link is None or link == wheel.as_uri()  # None: a pip from before 23.3
    assert download_wheel("tiny-weights==1.0", tmp_path / "folder").name == wheel.name


def test_pip_says_why_there_is_no_wheel(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with pytest.raises(SourceFailed, match=r"tiny-weights==2\.0: No matching distribution"):
        download_wheel("tiny-weights==2.0", tmp_path / "folder")


def test_a_missing_member_is_named(wheel: Path, tmp_path: Path, server: FileServer) -> None:
    server.files["w.whl"] = wheel.read_bytes()
    sources = Sources(tmp_path, http=http(), link=lambda _: server.url("w.whl"), download=lambda *_: wheel)
    with pytest.raises(SourceFailed, match="tiny/none"):
        sources.obtain("pypi:tiny-weights==1.0#tiny/none", tmp_path / "x", 10)


def test_a_member_larger_than_expected_is_not_unpacked(wheel: Path, tmp_path: Path, server: FileServer) -> None:
    server.files["w.whl"] = wheel.read_bytes()
    sources = Sources(tmp_path, http=http(), link=lambda _: server.url("w.whl"), download=lambda *_: wheel)
    with pytest.raises(SourceFailed, match="more than the 10 expected"):
        sources.obtain(PACKED, tmp_path / "x", 10)
    assert not (tmp_path / "x").exists()


def test_there_is_a_pip_to_run() -> None:
    done = subprocess.run([*pip_command(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip ")


def test_pip_never_asks_questions() -> None:
    environment = pip_environment({"PATH": "/bin", "PIP_INDEX_URL": "https://mine.example/simple"})
    assert environment["PIP_NO_INPUT"] == "1"
    assert environment["PIP_INDEX_URL"] == "https://mine.example/simple"


_FETCH = """
import sys
from pathlib import Path
from resources.fetch import Fetcher
from resources.sources_http import silent_progress
from resources.catalogue import WeightFile
want = WeightFile(name="m", sha256=sys.argv[2], size=int(sys.argv[3]), sources=(sys.argv[1],))
with Fetcher(progress=silent_progress) as one:
    one.fetch(want, Path(sys.argv[4]))
"""


def test_processes_that_want_the_same_file_fetch_it_once(server: FileServer, tmp_path: Path) -> None:
    server.files["m"] = CONTENT
    want, target = Want(), tmp_path / "model.bin"
    command = [sys.executable, "-c", _FETCH, server.url("m"), want.sha256, str(want.size), str(target)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_stamp_is_believed_only_for_the_very_file(tmp_path: Path) -> None:
    target, want = tmp_path / "model.bin", Want()
    assert not is_ready(target, want)
    target.write_bytes(CONTENT)
    assert is_ready(target, want)  # put there by hand: hashed once
    assert stamp_path(target).exists()
    target.write_bytes(CONTENT[::-1])  # same size, other bytes, other time
    assert not is_ready(target, want)
    target.write_bytes(b"short")
    assert not is_ready(target, want)


def test_a_broken_stamp_is_made_anew(tmp_path: Path) -> None:
    target, want = tmp_path / "model.bin", Want()
    target.write_bytes(CONTENT)
    stamp_path(target).write_text("{")
    assert is_ready(target, want)
    assert "sha256" in stamp_path(target).read_text()


def test_progress_is_one_plain_line_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console_progress("model.bin", 2_500_000, 0) as advance:
        advance(10)
    printed = capsys.readouterr()
    assert printed.err == "fetching model.bin (2.5 MB)\n"
    assert printed.out == ""
