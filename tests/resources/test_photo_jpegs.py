"""Pictures for people: scaled, from working copies, of the photos that are shown and no others."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.frame_store import FrameStore
from resources.photo_jpegs import PhotoJpegs
from resources.proxy_store import ProxyStore
from tagging_assets.domain.errors import ImageGone
from tests.handmade import failed, frame, record


@pytest.fixture
def pictures(tmp_path: Path) -> PhotoJpegs:
    """One large photo, one small, one whose file is gone, one that could not be decoded, and one nobody asks for."""
    files, store = ProxyStore(tmp_path), FrameStore(tmp_path / "tables")
    rows = {
        "large": files.put(np.full((600, 1200, 3), 90, np.uint8))._asdict(),
        "small": files.put(np.full((40, 30, 3), 90, np.uint8))._asdict(),
        "gone": {"pixel_id": "0", "path": "proxies/gone.jpg"},
    }
    store.write("proxies", "b1", frame("proxies", *(record("proxies", name, [row]) for name, row in rows.items())))
    more = record("proxies", "other", [rows["small"]])
    store.write("proxies", "b2", frame("proxies", more, failed("broken")))
    return PhotoJpegs(store, files, ["b1", "b2"], {*rows, "broken"})


@pytest.mark.parametrize(
    ("image_id", "size"),
    [
        ("large", (1024, 512)),
        # what is small is not blown up
        ("small", (30, 40)),
    ],
)
def test_a_picture_fits_a_screen(pictures: PhotoJpegs, image_id: str, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(pictures.of(image_id))) as picture:
        assert (picture.format, picture.size) == ("JPEG", size)
        assert not picture.getexif()


@pytest.mark.parametrize("image_id", ["gone", "broken", "other", "never heard of"])
def test_what_is_not_there_is_said(pictures: PhotoJpegs, image_id: str) -> None:
    with pytest.raises(ImageGone):
        pictures.of(image_id)
