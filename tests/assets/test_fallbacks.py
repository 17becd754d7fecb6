"""A stage that runs on less than was wanted says so: in its metadata, in its log, and in `tagging status`."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from resources.frame_store import FrameStore
from resources.gallery import Gallery
from resources.proxy_store import ProxyStore
from resources.ran_on import RanOnBook
from resources.workbench import Workbench
from tagging_assets.assets.detections import detections
from tagging_assets.commands.overview import _slower
from tagging_assets.domain.models import Detection, RgbImage
from tagging_assets.domain.stages import build_recipes
from tests.fakes import FakeDetector
from tests.handmade import frame, item, record

FELL_BACK = "CPUExecutionProvider (wanted CUDAExecutionProvider: libcuda.so.1: no such file)"


class FellBack(FakeDetector):
    """Runs on the CPU where a GPU was wanted."""

    provider = FELL_BACK

    def detect(self, images: Sequence[RgbImage]) -> list[list[Detection]]:
        return [[] for _ in images]


def test_a_stage_that_fell_back_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, store, book = ProxyStore(tmp_path), FrameStore(tmp_path / "tables"), RanOnBook(tmp_path / "providers")
    pixel_id, path = files.put(np.zeros((16, 24, 3), np.uint8))
    one = item("a", proxies=[{"pixel_id": pixel_id, "path": path}])
    result = detections(
        dg.build_asset_context(partition_key="b000001"),
        frame("proxies", record("proxies", "a", one.rows("proxies"))),
        bench=Workbench(store, keep_provider=book.keep),
        recipes=build_recipes({}),
        gallery=Gallery(store, files),
        proxy_files=files,
        detector=FellBack(),
    )
    assert result.metadata["execution provider"] == FELL_BACK
    assert f"detections is slower than it could be: it ran on {FELL_BACK}" in capsys.readouterr().err
    assert [run.provider for run in book.told()["detections"]] == [FELL_BACK]


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ({}, []),
        ({"detections": []}, []),  # never ran
        ({"detections": [("CUDAExecutionProvider", False, "a")]}, []),
        # one line for what has one reason
        (
            {"detections": [(FELL_BACK, True, "a")], "embeddings": [(FELL_BACK, True, "a")]},
            [f"detections, embeddings on a: {FELL_BACK}; see `tagging doctor`"],
        ),
        # machine by machine
        (
            {"detections": [("CUDAExecutionProvider", False, "a"), (FELL_BACK, True, "b")]},
            [f"detections on b: {FELL_BACK}; see `tagging doctor`"],
        ),
    ],
)
def test_status_tells_it_once_for_each_reason_and_machine(
    stages: dict[str, list[tuple[str, bool, str]]], told: list[str]
) -> None:
    names = ("provider", "fell_back", "host")
    asked = {stage: {"ran_on": [dict(zip(names, run, strict=True)) for run in runs]} for stage, runs in stages.items()}
    assert _slower(asked) == told
