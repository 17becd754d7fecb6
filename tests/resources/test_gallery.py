"""Entries of a contact sheet from what is stored, whatever of it is missing."""

from pathlib import Path

import numpy as np
import pytest

from resources.frame_store import FrameStore
from resources.gallery import Gallery
from resources.proxy_store import ProxyStore
from tests.handmade import failed, frame, record

BOX = {"detection_id": 0, "label": "person", "x0": 100, "y0": 50, "x1": 500, "y1": 350, "score": 0.6}
TAG = {
    "tag": "boat",
    "category": "object",
    "score": 0.9,
    "status": "auto",
    "reason": "only tagger says so",
    "sources": [],
}


@pytest.fixture
def files(tmp_path: Path) -> ProxyStore:
    return ProxyStore(tmp_path)


@pytest.fixture
def store(tmp_path: Path, files: ProxyStore) -> FrameStore:
    """A photo with everything, one whose proxy is gone, one that could not be decoded."""
    store = FrameStore(tmp_path / "tables")
    pixel_id, path = files.put(np.full((400, 1000, 3), 90, np.uint8))
    store.write("images", "b1", frame("images", *(record("images", one, [{"uri": f"/p/{one}.jpg"}]) for one in "abc")))
    proxies = [
        record("proxies", "a", [{"pixel_id": pixel_id, "path": path}]),
        record("proxies", "b", [{"pixel_id": "0", "path": "proxies/gone.jpg"}]),
        failed("c"),
    ]
    store.write("proxies", "b1", frame("proxies", *proxies))
    store.write("detections", "b1", frame("detections", record("detections", "a", [BOX])))
    return store


def test_a_photo_with_its_boxes_and_tags(files: ProxyStore, store: FrameStore) -> None:
    tags = frame("tags", record("tags", "a", [TAG]))
    (entry,) = Gallery(store, files).entries("b1", ["a"], newest=tags)
    assert entry.title == "a.jpg"
    assert entry.image is not None
    assert entry.image.shape == (192, 480, 3), "480 pixels wide, the shape kept"
    (box,) = entry.boxes
    assert box.box_xyxy == pytest.approx((0.1, 0.125, 0.5, 0.875))
    assert box.score == pytest.approx(0.6)
    assert [(tag.tag, tag.status) for tag in entry.tags] == [("boat", "auto")]
    assert entry.error == ""


@pytest.mark.parametrize(
    ("person_score", "scores"),
    [
        (0.95, [0.95]),  # the person score takes the place of the detector's
        (0.5, [0.5]),
        (0.2, []),  # no person after all
    ],
)
def test_boxes_are_people(files: ProxyStore, store: FrameStore, person_score: float, scores: list[float]) -> None:
    looked = frame("landmarks", record("landmarks", "a", [{"detection_id": 0, "person_score": person_score}]))
    (entry,) = Gallery(store, files).entries("b1", ["a"], newest=looked)
    assert [box.score for box in entry.boxes] == pytest.approx(scores)


def test_what_is_missing_is_said(files: ProxyStore, store: FrameStore) -> None:
    gone, broken, unknown = Gallery(store, files).entries("b1", ["b", "c", "z"], failed={"c": "cut short"})
    assert (gone.title, gone.image) == ("b.jpg", None)
    assert gone.error.startswith("proxy proxies/gone.jpg cannot be read")
    assert (broken.title, broken.image, broken.error) == ("c.jpg", None, "cut short")
    assert (unknown.title, unknown.image, unknown.error) == ("", None, "not decoded")


def test_what_is_newer_than_the_store_is_shown(files: ProxyStore, store: FrameStore) -> None:
    nobody = frame("detections", record("detections", "a"))
    (entry,) = Gallery(store, files).entries("b1", ["a"], newest=nobody)
    assert entry.boxes == ()
    assert len(Gallery(store, files).entries("b1", ["a"])[0].boxes) == 1


def test_another_batch_knows_nothing(files: ProxyStore, store: FrameStore) -> None:
    (entry,) = Gallery(store, files).entries("b2", ["a"])
    assert entry.error == "not decoded"
