"""Outputs are told apart by their shapes; of boxes that overlap, the best of each label stays."""

import numpy as np
import pytest

from resources.yolo_outputs import Candidates, Layout, anchors_of, read_output, suppress
from tagging_assets.domain.errors import ModelFailed

ALL = np.arange(2)
RAW = np.array([[320, 320, 100, 200, 0.1, 0.7], [50, 50, 20, 20, 0.3, 0.2]], dtype=np.float32)


def boxes(*values: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(-1, 4)


def candidates(found: np.ndarray, scores: list[float], classes: list[int] | None = None) -> Candidates:
    count = len(scores)
    numbers = np.array(classes or [0] * count, np.intp)
    # What else is said of a box is its place here, so that it can be followed.
    places = np.arange(count, dtype=np.float32)[:, None]
    return Candidates(found, np.array(scores, np.float32), numbers, places)


@pytest.mark.parametrize(
    "output",
    [
        np.tile(RAW, (4, 1)).T,  # (4 + classes, anchors), as ultralytics exports
        np.tile(RAW, (2000, 1)),  # the same transposed
        np.tile(RAW, (2000, 1)).astype(np.float16),
        # with suppression built in; two classes make raw columns of six, too
        np.array([[270, 220, 370, 420, 0.7, 1], [40, 40, 60, 60, 0.3, 0]], dtype=np.float32),
    ],
)
def test_outputs_are_told_apart_by_shape(output: np.ndarray) -> None:
    found = read_output(output, Layout(2), ALL, 0.05)
    assert found.boxes_xyxy[:2] == pytest.approx(boxes((270, 220, 370, 420), (40, 40, 60, 60)))
    assert found.scores[:2] == pytest.approx([0.7, 0.3], abs=1e-3)
    assert found.classes[:2].tolist() == [1, 0]
    assert found.scores.dtype == np.float32


def test_a_small_transposed_output_is_known_by_its_anchors() -> None:
    """Of an input of 64 pixels there are 84 boxes, no more than an export with suppression gives."""
    output = np.tile(RAW, (42, 1))
    assert read_output(output, Layout(2, anchors=anchors_of(64, 64)), ALL, 0.05).final is False
    assert read_output(output, Layout(2, anchors=anchors_of(64, 96)), ALL, 0.05).final is True


@pytest.mark.parametrize(
    ("counted", "found"),
    [
        ([0, 1], [(1, 0.7), (0, 0.3)]),
        ([0], [(0, 0.1), (0, 0.3)]),  # the best of those that count
        ([1], [(1, 0.7), (1, 0.2)]),
    ],
)
def test_classes_that_do_not_count_are_no_rivals(counted: list[int], found: list[tuple[int, float]]) -> None:
    output = np.tile(RAW, (4, 1)).T
    read = read_output(output, Layout(2), np.array(counted), 0.05)
    assert list(zip(read.classes[:2].tolist(), read.scores[:2].round(2).tolist(), strict=True)) == [
        (number, pytest.approx(score)) for number, score in found
    ]


def test_what_else_is_said_of_a_box_stays_with_it() -> None:
    output = np.concatenate([np.tile(RAW, (50, 1)), np.arange(300, dtype=np.float32).reshape(100, 3)], axis=1).T
    read = read_output(output, Layout(2, extra=3), ALL, 0.5)
    assert read.extra[:2].tolist() == [[0, 1, 2], [6, 7, 8]]


def test_an_output_may_be_empty() -> None:
    for output in (np.zeros((0, 6), np.float32), np.zeros((6, 8400), np.float32)):
        found = suppress(read_output(output, Layout(2), ALL, 0.05), np.zeros(0, np.intp), 0.7)
        assert found.boxes_xyxy.shape == (0, 4)
        assert found.scores.shape == (0,)


@pytest.mark.parametrize("shape", [(8400,), (5, 8400), (4, 8400), (3, 80, 80), (25200, 7)])
def test_outputs_of_no_such_model_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelFailed, match="there must be 6 for each box"):
        read_output(np.zeros(shape, np.float32), Layout(2), ALL, 0.05)


@pytest.mark.parametrize(
    ("found", "scores", "classes", "kept"),
    [
        (boxes((0, 0, 10, 10)), [0.5], [0], [0]),
        (boxes((0, 0, 10, 10), (1, 1, 11, 11)), [0.5, 0.9], [0, 0], [1]),  # the better of two that overlap
        (boxes((0, 0, 10, 10), (5, 0, 15, 10)), [0.9, 0.5], [0, 0], [0, 1]),  # a third in common: two people
        (boxes((0, 0, 10, 10), (0, 0, 10, 10)), [0.5, 0.5], [0, 0], [0]),  # twins: the first
        # The middle one goes, and what only the middle one overlaps stays.
        (boxes((0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10)), [0.9, 0.8, 0.7], [0, 0, 0], [0, 2]),
        (boxes((0, 0, 10, 10), (0, 0, 10, 10)), [0.5, 0.9], [0, 1], [1, 0]),  # a rider and the horse
        # Left of the picture, and far to its right: no group reaches into another.
        (boxes((-900, 0, 10, 10), (-900, 0, 10, 10), (800, 0, 1700, 10)), [0.9, 0.8, 0.7], [0, 1, 0], [0, 1, 2]),
    ],
)
def test_suppression(found: np.ndarray, scores: list[float], classes: list[int], kept: list[int]) -> None:
    left = suppress(candidates(found, scores, classes), np.array(classes), 0.5)
    assert left.extra[:, 0].tolist() == kept


def test_of_a_crowd_three_hundred_stay() -> None:
    corners = np.arange(400, dtype=np.float32) * 20
    crowd = np.stack([corners, corners * 0, corners + 10, corners * 0 + 10], axis=1)
    left = suppress(candidates(crowd, np.linspace(0.1, 0.9, 400).tolist()), np.zeros(400, np.intp), 0.7)
    assert len(left.scores) == 300
    assert left.scores[0] == pytest.approx(0.9)
