"""Masks and joints lie where the boxes lie; parity with ultralytics is in test_yolo_parity.py."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from resources.yolo import Seen
from resources.yolo_letterbox import letterbox
from resources.yolo_outputs import Candidates
from resources.yolo_parts import YoloSilhouettes, joints_of, masks_of
from tagging_assets.domain.models import RgbImage


def seen(extra: np.ndarray, prototypes: np.ndarray | None = None, joints: tuple[int, int] = (0, 0)) -> Seen:
    """Two boxes in a photo of 128 by 64 pixels, laid into 64 by 64."""
    frame = letterbox(128, 64, 64, 64)
    boxes = np.array([[0, 0, 64, 64], [64, 0, 128, 64]], np.float32)
    inner = np.array([[0, 16, 32, 48], [32, 16, 64, 48]], np.float32)
    candidates = Candidates(inner, np.array([0.9, 0.8], np.float32), np.zeros(2, np.intp), extra)
    return Seen(("person", "person"), boxes, candidates, frame, prototypes, joints)


def halves() -> np.ndarray:
    """(2, 16, 16): the first prototype is of the upper half of the input, the second of all of it."""
    made = np.full((2, 16, 16), -8, np.float32)
    made[0, :8] = made[1] = 8
    return made


def test_masks_are_mixed_from_prototypes_and_end_at_their_boxes() -> None:
    masks = masks_of(seen(np.eye(2, dtype=np.float32), halves()))
    assert (masks.shape, masks.dtype) == ((2, 64, 128), np.uint8)
    shown = masks > 127
    assert shown[0].any(axis=0).nonzero()[0].tolist() == list(range(64)), "the left box"
    assert shown[0].any(axis=1).nonzero()[0].tolist() == list(range(32)), "its upper half"
    assert shown[1][:, 64:].all()
    assert not shown[1][:, :64].any()


class Looking(YoloSilhouettes):
    """One that sees what it is told to."""

    def __init__(self, told: Seen) -> None:
        self.told = told

    def look(self, images: Sequence[RgbImage]) -> list[Seen]:
        return [self.told for _ in images]


@pytest.mark.parametrize(
    ("labels", "share"),
    [
        (("person", "person"), 0.25),  # the first is the likelier: the upper half of the left
        (("dog", "person"), 0.5),
        (("dog", "cat"), 0.0),
    ],
)
def test_the_silhouette_is_that_of_the_likeliest_person(labels: tuple[str, ...], share: float) -> None:
    both = replace(seen(np.eye(2, dtype=np.float32), halves()), labels=labels)
    mask = Looking(both).silhouette(np.zeros((64, 128, 3), np.uint8))
    assert (mask > 127).mean() == share


def test_single_masks_can_be_asked_for() -> None:
    both = seen(np.eye(2, dtype=np.float32), halves())
    assert masks_of(both, [1]).tolist() == masks_of(both)[1:].tolist()
    assert masks_of(both, []).shape == (0, 64, 128)
    assert masks_of(replace(both, prototypes=None)).shape == (0, 64, 128)


@pytest.mark.parametrize(
    ("numbers", "given", "found"),
    [
        (3, [[0, 16, 0.25], [32, 32, 0.75]], [[0, 0, 0.25], [64, 32, 0.75]]),
        (2, [[0, 16], [32, 48]], [[0, 0, 1], [64, 64, 1]]),  # no confidence: taken to be sure
    ],
)
def test_joints_find_back_to_the_photo(numbers: int, given: list[list[float]], found: list[list[float]]) -> None:
    extra = np.tile(np.array(given, np.float32).ravel(), (2, 1))
    assert joints_of(seen(extra, joints=(2, numbers))) == pytest.approx(np.array([found, found], np.float32))


def test_a_model_without_joints_has_none() -> None:
    assert joints_of(seen(np.zeros((2, 0), np.float32))).shape == (2, 0, 3)
