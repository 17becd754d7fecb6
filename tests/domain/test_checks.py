"""Checks find what must not be, and let pass what may."""

from typing import Any

import polars as pl
import pytest

from tagging_assets.domain.checks import (
    MEANINGS,
    SCHEMA,
    descriptions_of,
    problems_of,
    schema_problems,
    set_aside,
    set_aside_by,
)
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.stages import STAGES
from tests.handmade import TABLES, failed, frame, record

SOURCE = [{"source": "tagger"}]

#: Check → a row that is as it should be, and rows that are not.
ROWS: dict[tuple[str, str], tuple[dict[str, Any], list[dict[str, Any]]]] = {
    ("proxies", "long_side_at_most_1280"): ({"width": 1280}, [{"width": 1281}, {"width": 0}]),
    ("detections", "scores_are_shares"): ({"score": 1.0}, [{"score": 1.01}, {"score": -0.01}]),
    ("detections", "boxes_are_boxes"): (
        {"x0": 0, "y0": 0, "x1": 1, "y1": 1},
        [
            {"x0": 5, "y0": 0, "x1": 5, "y1": 9},  # flat
            {"x0": 0, "y0": 9, "x1": 9, "y1": 1},  # upside down
            {"x0": -1, "y0": 0, "x1": 9, "y1": 9},  # begins left of the photo
            {"x0": 0, "y0": -1, "x1": 9, "y1": 9},  # begins above it
        ],
    ),
    ("landmarks", "person_score_is_share"): ({"person_score": 0.0}, [{"person_score": 1.5}]),
    ("body_features", "confidence_is_share"): ({"confidence": 0.5}, [{"confidence": 2.0}]),
    ("embeddings", "unit_norm"): ({"vector": [0.6, 0.8]}, [{"vector": [0.6, 0.9]}, {"vector": [0.0, 0.0]}]),
    ("zero_shot_scores", "scores_in_range"): ({"score": 0.2}, [{"score": 1.2}]),
    ("tagger_scores", "above_floor"): ({"score": 0.05}, [{"score": 0.01}, {"score": 1.1}]),
    ("llm_tag_suggestions", "ranks_count_from_one"): ({"rank": 1}, [{"rank": 0}, {"rank": 51}]),
    ("tags", "scores_are_shares"): ({"score": 0.4}, [{"score": 1.4}]),
    ("tags", "within_policy"): ({"tag": "persian cat"}, [{"tag": "persian woman"}]),
    ("tags", "explained"): ({"sources": SOURCE}, [{"sources": []}, {"sources": None}]),
}


@pytest.mark.parametrize(("stage", "name"), [(one.stage, one.name) for one in MEANINGS])
def test_each_meaning(stage: str, name: str) -> None:
    good, bad = ROWS[stage, name]
    assert problems_of(stage, frame(stage, record(stage, "a", [good])))[name] == []
    assert problems_of(stage, frame(stage))[name] == [], "no rows, no offence"
    for row in bad:
        found = problems_of(stage, frame(stage, record(stage, "a", [good]), record(stage, "b", [row])))[name]
        assert len(found) == 1, row
        assert "'b'" in found[0], "it names the offender"


def whole(stage: str, row: dict[str, Any] | None = None) -> dict[str, Any]:
    """A row with a key, that breaks nothing but what it is given to break."""
    table = TABLES[stage]
    key = {name: 1 if table.columns[name].is_integer() else "x" for name in table.key[1:]}
    good = {name: value for (of, _), (said, _) in ROWS.items() if of == stage for name, value in said.items()}
    return {**key, **good, **(row or {})}


@pytest.mark.parametrize(("stage", "name"), [(one.stage, one.name) for one in MEANINGS])
def test_one_photos_trouble_is_set_aside(stage: str, name: str) -> None:
    for row in ROWS[stage, name][1]:
        before = frame(stage, record(stage, "a", [whole(stage)]), record(stage, "b", [whole(stage, row)]), failed("c"))
        after = set_aside(stage, before)
        assert (after.get("a"), after.get("c")) == (before.get("a"), before.get("c"))
        aside = after.get("b")
        assert aside is not None
        assert (aside.ok, aside.rows, aside.error_kind, aside.retryable) == (False, (), "CheckFailed", False)
        assert aside.key == before.records[1].key, "made anew only where the recipe or the photo changes"
        assert problems_of(stage, after)[name] == []
        assert len(set_aside_by(name, after)) == 1
        assert set_aside(stage, after) == after


@pytest.mark.parametrize("stage", STAGES)
def test_a_key_that_is_missing_or_there_twice_is_its_photos_own_trouble(stage: str) -> None:
    broken = [record(stage, "b", [whole(stage)] * 2)]
    broken += [record(stage, "c", [whole(stage, {name: None})]) for name in TABLES[stage].key[1:2]]
    after = set_aside(stage, frame(stage, record(stage, "a", [whole(stage)]), *broken))
    assert [one.image_id for one in after.current if not one.ok] == [one.image_id for one in broken]
    assert len(set_aside_by(SCHEMA, after)) == len(broken)
    assert problems_of(stage, after)[SCHEMA] == []


@pytest.mark.parametrize("stage", STAGES)
def test_schema_accepts_what_a_stage_stores(stage: str) -> None:
    key = {name: 1 if TABLES[stage].columns[name].is_integer() else "x" for name in TABLES[stage].key[1:]}
    said = frame(stage, record(stage, "a", [key]), record(stage, "b"), failed("c"))
    assert schema_problems(TABLES[stage], said) == []
    assert schema_problems(TABLES[stage], frame(stage)) == []


class Typed(StageFrame):
    """A frame whose rows have other types than its table says."""

    @property
    def rows(self) -> pl.DataFrame:
        return super().rows.with_columns(pl.col("score").cast(pl.String)).drop("label")


BOX = {"detection_id": 0, "label": "person", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "score": 0.5}


@pytest.mark.parametrize(
    ("said", "problems"),
    [
        (frame("detections", record("detections", "a", [BOX])), []),
        # the same box of the same photo twice
        (
            frame("detections", record("detections", "a", [BOX, BOX])),
            ["1 rows repeat a key of image_id, detection_id"],
        ),
        # a box without a number
        (
            frame("detections", record("detections", "a", [{**BOX, "detection_id": None}])),
            ["null in the key image_id, detection_id"],
        ),
        # two records that both claim to stand for the photo
        (
            frame("detections", record("detections", "a", [BOX]), record("detections", "a", [], recipe="2")),
            ["an image has two current records"],
        ),
        # a column of another type, and one that is missing
        (
            Typed(TABLES["detections"], (record("detections", "a", [BOX]),)),
            ["label is None, not String", "score is String, not Float32"],
        ),
    ],
)
def test_schema_says_what_is_wrong(said: StageFrame, problems: list[str]) -> None:
    assert schema_problems(TABLES["detections"], said) == problems
    if not isinstance(said, Typed):
        assert problems_of("detections", said)["schema"] == problems


@pytest.mark.parametrize("stage", STAGES)
def test_every_check_is_described(stage: str) -> None:
    assert list(problems_of(stage, frame(stage))) == list(descriptions_of(stage))
    assert all(said.endswith(".") for said in descriptions_of(stage).values())
