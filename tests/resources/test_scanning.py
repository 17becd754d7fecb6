import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resources.catalogue import Catalogue, Entry, load_catalogue
from resources.fetch import sha256_of
from resources.local_models import LOCAL
from resources.model_in_use import ModelInUse, derived_folder
from resources.model_notes import ModelNotes, NotedFile, write_notes
from resources.scan_entries import add, entry_of, put_in_place, suggested_name
from resources.scanning import scan
from resources.weights import WeightsStore
from resources.yolo import YoloDetector
from tagging_assets.domain.errors import SettingsError
from tests.tiny_models import table, wd, yolo


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def unreadable(folder: Path) -> None:
    (folder / "a.onnx").write_bytes(b"no protobuf at all, just words")


def no_files(folder: Path) -> None:
    (folder / "gone.onnx").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.onnx")


def foreign_notes(folder: Path) -> None:
    # tensorflow.js calls its networks so.
    (folder / "model.json").write_text('{"format": "layers-model"}', encoding="ascii")
    unreadable(folder)


def empty(folder: Path) -> None:
    (folder / "a.onnx").write_bytes(b"")


def nameless(folder: Path) -> None:
    yolo(folder / "a.onnx", names={})


def lone_tagger(folder: Path) -> None:
    wd(folder / "model.onnx", [0.1, 0.2])


def wrong_table(folder: Path) -> None:
    wd(folder / "model.onnx", [0.1, 0.2])
    table(folder / "selected_tags.csv", ["general", "cat", "dog"])


def detector(folder: Path) -> None:
    yolo(folder / "a.onnx")


def tagger(folder: Path) -> None:
    wd(folder / "model.onnx", [0.1, 0.2])
    table(folder / "selected_tags.csv", ["general", "cat"])


def lone_table(folder: Path) -> None:
    table(folder / "some_tags.csv", ["general", "cat", "dog"])


def checkpoint(folder: Path) -> None:
    # A pickle's first bytes: it must not be opened, whatever its name.
    (folder / "best.pt").write_bytes(b"\x80\x02c" + b"0" * 1_000_000)


def nothing(folder: Path) -> None:
    (folder / "notes.txt").write_text("photos", encoding="ascii")
    (folder / "prices.csv").write_text("a,b\n1,2\n", encoding="ascii")
    (folder / "small.bin").write_bytes(b"0")


@pytest.mark.parametrize(
    ("make", "kinds", "said"),
    [
        (detector, ["yolo"], "YOLO, detect, 2 classes: person, cat; 640 x 640"),
        (tagger, ["wd"], "WD tagger, 2 tags, 32 x 32"),  # its table is part of it, and no finding of its own
        (lone_table, ["table"], "tag table of a WD tagger, 3 tags; its model.onnx must lie beside it"),
        (checkpoint, ["checkpoint"], "named only, never opened"),
        (unreadable, ["onnx"], "cannot be read as ONNX"),
        (empty, ["onnx"], "no ONNX graph"),  # no bytes are valid protobuf
        (nameless, ["onnx"], "does not say what its classes are"),
        (lone_tagger, ["onnx"], "has no selected_tags.csv beside it"),
        (wrong_table, ["wd"], "2 outputs and selected_tags.csv 3 tags"),
        (no_files, ["onnx", "onnx"], "it is no file: a link that leads nowhere, or a pipe"),
        (foreign_notes, ["exported", "onnx"], "it"),  # they say nothing of the file beside them
        (nothing, [], ""),  # a folder of other things
    ],
)
def test_files_are_judged_by_what_is_in_them(
    make: Callable[[Path], None], kinds: list[str], said: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    make(tmp_path)
    found = scan(tmp_path, catalogue)
    assert [one.kind for one in found] == kinds
    assert all(said in f"{one.says} {one.problem}" for one in found)


def test_no_folder_is_said_in_one_line(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(SettingsError, match="no folder or file"):
        scan(tmp_path / "none", catalogue)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("YOLOv8 Custom (2).onnx", "yolov8-custom-2"),  # what a catalogue's name may hold
        ("my-tagger/model.onnx", "my-tagger"),  # a stem that says nothing: the folder's name
        ("runs/best.onnx", "runs"),
    ],
)
def test_names_come_from_the_file_or_its_folder(path: str, name: str, tmp_path: Path, catalogue: Catalogue) -> None:
    yolo(tmp_path / path)
    assert suggested_name(scan(tmp_path, catalogue)[0]) == name


