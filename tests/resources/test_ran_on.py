"""What stages ran on is kept per machine and told, damaged pages left aside."""

from pathlib import Path

import pytest

from resources.onnx_session import NOT_LOADED
from resources.ran_on import RanOnBook

CPU = "CPUExecutionProvider"
FELL_BACK = f"{CPU} (wanted CUDAExecutionProvider: libcuda.so.1: cannot open shared object file)"


@pytest.mark.parametrize(
    ("provider", "fell_back"),
    [
        (CPU, False),
        ("CPUExecutionProvider (MediaPipe)", False),
        ("CUDAExecutionProvider (of 300 nodes 12 on CPUExecutionProvider)", False),
        (FELL_BACK, True),
    ],
)
def test_a_fallback_is_told_from_what_was_wanted(tmp_path: Path, provider: str, fell_back: bool) -> None:
    RanOnBook(tmp_path).keep("detections", provider)
    (one,) = RanOnBook(tmp_path).told()["detections"]
    assert (one.provider, one.fell_back) == (provider, fell_back)


def test_the_last_run_counts_and_one_that_needed_no_model_says_nothing(tmp_path: Path) -> None:
    book = RanOnBook(tmp_path / "providers")
    assert book.told() == {}
    for provider in (FELL_BACK, CPU, NOT_LOADED):
        book.keep("embeddings", provider)
    assert [one.provider for one in book.told()["embeddings"]] == [CPU]


def test_machines_are_told_apart_the_newest_first(tmp_path: Path) -> None:
    book = RanOnBook(tmp_path)
    book.keep("detections", CPU)
    (page,) = tmp_path.iterdir()
    told = page.read_text()
    (tmp_path / "detections-other.json").write_text(told.replace('"at": "20', '"at": "19').replace(CPU, FELL_BACK))
    (tmp_path / "detections-damaged.json").write_text(told[:20])
    (tmp_path / "detections-older.json").write_text('{"stage": "detections"}')
    assert [one.provider for one in book.told()["detections"]] == [CPU, FELL_BACK]
