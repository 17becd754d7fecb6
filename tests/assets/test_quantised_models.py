"""The asset on a small tagger of the true contract: made, compared and put in place; or refused."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from resources.calibration_photos import Photos
from resources.catalogue import Catalogue, load_catalogue
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxOptions
from resources.wd_tagger import WdTagger
from resources.weights import WeightsStore
from tagging_assets.assets.quantised_models import quantisable, quantised_models
from tests.resources.booru_models import KNOBS, model_of, random_tagger, tag_table

PRECISION = {"says": "of the weights", "default": "fp32", "choices": ["fp32", "int8", "fp16"]}


def pictures(count: int, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (48, 64, 3)).astype(np.uint8) for _ in range(count)]


PHOTOS = Photos(pictures(6, 0), pictures(4, 1), "ids", "the test")


@pytest.fixture
def small(tmp_path: Path) -> ModelInUse:
    labels = tmp_path / "selected_tags.csv"
    labels.write_text(tag_table(), encoding="utf-8")
    files = {"model": random_tagger(tmp_path / "model.onnx"), "labels": labels}
    return model_of(tmp_path / "cache", files, knobs={**KNOBS, "precision": PRECISION})


def made(model: ModelInUse, photos: Photos, precision: str = "int8") -> Any:
    name = f"{model.entry.name}/{precision}"
    return dg.materialize(
        [quantised_models(quantisable(model.store.catalogue))],
        partition_key=name,
        resources={"weights": model.store, "calibration_photos": photos},
        raise_on_error=False,
    )


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_tagger_is_made_faster(small: ModelInUse, precision: str) -> None:
    result = made(small, PHOTOS, precision)
    assert result.success
    model = ModelInUse(small.store, small.entry, OnnxOptions(provider="cpu"), {"precision": precision})
    (event,) = result.get_asset_materialization_events()
    told = event.materialization.metadata
    assert told["agreement"].value >= 0.85
    assert "labels of 0.25 and more" in told["cost"].value
    assert model.notes is not None
    assert model.notes.accuracy["photos_compared"] == 4
    assert model.has("labels")
    assert WdTagger(model).tag(PHOTOS.compare[:1])[0]
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed


def test_a_bad_one_is_refused_and_leaves_nothing(small: ModelInUse) -> None:
    # Calibrated on black, it has no levels for anything else.
    black = Photos([np.zeros((64, 64, 3), np.uint8)] * 3, PHOTOS.compare, "ids", "the test")
    result = made(small, black)
    assert not result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    model = ModelInUse(small.store, small.entry, OnnxOptions(provider="cpu"), {"precision": "int8"})
    assert model.notes is None
    assert not model.folder.exists()


def test_partitions_are_what_the_catalogue_offers() -> None:
    names = quantisable(load_catalogue())
    assert {"person-yolov8s/int8", "person-yolov8s/fp16"} <= set(names)
    assert not [name for name in names if name.startswith(("minilm", "gemma", "mediapipe"))]


def test_a_catalogue_may_offer_none(weights_store: WeightsStore) -> None:
    catalogue = weights_store.catalogue
    without = Catalogue(version=1, entries={"gemma3-270m-q4": catalogue.entry("gemma3-270m-q4")}, profiles={})
    assert quantisable(without) == []
