"""Photos of strangers, decoded by other processes: what they do there, and what they cannot do."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hostile_pictures as hostile
import numpy as np
import psutil
import pytest
from sample_pictures import quarters, saved
from sample_raw import dng

from resources.decoder_pool import DecoderPool
from resources.decoding import Decoded, decode, read_header
from tagging_assets.domain.errors import (
    DecoderCrashed,
    DecoderMissing,
    DecoderTimedOut,
    EmptyFile,
    ImageError,
    ImageGone,
    ImageTooLarge,
    UnreadableImage,
    UnsupportedFormat,
)
from tests.commands.command_line import wait_for

CORPUS = Path(os.environ.get("TAGGING_CORPUS", "no-corpus"))
#: Nothing waits so long but what is broken.
_GENEROUS = 120.0


@pytest.fixture
def hasty() -> Iterator[DecoderPool]:
    """Gives a photo one second."""
    pool = DecoderPool(seconds=1)
    yield pool
    pool.close()


_others: set[int] = set()


@pytest.fixture(autouse=True)
def only_those_of_the_test() -> None:
    """Processes of other tests' pools, which go on, are none of this one's."""
    _others.clear()
    _others.update(child.pid for child in children())


def children(of: int | None = None) -> list[psutil.Process]:
    found = psutil.Process(of).children()
    return [one for one in found if one.pid not in _others and "resources.decoder_child" in _command(one)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"quality": 95}),
        ("progressive.jpg", {"quality": 95, "progressive": True}),
        ("a.png", {}),
        ("a.webp", {}),
        ("a.gif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.bmp", {}),
        ("a.jp2", {}),
        ("a.heic", {}),
        ("a.avif", {}),
        ("caf\udce9\n.jpg", {}),
    ],
)
def test_pixels_and_headers_are_those_of_this_process(
    tmp_path: Path, decoders: DecoderPool, name: str, options: dict[str, object]
) -> None:
    path = saved(tmp_path, name, quarters(1500, 1100), **options)
    here, there = decode(path), decoders.decode(path)
    assert np.array_equal(here.pixels, there.pixels)
    assert (here.width, here.height, here.format, here.orientation) == (
        there.width,
        there.height,
        there.format,
        there.orientation,
    )
    assert decoders.describe(path).header == read_header(path)


def test_raw_files_are_developed_alike(tmp_path: Path, decoders: DecoderPool) -> None:
    path = tmp_path / "a.dng"
    path.write_bytes(dng(400, 300, 6))
    assert np.array_equal(decode(path).pixels, decoders.decode(path).pixels)
    assert decoders.describe(path).header == read_header(path)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="TAGGING_CORPUS points at no corpus")
def test_the_odd_corpus_is_decoded_alike(decoders: DecoderPool) -> None:
    for path in sorted((CORPUS / "odd").iterdir()):
        if path.name == "exiftool__t__images__DNG.dng":
            continue  # has no last rows, and LibRaw gives whatever the memory held before
        assert outcome(read_header, path) == outcome(lambda path: decoders.describe(path).header, path), path
        assert outcome(decode, path) == outcome(decoders.decode, path), path


def outcome(how: Callable[[Path], object], path: Path) -> str:
    """What comes of it; of errors only that there is one, for less memory is another reason."""
    try:
        done = how(path)
    except ImageError:
        return "refused"
    return hashlib.sha256(done.pixels).hexdigest() if isinstance(done, Decoded) else repr(done)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: hostile.many_scans(path / "a.jpg", 100_000), DecoderTimedOut),
        (lambda path: hostile.png(path / "a.png", 1, 99_000_000), ImageTooLarge),
        (lambda path: hostile.png(path / "a.png", 99_000_000, 1), ImageTooLarge),
        (lambda path: hostile.png(path / "a.png", 2_000_000_000, 2_000_000_000), ImageTooLarge),
        (lambda path: hostile.text_bomb(path / "a.png", b"zTXt"), UnreadableImage),
        (lambda path: hostile.text_bomb(path / "a.png", b"iTXt"), UnreadableImage),
        (lambda path: hostile.text_bomb(path / "a.png", b"iCCP"), UnreadableImage),
        (lambda path: hostile.big_frame_gif(path / "a.gif"), ImageTooLarge),
        (lambda path: hostile.psd(path / "a.psd"), ImageTooLarge),
        (lambda path: hostile.rubbish_raw(path / "a.cr2", 0), UnreadableImage),
        (lambda path: hostile.rubbish_raw(path / "a.raf", 1), UnreadableImage),
        (lambda path: hostile.rubbish_raw(path / "a.rw2", 2), UnreadableImage),
        (lambda path: hostile.rubbish_raw(path / "a.mrw", 3), UnreadableImage),
        (lambda path: path / "not there.jpg", ImageGone),
        (lambda path: path, ImageGone),
        (lambda path: _pipe(path / "a.jpg"), ImageGone),
        (lambda path: _link(path / "a.jpg", path / "a.jpg"), ImageGone),
        (lambda path: Path("/dev/zero"), ImageGone),
        (lambda path: Path("/proc/self/maps"), EmptyFile),  # has no length, whatever is in it
        (lambda path: _written(path / "a.jpg", b"words and words"), UnsupportedFormat),
    ],
)
def test_hostile_files_are_their_own_error(
    tmp_path: Path, hasty: DecoderPool, make: Callable[[Path], Path], error: type[ImageError]
) -> None:
    with pytest.raises(error) as raised:
        hasty.decode(make(tmp_path))
    assert "\n" not in str(raised.value)
    assert raised.value.retryable is (error is ImageGone)
    assert hasty.decode(saved(tmp_path, "good.png", quarters())).width == 80, "and the next photo is decoded"


@pytest.mark.parametrize("make", [hostile.open_packets, hostile.full_of_segments])
def test_hostile_words_are_no_reason_not_to_see_the_picture(
    tmp_path: Path, decoders: DecoderPool, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path / "a.jpg")
    assert decoders.decode(path).width == 60
    assert decoders.describe(path).header.captions == {}


def test_memory_is_limited(tmp_path: Path) -> None:
    pool = DecoderPool(max_megapixels=0.1)
    try:
        with pytest.raises(ImageTooLarge, match="memory"):
            pool.decode(hostile.floats(tmp_path / "a.tif", 9_900), max_megapixels=100)
        assert pool.decode(saved(tmp_path, "good.png", quarters())).width == 80
    finally:
        pool.close()


@pytest.mark.parametrize(
    "number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS]
)
def test_a_crash_is_the_photos_own_error(tmp_path: Path, number: signal.Signals) -> None:
    pool = DecoderPool(seconds=60)
    try:
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(pool.decode, hostile.many_scans(tmp_path / "a.jpg"))
            _at_work().send_signal(number)
            with pytest.raises(DecoderCrashed, match=number.name):
                waiting.result(_GENEROUS)
        assert not DecoderCrashed.retryable
        assert pool.decode(saved(tmp_path, "good.png", quarters())).width == 80
    finally:
        pool.close()


def test_a_photo_is_not_blamed_for_what_an_administrator_does(tmp_path: Path) -> None:
    pool = DecoderPool(seconds=60)
    try:
        path = hostile.many_scans(tmp_path / "a.jpg", 5_000)
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(pool.decode, path)
            _at_work().kill()
            assert waiting.result(_GENEROUS).width == 1024
        # nor for a process that is gone before it is asked
        for child in children():
            child.kill()
            child.wait(_GENEROUS)
        assert pool.decode(path).width == 1024
    finally:
        pool.close()


def test_a_decoder_that_does_nothing_at_all_is_given_up(tmp_path: Path) -> None:
    pool = DecoderPool(seconds=0.5)
    try:
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(pool.decode, hostile.many_scans(tmp_path / "a.jpg"))
            child = _at_work()
            child.suspend()
            with pytest.raises(DecoderTimedOut):
                waiting.result(_GENEROUS)
        wait_for(lambda: not child.is_running(), _GENEROUS)
    finally:
        pool.close()


def test_an_interruption_ends_all_waits(tmp_path: Path) -> None:
    pool = DecoderPool(seconds=600)
    path = hostile.many_scans(tmp_path / "a.jpg")
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(pool.decode, path) for _ in range(2)]
        wait_for(lambda: len(children()) >= 2 and all(_is_busy(child) for child in children()), _GENEROUS)
        pool.cancel()
        for one in waiting:
            with pytest.raises(ImageGone, match="interrupted"):
                one.result(_GENEROUS)
    with pytest.raises(ImageGone, match="interrupted"):
        pool.decode(path)
    assert not children()


def test_ctrl_c_reaches_the_thread_that_waits(tmp_path: Path, press_ctrl_c: Callable[[float], None]) -> None:
    pool = DecoderPool(seconds=600)
    path = hostile.many_scans(tmp_path / "a.jpg")
    press_ctrl_c(2.0)
    with pytest.raises(KeyboardInterrupt):
        pool.decode(path)
    pool.close()
    assert not children()


def test_as_many_processes_as_threads_ask_and_none_are_left(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", quarters(1500, 1100))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    pool = DecoderPool()
    with ThreadPoolExecutor(3) as threads:
        assert len({done.pixels.tobytes() for done in threads.map(pool.decode, [path] * 30)}) == 1
    assert 1 <= len(children()) <= 3
    pool.close()
    assert not children()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_processes_end_with_a_pool_that_nobody_closes(tmp_path: Path) -> None:
    pool = DecoderPool()
    pool.decode(saved(tmp_path, "a.png", quarters()))
    assert children()
    del pool
    wait_for(lambda: not children(), _GENEROUS)


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    path = hostile.many_scans(tmp_path / "a.jpg")
    lines = f"from resources.decoder_pool import DecoderPool; DecoderPool(seconds=600).decode({str(path)!r})"
    parent = subprocess.Popen([sys.executable, "-c", lines], cwd=Path(__file__).parents[2])
    try:
        wait_for(lambda: any(_is_busy(child) for child in children(parent.pid)), _GENEROUS)
        left = children(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not any(child.is_running() for child in left), 30)


def test_secrets_stay_with_the_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("TAGGING_DATABASE_URL", "postgresql://u:planted@h/d")
    pool = DecoderPool()
    try:
        with (tmp_path / "secret").open("w") as stream:  # an open file of the parent's
            os.set_inheritable(stream.fileno(), True)
            pool.decode(saved(tmp_path, "a.png", quarters()))
            [child] = children()
            environment = child.environ()
            assert "planted" not in " ".join([*environment.values(), *child.cmdline()])
            assert set(environment) <= {
                "LC_ALL", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                "PYTHONHOME", "PYTHONPATH",
            }  # fmt: skip
            assert str(tmp_path / "secret") not in {one.path for one in child.open_files()}
        assert os.getsid(child.pid) != os.getsid(0), "Ctrl-C at the terminal is not for it"
    finally:
        pool.close()


def test_a_process_that_cannot_be_started_concerns_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DecoderMissing, match="ended at once"):
        DecoderPool().decode(saved(tmp_path, "a.png", quarters()))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(DecoderMissing, match="No such file"):
        DecoderPool().decode(tmp_path / "a.png")


def _at_work() -> psutil.Process:
    """The process that decodes something at this moment."""
    wait_for(lambda: any(_is_busy(child) for child in children()), _GENEROUS)
    return next(child for child in children() if _is_busy(child))


def _is_busy(child: psutil.Process) -> bool:
    """Whether it computes, after it was started: it holds an open file of a photo."""
    try:
        return any(one.path.endswith("a.jpg") for one in child.open_files())
    except psutil.Error:
        return False


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _link(path: Path, to: Path) -> Path:
    path.symlink_to(to)
    return path


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
