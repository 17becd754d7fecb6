import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from resources.files import storage_error, write_atomically
from resources.proxy_store import ProxyStore
from tagging_assets.domain.errors import DiskFull, ImageGone, StorageError
from tagging_assets.domain.images import pixel_id
from tagging_assets.domain.models import RgbImage


def picture(seed: int = 0, height: int = 90, width: int = 120) -> RgbImage:
    """A gradient with a little noise."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([y * 2, x * 2, (x + y)], axis=-1)
    return np.clip(base + np.random.default_rng(seed).integers(0, 9, base.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> ProxyStore:
    return ProxyStore(tmp_path)


def test_what_is_read_back_is_what_the_id_stands_for(store: ProxyStore) -> None:
    stored = store.put(picture())
    loaded = store.load(stored.path)
    assert pixel_id(loaded) == stored.pixel_id
    assert stored.path == f"proxies/{stored.pixel_id[:2]}/{stored.pixel_id[2:4]}/{stored.pixel_id}.jpg"
    assert stored.path == ProxyStore.path_of(stored.pixel_id)
    assert (loaded.shape, loaded.dtype, loaded.flags.c_contiguous) == ((90, 120, 3), np.uint8, True)
    assert np.abs(loaded.astype(int) - picture()).mean() < 2


def test_putting_twice_is_putting_once(store: ProxyStore, tmp_path: Path) -> None:
    first = store.put(picture())
    file = tmp_path / first.path
    before = file.stat()
    assert store.put(picture()) == first
    after = file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(list(tmp_path.rglob("*.jpg"))) == 1
    assert store.put(picture(1)) != first


@pytest.mark.parametrize("shape", [(1, 1), (1, 1280), (1280, 1), (7, 9)])
def test_any_shape(store: ProxyStore, shape: tuple[int, int]) -> None:
    stored = store.put(picture(height=shape[0], width=shape[1]))
    assert store.load(stored.path).shape == (*shape, 3)
    assert store.verify(stored.path)


def test_many_threads_put_the_same_picture(store: ProxyStore, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = set(pool.map(lambda seed: store.put(picture(seed % 2)), range(16)))
    assert len(results) == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.suffix for path in files) == [".TAG", ".jpg", ".jpg"]


def test_the_folder_is_marked_as_a_cache(store: ProxyStore, tmp_path: Path) -> None:
    store.put(picture())
    assert (tmp_path / "proxies/CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_missing_proxy_may_be_made_again(store: ProxyStore, tmp_path: Path) -> None:
    stored = store.put(picture())
    (tmp_path / stored.path).unlink()
    assert not store.exists(stored.path)
    assert not store.verify(stored.path)
    with pytest.raises(ImageGone, match="run proxies again") as raised:
        store.load(stored.path)
    assert raised.value.retryable
    assert store.put(picture()) == stored
    assert store.exists(stored.path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"\xff\xd8\xff\xe0",
        # headers of 65,500 times 65,500 pixels and of 2,000 times 2,000: no working copy is so large
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x08\x01\x01",
        b"\xff\xd8\xff\xc0\x00\x11\x08\x07\xd0\x07\xd0\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x08\x01\x01",
    ],
)
def test_a_damaged_proxy_is_found_out(store: ProxyStore, tmp_path: Path, content: bytes) -> None:
    stored = store.put(picture())
    (tmp_path / stored.path).write_bytes(content)
    with pytest.raises(ImageGone, match="damaged"):
        store.load(stored.path)
    assert not store.verify(stored.path)
    # a file of the wrong size is not taken for the proxy
    assert store.put(picture()) == stored
    assert store.verify(stored.path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "proxies").write_text("a file in the way")
    with pytest.raises(StorageError, match="cannot write"):
        ProxyStore(tmp_path).put(picture())


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),  # the user's share is full
        (errno.EACCES, StorageError),
        (errno.EROFS, StorageError),
    ],
)
def test_what_failed_writes_mean(number: int, kind: type[StorageError]) -> None:
    error = storage_error(OSError(number, os.strerror(number)), Path("/data/x"))
    assert type(error) is kind
    assert error.retryable is (kind is DiskFull)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "folder in the way.jpg"
    (target / "x").mkdir(parents=True)
    with pytest.raises(OSError, match=r"."):
        write_atomically(target, b"content")
    assert list(tmp_path.iterdir()) == [target]
