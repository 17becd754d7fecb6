"""The embedded detector in int8, made once for the session, and what may go wrong on the way."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from resources.calibration_photos import Photos, from_project, from_samples
from resources.catalogue import Entry
from resources.model_in_use import ModelInUse, derived_folder
from resources.model_notes import read_notes
from resources.onnx_session import OnnxOptions, OnnxSession
from resources.proxy_store import ProxyStore
from resources.quantising import Quantised, check_choice, quantising
from resources.quantising_int8 import to_fp16, to_int8
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.errors import DiskFull, ModelFailed, SettingsError, WeightsMissing
from tagging_assets.domain.models import RgbImage
from tests.resources.test_quantising_graph import network, small_detector, small_transformer, written

NAME = "person-yolov8s"
CPU = OnnxOptions(provider="cpu")


def pictures(*shape: int, count: int = 8) -> list[np.ndarray]:
    return [np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32) for seed in range(count)]


@pytest.mark.parametrize(
    ("model", "shape", "kernel"),
    [
        (small_detector(), (3, 24, 16), "QLinearConv"),
        (small_transformer(), (5, 16), "MatMulIntegerToFloat"),
    ],
)
def test_integers_do_what_floats_did_alone_and_in_company(
    tmp_path: Path, model: Any, shape: tuple[int, ...], kernel: str
) -> None:
    source = written(model, tmp_path / "model.onnx")
    made = tmp_path / "int8.onnx"
    made.write_bytes(to_int8(source, pictures(*shape), tmp_path))
    batch = np.stack(pictures(*shape))
    exact = OnnxSession(source, CPU).run({"images": batch})[0]
    session = OnnxSession(made, CPU)
    quantised = session.run({"images": batch})[0]
    assert np.abs(quantised - exact).max() < 0.05 * np.abs(exact).max()
    assert np.abs(quantised - exact).max() > 0
    alone = np.concatenate([session.run({"images": one[None]})[0] for one in batch])
    assert np.array_equal(alone, quantised)
    assert kernel in kernels(made, tmp_path)


def kernels(path: Path, folder: Path) -> set[str]:
    """What ONNX Runtime really runs."""
    import onnx
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.optimized_model_filepath = str(folder / "optimised.onnx")
    settings.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node}


def test_the_same_photos_give_the_same_bytes(tmp_path: Path) -> None:
    source = written(small_detector(), tmp_path / "model.onnx")
    first, second = (to_int8(source, pictures(3, 24, 16), tmp_path) for _ in range(2))
    assert first == second


def test_a_network_without_layers_is_refused(tmp_path: Path) -> None:
    source = written(network([helper.make_node("Relu", ["images"], ["out"])], {}, [1, 4]), tmp_path / "model.onnx")
    with pytest.raises(ModelFailed, match="use fp32"):
        to_int8(source, pictures(4), tmp_path)


def test_halves_take_and_give_floats(tmp_path: Path) -> None:
    source = written(small_detector(), tmp_path / "model.onnx")
    made = tmp_path / "fp16.onnx"
    made.write_bytes(to_fp16(source))
    import onnx

    model = onnx.load(made)
    assert {one.data_type for one in model.graph.initializer} == {TensorProto.FLOAT16}
    batch = np.stack(pictures(3, 24, 16))
    exact, half = (OnnxSession(path, CPU).run({"images": batch})[0] for path in (source, made))
    assert half.dtype == np.float32
    assert half == pytest.approx(exact, abs=0.02)


@pytest.fixture(scope="session")
def photos(weights_store: WeightsStore) -> Photos:
    """Few, as the machine that tests has two cores."""
    found = from_samples(weights_store)
    return Photos(found.calibrate[:4], found.compare[:3], found.ids, found.origin)


@pytest.fixture(scope="session")
def store(weights_store: WeightsStore, tmp_path_factory: pytest.TempPathFactory) -> WeightsStore:
    """The user's weights, and a place of the session for what is made of them."""
    cache = tmp_path_factory.mktemp("weights")
    for file in weights_store.catalogue.entry(NAME).files:
        folder = weights_store.path(NAME, file.name).parent
        (cache / NAME).mkdir(exist_ok=True)
        (cache / NAME / folder.name).symlink_to(folder)
    return WeightsStore(cache_dir=cache, offline=True)


@pytest.fixture(scope="session")
def entry(store: WeightsStore) -> Entry:
    return store.catalogue.entry(NAME)


