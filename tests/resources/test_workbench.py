"""The workbench: computes once, resumes after a kill, stores atomically."""

import os
import threading
import time

import pytest

from resources.frame_store import FrameStore
from resources.workbench import Workbench, each
from tagging_assets.domain.errors import (
    LlmNoAnswer,
    LlmOverBudget,
    LlmUnavailable,
    LlmWaiting,
    ModelFailed,
    UnreadableImage,
)
from tagging_assets.domain.freshness import Item, Recipe, Why

RECIPE = Recipe("detections", "1")
ITEMS = [Item(f"image{number:02}", f"inputs{number}") for number in range(20)]


class Counting:
    """A stage that finds one box in every photo and counts its calls; may be told to die or to fail."""

    def __init__(self, *, dies_after=None, unreadable=()):
        self.seen = []
        self._dies_after = dies_after
        self._unreadable = unreadable
        self._lock = threading.Lock()

    def __call__(self, item):
        with self._lock:
            if self._dies_after is not None and len(self.seen) >= self._dies_after:
                raise ModelFailed("the model died")
            self.seen.append(item.image_id)
        if item.image_id in self._unreadable:
            raise UnreadableImage("cut short")
        return [{"detection_id": 0, "label": "person", "x0": 0, "y0": 0, "x1": 9, "y1": 9, "score": 0.9}]


@pytest.fixture
def store(tmp_path):
    return FrameStore(tmp_path)


def run(store, stage, *, recipe=RECIPE, items=ITEMS, threads=1):
    bench = Workbench(store, threads=threads)
    return bench.run("detections", "b1", "run1", recipe, {}, each(stage), items)


@pytest.mark.parametrize("threads", [1, 4])
def test_second_run_computes_nothing_and_writes_the_same_table(store, threads):
    first = run(store, Counting(), threads=threads)
    bytes_before = store.path("detections", "b1").read_bytes()
    stage = Counting()
    second = run(store, stage, threads=threads)
    assert first.computed == len(ITEMS)
    assert second.computed == 0
    assert stage.seen == []
    assert second.frame == first.frame == store.read("detections", "b1")
    assert store.path("detections", "b1").read_bytes() == bytes_before


def test_one_more_photo_costs_one_photo(store):
    run(store, Counting(), items=ITEMS[:-1])
    stage = Counting()
    run(store, stage)
    assert stage.seen == [ITEMS[-1].image_id]


def test_a_run_that_dies_keeps_what_it_had(store):
    with pytest.raises(ModelFailed):
        run(store, Counting(dies_after=16))
    stage = Counting()
    result = run(store, stage)
    assert stage.seen == [item.image_id for item in ITEMS[16:]]
    assert result.frame.rows.height == len(ITEMS)


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_does_not_wait_for_what_threads_wait_for(store, press_ctrl_c):
    answered = threading.Event()

    def waits(_):
        assert answered.wait(30), "nobody ended the wait"
        return []

    bench = Workbench(store, threads=2, interrupt=answered.set)
    press_ctrl_c(0.3)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.run("detections", "b1", "run1", RECIPE, {}, each(waits), ITEMS)
    assert time.monotonic() - began < 10


def test_a_bad_image_is_a_row_and_is_not_tried_again(store):
    result = run(store, Counting(unreadable={"image03"}))
    failed = result.frame.get("image03")
    assert (failed.status, failed.error_kind, failed.error) == ("failed", "UnreadableImage", "cut short")
    assert run(store, Counting()).plan.why["image03"] is Why.FRESH


def test_the_way_back_is_free(store):
    run(store, Counting())
    run(store, Counting(), recipe=Recipe("detections", "2"))
    stage = Counting()
    back = run(store, stage)
    assert stage.seen == []
    assert set(back.plan.why.values()) == {Why.RESTORED}


