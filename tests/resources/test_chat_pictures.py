"""Pictures as chat models get them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.chat_pictures import ChatPictures
from resources.proxy_store import ProxyStore
from tagging_assets.domain.errors import ImageGone
from tagging_assets.domain.models import RgbImage


@pytest.fixture
def photo() -> RgbImage:
    image = np.full((300, 400, 3), 90, np.uint8)
    image[:, :200] = (200, 30, 30)
    return image


@pytest.mark.parametrize(
    ("side", "size"),
    [(200, (200, 150)), (64, (64, 48)), (768, (400, 300))],  # scaled down, in proportion; never up
)
def test_a_picture_is_the_proxy_scaled_down(tmp_path: Path, photo: RgbImage, side: int, size: tuple[int, int]) -> None:
    proxies = ProxyStore(tmp_path)
    stored = proxies.put(photo)
    picture = ChatPictures(proxies, side).of({"pixel_id": stored.pixel_id, "path": stored.path})
    assert picture.key == f"{stored.pixel_id}/{side}/jpeg-q88/1"
    with Image.open(io.BytesIO(picture.jpeg())) as opened:
        assert (opened.format, opened.size, dict(opened.getexif())) == ("JPEG", size, {})
        left, right = opened.getpixel((5, 5)), opened.getpixel((size[0] - 5, 5))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 150 > right[0]


def test_nothing_is_read_before_it_is_sent(tmp_path: Path) -> None:
    picture = ChatPictures(ProxyStore(tmp_path), 768).of({"pixel_id": "p", "path": "proxies/nothing.jpg"})
    with pytest.raises(ImageGone):
        picture.jpeg()