@pytest.fixture(scope="session")
def making(store: WeightsStore, entry: Entry, photos: Photos) -> Iterator[Quantised]:
    """Made for real, and not yet in place."""
    with quantising(store, entry, "int8", photos, lambda _: None) as made:
        yield made


@pytest.mark.slow
def test_the_embedded_detector_in_integers(
    making: Quantised, store: WeightsStore, entry: Entry, sample_images: dict[str, RgbImage]
) -> None:
    model = ModelInUse(store, entry, CPU, {"precision": "int8"})
    with pytest.raises(WeightsMissing, match=f"tagging models quantise {NAME}"):
        model.path()
    with pytest.raises(ModelFailed, match=r"agreement with fp32 is .* less than 1\.01; .*--min-agreement"):
        making.accept(1.01)
    assert model.notes is None
    notes = making.accept()
    assert model.notes == notes
    assert notes.accuracy["agreement"] >= 0.85
    assert notes.accuracy["box_score_difference"] < 0.05
    assert notes.options["photos"] == 4
    assert notes.made_from == {"best_fp16.onnx": entry.file().sha256}
    assert model.path().stat().st_size < entry.file().size / 3
    assert model.card().revision != ModelInUse(store, entry, CPU).card().revision
    (found,) = YoloDetector(model).detect([sample_images["bus.jpg"]])
    assert len([one for one in found if one.score > 0.5]) == 3


@pytest.mark.parametrize(
    ("name", "precision", "match"),
    [
        ("minilm-l6-int8", "int8", "comes in one precision only"),
        ("gemma3-270m-q4", "fp16", "comes in one precision only"),
    ],
)
def test_what_cannot_be_had(weights_store: WeightsStore, name: str, precision: Any, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        check_choice(weights_store.catalogue.entry(name), precision)


def test_what_must_be_exported_first_says_so(store: WeightsStore, photos: Photos) -> None:
    entry = store.catalogue.entry("yolov8n")
    with (
        pytest.raises(WeightsMissing, match="tagging models export yolov8n"),
        quantising(store, entry, "int8", photos, lambda _: None),
    ):
        raise AssertionError("there is nothing to quantise")
    assert not derived_folder(store, entry, "int8").exists()


def test_a_full_disk_leaves_nothing_half_made(store: WeightsStore, entry: Entry, photos: Photos) -> None:
    folder = derived_folder(store, entry, "fp16")
    folder.parent.mkdir(exist_ok=True)

    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = set(folder.parent.iterdir())
    with pytest.raises(DiskFull, match="no space left"), quantising(store, entry, "fp16", photos, full):
        raise AssertionError("the disk is full")
    assert read_notes(folder) is None
    assert set(folder.parent.iterdir()) == before


def test_an_interrupted_one_leaves_nothing_and_an_abandoned_one_is_cleared(
    store: WeightsStore, entry: Entry, photos: Photos
) -> None:
    folder = derived_folder(store, entry, "fp16").parent
    abandoned = folder / ".quantise-killed"
    abandoned.mkdir(parents=True)
    os.utime(abandoned, (0, 0))
    before = set(folder.iterdir())

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), quantising(store, entry, "fp16", photos, interrupt):
        raise AssertionError("it was interrupted")
    assert set(folder.iterdir()) == before - {abandoned}


def project(folder: Path, count: int) -> list[str]:
    store = ProxyStore(folder)
    return [store.put(np.full((8, 8, 3), 3 * value, np.uint8)).pixel_id for value in range(count)]


def test_photos_of_a_project_are_told_apart(tmp_path: Path) -> None:
    names = sorted(project(tmp_path, 40))
    photos = from_project(tmp_path, 16)
    assert photos is not None
    assert (len(photos.calibrate), len(photos.compare)) == (16, 8)
    store = ProxyStore(tmp_path)
    assert np.array_equal(photos.calibrate[0], store.load(store.path_of(names[0])))
    assert np.array_equal(photos.compare[0], store.load(store.path_of(names[2])))
    again = from_project(tmp_path, 16)
    assert again is not None
    assert again.ids == photos.ids


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"torn")])
def test_damaged_copies_are_left_out(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    names = project(tmp_path, 9)
    spoil(tmp_path / ProxyStore.path_of(names[0]))
    photos = from_project(tmp_path, 64)
    assert photos is not None
    assert len(photos.calibrate) + len(photos.compare) == 8


def test_too_few_photos_are_none(tmp_path: Path) -> None:
    assert from_project(tmp_path, 64) is None
    project(tmp_path, 7)
    assert from_project(tmp_path, 64) is None
