import numpy as np
import pytest

from tagging_assets.domain.conse import (
    cosine_scores,
    ensemble_means,
    keep_top,
    softmax,
    synthesise,
    unit_rows,
)


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([0.0, 0.0], 1.0, [0.5, 0.5]),  # nothing to choose
        ([np.log(3.0), 0.0], 1.0, [0.75, 0.25]),
        ([2 * np.log(3.0), 0.0], 2.0, [0.75, 0.25]),  # warmer is flatter
        ([1000.0, 0.0], 1.0, [1.0, 0.0]),  # no overflow
        ([-1000.0, -1000.0], 1.0, [0.5, 0.5]),  # no underflow
    ],
)
def test_softmax(logits: list[float], temperature: float, expected: list[float]) -> None:
    assert softmax(rows(logits), temperature)[0] == pytest.approx(expected)


def test_softmax_of_no_rows_has_no_rows() -> None:
    assert softmax(np.zeros((0, 5), dtype=np.float32)).shape == (0, 5)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_softmax_refuses_impossible_temperatures(temperature: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        softmax(rows([1.0]), temperature)


@pytest.mark.parametrize(
    ("probabilities", "top_k", "expected"),
    [
        ([0.5, 0.3, 0.2], 1, [1.0, 0.0, 0.0]),
        ([0.5, 0.3, 0.2], 2, [0.625, 0.375, 0.0]),  # renormalised
        ([0.5, 0.3, 0.2], 9, [0.5, 0.3, 0.2]),  # more than there are: all
        ([0.2, 0.4, 0.4], 1, [0.0, 1.0, 0.0]),  # a tie goes to the lower index
        ([0.0, 0.0, 0.0], 2, [0.0, 0.0, 0.0]),  # nothing to renormalise
    ],
)
def test_keep_top(probabilities: list[float], top_k: int, expected: list[float]) -> None:
    assert keep_top(rows(probabilities), top_k)[0] == pytest.approx(expected)


def test_keep_top_refuses_to_keep_nothing() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        keep_top(rows([1.0]), 0)


def test_unit_rows_leave_zeros_alone_and_are_idempotent() -> None:
    once = unit_rows(rows([3.0, 4.0], [0.0, 0.0]))
    assert once == pytest.approx(rows([0.6, 0.8], [0.0, 0.0]))
    assert unit_rows(once) == pytest.approx(once)


@pytest.mark.parametrize(
    ("vectors", "sizes", "expected"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], [1, 1], [[1.0, 0.0], [0.0, 1.0]]),  # a group of one is itself
        ([[1.0, 0.0], [0.0, 1.0]], [2], [[0.7071, 0.7071]]),  # the middle, on the unit circle
        ([[1.0, 0.0]], [0, 1], [[0.0, 0.0], [1.0, 0.0]]),  # a group of none
        ([[1.0, 0.0], [-1.0, 0.0]], [2], [[0.0, 0.0]]),  # opposites cancel
    ],
)
def test_ensemble_means(vectors: list[list[float]], sizes: list[int], expected: list[list[float]]) -> None:
    assert ensemble_means(rows(*vectors), sizes) == pytest.approx(rows(*expected), abs=1e-4)


def test_ensemble_means_need_every_vector_in_a_group() -> None:
    with pytest.raises(ValueError, match="3 vectors in all, but 2"):
        ensemble_means(rows([1.0], [1.0]), [3])


def test_an_image_of_one_class_lies_on_that_class() -> None:
    classes = unit_rows(rows([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]))
    assert synthesise(rows([0.0, 1.0, 0.0]), classes, 10) == pytest.approx(classes[1:2])


def test_only_the_top_classes_place_an_image() -> None:
    classes = unit_rows(rows([1.0, 0.0], [0.0, 1.0]))
    assert synthesise(rows([0.6, 0.4]), classes, 1) == pytest.approx(classes[:1])


def test_cosines_stay_in_range_in_spite_of_rounding() -> None:
    # Longer than one by more than any processor's way of adding up can lose.
    vectors = unit_rows(np.full((1, 999), 0.1, dtype=np.float32)) * np.float32(1.001)
    assert (vectors @ vectors.T)[0, 0] > 1.0
    assert cosine_scores(vectors, vectors)[0, 0] == 1.0
    assert cosine_scores(vectors, -vectors)[0, 0] == -1.0


def test_the_cosine_of_a_vector_with_itself_is_one() -> None:
    vectors = unit_rows(np.full((1, 999), 0.1, dtype=np.float32))
    assert cosine_scores(vectors, vectors)[0, 0] == pytest.approx(1.0, abs=1e-5)
    assert cosine_scores(vectors, -vectors)[0, 0] == pytest.approx(-1.0, abs=1e-5)
