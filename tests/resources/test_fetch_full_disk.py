import hashlib
from pathlib import Path

import pytest

from resources.catalogue import WeightFile
from resources.fetch import Fetcher
from tagging_assets.domain.errors import DiskFull
from tests.full_disk import files_no_larger_than

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def wanted(tmp_path: Path) -> WeightFile:
    """A model on this machine."""
    origin = tmp_path / "origin.onnx"
    origin.write_bytes(CONTENT)
    return WeightFile(
        name="model.onnx", sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT), sources=(f"file:{origin}",)
    )


def test_no_room_for_a_model(tmp_path: Path, wanted: WeightFile) -> None:
    target = tmp_path / "weights/model.onnx"
    with Fetcher(offline=True) as fetcher:
        with files_no_larger_than(5000), pytest.raises(DiskFull, match=r"no space left for model\.onnx .*weights"):
            fetcher.fetch(wanted, target)
        assert not target.exists()
        fetcher.fetch(wanted, target)
    assert target.read_bytes() == CONTENT


def test_no_room_for_a_file_that_nobody_knows_the_hash_of(tmp_path: Path, wanted: WeightFile) -> None:
    target = tmp_path / "weights/model.onnx"
    with Fetcher(offline=True) as fetcher:
        with files_no_larger_than(5000), pytest.raises(DiskFull, match=r"no space left .* to write .*model\.onnx"):
            fetcher.obtain("model.onnx", wanted.sources, target, 10**6)
        assert not target.exists()
        assert fetcher.obtain("model.onnx", wanted.sources, target, 10**6) == wanted.sources[0]
    assert target.read_bytes() == CONTENT
