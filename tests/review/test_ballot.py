"""From stored answers to what is marked: which tags, in which order, of which photos."""

from typing import Any

import pytest

from tagging_assets.review.ballot import ballot_photos


def row(image_id: str, configuration: str, tags: list[str], *, repeat: int = 0, outcome: str = "ok") -> dict[str, Any]:
    return {
        "image_id": image_id,
        "configuration": configuration,
        "repeat": repeat,
        "outcome": outcome,
        "tags": tags,
        "outside": ["made up"],
    }


@pytest.mark.parametrize(
    ("answers", "tags"),
    [
        # what all agree on first, then by the alphabet: "zebra" of three out of three
        ({"a": ["zebra", "cat"], "b": ["zebra", "ant"], "c": ["zebra"]}, ("zebra", "ant", "cat")),
        # two of three are not more than 70 %
        ({"a": ["zebra"], "b": ["zebra", "ant"], "c": ["bee"]}, ("ant", "bee", "zebra")),
        # one spelling
        ({"a": ["Big_Dog"], "b": ["big dog"]}, ("big dog",)),
        # an empty answer is an answer: half is not enough
        ({"a": ["zebra"], "b": [], "c": ["ant", "zebra"], "d": []}, ("ant", "zebra")),
        # nothing to mark
        ({"a": []}, ()),
    ],
)
def test_tags_to_mark(answers: dict[str, list[str]], tags: tuple[str, ...]) -> None:
    rows = [row("p", name, said) for name, said in answers.items()]
    (photo,) = ballot_photos(rows, {"p": "p.jpg"})
    assert (photo.image_id, photo.title, photo.tags) == ("p", "p.jpg", tags)


def test_tags_of_all_repeats_are_marked() -> None:
    rows = [row("p", "a", ["dog"]), row("p", "a", ["cat", "dog"], repeat=1)]
    assert ballot_photos(rows, {"p": ""})[0].tags == ("cat", "dog"), "all of the one contestant there is"


def test_photos_come_in_the_experiments_order_and_without_an_answer_not_at_all() -> None:
    rows = [row("q", "a", ["dog"]), row("p", "a", ["cat"]), row("r", "a", [], outcome="refused")]
    assert [photo.image_id for photo in ballot_photos(rows, {"p": "", "r": "", "q": "", "s": ""})] == ["p", "q"]
