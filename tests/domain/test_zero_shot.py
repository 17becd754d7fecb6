"""Free text against what a classifier saw, on classes and texts small enough to work out by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tagging_assets.domain.labels import LabelSet, parse_label_set
from tagging_assets.domain.models import ModelCard, Vectors
from tagging_assets.domain.zero_shot import (
    Relevance,
    class_relevance,
    learn_thresholds,
    pool_views,
    score_label_set,
    score_labels,
    score_relevant,
    views,
    with_context,
)


def unit(*degrees: float) -> Vectors:
    """Unit vectors of the plane."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def at_cosine(*cosines: float) -> Vectors:
    """Unit vectors with these cosines to (1, 0)."""
    return unit(*np.rad2deg(np.arccos(cosines)))


ONE = unit(0)
NOTHING = np.zeros((0, 2), dtype=np.float32)


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [
        (640, 480, 6),
        (480, 640, 6),
        (4000, 300, 6),  # a panorama
        (120, 100, 1),  # close-ups would have 60 pixels
        (1, 1, 1),
    ],
)
def test_views_lie_in_the_photo(width: int, height: int, count: int) -> None:
    found = views(width, height)
    assert len(found) == count == len({name for name, _ in found})
    assert found[0] == ("whole", (0.0, 0.0, width, height))
    for _, (x0, y0, x1, y1) in found:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
    for _, (x0, y0, x1, y1) in found[1:]:
        assert x1 - x0 == y1 - y0 == round(min(width, height) * 0.6)


def test_views_of_a_known_photo() -> None:
    assert dict(views(640, 480)) == {
        "whole": (0, 0, 640, 480),
        "middle": (176, 96, 464, 384),
        "top left": (0, 0, 288, 288),
        "top right": (352, 0, 640, 288),
        "bottom left": (0, 192, 288, 480),
        "bottom right": (352, 192, 640, 480),
    }


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0), (-1, 5)])
def test_no_views_of_nothing(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="no views"):
        views(width, height)


