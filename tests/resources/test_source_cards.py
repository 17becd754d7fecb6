"""Which sources speak, and how far the catalogue trusts them."""

import pytest

from resources.catalogue import load_catalogue
from resources.source_cards import catalogue_cards, sees_things, topics_of
from tagging_assets.domain.gathering import DETECTOR


@pytest.mark.parametrize(
    ("model", "things"),
    [
        ("person-yolov8s", False),  # all its classes are people, however they lie
        ("yolov8n", True),  # its classes are their own
    ],
)
def test_a_detector_of_people_alone_is_known_by_its_labels(model: str, things: bool) -> None:
    assert sees_things(load_catalogue().entry(model)) is things


@pytest.mark.parametrize(
    ("capabilities", "topics"),
    [
        ({"sees": "objects, scenes"}, ["objects", "scenes"]),
        # an entry that somebody wrote for a model of their own
        ({}, ["objects", "scenes", "person attributes", "styles"]),
    ],
)
def test_a_scorer_sees_everything_where_its_entry_does_not_say(capabilities: dict[str, str], topics: list[str]) -> None:
    entry = load_catalogue().entry("clip-vit-b-32-laion2b").model_copy(update={"capabilities": capabilities})
    assert topics_of(entry) == topics


def test_a_detector_is_trusted_as_its_entry_says() -> None:
    entry = load_catalogue().entry("yolov8n")
    (card,) = catalogue_cards({"person_detection": entry}, [(DETECTOR, "yolov8n")]).values()
    assert (card.weight, card.family) == (entry.fusion.weight, "yolov8n")
    assert card.curve("object").confidence(0.5) == pytest.approx(dict(entry.fusion.calibration)[0.5])
