"""How many photos are under way at once: as many as there are cores, and more where they wait for a GPU."""

import os
from pathlib import Path

import pytest

from resources.database import Database
from resources.onnx_providers import has_gpu
from resources.toolbox import Toolbox
from tagging_assets.settings import Settings

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("inference", "detections", "landmarks"),
    [
        ({"provider": "cpu"}, CORES, CORES),
        # two batches of 32 in chunks of 8, beside the cores' own; landmarks never leave the CPU
        ({"provider": "cuda"}, CORES + 8, CORES),
        ({"provider": "tensorrt"}, CORES + 8, CORES),
        ({"provider": "cuda", "threads": 3}, 3, 3),  # the operator's word
        pytest.param({}, CORES, CORES, marks=pytest.mark.skipif(has_gpu(), reason="there is a GPU")),
    ],
)
def test_threads_of_a_stage(
    tmp_path: Path, database: Database, inference: dict[str, object], detections: int, landmarks: int
) -> None:
    bench = Toolbox(Settings.model_validate({"data_dir": tmp_path, "inference": inference}), database).bench
    assert bench.threads_by_stage.get("detections", bench.threads) == detections
    assert bench.threads_by_stage.get("landmarks", bench.threads) == landmarks
