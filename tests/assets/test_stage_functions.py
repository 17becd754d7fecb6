"""What each stage does with photos: good ones, one whose proxy is gone, none, and a model that is dead."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from resources.frame_store import FrameStore
from resources.gallery import Gallery
from resources.proxy_store import ProxyStore
from resources.workbench import Workbench, each
from tagging_assets.assets.body_features import measure
from tagging_assets.assets.detections import detect, detections
from tagging_assets.assets.embeddings import photo_views
from tagging_assets.assets.landmarks import look
from tagging_assets.assets.person_embeddings import person_views
from tagging_assets.assets.tagger_scores import tag
from tagging_assets.assets.views import embed
from tagging_assets.assets.zero_shot_scores import score, subjects
from tagging_assets.domain.errors import ImageGone, ModelFailed, TaggingError
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.stages import build_recipes
from tests.fakes import Fake, FakeDetector, FakeEncoder, FakeLandmarker, FakeScorer, FakeTagger
from tests.handmade import NOON, frame, item, record

MIDDLE = (0.3, 0.1, 0.7, 0.9)
BOX = {"detection_id": 0, "label": "person", "x0": 72, "y0": 16, "x1": 168, "y1": 144, "score": 0.9}

#: How a stage that looks at pixels is called with a model and proxies.
Stage = Callable[[ProxyStore, Fake], Callable[[Sequence[Item]], Sequence[Any]]]

LOOKERS: dict[str, tuple[Stage, Callable[[], Fake]]] = {
    "detections": (
        lambda files, model: partial(detect, detector=model, proxy_files=files),
        lambda: FakeDetector((0.9, MIDDLE)),
    ),
    "landmarks": (
        lambda files, model: each(partial(look, landmarker=model, proxy_files=files, keep_points=True)),
        FakeLandmarker,
    ),
    "embeddings": (
        lambda files, model: partial(embed, encoder=model, load=partial(photo_views, proxy_files=files)),
        FakeEncoder,
    ),
    "person_embeddings": (
        lambda files, model: partial(embed, encoder=model, load=partial(person_views, proxy_files=files, allowed=True)),
        FakeEncoder,
    ),
    "tagger_scores": (
        lambda files, model: partial(tag, tagger=model, proxy_files=files),
        lambda: FakeTagger({"boat": 0.9}),
    ),
}


@pytest.fixture
def files(tmp_path: Path) -> ProxyStore:
    return ProxyStore(tmp_path)


def photo(files: ProxyStore, image_id: str, *boxes: dict[str, Any]) -> Item:
    """A grey photo, its shade by its name, with detections."""
    pixel_id, path = files.put(np.full((160, 240, 3), ord(image_id), np.uint8))
    return item(image_id, proxies=[{"pixel_id": pixel_id, "path": path}], detections=boxes)


def gone(image_id: str) -> Item:
    return item(image_id, proxies=[{"pixel_id": "0", "path": "proxies/no/such.jpg"}], detections=[BOX])


@pytest.mark.parametrize("name", LOOKERS)
def test_a_proxy_that_is_gone_is_its_photos_own_error(files: ProxyStore, name: str) -> None:
    stage, model = LOOKERS[name]
    before, lost, after = stage(files, model())([photo(files, "a", BOX), gone("b"), photo(files, "c", BOX)])
    assert isinstance(lost, ImageGone)
    assert lost.retryable
    assert before
    assert after
    assert not isinstance(before, TaggingError)
    assert not isinstance(after, TaggingError)


@pytest.mark.parametrize("name", LOOKERS)
def test_each_photo_gets_its_own_answer(files: ProxyStore, name: str) -> None:
    stage, model = LOOKERS[name]
    items = [photo(files, "a", BOX), photo(files, "b"), photo(files, "c", BOX, {**BOX, "detection_id": 1})]
    together = stage(files, model())(items)
    alone = [stage(files, model())([one])[0] for one in items]
    assert together == alone


@pytest.mark.parametrize("name", LOOKERS)
def test_nothing_to_look_at_asks_nothing(files: ProxyStore, name: str) -> None:
    stage, model = LOOKERS[name]
    fake = model()
    assert list(stage(files, fake)([])) == []
    assert isinstance(stage(files, fake)([gone("a")])[0], ImageGone)
    assert fake.calls == []


@pytest.mark.parametrize("name", LOOKERS)
def test_a_dead_model_is_nobodys_own_error(files: ProxyStore, name: str) -> None:
    stage, model = LOOKERS[name]
    fake = model()
    fake.fails = ModelFailed("out of memory")
    with pytest.raises(ModelFailed, match="out of memory"):
        stage(files, fake)([photo(files, "a", BOX)])


@pytest.mark.parametrize(
    ("allowed", "boxes", "subjects"),
    [
        (True, [BOX], ["0"]),
        (False, [BOX], []),  # nobody is looked at without the operator's word
        (True, [{**BOX, "score": 0.39}], []),  # hardly a person: not worth a vector
        (True, [{**BOX, "score": 0.4}], ["0"]),
        (True, [], []),
        (True, [{**BOX, "label": "dog"}, {**BOX, "detection_id": 1}], ["1"]),  # a thing is no person
        # a box beyond the edge is cut to the photo, a flat one still has a pixel
        (True, [{**BOX, "x1": 900, "y1": 900}], ["0"]),
        (True, [{**BOX, "x1": 72}], ["0"]),
    ],
)
def test_people_that_get_a_vector(
    files: ProxyStore, allowed: bool, boxes: list[dict[str, Any]], subjects: list[str]
) -> None:
    load = partial(person_views, proxy_files=files, allowed=allowed)
    encoder = FakeEncoder()
    (rows,) = embed([photo(files, "a", *boxes)], encoder=encoder, load=load)
    assert [(row["subject"], row["view"]) for row in rows] == [(subject, "whole") for subject in subjects]
    assert encoder.asked == len(subjects)
    for row in rows:
        assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-5)


def test_people_are_looked_at_and_things_are_not(files: ProxyStore) -> None:
    landmarker = FakeLandmarker()
    said = photo(files, "a", {**BOX, "label": "dog"}, {**BOX, "detection_id": 1})
    rows = look(said, landmarker=landmarker, proxy_files=files, keep_points=False)
    assert [row["detection_id"] for row in rows] == [1]
    assert (
        look(photo(files, "b", {**BOX, "label": "dog"}), landmarker=landmarker, proxy_files=files, keep_points=0) == []
    )
    assert landmarker.asked == 2, "as it is and mirrored"


def test_boxes_that_must_not_be_tagged_are_not_stored(files: ProxyStore) -> None:
    detector = FakeDetector((0.9, MIDDLE))
    detector.things = {"muslim woman": 0.9, "dog": 0.8}
    (rows,) = detect([photo(files, "a")], detector=detector, proxy_files=files)
    assert [(row["detection_id"], row["label"]) for row in rows] == [(0, "person"), (1, "dog")]


def test_zero_shot_scores_get_the_vectors_as_the_encoder_gave_them(files: ProxyStore) -> None:
    encoder = FakeEncoder()
    said = photo(files, "a", BOX)
    (seen,) = embed([said], encoder=encoder, load=partial(photo_views, proxy_files=files))
    (people,) = embed([said], encoder=encoder, load=partial(person_views, proxy_files=files, allowed=True))
    vectors = dict(subjects(item("a", embeddings=seen, person_embeddings=people)))
    raw = encoder.encode([files.load(said.row("proxies")["path"])])[0]
    np.testing.assert_allclose(vectors["image"][0], raw, rtol=1e-5)
    assert {subject: len(of) for subject, of in vectors.items()} == {"image": 6, "0": 1}


def test_labels_are_scored_for_what_their_set_is_about() -> None:
    sets = {
        name: LabelSet.model_validate(
            {"name": name, "scope": scope, "category": "c", "topics": ["objects"], "threshold": 0.5}
            | {"labels": [{"name": label} for label in labels]}
        )
        for name, scope, labels in (("things", "image", ["dog", "cat"]), ("worn", "person", ["hat"]))
    }
    view = {"view": "whole", "norm": 2.0, "vector": [1.0, 0.0]}
    said = item("a", embeddings=[{"subject": "image", **view}], person_embeddings=[{"subject": "0", **view}])
    rows = score(said, scorer=FakeScorer({"dog": 0.9, "cat": 0.19, "hat": 0.8}), label_sets=sets)
    # the cat is below the floor
    assert [(row["subject"], row["label_set"], row["label"]) for row in rows] == [
        ("image", "things", "dog"),
        ("0", "worn", "hat"),
    ]


@pytest.mark.parametrize(("floor", "labels"), [(0.2, ["dog"]), (0.1, ["dog", "cat"]), (0.95, [])])
def test_the_floor_of_scores_is_the_scorers(floor: float, labels: list[str]) -> None:
    things = LabelSet.model_validate(
        {"name": "things", "category": "c", "topics": ["objects"], "threshold": 0.5}
        | {"labels": [{"name": "dog"}, {"name": "cat"}]}
    )
    said = item("a", embeddings=[{"subject": "image", "view": "whole", "norm": 2.0, "vector": [1.0, 0.0]}])
    rows = score(said, scorer=FakeScorer({"dog": 0.9, "cat": 0.19}), label_sets={"things": things}, floor=floor)
    assert [row["label"] for row in rows] == labels


@pytest.mark.parametrize(("close_ups", "views"), [(True, 6), (False, 1)])
def test_an_encoder_may_look_at_the_whole_photo_only(files: ProxyStore, close_ups: bool, views: int) -> None:
    assert len(photo_views(photo(files, "a", BOX), proxy_files=files, close_ups=close_ups)) == views


@pytest.mark.parametrize(("keep", "kept"), [(True, True), (False, False)])
def test_points_are_kept_only_where_people_may_be_measured(files: ProxyStore, keep: bool, kept: bool) -> None:
    (row,) = look(photo(files, "a", BOX), landmarker=FakeLandmarker(), proxy_files=files, keep_points=keep)
    assert (row["pose"] is not None, row["mask_png"] is not None) == (kept, kept)
    assert row["person_score"] > 0.5, "the score is kept either way"


def test_a_photo_without_boxes_needs_no_proxy(files: ProxyStore) -> None:
    without = item("a", proxies=[{"path": "proxies/no/such.jpg"}], detections=[])
    assert look(without, landmarker=FakeLandmarker(), proxy_files=files, keep_points=True) == []


@pytest.mark.parametrize(
    ("allowed", "measured"),
    [
        (True, True),
        (False, False),  # not even where points are there, from a time when it was allowed
    ],
)
def test_bodies_are_measured_on_the_operators_word_only(files: ProxyStore, allowed: bool, measured: bool) -> None:
    said = photo(files, "a", BOX)
    people = look(said, landmarker=FakeLandmarker(), proxy_files=files, keep_points=True)
    rows = measure(item("a", proxies=said.rows("proxies"), landmarks=people), proxy_files=files, allowed=allowed)
    assert bool(rows) is measured


def test_what_may_never_be_tagged_is_not_stored(files: ProxyStore) -> None:
    tagger = FakeTagger({"boat": 0.9, "muslim woman": 0.8, "persian cat": 0.7})
    (rows,) = tag([photo(files, "a")], tagger=tagger, proxy_files=files)
    assert [row["label"] for row in rows] == ["boat", "persian cat"]


def test_an_asset_is_a_function_of_its_inputs(files: ProxyStore, tmp_path: Path) -> None:
    said = [photo(files, name) for name in "ab"]
    above = frame("proxies", *(record("proxies", one.image_id, one.rows("proxies")) for one in said))
    store = FrameStore(tmp_path / "tables")
    detector = FakeDetector((0.9, MIDDLE), (0.2, MIDDLE))
    context = dg.build_asset_context(partition_key="b000001")
    result = detections(
        context,
        above,
        bench=Workbench(store),
        recipes=build_recipes({}),
        gallery=Gallery(store, files),
        proxy_files=files,
        detector=detector,
    )
    assert result.value == store.read("detections", "b000001")
    assert result.value.rows.select("image_id", "detection_id").rows() == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    told = result.metadata
    assert (told["dagster/row_count"], told["images"], told["images computed"]) == (4, 2, 2)
    assert told["execution provider"] == "FakeExecutionProvider"
    assert {"first 2 photos", "score histogram"} <= told.keys()


def test_a_data_version_changes_with_what_is_said_and_not_with_when() -> None:
    one = record("detections", "a", [BOX])
    version = frame("detections", one).version
    later = record("detections", "a", [BOX], recipe="another")
    assert later.computed_at == NOON
    assert frame("detections", later).version == version
    assert frame("detections", record("detections", "a", [{**BOX, "score": 0.8}])).version != version
