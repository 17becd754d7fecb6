"""Thresholds that a photo's own scores set."""

import pytest

from tagging_assets.domain.cutting import mcut, photo_cut
from tagging_assets.domain.evidence import SourceCard, Trust
from tagging_assets.domain.gathering import TAGGER, Gatherer
from tagging_assets.domain.models import ModelCard
from tests.handmade import item


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [
        ([], 0.05),  # nothing to cut: the floor
        ([0.9], 0.475),  # one label: the gap down to the floor
        ([0.9, 0.8, 0.3, 0.25], 0.55),  # between 0.8 and 0.3
        ([0.25, 0.9, 0.3, 0.8], 0.55),  # in whatever order
        ([0.9, 0.5, 0.1], 0.7),  # of equal gaps the higher
        ([0.98, 0.97, 0.96], 0.505),  # all far above the floor: all of them
        ([0.5, 0.5, 0.5], 0.275),  # equals stay together
    ],
)
def test_the_widest_gap(scores: list[float], threshold: float) -> None:
    assert mcut(scores, 0.05) == pytest.approx(threshold)


def rows(**scores: tuple[str, float]) -> list[dict[str, object]]:
    return [{"label": label, "category": category, "score": score} for label, (category, score) in scores.items()]


@pytest.mark.parametrize(
    ("said", "thresholds"),
    [
        ([], {}),
        (rows(a=("general", 0.9), b=("general", 0.2)), {"general": 0.55}),
        # categories are cut apart from each other
        (
            rows(a=("general", 0.9), b=("general", 0.8), c=("character", 0.65)),
            {"general": 0.425, "character": 0.35},
        ),
        # nobody known is in the photo: tiny scores of characters stay below the least threshold
        (rows(c=("character", 0.09), d=("character", 0.06)), {"character": 0.15}),
        # a rating, or works of art, are not cut
        (rows(r=("rating", 0.9), s=("copyright", 0.5)), {}),
    ],
)
def test_categories_are_cut_alone(said: list[dict[str, object]], thresholds: dict[str, float]) -> None:
    assert photo_cut(0.05).thresholds(said) == pytest.approx(thresholds)


def test_what_counts_and_what_is_told_agree() -> None:
    card = ModelCard("wd", "1", "")
    gatherer = Gatherer(card, card, card, None, {}, tagger_cut=photo_cut(0.05))
    photo = item(tagger_scores=rows(hat=("general", 0.9), cup=("general", 0.3), red=("rating", 0.8)))
    trust = Trust({(TAGGER, "wd"): SourceCard(1.0, threshold=0.26, thresholds={"rating": 2.0})}, {})
    heard = [trust.weigh(one) for one in gatherer.seen(photo)]
    assert [(one.evidence.label, one.threshold, one.counts) for one in heard] == [
        ("hat", pytest.approx(0.6), True),
        ("cup", pytest.approx(0.6), False),
        ("red", 2.0, False),
    ]
