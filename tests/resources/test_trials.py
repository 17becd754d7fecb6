from pathlib import Path

import pytest

from resources.catalogue import Catalogue, Entry, load_catalogue
from resources.onnx_session import OnnxOptions
from resources.scan_entries import entry_of, try_found
from resources.scanning import scan
from resources.trial_child import attempt
from resources.trials import Candidate, Trial, try_model
from tests.tiny_models import table, wd, yolo


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_a_model_that_works_is_measured_in_a_process_of_its_own(tmp_path: Path, catalogue: Catalogue) -> None:
    yolo(tmp_path / "a.onnx")
    (found,) = scan(tmp_path, catalogue)
    trial = try_found("tiny", entry_of(found, catalogue), found, OnnxOptions(provider="cpu", threads=1))
    assert (trial.error, trial.untried, trial.provider) == ("", "", "CPUExecutionProvider")
    assert trial.found == ("person 0.90",)
    assert trial.milliseconds > 0
    assert trial.per_second == pytest.approx(1000 / trial.milliseconds)
    assert 1 < trial.memory_mb < 5000, "the runtime is loaded in it"


def test_a_model_that_loads_and_finds_nothing_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    yolo(tmp_path / "a.onnx", score=0.06)
    (found,) = scan(tmp_path, catalogue)
    trial = tried_here(tmp_path, catalogue, found.path)
    assert "must find person with 0.3 or more, and found person 0.06" in trial.error


def test_a_tagger_is_tried_by_its_own_self_test(tmp_path: Path, catalogue: Catalogue) -> None:
    wd(tmp_path / "model.onnx", [0.9, 0.8, 0.1])
    table(tmp_path / "selected_tags.csv", ["general", "1girl", "tree"])
    trial = tried_here(tmp_path, catalogue, tmp_path)
    assert trial.error == ""
    assert "1girl 0.80" in trial.found


def tried_here(folder: Path, catalogue: Catalogue, where: Path) -> Trial:
    """Tried in this process, which is quicker."""
    (found,) = [one for one in scan(where, catalogue) if one.can_run]
    entry = Entry.model_validate({"name": "tiny", **entry_of(found, catalogue)})
    with_it = catalogue.model_copy(update={"entries": {**catalogue.entries, "tiny": entry}})
    return attempt(with_it, folder / "cache", "tiny", {}, OnnxOptions(provider="cpu", threads=1))


def test_what_cannot_be_tried_alone_says_why(tmp_path: Path, catalogue: Catalogue) -> None:
    trial = attempt(catalogue, tmp_path, "gemma3-270m-q4", {}, OnnxOptions())
    assert (trial.error, trial.untried) == ("", "it is tried where it is used, not alone")
    trial = attempt(catalogue, tmp_path, "mediapipe-face", {}, OnnxOptions())
    assert "beside a model for pose" in trial.untried


def test_a_child_that_dies_is_a_verdict(tmp_path: Path) -> None:
    trial = try_model(Candidate("no-such-model", tmp_path, {}))
    assert trial.error.startswith("its process ended with 1: ")
    assert "no model no-such-model" in trial.error
