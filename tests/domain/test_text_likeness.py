import numpy as np
import pytest
from numpy.testing import assert_allclose

from tagging_assets.domain.text_likeness import against_neutral, among_labels, sigmoid_scores


def floats(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize(
    ("cosine", "scale", "bias", "expected"),
    [
        (0.0, 100.0, 0.0, 0.5),  # nothing speaks for or against it
        (0.1, 100.0, -10.0, 0.5),  # SigLIP's bias: few texts fit a picture
        (0.12, 112.0, -12.9, 0.6318),
        (1.0, 1e4, 0.0, 1.0),  # sure, and no overflow
        (-1.0, 1e4, 0.0, 0.0),
    ],
)
def test_a_sigmoid_judges_each_text_alone(cosine: float, scale: float, bias: float, expected: float) -> None:
    scores = sigmoid_scores(floats([cosine, 0.5]), scale, bias)
    assert scores.dtype == np.float32
    assert scores[0, 0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("label", "neutral", "expected"),
    [
        (0.25, 0.25, 0.5),  # as near to the label as to any photo
        (0.30, 0.25, 0.9933),
        (0.20, 0.25, 0.0067),
        (1.0, -1.0, 1.0),
    ],
)
def test_clip_weighs_a_label_against_the_neutral_text(label: float, neutral: float, expected: float) -> None:
    scores = against_neutral(floats([label]), np.array([neutral], np.float32), 100.0)
    assert scores[0, 0] == pytest.approx(expected, abs=1e-4)


def test_labels_side_by_side_take_nothing_from_each_other() -> None:
    neutral = np.array([0.2], np.float32)
    assert_allclose(against_neutral(floats([0.3, 0.3, 0.3]), neutral, 100.0), 0.99995, atol=1e-4)


@pytest.mark.parametrize(
    ("labels", "neutral", "expected"),
    [
        ([0.3, 0.3], 0.1, [0.5, 0.5]),  # two as good as each other share it
        ([0.3, 0.2], 0.2, [0.9999, 0.0]),
        ([0.2, 0.2], 0.3, [0.0, 0.0]),  # none of them: the neutral text has it all
        ([0.25, 0.25], 0.25, [1 / 3, 1 / 3]),
    ],
)
def test_exclusive_labels_share_one_probability(labels: list[float], neutral: float, expected: list[float]) -> None:
    scores = among_labels(floats(labels), np.array([neutral], np.float32), 100.0)
    assert_allclose(scores[0], expected, atol=1e-3)


def test_rows_do_not_touch_each_other() -> None:
    cosines, neutral = np.random.default_rng(0).uniform(-1, 1, (4, 3)).astype(np.float32), np.zeros(4, np.float32)
    for weigh in (against_neutral, among_labels):
        together = weigh(cosines, neutral, 50.0)
        for row in range(4):
            np.testing.assert_array_equal(weigh(cosines[row : row + 1], neutral[:1], 50.0)[0], together[row])
