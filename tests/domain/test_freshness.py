"""Freshness: what is computed, what is kept, and why."""

from datetime import UTC, datetime, timedelta

import pytest

from tagging_assets.domain import schemas
from tagging_assets.domain.frames import ImageRecord, StageFrame, typed_rows
from tagging_assets.domain.freshness import (
    KEPT_SUPERSEDED,
    Item,
    Need,
    Recipe,
    Why,
    inputs_hash,
    items_from,
    merged,
    plan,
)
from tagging_assets.domain.hashing import rows_hash

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(image_id="a", recipe="r1", inputs="i1", *, rows=(), table=schemas.DETECTIONS, **changes):
    typed = typed_rows(table, [{**row, "image_id": image_id} for row in rows])
    defaults = {
        "output": rows_hash(typed),
        "status": "ok",
        "rows": typed,
        "run_id": "run",
        "computed_at": NOON,
        "seconds": 0.1,
    }
    return ImageRecord(image_id, recipe, inputs, **{**defaults, **changes})


def frame(*records, table=schemas.DETECTIONS):
    return StageFrame(table, records)


FAILED = {"status": "failed", "output": "", "error_kind": "UnreadableImage", "error": "cut short"}


@pytest.mark.parametrize(
    ("standing", "item", "why", "computes"),
    [
        ([], Item("a", "i1"), Why.NEW, True),  # never seen
        ([record()], Item("a", "i1"), Why.FRESH, False),  # same recipe, same inputs
        ([record(recipe="r0")], Item("a", "i1"), Why.RECIPE, True),  # made another way
        ([record(inputs="i0")], Item("a", "i1"), Why.INPUTS, True),  # made from something else
        ([record(current=False)], Item("a", "i1"), Why.RESTORED, False),  # the way back is free
        ([record(**FAILED)], Item("a", "i1"), Why.FRESH, False),  # a corrupt file stays corrupt
        ([record(**FAILED, retryable=True)], Item("a", "i1"), Why.RETRY, True),  # a mount may come back
        ([record("b")], Item("a", "i1"), Why.NEW, True),  # another image's record is not this one's
    ],
)
def test_reason_and_cost(standing, item, why, computes):
    result = plan("r1", [item], frame(*standing))
    assert result.why == {"a": why}
    assert [one.image_id for one in result.compute] == (["a"] if computes else [])
    assert [one.image_id for one in result.keep] == ([] if computes else ["a"])
    assert all(one.current for one in result.keep)


def test_copy_is_lent_only_where_rows_depend_on_the_inputs_alone():
    box = {"detection_id": 0, "label": "person", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "score": 0.5}
    standing = frame(record("b", rows=[box]))
    lent = plan("r1", [Item("a", "i1")], standing, shared=True)
    assert lent.why == {"a": Why.COPY}
    assert lent.keep[0].rows[0]["image_id"] == "a"
    assert plan("r1", [Item("a", "i1")], standing, shared=False).compute


def test_copy_in_another_partition_is_lent():
    lent = plan("r1", [Item("a", "i1")], frame(), copies=[record("z")], shared=True)
    assert lent.why == {"a": Why.COPY}


def test_early_cutoff_same_output_same_inputs():
    box = {"detection_id": 0, "label": "person", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "score": 0.5}
    needs = {"detections": Need()}
    before = inputs_hash(needs, {"detections": record(rows=[box], recipe="r1", run_id="first")})
    after = inputs_hash(needs, {"detections": record(rows=[box], recipe="r2", run_id="second")})
    assert before == after


def test_only_the_columns_that_matter_count():
    row = {"pixel_id": "p", "path": "here", "width": 1, "height": 1, "phash": "0"}
    needs = {"proxies": Need(columns=("pixel_id",))}
    moved = {**row, "path": "there"}
    changed = {**row, "pixel_id": "q"}
    first, second, third = (
        inputs_hash(needs, {"proxies": record(rows=[one], table=schemas.PROXIES)}) for one in (row, moved, changed)
    )
    assert first == second != third


def test_items_need_what_is_required_and_do_without_what_is_not():
    needs = {"proxies": Need(), "detections": Need(required=False)}
    proxies = frame(record("a"), record("b", **FAILED), record("c"), table=schemas.PROXIES)
    frames = {"proxies": proxies, "detections": frame(record("a"))}
    items = items_from(needs, frames, "proxies")
    assert [(item.image_id, sorted(item.upstream)) for item in items] == [
        ("a", ["detections", "proxies"]),
        ("c", ["proxies"]),
    ]


def test_merging_keeps_the_last_few_superseded():
    old = [
        record(inputs=f"i{number}", computed_at=NOON + timedelta(minutes=number), current=False) for number in range(10)
    ]
    result = merged(frame(*old), [record(inputs="new")], ["a"])
    assert result.get("a").inputs == "new"
    assert sum(not one.current for one in result.records) == KEPT_SUPERSEDED
    assert {one.inputs for one in result.records if not one.current} == {"i7", "i8", "i9"}


def test_merging_twice_changes_nothing():
    once = merged(frame(record(inputs="i0")), [record()], ["a"])
    assert merged(once, [record()], ["a"]) == once


def test_a_gone_image_has_no_current_record_and_comes_back_free():
    without = merged(frame(record()), [], [])
    assert without.get("a") is None
    assert plan("r1", [Item("a", "i1")], without).why == {"a": Why.RESTORED}


def test_recipe_hash_is_its_content():
    assert Recipe("s", "1", {"a": 1, "b": 2}).hash == Recipe("s", "1", {"b": 2, "a": 1}).hash
    assert Recipe("s", "1").hash != Recipe("s", "2").hash != Recipe("t", "2").hash


@pytest.mark.parametrize(
    ("need", "before", "after", "same"),
    [
        (Need(required=False), None, {**FAILED}, True),  # nothing is nothing
        (Need(required=False, failures=True), None, {**FAILED}, False),  # unless it matters why
        (Need(required=False, failures=True), {**FAILED}, {**FAILED, "error": "cut short: at 3"}, True),
        (Need(required=False, failures=True), {**FAILED}, {**FAILED, "error": "gone: again"}, False),
        (Need(required=False, failures=True), {**FAILED}, {**FAILED, "error_kind": "ImageGone"}, False),
        (Need(required=False, failures=True), {**FAILED}, {}, False),  # an answer of no rows is an answer
    ],
)
def test_why_there_is_nothing_matters_only_where_a_stage_says_so(need, before, after, same):
    found = [{} if one is None else {"detections": record(**one)} for one in (before, after)]
    first, second = (inputs_hash({"detections": need}, one) for one in found)
    assert (first == second) is same


def test_an_item_knows_what_failed_above():
    needs = {"proxies": Need(), "detections": Need(required=False)}
    above = {
        "proxies": frame(record(table=schemas.PROXIES), table=schemas.PROXIES),
        "detections": frame(record(**FAILED)),
    }
    (item,) = items_from(needs, above, "proxies")
    assert (set(item.upstream), set(item.failed)) == ({"proxies"}, {"detections"})
