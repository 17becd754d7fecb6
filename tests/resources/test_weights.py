import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.catalogue import Catalogue, load_catalogue
from resources.fetch import stamp_path
from resources.samples import fetch_samples, load_samples
from resources.weights import WeightsStore, default_cache_dir
from tagging_assets.domain.errors import SettingsError, WeightsCorrupt, WeightsMissing

CONTENT = b"weights of a small model"


def catalogue_of(**changes: Any) -> dict[str, Any]:
    """A small catalogue as YAML would give it, with changes to its one entry."""
    file = {"name": "m.bin", "sha256": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT)}
    entry = {
        "tasks": ["tagging"],
        "adapter": "Small",
        "licence": "MIT",
        "preprocessing": "none/1",
        "files": [{**file, "sources": ["file:/nowhere/m.bin"]}],
        **changes,
    }
    return {"version": 1, "entries": {"small": entry}, "profiles": {"embedded": {"tagging": "small"}}}


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    """A store of one model whose source is a file that a test may put there."""
    origin = tmp_path / "origin" / "m.bin"
    origin.parent.mkdir()
    origin.write_bytes(CONTENT)
    raw = catalogue_of()
    raw["entries"]["small"]["files"][0]["sources"] = [f"file:{origin}"]
    return WeightsStore(Catalogue.model_validate(raw), tmp_path / "cache", offline=True)


def test_the_own_catalogue_serves_every_task_of_the_embedded_profile() -> None:
    tasks = load_catalogue().profile("embedded")
    assert set(tasks) == {
        *("person_detection", "pose", "face", "image_embedding", "tagging", "text_embedding", "zero_shot", "chat"),
    }
    assert all(entry.licence for entry in tasks.values())


def test_cards_tell_the_bytes_and_touch_no_file(tmp_path: Path) -> None:
    card = WeightsStore(cache_dir=tmp_path / "none").card("minilm-l6-int8", {"precision": "int8"})
    assert card.name == "minilm-l6-int8"
    assert [len(revision) for revision in card.revision.split("+")] == [64, 64]
    assert card.parameters == {"precision": "int8"}
    assert not (tmp_path / "none").exists()


def test_a_model_built_on_others_has_their_revisions() -> None:
    catalogue = load_catalogue()
    expected = f"{catalogue.revision('efficientnet-lite0')}+{catalogue.revision('minilm-l6-int8')}"
    assert catalogue.revision("conse-lite0-minilm") == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour"),  # unknown field: a misspelling
        ({"tasks": []}, "tasks"),
        ({"tasks": ["chat"]}, "no entry with the task tagging"),  # the profile wants another
        ({"files": []}, "neither files nor entries"),
        ({"files": [], "uses": ["other"]}, "not an entry"),
        ({"files": [], "uses": ["small"]}, "not an entry"),  # itself
        ({"fusion": {"weight": 1.5}}, "weight"),
        ({"fusion": {"calibration": [[0, 0]]}}, "two points"),
        ({"fusion": {"calibration": [[0, 0.5], [1, 0.2]]}}, "never falling"),
        ({"fusion": {"calibration": [[1, 0.2], [0, 0.5]]}}, "raw rising"),
        ({"fusion": {"calibration": [[0, 0.2], [0, 0.5]]}}, "raw rising"),  # two values for one score
        ({"fusion": {"calibration": [[0, 0], [1, 1.2]]}}, "calibration"),
    ],
)
def test_impossible_catalogues_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "weights.yaml"
    path.write_text(yaml.safe_dump(catalogue_of(**changes)))
    with pytest.raises(SettingsError, match=message) as caught:
        load_catalogue(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": "G" * 64}, "sha256"),
        ({"size": 0}, "size"),
        ({"name": "../m.bin"}, "name"),  # would leave the cache folder
        ({"name": ".."}, "name"),
        ({"sources": []}, "sources or parts"),
        ({"parts": ["file:/a", "file:/b"]}, "sources or parts"),  # both
        ({"sources": ["m.bin"]}, "is no source"),
    ],
)
def test_impossible_files_are_refused(changes: dict[str, Any], message: str) -> None:
    raw = catalogue_of()
    raw["entries"]["small"]["files"][0].update(changes)
    with pytest.raises(ValueError, match=message):
        Catalogue.model_validate(raw)


