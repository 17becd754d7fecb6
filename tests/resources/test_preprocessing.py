from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from resources import self_testing
from resources.model_notes import Preprocessing
from resources.preprocessing import fitted, picture_notes, prepare, timm_picture_notes, version_of
from tagging_assets.domain.models import RgbImage

GREY = (100, 110, 120)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def how(fit: str = "shortest", size: tuple[int, int] = (8, 8), **said: Any) -> Preprocessing:
    return Preprocessing.model_validate(
        {"height": size[0], "width": size[1], "fit": fit, "interpolation": "bicubic", "fill": GREY, **said}
    )


def noise(height: int, width: int) -> RgbImage:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def photos() -> list[RgbImage]:
    """Real ones, and noise of awkward sizes: it shows every other rounding."""
    sizes = [(333, 500), (500, 333), (97, 1201), (40, 2000), (1, 1), (224, 224), (225, 300), (961, 1281)]
    return [self_testing.photo(), self_testing.photo("chelsea.jpg"), *(noise(*size) for size in sizes)]


@pytest.mark.parametrize("size", [(8, 8), (6, 10)])
@pytest.mark.parametrize("fit", ["shortest", "squash", "pad", "square"])
@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (1, 1), (3, 200), (200, 3), (8, 8)])
def test_any_photo_gets_the_models_shape(shape: tuple[int, int], fit: str, size: tuple[int, int]) -> None:
    assert fitted(noise(*shape), how(fit, size)).shape == (*size, 3)


@pytest.mark.parametrize(
    ("fit", "rows", "columns"),
    [
        ("shortest", slice(0, 8), slice(0, 8)),  # the middle, nothing filled
        ("squash", slice(0, 8), slice(0, 8)),
        ("pad", slice(2, 6), slice(0, 8)),  # half as high as wide: a quarter of grey above, a quarter below
        ("square", slice(2, 6), slice(0, 8)),
    ],
)
def test_only_what_is_missing_is_filled(fit: str, rows: slice, columns: slice) -> None:
    made = fitted(np.full((40, 80, 3), 255, dtype=np.uint8), how(fit, interpolation="nearest"))
    expected = np.full((8, 8, 3), GREY, dtype=np.uint8)
    expected[rows, columns] = 255
    assert_array_equal(made, expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [200 / 255, 100 / 255, 0.0]),
        ({"scale": 1.0}, [200.0, 100.0, 0.0]),  # WD: 0 to 255
        ({"scale": 1.0, "channels": "BGR"}, [0.0, 100.0, 200.0]),
        ({"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.25, 0.5)}, [145 / 255, -55 / 127.5, -1.0]),
        ({"channels": "BGR", "mean": (0.0, 0.0, 1.0)}, [0.0, 100 / 255, -55 / 255]),  # in the channels' order
    ],
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_colours_are_scaled_and_ordered(layout: str, said: dict[str, Any], expected: list[float]) -> None:
    made = prepare(np.full((9, 9, 3), (200, 100, 0), dtype=np.uint8), how(layout=layout, **said))
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    assert made.shape == ((3, 8, 8) if layout == "NCHW" else (8, 8, 3))
    assert_allclose(made.mean(axis=(1, 2) if layout == "NCHW" else (0, 1)), expected, atol=1e-5)


def test_the_wd_scripts_way_pads_before_it_resizes() -> None:
    image = noise(300, 200)
    canvas = Image.new("RGB", (300, 300), GREY)
    canvas.paste(Image.fromarray(image), (50, 0))
    expected = canvas.resize((64, 64), Image.Resampling.BICUBIC)
    assert_array_equal(fitted(image, how("square", (64, 64))), np.asarray(expected))


def test_without_antialiasing_most_pixels_count_for_nothing() -> None:
    stripes = np.zeros((80, 80, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    plain, smooth = (fitted(stripes, how("squash", antialias=one, interpolation="bilinear")) for one in (False, True))
    assert abs(int(smooth[4, 4, 0]) - 127) < 3
    assert fitted(noise(40, 60), how(antialias=False)).shape == (8, 8, 3)
    assert plain.shape == smooth.shape


def test_another_preprocessing_has_another_version() -> None:
    assert version_of(how()) == version_of(how())
    assert len({version_of(one) for one in (how(), how("pad"), how(crop=0.9), how(scale=1.0), how(size=(8, 9)))}) == 5
    assert version_of(how(size=(6, 10))).startswith("shortest-10x6-bicubic-")


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("size", [(224, 224), (200, 320)])
def test_pixels_are_open_clips(mode: str, size: tuple[int, int]) -> None:
    pytest.importorskip("torch")
    transform = pytest.importorskip("open_clip.transform")
    config = {
        "size": size,
        "resize_mode": mode,
        "interpolation": "bicubic",
        "fill_color": 7,
        "mean": CLIP_MEAN,
        "std": CLIP_STD,
    }
    theirs = transform.image_transform_v2(transform.PreprocessCfg(**config), is_train=False)
    _same(theirs, picture_notes(config))


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize(("size", "crop"), [((224, 224), 0.875), ((256, 192), 0.9), ((64, 64), 1.0)])
def test_pixels_are_timms(mode: str, size: tuple[int, int], crop: float) -> None:
    pytest.importorskip("torch")
    data = pytest.importorskip("timm.data")
    config = {
        "input_size": (3, *size),
        "interpolation": "bicubic",
        "crop_mode": mode,
        "crop_pct": crop,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }
    _same(data.create_transform(**config, is_training=False), timm_picture_notes(config))


def _same(theirs: Any, notes: Preprocessing) -> None:
    """All but few pixels are the same; of the others, none by more than one of 255 levels."""
    level = 1 / 255 / min(notes.std)
    for photo in photos():
        expected, made = theirs(Image.fromarray(photo)).numpy(), prepare(photo, notes)
        difference = np.abs(expected - made)
        assert difference.max() < 1.1 * level
        assert (difference > 1e-6).mean() < 0.004


@pytest.mark.parametrize(
    ("make", "config"),
    [
        (picture_notes, {"size": 224, "resize_mode": "diagonal", "interpolation": "bicubic"}),
        (timm_picture_notes, {"input_size": (3, 8, 8), "crop_mode": "diagonal", "mean": (0.0, 0.0, 0.0)}),
    ],
)
def test_what_a_library_says_that_is_not_known_is_refused(make: Any, config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="diagonal is not known here"):
        make(config)
