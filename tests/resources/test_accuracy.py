import numpy as np
import pytest

from resources.accuracy import boxes_cost, kinds, labels_cost, vectors_cost
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.models import Detection, LabelScore


def box(score: float, x: float = 0, label: str = "person", width: float = 10) -> Detection:
    return Detection(label, (x, 0, x + width, 10), score)


@pytest.mark.parametrize(
    ("exact", "other", "agreement", "found", "extra"),
    [
        ([[box(0.9)]], [[box(0.8)]], 1.0, 1.0, 0.0),  # the same box
        ([[box(0.9), box(0.8)]], [[box(0.9)]], 0.5, 0.5, 0.0),  # two alike have one partner
        ([[box(0.9)]], [[]], 0.0, 0.0, 0.0),  # lost
        ([[box(0.9)]], [[box(0.9, label="dog")]], 0.0, 0.0, 1.0),  # something else in its place
        ([[box(0.9)]], [[box(0.9, x=7)]], 0.0, 0.0, 1.0),  # somewhere else
        ([[box(0.26)]], [[box(0.24)]], 1.0, 1.0, 0.0),  # a little less sure is not lost
        ([[box(0.9)]], [[box(0.1)]], 0.0, 0.0, 0.0),  # much less sure is
        ([[box(0.9), box(0.2, 50)]], [[box(0.9), box(0.3, 50)]], 1.0, 1.0, 0.0),  # nor is a little more an extra
        ([[box(0.9)], []], [[box(0.9)], [box(0.9)]], 0.5, 1.0, 1.0),  # one in an empty photo is
    ],
)
def test_boxes(
    exact: list[list[Detection]], other: list[list[Detection]], agreement: float, found: float, extra: float
) -> None:
    cost = boxes_cost(exact, other)
    assert cost.agreement == pytest.approx(agreement)
    assert (cost.measures["boxes_found"], cost.measures["boxes_extra"]) == pytest.approx((found, extra))


def test_figures_of_boxes() -> None:
    cost = boxes_cost([[box(0.9), box(0.5, 50)], []], [[box(0.8), box(0.5, 50, width=8)], []])
    assert cost.told() == {
        "agreement": 1.0,
        "boxes": 2.0,
        "boxes_found": 1.0,
        "boxes_found_iou_90": 0.5,
        "boxes_extra": 0.0,
        "box_score_difference": 0.05,
        "same_labels": 1.0,
    }


def test_vectors() -> None:
    exact = np.random.default_rng(0).normal(size=(9, 32)).astype(np.float32)
    same = vectors_cost(exact, exact)
    assert same.agreement == pytest.approx(1)
    assert same.measures == pytest.approx({"cosine_least": 1, "cosine_mean": 1, "neighbours_kept": 1})
    shuffled = vectors_cost(exact, exact[::-1])
    assert shuffled.agreement < 0.5
    assert shuffled.measures["neighbours_kept"] < 0.9


def test_vectors_that_lie_close_together_are_judged_by_what_tells_them_apart() -> None:
    random = np.random.default_rng(0)
    exact, noise = (random.normal(size=(9, 32)).astype(np.float32) for _ in range(2))
    cost = vectors_cost(exact + 100, exact + 100 + noise)
    assert cost.measures["cosine_least"] > 0.999
    assert cost.agreement < 0.8


def label(name: str, score: float) -> LabelScore:
    return LabelScore(name, "object", score)


@pytest.mark.parametrize(
    ("exact", "other", "agreement", "apart"),
    [
        ([[label("cat", 0.9)]], [[label("cat", 0.8)]], 1.0, 0.1),
        ([[label("cat", 0.9)]], [[label("dog", 0.9)]], 0.0, 0.9),  # another
        ([[label("cat", 0.9), label("dog", 0.3)]], [[label("cat", 0.9), label("dog", 0.2)]], 0.5, 0.05),  # one slipped
        ([[label("cat", 0.9), label("dog", 0.1)]], [[label("cat", 0.9)]], 1.0, 0.05),  # none that counts
    ],
)
def test_labels(exact: list[list[LabelScore]], other: list[list[LabelScore]], agreement: float, apart: float) -> None:
    cost = labels_cost(exact, other)
    assert cost.agreement == pytest.approx(agreement)
    assert cost.measures["label_score_difference"] == pytest.approx(apart)


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(SettingsError, match="finds nothing"):
        boxes_cost([[]], [[box(0.9)]])
    with pytest.raises(SettingsError, match="two photos"):
        vectors_cost(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32))
    with pytest.raises(SettingsError, match="any label"):
        labels_cost([[]], [[label("cat", 0.1)]])
    with pytest.raises(SettingsError, match="no way to tell"):
        kinds("llama.cpp")
