"""What counts as agreement between an exported model and the library it comes from."""

import numpy as np
import pytest

from resources.parity import LIMITS, Parity, by_label, channel_difference, iou, matched, smallest_cosine
from tagging_assets.domain.models import Box, Detection

HERE, NEAR, AWAY = (10.0, 10.0, 110.0, 110.0), (10.2, 10.0, 110.2, 110.0), (20.0, 10.0, 120.0, 110.0)


def box(score: float, place: Box = HERE, label: str = "person") -> Detection:
    return Detection(label, place, score)


@pytest.mark.parametrize(
    ("ours", "theirs", "found", "surplus", "apart"),
    [
        # nothing is seen by either
        ([], [], 0, 0, 0.0),
        # the same box, its score a little off
        ([box(0.8)], [box(0.805)], 1, 0, 0.005),
        # a fifth of a pixel of a hundred is the same box
        ([box(0.8, NEAR)], [box(0.8)], 1, 0, 0.0),
        # ten pixels are not: theirs is missing, ours is one too many
        ([box(0.8, AWAY)], [box(0.8)], 0, 1, 0.0),
        # another label is another box
        ([box(0.8, label="dog")], [box(0.8)], 0, 1, 0.0),
        # what the original leaves out for its score is no surplus, nor what is within the tolerance of that
        ([box(0.1, AWAY), box(0.259, AWAY)], [], 0, 0, 0.0),
        # two boxes that the photo's edge made one: each has the partner of its score
        ([box(0.9), box(0.4)], [box(0.4), box(0.9)], 2, 0, 0.0),
        # one of ours is no partner twice
        ([box(0.9)], [box(0.9), box(0.9)], 1, 0, 0.0),
    ],
)
def test_boxes_are_matched(
    ours: list[Detection], theirs: list[Detection], found: int, surplus: int, apart: float
) -> None:
    result = matched(ours, theirs)
    assert result[:2] == (found, surplus)
    assert result[2] == pytest.approx(apart)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # itself
        (HERE, HERE, 1.0),
        # half of each
        ((0, 0, 2, 1), (1, 0, 3, 1), 1 / 3),
        # an edge in common
        ((0, 0, 1, 1), (1, 0, 2, 1), 0.0),
        # no area at all
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
    ],
)
def test_iou_is_symmetric(a: Box, b: Box, expected: float) -> None:
    assert iou(box(1, a), box(1, b)) == iou(box(1, b), box(1, a)) == pytest.approx(expected)


def test_the_worst_pair_of_vectors_counts() -> None:
    theirs = np.array([[1, 0], [0, 2]], np.float32)
    assert smallest_cosine(theirs * 3, theirs) == pytest.approx(1)
    assert smallest_cosine(np.array([[1, 0], [2, 2]], np.float32), theirs) == pytest.approx(0.5**0.5)


def test_a_channel_is_measured_by_its_own_numbers() -> None:
    # a coordinate in pixels and a score
    theirs = np.array([[[600.0, 300.0], [0.5, 0.9]]], np.float32)
    assert channel_difference(theirs + np.array([[[0.6], [0.0]]], np.float32), theirs) == pytest.approx(0.001, rel=1e-3)
    assert channel_difference(theirs + np.array([[[0.0], [0.1]]], np.float32), theirs) == pytest.approx(0.1, rel=1e-3)


def test_classes_of_one_name_are_one_label() -> None:
    assert by_label(("crane", "tench, Tinca tinca", "crane"), (0.1, 0.2, 0.7)) == {"crane": 0.7, "tench": 0.2}


@pytest.mark.parametrize(
    ("measures", "told"),
    [
        # each as good as it must be
        ({"boxes": 3, "boxes_matched": 0.99, "box_score_difference": 0.01}, []),
        # too few of the boxes
        ({"boxes_matched": 0.98}, ["share of boxes with the same label and IoU ≥ 0.99 0.98, must be at least 0.99"]),
        # too far apart
        ({"score_difference": 0.002}, ["largest difference of a class's score 0.002, must be at most 0.001"]),
        # the original sees nothing: that proves nothing
        ({"boxes": 0}, ["boxes of the original 0, must be at least 1"]),
        # no number meets no limit
        ({"embedding_cosine": float("nan")}, ["smallest cosine of picture vectors nan, must be at least 0.9999"]),
        ({"graph_difference": float("nan")}, [f"{LIMITS['graph_difference'].says} nan, must be at most 0.001"]),
    ],
)
def test_a_miss_says_by_how_much(measures: dict[str, float], told: list[str]) -> None:
    parity = Parity(measures)
    assert parity.missed == told
    assert parity.ok == (not told)


def test_what_was_not_compared_is_not_alike() -> None:
    assert not Parity({}).ok
