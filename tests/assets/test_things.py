"""Things that the detector finds become evidence of tags, as sure as the catalogue says of the model in use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.database import Database
from tagging_assets.commands.explain import explain, find_image
from tagging_assets.commands.session import Session
from tagging_assets.domain.gathering import DETECTOR
from tests.workshop import Workshop

#: A model of the catalogue that finds more than people.
THINGS = {"models": {"person_detection": {"model": "yolov8n"}}}


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Iterator[Workshop]:
    opened = Workshop(tmp_path, database, **THINGS)
    opened.detector.things = {"kite": 0.9, "dog": 0.3}
    opened.draw("a.jpg")
    yield opened
    opened.close()


def test_things_are_tags_with_their_source(shop: Workshop) -> None:
    assert shop.run().success
    assert shop.published()["a.jpg"] >= {"person", "kite"}
    (row,) = [row for row in shop.frame("tags").rows.to_dicts() if row["tag"] == "kite"]
    (source,) = row["sources"]
    assert (source["source"], source["model"], source["label"]) == (DETECTOR, "fake-detector", "kite")
    assert source["score"] == pytest.approx(0.9, abs=1e-6)
    assert source["recipe"] == shop.tools.recipes["detections"].hash
    assert shop.frame("detections").rows["label"].to_list() == ["person", "kite", "dog"]
    assert shop.landmarker.asked == 2, "nobody looks for a face on a kite"


def test_explain_says_where_a_thing_comes_from(shop: Workshop, database: Database) -> None:
    assert shop.run().success
    session = Session(Path("tagging.yaml"), shop.tools.settings, database, shop.tools)
    told = explain(session, find_image(session, "a.jpg"), tag="kite").told
    (source,) = told["tags"][0]["sources"]
    assert source["source"] == DETECTOR
    assert {link["stage"] for link in told["chain"]} == {"images", "proxies", "detections", "tags"}
    edges = {(edge["source"], edge["target"]) for edge in told["graph"]["edges"]}
    assert any(start == "detections" and end.startswith("score:") for start, end in edges)


def test_a_detector_of_people_alone_says_nothing_of_things(shop: Workshop) -> None:
    assert shop.run().success
    shop.detector.card = type(shop.detector.card)("fake-detector", "2", "fake/1")
    shop.detector.things = {}
    shop.reopen(models={})
    assert (DETECTOR, "fake-detector") not in shop.tools.cards
    assert shop.run().success
    assert "kite" not in shop.published()["a.jpg"]


def test_another_detector_asks_the_chat_model_nothing_new(shop: Workshop) -> None:
    """It is told of people, not of things; what it is told stands in its recipe."""
    with_things = shop.tools.recipes["llm_tag_suggestions"].hash
    shop.reopen(models={})
    assert shop.tools.recipes["llm_tag_suggestions"].hash == with_things
