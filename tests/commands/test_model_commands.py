"""``tagging models``, as functions, on a weights folder of the test's own."""

from pathlib import Path

import pytest

from resources.fetch import sha256_of
from resources.model_in_use import derived_folder
from resources.model_notes import ModelNotes, NotedFile, write_notes
from resources.weights import WeightsStore
from tagging_assets.commands import models, models_scan, models_show, models_verify
from tagging_assets.domain.errors import SettingsError, WeightsMissing
from tests.tiny_models import yolo


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder, and no network."""
    monkeypatch.setenv("TAGGING_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TAGGING_OFFLINE", "1")
    return tmp_path / "weights"


@pytest.fixture
def exported() -> Path:
    """An exported model, whose checkpoint is gone."""
    store = WeightsStore()
    entry = store.catalogue.entry("yolo11n")
    folder = derived_folder(store, entry, "fp32")
    model = yolo(folder / "model.onnx")
    notes = ModelNotes(
        entry="yolo11n",
        made_by="export ultralytics",
        made_from={file.name: file.sha256 for file in entry.files},
        files={"model": NotedFile(name=model.name, sha256=sha256_of(model), size=model.stat().st_size)},
        opset=17,
        parity={"boxes": 1.0},
    )
    write_notes(folder, notes)
    return model


def test_what_was_made_here_is_listed_and_described(exported: Path) -> None:
    (one,) = [one for one in models.listing(None) if one["model"] == "yolo11n"]
    assert (one["state"], one["made"]) == ("missing", ["fp32"])
    (variant,) = models_show.described(None, "yolo11n")["variants"]
    assert (variant["precision"], variant["parity"]) == ("fp32", {"boxes": 1.0})


def test_what_was_made_here_is_verified_too(exported: Path) -> None:
    told = models_verify.verify(None, ["yolo11n"], run=False)
    assert [(file["file"], file["state"]) for file in told[0]["files"]][1:] == [("model.onnx", "ready")]
    assert models_verify.is_well(told)
    yolo(exported, score=0.5)
    told = models_verify.verify(None, ["yolo11n"], run=False)
    assert told[0]["state"] == "damaged"
    assert not models_verify.is_well(told)


def test_a_model_that_is_not_here_is_not_tried_and_nothing_is_wrong() -> None:
    told = models_verify.verify(None, ["yolo11n", "wd-vit-tagger-v3"])
    assert [one["trial"]["untried"] for one in told] == ["not made yet in fp32", "its weights are not here"]
    assert models_verify.is_well(told)


def test_an_unpinned_model_is_pulled_only_where_it_is_trusted() -> None:
    with pytest.raises(WeightsMissing, match="--trust-first"):
        models.pull(None, ["yolo11s-pose"])
    # Offline, so that nothing is taken from anywhere; what matters is that it is asked for.
    with pytest.raises(WeightsMissing, match=r"yolo11s-pose\.pt cannot be fetched: fetching is off"):
        models.pull(None, ["yolo11s-pose"], trust_first=True)


def test_a_name_that_leads_out_of_the_weights_folder_is_refused(tmp_path: Path) -> None:
    yolo(tmp_path / "a.onnx")
    with pytest.raises(SettingsError, match="letters, digits"):
        models_scan.scan(None, tmp_path, models_scan.Wanted(add=True, name="../mine"))


def test_of_two_with_one_name_the_second_is_refused_and_both_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGGING_WEIGHTS", str(tmp_path / "weights"))
    yolo(tmp_path / "there" / "a" / "mine.onnx")
    yolo(tmp_path / "there" / "b" / "mine.onnx", score=0.8)
    told = models_scan.scan(None, tmp_path / "there", models_scan.Wanted(add=True, run=False))
    assert [one["verdict"] for one in told] == ["added", "refused"]
    assert "choose another with --name" in told[1]["why"]


def test_one_name_is_for_one_model(tmp_path: Path) -> None:
    yolo(tmp_path / "there" / "a.onnx")
    yolo(tmp_path / "there" / "b.onnx", score=0.8)
    with pytest.raises(SettingsError, match=r"--name names one model; in .* there are 2 to add"):
        models_scan.scan(None, tmp_path / "there", models_scan.Wanted(add=True, name="mine"))


def test_an_exported_folder_is_carried_from_machine_to_machine(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGGING_WEIGHTS", str(tmp_path / "another machine"))
    (one,) = models_scan.scan(None, exported.parent)
    assert (one["verdict"], one["model"]) == ("known", "yolo11n")
    (one,) = models_scan.scan(None, exported.parent, models_scan.Wanted(add=True))
    assert one["verdict"] == "added"
    assert models_show.described(None, "yolo11n")["variants"][0]["sha256"] == {"model": sha256_of(exported)}