def test_recipes_are_remembered(store):
    kept = []
    bench = Workbench(store, keep_recipe=kept.append)
    bench.run("detections", "b1", "run1", RECIPE, {}, each(Counting()), ITEMS)
    assert kept == [RECIPE]


def test_what_is_lost_is_forgotten_and_made_again(store):
    first = run(store, Counting())
    bench = Workbench(store)
    assert bench.forget("detections", "b1", lambda record: False) == 0
    assert bench.forget("detections", "b1", lambda record: record.image_id == "image07") == 1
    stage = Counting()
    assert run(store, stage).frame.rows.equals(first.frame.rows)
    assert stage.seen == ["image07"]


@pytest.mark.parametrize(("unreadable", "calls"), [(set(), ["image00"]), ({"image00"}, ["image00", "image01"])])
def test_copies_in_one_batch_are_computed_once(store, unreadable, calls):
    """One copy is computed and lends its rows; what failed lends nothing."""
    copies = [Item(f"image{number:02}", "the same") for number in range(5)]
    stage = Counting(unreadable=unreadable)
    result = run(store, stage, items=copies)
    assert stage.seen == calls
    assert result.frame.rows["image_id"].to_list() == [f"image{number:02}" for number in range(len(calls) - 1, 5)]


def test_a_stage_may_work_on_more_at_once_than_others(store):
    # Each of three photos waits for the other two: alone, none would get on.
    together = threading.Barrier(3)

    def meet(_item):
        together.wait(timeout=20)
        return []

    recipe = Recipe("captions", "1")
    result = Workbench(store, threads=1).run("captions", "b1", "run1", recipe, {}, each(meet), ITEMS[:3], threads=3)
    assert result.computed == 3


@pytest.mark.parametrize("error", [LlmUnavailable, LlmWaiting, LlmOverBudget, LlmNoAnswer])
def test_a_question_without_an_answer_is_a_row(store, error):
    def silent(_item):
        raise error("timed_out: 120 s")

    result = run(store, silent, items=ITEMS[:1])
    (record,) = result.frame.current
    assert (record.error_kind, record.retryable) == (error.__name__, error.retryable)


@pytest.mark.parametrize(
    ("by_stage", "asked", "most"),
    [
        ({}, None, 2),  # the workbench's own number
        ({"detections": 4}, None, 4),  # a stage that waits for a GPU has more under way
        ({"embeddings": 4}, None, 2),
        ({"detections": 4}, 1, 1),  # what the caller says goes
    ],
)
def test_chunks_under_way_are_the_stages_own_number(store, by_stage, asked, most):
    lock = threading.Lock()
    inside, seen = 0, []

    def stage(_item):
        nonlocal inside
        with lock:
            inside += 1
            seen.append(inside)
        time.sleep(0.01)
        with lock:
            inside -= 1
        return []

    items = [Item(f"image{number:02}", f"inputs{number}") for number in range(64)]
    bench = Workbench(store, threads=2, threads_by_stage=by_stage)
    bench.run("detections", "b1", "run1", RECIPE, {}, each(stage), items, threads=asked)
    assert max(seen) == most


@pytest.mark.parametrize(
    ("photos", "threads", "sizes"),
    [
        (20, 1, [8, 8, 4]),  # one thread is never left alone
        (64, 2, [8, 8, 8, 8, 8, 6, 5, 4, 3, 2, 1, 1, 1, 1]),  # two threads end within a photo of each other
        (3, 2, [1, 1, 1]),  # a few photos are spread
        (0, 2, []),
    ],
)
def test_chunks_grow_smaller_towards_the_end(store, photos, threads, sizes):
    seen = []

    def compute(items):
        seen.append(len(items))
        return [[] for _ in items]

    items = [Item(f"image{number:02}", f"inputs{number}") for number in range(photos)]
    Workbench(store, threads=threads).run("detections", "b1", "run1", RECIPE, {}, compute, items)
    assert sorted(seen, reverse=True) == sizes