@pytest.mark.parametrize(
    ("cosines", "expected"),
    [
        ((1.0, 0.95, 0.825, 0.7, 0.2), (1.0, 1.0, 0.5, 0.0, 0.0)),  # has its own class: full from 0.95, none at 0.70
        ((0.9, 0.775, 0.65), (1.0, 0.5, 0.0)),  # nearest at 0.90: full there, none at 0.65
        ((0.8, 0.675, 0.55), (1.0, 0.5, 0.0)),  # nearest at the least that may count in full
        ((0.7, 0.55, 0.1), (0.6, 0.0, 0.0)),  # nearer to nothing: never in full
        ((0.5, 0.0, -1.0), (0.0, 0.0, 0.0)),  # near no class: cannot be seen
    ],
)
def test_relevance_follows_the_nearest_class(cosines: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert_allclose(class_relevance(at_cosine(*cosines), [ONE])[:, 0], expected, atol=1e-5)


def test_the_best_of_a_labels_texts_counts() -> None:
    classes = unit(0, 90)
    both = class_relevance(classes, [unit(0, 90), unit(0), unit(90), NOTHING])
    assert_allclose(both, [[1, 1, 0, 0], [1, 0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ((1.0, 0.0, 0.0), 1.0),  # sure of the label's class
        ((0.0625, 0.9375, 0.0), 0.5),  # 0.0625 ** 0.25
        ((0.0, 1.0, 0.0), 0.0),  # sure of another
        ((0.0, 0.0, 1.0), 0.5**0.25),  # sure of a class that is half relevant
    ],
)
def test_scores_are_the_root_of_the_mass(probabilities: tuple[float, ...], expected: float) -> None:
    classes = np.concatenate([unit(0), unit(90), at_cosine(0.825)])
    rows = np.array([probabilities], dtype=np.float32)
    assert_allclose(score_labels(rows, classes, [ONE]), [[expected]], atol=1e-5)


@pytest.mark.parametrize(
    ("probabilities", "counted"),
    [
        ((0.1, 0.4, 0.3, 0.2), [1, 2]),  # in any order
        ((0.25, 0.25, 0.25, 0.25), [0, 1]),  # ties go to the lower class
        ((0.2, 0.4, 0.2, 0.2), [0, 1]),  # also behind a clear first
    ],
)
def test_which_classes_are_the_likeliest(probabilities: tuple[float, ...], counted: list[int]) -> None:
    relevance = np.eye(4, dtype=np.float32)
    scores = score_relevant(np.array([probabilities], np.float32), relevance, Relevance(top_k=2))
    assert np.flatnonzero(scores[0]).tolist() == counted


def test_only_the_likeliest_classes_count() -> None:
    classes = unit(0, 0, 90)
    rows = np.array([[0.2, 0.2, 0.6]], dtype=np.float32)
    one = Relevance(top_k=1, exponent=1.0)
    two = Relevance(top_k=2, exponent=1.0)
    assert score_labels(rows, classes, [ONE], one) == pytest.approx(0.0)
    assert score_labels(rows, classes, [ONE], two) == pytest.approx(0.2)


def test_a_row_scores_alike_in_any_company() -> None:
    random = np.random.default_rng(3)
    classes = random.normal(size=(50, 8)).astype(np.float32)
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    rows = random.dirichlet(np.full(50, 0.1), size=9).astype(np.float32)
    labels = [classes[:2], classes[7:8], classes[20:25]]
    together = score_labels(rows, classes, labels)
    for place in range(9):
        assert_array_equal(score_labels(rows[place : place + 1], classes, labels)[0], together[place])
    assert together.dtype == np.float32
    assert (together >= 0).all()
    assert (together <= 1).all()


def test_shapes_of_nothing() -> None:
    classes = unit(0, 90)
    assert score_labels(np.zeros((0, 2), np.float32), classes, [ONE]).shape == (0, 1)
    assert score_labels(np.zeros((3, 2), np.float32), classes, []).shape == (3, 0)


def test_context_counts_less_and_never_lowers() -> None:
    direct = np.array([[0.9, 0.2, 0.0]], dtype=np.float32)
    context = np.array([[1.0, 1.0, 0.0]], dtype=np.float32)
    assert_allclose(with_context(direct, context, 0.8), [[0.9, 0.8, 0.0]])
    assert_allclose(with_context(direct, context, 0.0), direct)


def test_pooling_is_half_best_half_mean() -> None:
    assert_allclose(pool_views(np.array([[0.8, 0.0], [0.4, 0.0], [0.0, 0.6]], dtype=np.float32)), [0.6, 0.4])
    assert_allclose(pool_views(np.array([[0.3]], dtype=np.float32)), [0.3])  # one view is itself
    with pytest.raises(ValueError, match="without views"):
        pool_views(np.zeros((0, 3), dtype=np.float32))


@dataclass
class LengthScorer:
    """Scores a view by its first number over the count of prompts; keeps what it was asked."""

    parameters: dict[str, float | int | str | bool]
    asked: list[list[list[str]]] = field(default_factory=list)
    provider: str = "none"

    @property
    def card(self) -> ModelCard:
        return ModelCard("length", "0", "none", self.parameters)

    def score(
        self,
        vectors: Vectors,
        prompts: Sequence[Sequence[str]],
        *,
        exclusive: bool = False,
        neutral: Sequence[str] = (),
    ) -> Vectors:
        self.asked.append([list(group) for group in prompts])
        row = np.array([1.0 if group else 0.0 for group in prompts], dtype=np.float32)
        return np.asarray(vectors[:, :1] * row, dtype=np.float32)


def pets() -> LabelSet:
    return parse_label_set(
        {
            "name": "pets",
            "category": "object",
            "topics": ["objects"],
            "threshold": 0.5,
            "labels": [
                {"name": "person", "evidence": "person_score"},
                {"name": "cat", "kinds": ["tabby"]},
                {"name": "dog", "context": ["leash"]},
            ],
        },
        "pets.yaml",
    )


def test_a_scorer_is_asked_in_its_own_words() -> None:
    views_of_one = np.array([[0.8, 0], [0.4, 0]], dtype=np.float32)
    plain = LengthScorer({})
    assert_allclose(score_label_set(plain, views_of_one, pets()), [0.7, 0.7])
    assert plain.asked == [[["a photo of a cat", "a photo of a tabby"], ["a photo of a dog"]]]
    bare = LengthScorer({"template": "{}", "context_weight": 0.5})
    score_label_set(bare, views_of_one, pets())
    assert bare.asked == [[["cat", "tabby"], ["dog"]], [[], ["leash"]]]


def test_thresholds_are_found_where_labels_are_easy() -> None:
    scores = np.array([[0.9, 0.8], [0.8, 0.1], [0.2, 0.2], [0.1, 0.9]], dtype=np.float32)
    truth = np.array([[1, 1], [1, 0], [0, 0], [0, 1]], dtype=np.bool_)
    found = learn_thresholds(scores, truth)
    chosen = scores >= found.by_label
    assert_array_equal(chosen, truth)
    assert_array_equal(scores >= found.overall, truth)


def test_a_rare_label_is_drawn_to_the_common_threshold() -> None:
    random = np.random.default_rng(5)
    truth = random.random((200, 12)) < 0.3
    noise = random.normal(0, 0.1, truth.shape)
    scores = np.clip(np.where(truth, 0.7, 0.3) + noise, 0, 1).astype(np.float32)
    # one label has a single photo, by accident at 0.35
    truth[:, 0], scores[:, 0] = False, np.float32(0.1)
    truth[0, 0], scores[0, 0] = True, np.float32(0.35)
    strong, weak = learn_thresholds(scores, truth, 50.0), learn_thresholds(scores, truth, 0.01)
    assert weak.by_label[0] <= 0.35 + 1e-6  # free to fit its one photo
    assert abs(strong.by_label[0] - strong.overall) < abs(weak.by_label[0] - weak.overall)
    assert 0.4 < strong.overall < 0.6


def test_learning_is_deterministic_and_symmetric() -> None:
    random = np.random.default_rng(8)
    scores = random.random((60, 5)).astype(np.float32)
    truth = random.random((60, 5)) < scores
    found = learn_thresholds(scores, truth)
    order = random.permutation(60)
    again = learn_thresholds(scores[order], truth[order])
    assert found.overall == again.overall
    assert_array_equal(found.by_label, again.by_label)
    swapped = learn_thresholds(scores[:, ::-1], truth[:, ::-1])
    assert_allclose(swapped.by_label[::-1], found.by_label)


@pytest.mark.parametrize(
    ("shape", "pull", "message"),
    [((3, 2), 20.0, "one shape"), ((4, 2), 0.0, "pull must be above 0")],
)
def test_learning_refuses_nonsense(shape: tuple[int, int], pull: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learn_thresholds(np.zeros((4, 2), np.float32), np.zeros(shape, np.bool_), pull)
