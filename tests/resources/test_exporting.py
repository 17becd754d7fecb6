"""Checkpoints become ONNX files that do what their library does, or there are none.

Weights are seeded, but for EfficientNet-Lite0's; where the extra ``export`` is not installed, only what needs no torch
is tested.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from resources.adapters import DETECTORS, ENCODERS, TAGGERS
from resources.catalogue import Export
from resources.decoding import decode
from resources.export_job import Job, load_photos, save_photos
from resources.exporting import export
from resources.exporting_process import run_job
from resources.image_classifier import EfficientNetTagger
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxOptions, OnnxSession
from resources.weights import WeightsStore
from tagging_assets.domain.errors import ModelFailed, SettingsError, WeightsMissing
from tagging_assets.domain.models import RgbImage
from tests.seeded_checkpoints import catalogue_of, entry_of, make

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="the extra export is not installed")

_CPU = OnnxOptions(provider="cpu", threads=1)

Ready = Callable[[str], ModelInUse]


@pytest.fixture(scope="module")
def photos() -> list[RgbImage]:
    """A woman and a cat."""
    folder = Path(__file__).parents[2] / "resources" / "selftest"
    return [decode(path).pixels for path in sorted(folder.glob("*.jpg"))]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, photos: list[RgbImage]) -> Ready:
    """Models by kind, each exported once."""
    folder = tmp_path_factory.mktemp("exporting")
    made: dict[str, ModelInUse] = {}

    def get(kind: str) -> ModelInUse:
        if kind not in made:
            store = store_of(folder, kind)
            entry = store.catalogue.entry(kind)
            export(store, entry, photos, lambda _words: None)
            made[kind] = ModelInUse(store, entry, _CPU)
        return made[kind]

    return get


def store_of(folder: Path, kind: str) -> WeightsStore:
    checkpoint = make(kind, folder / f"{kind}.pt")
    return WeightsStore(catalogue_of({kind: entry_of(kind, checkpoint)}), folder / "cache", offline=True)


def unmade(folder: Path, *, export: bool = True, role: str = "checkpoint") -> WeightsStore:
    """A catalogue of one model whose checkpoint is no checkpoint."""
    checkpoint = folder / "model.pt"
    checkpoint.write_bytes(b"no weights")
    entry = entry_of("test_vit", checkpoint)
    entry["files"][0]["role"] = role
    return WeightsStore(
        catalogue_of({"m": entry if export else {**entry, "export": None}}), folder / "cache", offline=True
    )


def left_in(folder: Path) -> list[str]:
    """What derived folders hold."""
    return sorted(path.name for path in folder.glob("*/derived-*/*"))


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        # its files run as they are
        ({"export": False}, "m runs as it is; there is nothing to export"),
        # nothing says which of its files to start from
        ({"role": "model"}, "none of its files has the role checkpoint"),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path: Path, said: dict[str, bool | str], complaint: str) -> None:
    store = unmade(tmp_path, **said)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=complaint):
        export(store, store.catalogue.entry("m"), [], lambda _words: None)


@pytest.mark.skipif(find_spec("torch") is not None, reason="the extra export is installed")
def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    store = unmade(tmp_path)
    with pytest.raises(
        WeightsMissing, match=r"exporting m needs torch and timm: install the export extra: pip install"
    ):
        export(store, store.catalogue.entry("m"), [], lambda _words: None)


def job_in(folder: Path) -> Job:
    (folder / "model").mkdir()
    save_photos(folder / "photos.npz", [])
    (folder / "model.pt").write_bytes(b"no weights")
    return Job(
        entry="m",
        export=Export(exporter="timm", model="test_vit"),
        checkpoint=folder / "model.pt",
        beside={},
        photos=folder / "photos.npz",
        folder=folder / "model",
        original=folder / "original.npz",
    )


@pytest.mark.skipif(find_spec("timm") is not None, reason="it is there, and takes seconds to load")
def test_what_goes_wrong_in_the_other_process_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match="cannot export m: ModuleNotFoundError: No module named ") as caught:
        run_job(job_in(tmp_path), tmp_path, lambda _words: None)
    assert "\n" not in str(caught.value)


def test_it_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match=r"it took longer than 0\.05 s"):
        run_job(job_in(tmp_path), tmp_path, lambda _words: None, timeout_seconds=0.05)


def test_photos_arrive_as_they_were(tmp_path: Path, photos: list[RgbImage]) -> None:
    save_photos(tmp_path / "photos.npz", photos * 6)
    arrived = load_photos(tmp_path / "photos.npz")
    assert len(arrived) == 12
    assert all(np.array_equal(a, b) for a, b in zip(arrived, photos * 6, strict=True))


@needs_torch
@pytest.mark.slow
def test_a_refused_checkpoint_leaves_nothing_behind(tmp_path: Path, photos: list[RgbImage]) -> None:
    store = unmade(tmp_path)
    with pytest.raises(ModelFailed, match="cannot export m: RuntimeError: weights_only=True blocked"):
        export(store, store.catalogue.entry("m"), photos, lambda _words: None)
    assert left_in(tmp_path / "cache") == []


@needs_torch
@pytest.mark.slow
def test_a_segmenter_finds_what_ultralytics_finds(ready: Ready, photos: list[RgbImage]) -> None:
    model = ready("yolov8n-seg")
    notes = model.notes
    assert notes is not None
    assert notes.parity["boxes"] >= 1
    assert notes.parity["boxes_matched"] >= 0.99
    assert notes.parity["box_score_difference"] <= 0.01
    assert len(notes.names) == 80
    assert notes.libraries["ultralytics"]
    assert any(DETECTORS["yolo"](model).detect(photos))
    session = OnnxSession(model.path(), _CPU)
    ((batch, _channels, height, width),) = session.inputs.values()
    assert all(isinstance(one, str) for one in (batch, height, width)), "free"
    assert "date" not in session.metadata
    assert session.metadata["names"]


@needs_torch
@pytest.mark.slow
def test_both_towers_of_a_clip_do_what_open_clip_does(ready: Ready, photos: list[RgbImage]) -> None:
    model = ready("ViT-S-32-alt")
    notes = model.notes
    assert notes is not None
    assert set(notes.files) == {"image", "text", "tokenizer"}
    assert notes.parity["embedding_cosine"] >= 0.9999
    assert notes.parity["text_cosine"] >= 0.9999
    assert notes.text is not None
    assert (notes.text.context, notes.text.activation) == (77, "softmax")
    assert notes.text.logit_scale == pytest.approx(1 / 0.07, rel=1e-4), "as CLIP begins with"
    encoder = ENCODERS["open_clip"](model)
    together = encoder.encode(photos)
    assert together.shape == (2, notes.dimensions)
    assert np.array_equal(together[1:], encoder.encode(photos[1:])), "whatever else is in the batch"


@needs_torch
@pytest.mark.slow
def test_real_weights_of_a_classifier_tag_as_ours_do(
    tmp_path: Path, weights_store: WeightsStore, photos: list[RgbImage]
) -> None:
    checkpoint = weights_store.path("efficientnet-lite0", "efficientnet-lite0-57934424.pth")
    entry = entry_of("test_vit", checkpoint)
    # Its keys have other names than timm's; the tensors come in the same order.
    how = {"exporter": "timm", "model": "tf_efficientnet_lite0", "options": {"remap": True}}
    store = WeightsStore(catalogue_of({"lite0": {**entry, "export": how}}), tmp_path, offline=True)
    notes = export(store, store.catalogue.entry("lite0"), photos, lambda _words: None)
    assert notes.parity["score_difference"] <= 1e-3
    assert notes.parity["embedding_cosine"] >= 0.9999
    assert notes.dimensions == 1280
    model = ModelInUse(store, store.catalogue.entry("lite0"), _CPU)
    ours = EfficientNetTagger(weights_store).tag(photos)
    for theirs, known in zip(TAGGERS["timm"](model).tag(photos), ours, strict=True):
        assert theirs[0].score == pytest.approx(known[0].score, abs=2e-3)
    assert "cat" in TAGGERS["timm"](model).tag(photos)[1][0].label
