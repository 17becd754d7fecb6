"""A model that does not find what is known to be there is refused, in one line that says what it found instead."""

import numpy as np
import pytest

from resources import self_testing
from resources.catalogue import Entry, SelfTest
from tagging_assets.domain.errors import ModelFailed, SettingsError
from tagging_assets.domain.models import Detection, LabelScore

TEST = SelfTest(photo="chelsea.jpg", finds=("cat", "whiskers"), least=0.3)


def entry(test: SelfTest | None) -> Entry:
    return Entry.model_validate(
        {
            "name": "looker",
            "tasks": ["tagging"],
            "adapter": "any",
            "licence": "none",
            "preprocessing": "none/1",
            "uses": ["other"],
            "self_test": test,
        }
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([("cat", 0.9), ("whiskers", 0.3)], ""),
        ([("cat", 0.1), ("cat", 0.9), ("whiskers", 0.5)], ""),  # the best counts
        ([("cat", 0.9)], "must find whiskers with 0.3 or more, and found cat 0.90"),
        ([("cat", 0.9), ("whiskers", 0.29)], "must find whiskers with 0.3 or more, and found cat 0.90, whiskers 0.29"),
        ([("cat", float("nan")), ("whiskers", 0.5)], "must find cat "),  # not a number is no score
        ([], "must find cat, whiskers with 0.3 or more, and found nothing at all"),
    ],
)
def test_every_label_must_be_found(found: list[tuple[str, float]], says: str) -> None:
    looker = entry(TEST)
    if not says:
        self_testing.check_detector(looker, lambda images: [[Detection(one, (0, 0, 1, 1), s) for one, s in found]])
        self_testing.check_tagger(looker, lambda images: [[LabelScore(one, "object", s) for one, s in found]])
        return
    with pytest.raises(ModelFailed, match=f"^looker does not work: in chelsea.jpg it {says}") as refused:
        self_testing.check_tagger(looker, lambda images: [[LabelScore(one, "object", s) for one, s in found]])
    assert "\n" not in str(refused.value)
    assert "tagging models verify looker" in str(refused.value)


def test_nothing_is_asked_of_an_entry_without_a_test() -> None:
    def never(_images: object) -> list[list[Detection]]:
        raise AssertionError("it costs an inference")

    self_testing.check_detector(entry(None), never)


@pytest.mark.parametrize(
    ("vector", "fine"),
    [
        ([0.5, -1.0, 0.25], True),
        ([0.0, 0.0, 0.0], False),
        ([0.5, 0.5, 0.5], False),  # says the same of everything
        ([0.5, float("nan"), 0.1], False),
        ([float("inf"), 0.0, 0.1], False),
    ],
)
def test_a_vector_must_say_something(vector: list[float], fine: bool) -> None:
    def check() -> None:
        self_testing.check_encoder(entry(None), lambda images: np.array([vector] * len(images), np.float32))

    if fine:
        check()
    else:
        with pytest.raises(ModelFailed, match=r"looker does not work: its vector of astronaut.jpg is empty"):
            check()


@pytest.mark.parametrize("name", ["astronaut.jpg", "chelsea.jpg"])
def test_the_photos_are_there(name: str) -> None:
    photo = self_testing.photo(name)
    assert (photo.ndim, photo.shape[2], photo.dtype) == (3, 3, np.uint8)


@pytest.mark.parametrize("name", ["nobody.jpg", "../weights.yaml", ""])
def test_other_photos_are_not(name: str) -> None:
    with pytest.raises(SettingsError, match=r"there are astronaut.jpg, chelsea.jpg"):
        self_testing.photo(name)
