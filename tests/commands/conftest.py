"""A project of five sample photos, two copies and two broken files, tagged once for the session."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from resources.weights import WeightsStore
from tests.commands.command_line import Project, Tagged

#: Cat, coffee, a bus with people, a portrait, a rocket.
PHOTOS = ("chelsea.png", "coffee.png", "bus.jpg", "astronaut.png", "rocket.jpg")


@pytest.fixture(scope="session")
def cached_weights(weights_store: WeightsStore) -> Path:
    """The user's cache with all weights of the profile in it, so that commands need no network."""
    for entry in weights_store.catalogue.profile("embedded").values():
        weights_store.pull(entry.name)
    return weights_store.cache_dir


@pytest.fixture
def project(tmp_path: Path, cached_weights: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def tagged(tmp_path_factory: pytest.TempPathFactory, cached_weights: Path, sample_photos: Mapping[str, Path]) -> Tagged:
    """Tagged once, under the eyes of an audit hook."""
    project = Project(tmp_path_factory.mktemp("project"))
    for name in PHOTOS:
        shutil.copy(sample_photos[name], project.photos)
    # A copy: one picture, two photos, and a file name that means both.
    (project.photos / "copies").mkdir()
    shutil.copy(sample_photos["coffee.png"], project.photos / "copies")
    whole = sample_photos["bus.jpg"].read_bytes()
    (project.photos / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    # PostScript under a photo's name.
    (project.photos / "drawing.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", encoding="ascii")
    return Tagged(project, project.run_watched("run", project.photos, "--json"))


@pytest.fixture
def damaged_weights(tmp_path: Path, cached_weights: Path) -> Path:
    """The cache with one byte of the person detector changed; the rest are links."""
    cache = tmp_path / "weights"
    cache.mkdir()
    for entry in cached_weights.iterdir():
        if entry.name == "person-yolov8s":
            shutil.copytree(entry, cache / entry.name)
        else:
            (cache / entry.name).symlink_to(entry)
    model = next((cache / "person-yolov8s").glob("*/*.onnx"))
    with model.open("r+b") as file:
        file.seek(10_000)
        byte = file.read(1)
        file.seek(10_000)
        file.write(bytes([byte[0] ^ 1]))
    return cache
