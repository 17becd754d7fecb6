"""Files whose maker published no hash, and the catalogue's own files."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources import catalogue as catalogue_module
from resources.catalogue import Catalogue, load_catalogue
from resources.local_models import LOCAL, PINS, Pin, add_entries, pin, read_pins
from resources.weights import WeightsStore
from tagging_assets.domain.errors import SettingsError, WeightsCorrupt, WeightsMissing

OWN = Path(catalogue_module.__file__).parent

CONTENT = b"weights that nobody vouches for"


def unpinned(origin: Path) -> Catalogue:
    """A catalogue of one model whose file has no published hash."""
    entry = {
        "tasks": ["tagging"],
        "adapter": "wd",
        "licence": "MIT",
        "preprocessing": "none/1",
        "files": [{"name": "m.bin", "sources": ["file:/nowhere/m.bin", f"file:{origin}"]}],
    }
    return Catalogue.model_validate({"version": 1, "entries": {"small": entry}, "profiles": {}})


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "origin.bin"
    path.write_bytes(CONTENT)
    return path


def test_a_file_without_a_published_hash_is_never_fetched_unasked(origin: Path, tmp_path: Path) -> None:
    with WeightsStore(unpinned(origin), tmp_path / "cache", offline=True) as store:
        assert [file.state for file in store.status("small")] == ["unpinned"]
        assert store.card("small").revision == "unpinned"
        for fetch in (store.path, store.pull):
            with pytest.raises(WeightsMissing, match=r"nobody has published the SHA-256 of m\.bin; .*--trust-first"):
                fetch("small")
    assert not list((tmp_path / "cache").rglob("m.bin"))


def test_what_was_trusted_once_must_be_the_same_ever_after(origin: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with WeightsStore(unpinned(origin), cache, offline=True) as store:
        assert store.trust("small") == {
            "m.bin": Pin(sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT), source=f"file:{origin}")
        }
        assert store.path("small").read_bytes() == CONTENT
    # Another process, another day: the maker has put other bytes there, and the file here is gone.
    with WeightsStore(unpinned(origin), cache, offline=True) as store:
        assert [file.state for file in store.status("small")] == ["ready"]
        assert store.trust("small") == {}, "there is nothing left to trust"
        store.path("small").unlink()
        origin.write_bytes(CONTENT.replace(b"nobody", b"others"))
        with pytest.raises(WeightsCorrupt, match=r"no source has the right m\.bin"):
            store.path("small")


def test_trust_without_any_source_says_which_failed(tmp_path: Path) -> None:
    store = WeightsStore(unpinned(tmp_path / "gone"), tmp_path / "cache", offline=True)
    with store, pytest.raises(WeightsMissing, match=r"m\.bin cannot be fetched: .*nowhere.*gone"):
        store.trust("small")
    assert read_pins(tmp_path / "cache") == {}


def test_a_pin_that_is_there_stays(tmp_path: Path) -> None:
    first, second = (Pin(sha256=letter * 64, size=1, source="file:a") for letter in "ab")
    pin(tmp_path, "small", "m.bin", first)
    pin(tmp_path, "small", "m.bin", second)
    assert read_pins(tmp_path) == {"small/m.bin": first}


def test_damaged_pins_are_not_read_past(tmp_path: Path) -> None:
    (tmp_path / PINS).write_text('{"small/m.bin": {"sha256": 7}}', encoding="utf-8")
    with pytest.raises(WeightsCorrupt, match="restore it, or remove it"):
        read_pins(tmp_path)


def some_entry(**changes: Any) -> dict[str, Any]:
    file = {"name": "m.bin", "sha256": "a" * 64, "size": 1, "sources": ["file:/m.bin"]}
    plain = {"tasks": ["tagging"], "adapter": "wd", "licence": "MIT", "preprocessing": "none/1", "files": [file]}
    return {**plain, **changes}


def test_several_entries_are_added_one_after_the_other(tmp_path: Path) -> None:
    add_entries(tmp_path, {"one": some_entry()})
    add_entries(tmp_path, {"two": some_entry()})
    catalogue = load_catalogue(local=tmp_path / LOCAL)
    assert {"one", "two", "person-yolov8s"} <= set(catalogue.entries)


@pytest.mark.parametrize(
    ("name", "entry", "complaint"),
    [
        ("yolo11n", some_entry(), "has a model yolo11n already"),  # the project's own name
        ("mine", some_entry(tasks=[]), "mine cannot be added"),
        ("mine", some_entry(files=[]), "neither files nor entries"),
    ],
)
def test_what_cannot_be_added_changes_nothing(name: str, entry: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=complaint):
        add_entries(tmp_path, {name: entry})
    assert not (tmp_path / LOCAL).exists()


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"entries": {"yolo11n": some_entry()}}, "has an entry yolo11n already; give this one another name"),
        ({"entries": {}, "profiles": {}}, "must be a mapping with `entries`, and nothing else"),
        ([], "must be a mapping"),
    ],
)
def test_a_local_catalogue_that_makes_no_sense_is_named(said: object, complaint: str, tmp_path: Path) -> None:
    (tmp_path / LOCAL).write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.raises(SettingsError, match=complaint):
        load_catalogue(local=tmp_path / LOCAL)


@pytest.mark.parametrize(
    "file",
    [
        {"name": "m", "sha256": "a" * 64, "sources": ["file:/m"]},  # a hash without a size
        {"name": "m", "size": 3, "sources": ["file:/m"]},  # a size without a hash
        {"name": "m", "parts": ["file:/m"]},  # pieces of nobody knows what
    ],
)
def test_a_file_is_pinned_whole_or_not_at_all(file: dict[str, Any]) -> None:
    entry = {"version": 1, "entries": {"e": some_entry(files=[file])}, "profiles": {}}
    with pytest.raises(ValueError, match="both sha256 and size"):
        Catalogue.model_validate(entry)


class TestOwnCatalogue:
    """What the files weights*.yaml say."""

    catalogue = load_catalogue()

    @pytest.mark.parametrize("path", sorted(OWN.glob("weights*.yaml")), ids=lambda path: path.stem)
    def test_no_key_is_said_twice(self, path: Path) -> None:
        # YAML takes the last one, and says nothing.
        def keys(node: yaml.Node) -> None:
            if isinstance(node, yaml.MappingNode):
                names = [key.value for key, _ in node.value]
                assert len(names) == len(set(names)), f"line {node.start_mark.line + 1}: {names}"
                for _, value in node.value:
                    keys(value)

        keys(yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader))

    def test_both_profiles_serve_the_same_tasks(self) -> None:
        assert set(self.catalogue.profile("standard")) == set(self.catalogue.profile("embedded"))

    def test_the_standard_profile_needs_no_blind_trust(self) -> None:
        for entry in self.catalogue.profile("standard").values():
            assert not any(file.unpinned for file in entry.files), entry.name

    def test_every_detector_and_tagger_has_a_self_test(self) -> None:
        for entry in self.catalogue.entries.values():
            if {"person_detection", "tagging"} & set(entry.tasks):
                assert entry.self_test is not None, entry.name

    def test_what_is_exported_has_a_checkpoint(self) -> None:
        for entry in self.catalogue.entries.values():
            roles = [file.role for file in entry.files]
            assert ("checkpoint" in roles) == (entry.export is not None), entry.name

    def test_one_hash_has_one_size(self) -> None:
        sizes: dict[str, set[int]] = {}
        for entry in self.catalogue.entries.values():
            for file in entry.files:
                sizes.setdefault(file.sha256, set()).add(file.size)
        assert all(len(found) == 1 for found in sizes.values())
        # The tag table of version 3 is one file for five taggers; every other hash is one file's.
        assert len(sizes) > 40