def test_an_added_model_is_one_of_the_catalogue_and_runs(tmp_path: Path, catalogue: Catalogue) -> None:
    yolo(tmp_path / "mine" / "a.onnx")
    (found,) = scan(tmp_path / "mine", catalogue)
    cache = tmp_path / "cache"
    with WeightsStore(cache_dir=cache, offline=True) as store:
        add(store, "mine", entry_of(found, store.catalogue))
    with WeightsStore(cache_dir=cache, offline=True) as store:
        entry = store.catalogue.entry("mine")
        assert (entry.licence, entry.self_test.finds if entry.self_test else ()) == ("MIT", ("person",))
        assert "input_pixels" not in entry.knobs, "its input has one size"
        (boxes,) = YoloDetector(ModelInUse(store, entry)).detect([np.zeros((64, 64, 3), np.uint8)])
        assert [one.label for one in boxes] == ["person"]
        with pytest.raises(SettingsError, match="has a model mine already; choose another with --name"):
            add(store, "mine", entry_of(found, store.catalogue))
        with pytest.raises(SettingsError, match="yolo11n already"):
            add(store, "yolo11n", entry_of(found, store.catalogue))
    assert (cache / LOCAL).read_text(encoding="utf-8").count("mine:") == 1


def test_a_tagger_without_a_published_threshold_gets_the_usual_one(tmp_path: Path, catalogue: Catalogue) -> None:
    tagger(tmp_path)
    (found,) = scan(tmp_path, catalogue)
    entry = Entry.model_validate({"name": "t", **entry_of(found, catalogue)})
    assert {file.role for file in entry.files} == {"model", "labels"}
    assert entry.knobs["threshold_general"].default == 0.35
    assert (0.35, 0.5) in entry.fusion.calibration


def known_file(folder: Path) -> tuple[Catalogue, Path]:
    """A checkpoint whose bytes the catalogue knows."""
    path = folder / "there" / "renamed.pt"
    path.parent.mkdir()
    path.write_bytes(b"checkpoint" * 200_000)
    raw = {
        "tasks": ["person_detection"],
        "adapter": "yolo",
        "licence": "MIT",
        "preprocessing": "none/1",
        "export": {"exporter": "ultralytics", "model": "yolo11n"},
        "files": [
            {
                "name": "official.pt",
                "role": "checkpoint",
                "sha256": sha256_of(path),
                "size": path.stat().st_size,
                "sources": ["https://example.com/official.pt"],
            }
        ],
    }
    return Catalogue.model_validate({"version": 1, "entries": {"official": raw}, "profiles": {}}), path


def test_a_file_that_the_catalogue_knows_is_put_in_its_place(tmp_path: Path) -> None:
    catalogue, path = known_file(tmp_path)
    (found,) = scan(path, catalogue)
    assert found.known == "official/official.pt"
    with WeightsStore(catalogue, tmp_path / "cache", offline=True) as store:
        assert put_in_place(store, found) == "official"
        assert store.path("official").read_bytes() == path.read_bytes()


def exported(folder: Path, catalogue: Catalogue, *, made_from: str | None = None) -> Path:
    model = yolo(folder / "model.onnx")
    entry = catalogue.entry("official")
    notes = ModelNotes(
        entry="official",
        made_by="export ultralytics",
        made_from={"official.pt": made_from or entry.file().sha256},
        files={"model": NotedFile(name=model.name, sha256=sha256_of(model), size=model.stat().st_size)},
        opset=17,
    )
    write_notes(folder, notes)
    return folder


def test_an_exported_folder_is_installed_if_it_was_made_from_the_same_bytes(tmp_path: Path) -> None:
    catalogue, _ = known_file(tmp_path)
    folder = exported(tmp_path / "exports" / "a", catalogue)
    (found,) = scan(tmp_path / "exports", catalogue)
    assert (found.kind, found.known, found.problem) == ("exported", "official", "")
    with WeightsStore(catalogue, tmp_path / "cache", offline=True) as store:
        put_in_place(store, found)
        entry = store.catalogue.entry("official")
        installed = derived_folder(store, entry, "fp32")
        assert sorted(path.name for path in installed.iterdir()) == ["model.json", "model.onnx"]
        assert ModelInUse(store, entry).path() == installed / "model.onnx"
        exported(folder, catalogue, made_from="0" * 64)
        with pytest.raises(SettingsError, match=r"was not made from official's official\.pt"):
            put_in_place(store, scan(folder, catalogue)[0])


def test_an_exported_folder_with_other_bytes_than_noted_is_refused(tmp_path: Path) -> None:
    catalogue, _ = known_file(tmp_path)
    folder = exported(tmp_path / "exports", catalogue)
    yolo(folder / "model.onnx", score=0.1)
    (found,) = scan(folder, catalogue)
    assert "not what was noted" in found.problem


CORPUS = os.environ.get("TAGGING_CORPUS")


@pytest.mark.skipif(not CORPUS, reason="TAGGING_CORPUS names no corpus")
def test_the_corpus_models_are_what_their_readme_says(catalogue: Catalogue) -> None:
    found = {one.path.name: one for one in scan(Path(str(CORPUS)) / "models", catalogue)}
    assert found["wd-selected_tags.csv"].kind == "table"
    assert found["yolov8n-coco-int8.onnx"].quantised
    assert len(found["yolov8n-coco-broken.onnx"].names) == 80