@pytest.mark.parametrize("content", [None, "entries: [", "- a list", ""])
def test_files_that_are_no_catalogue(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "weights.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=r"weights\.yaml"):
        load_catalogue(path)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.path("none"),
        lambda store: store.path("small", "none.bin"),
        lambda store: store.catalogue.profile("none"),
    ],
)
def test_what_is_not_in_the_catalogue_is_named(store: WeightsStore, ask: Any) -> None:
    with pytest.raises(SettingsError, match="none"):
        ask(store)


def test_a_file_is_fetched_once_and_served_without_its_source(store: WeightsStore, tmp_path: Path) -> None:
    assert [file.state for file in store.status("small")] == ["missing"]
    path = store.path("small")
    (tmp_path / "origin" / "m.bin").unlink()
    assert store.path("small", "m.bin") == path == store.location("small")
    assert store.pull("small") == [path]
    assert [file.state for file in store.status("small")] == ["ready"]


def test_a_file_put_there_by_hand_serves(store: WeightsStore, tmp_path: Path) -> None:
    (tmp_path / "origin" / "m.bin").unlink()
    with pytest.raises(WeightsMissing, match="put the file at") as caught:
        store.path("small")
    place = store.location("small")
    assert str(place) in str(caught.value)
    place.write_bytes(CONTENT)
    assert store.path("small") == place


def test_verify_reads_every_byte(store: WeightsStore) -> None:
    path = store.path("small")
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=times)  # damage that leaves size and time as they were, as a failing disk's
    assert [file.state for file in store.status("small")] == ["ready"]
    assert [file.state for file in store.verify("small")] == ["damaged"]
    assert not stamp_path(path).exists()
    assert store.path("small").read_bytes() == CONTENT  # fetched again
    assert [file.state for file in store.verify("small")] == ["ready"]


def test_a_source_with_other_bytes_is_no_source(store: WeightsStore, tmp_path: Path) -> None:
    (tmp_path / "origin" / "m.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsCorrupt, match=r"no source has the right m\.bin"):
        store.path("small")
    assert [file.state for file in store.status("small")] == ["missing"]


def test_derived_files_go_with_the_revision(store: WeightsStore) -> None:
    first = store.derived("small", "made.onnx")
    changed = catalogue_of()
    changed["entries"]["small"]["files"][0]["sha256"] = "0" * 64
    other = WeightsStore(Catalogue.model_validate(changed), store.cache_dir)
    assert first.name == "made.onnx"
    assert first != other.derived("small", "made.onnx")


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("/models", "/xdg", "/models"),  # the project's own variable wins
        ("", "/xdg", "/xdg/tagging/weights"),
        ("", "", "/home/me/.cache/tagging/weights"),
        ("~/models", "", "/home/me/models"),
    ],
)
def test_cache_dir(monkeypatch: pytest.MonkeyPatch, own: str, xdg: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("TAGGING_WEIGHTS", own)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert default_cache_dir() == Path(expected)


def test_sample_photos_are_fetched_once_and_nothing_else_is_there(weights_store: WeightsStore, tmp_path: Path) -> None:
    photos = fetch_samples(weights_store, tmp_path / "photos")
    assert [photo.name for photo in photos] == [sample.name for sample in load_samples()]
    assert {path.name for path in (tmp_path / "photos").iterdir()} == {photo.name for photo in photos}
    photos[0].write_bytes(b"edited by its owner")
    offline = WeightsStore(cache_dir=weights_store.cache_dir, offline=True)
    photos[1].unlink()
    assert fetch_samples(offline, tmp_path / "photos") == photos
    assert photos[0].read_bytes() == b"edited by its owner"
    assert photos[1].stat().st_size == load_samples()[1].size


def test_every_sample_names_its_licence_and_credit() -> None:
    assert all(sample.licence and sample.credit and sample.shows for sample in load_samples())
