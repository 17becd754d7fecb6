"""Which of a vocabulary's tags are put before a model, and in which order."""

import numpy as np
import pytest

from tagging_assets.domain.narrowing import EVIDENT, Likeness, narrow
from tests.fakes import FakeScorer

VOCABULARY = ("car", "bus", "cat", "cathedral", "red panda", "dog")


@pytest.mark.parametrize(
    ("seen", "text", "cap", "fill", "expected"),
    [
        ([], "", 3, True, ("car", "bus", "cat")),  # nothing known: the vocabulary's own order
        ([("dog", 0.2), ("cat", 0.9)], "", 3, True, ("cat", "dog", "car")),  # seen first, best first
        ([("cow", 0.9)], "", 2, True, ("car", "bus")),  # what is not allowed stays out
        ([("dog", 0.9)], "the bus", 3, True, ("dog", "bus", "car")),  # then what the text names
        ([("dog", 0.9)], "a dog", 9, False, ("dog",)),  # once, and without fillers
        ([], "the cathedral", 9, False, ("cathedral",)),  # whole words: no cat in cathedral
        ([], "our CATS", 9, False, ("cat",)),  # case and a plain plural are forgiven
        ([], "IMG_red_panda_1", 9, False, ("red panda",)),  # file names part their words with underscores
        ([], "red car, panda", 9, False, ("car",)),  # words of one tag stand in a row
        ([], "dog, cat", 9, False, ("cat", "dog")),  # named tags in the vocabulary's order
        ([], "", 9, False, ()),  # no evidence, nothing to choose from
    ],
)
def test_narrow(seen: list[tuple[str, float]], text: str, cap: int, fill: bool, expected: tuple[str, ...]) -> None:
    assert narrow(VOCABULARY, seen, cap, text=text, fill=fill) == expected


@pytest.mark.parametrize(
    ("likeness", "fill", "expected"),
    [
        ({"dog": 0.9, "cat": 0.3}, True, ("bus", "car", "dog", "cat", "cathedral")),  # after what was seen and named
        ({"dog": 0.9, "cat": 0.3}, False, ("bus", "car", "dog")),  # faint likeness is no evidence
        ({"dog": EVIDENT}, False, ("bus", "car", "dog")),  # the threshold itself counts
        ({"dog": 0.7, "cat": 0.7}, False, ("bus", "car", "cat", "dog")),  # ties in the vocabulary's order
        ({"cow": 0.9}, False, ("bus", "car")),  # what may not be answered stays out
        ({"bus": 0.9}, False, ("bus", "car")),  # once
    ],
)
def test_likeness_comes_third(likeness: dict[str, float], fill: bool, expected: tuple[str, ...]) -> None:
    assert narrow(VOCABULARY, [("bus", 0.8)], 5, text="a car", likeness=likeness, fill=fill) == expected


def test_narrowing_twice_changes_nothing() -> None:
    once = narrow(VOCABULARY, [("dog", 0.9)], 4, text="the bus")
    assert narrow(once, [("dog", 0.9)], 4, text="the bus") == once


def test_a_long_caption_against_thousands_of_tags_costs_milliseconds() -> None:
    vocabulary = tuple(f"thing {number}" for number in range(20_000))
    narrow(vocabulary, [], 40)
    text = "thing 19999 stands beside thing 7 " * 100
    assert narrow(vocabulary, [], 3, text=text) == ("thing 7", "thing 19999", "thing 0")


def views(count: int) -> list[dict[str, object]]:
    return [{"subject": "image", "norm": 2.0, "vector": np.ones(9, np.float32) / 3} for _ in range(count)]


def test_a_photo_is_compared_with_every_tag_by_its_vectors() -> None:
    scorer = FakeScorer({"dog": 0.9, "cat": 0.2})
    likeness = Likeness(scorer, VOCABULARY)
    assert likeness.of(views(6)) == pytest.approx({"dog": 0.9, "cat": 0.2})
    assert scorer.calls == [6], "all views at once"


@pytest.mark.parametrize(("count", "vocabulary"), [(0, VOCABULARY), (6, ())])
def test_without_vectors_or_tags_nothing_is_compared(count: int, vocabulary: tuple[str, ...]) -> None:
    scorer = FakeScorer({"dog": 0.9})
    assert Likeness(scorer, vocabulary).of(views(count)) == {}
    assert scorer.calls == []
