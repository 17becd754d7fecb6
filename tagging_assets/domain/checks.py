"""What must hold of every partition: its schema, from the table of schemas, and the checks of meaning.

``assets/stage.py`` makes blocking checks of them, in the step that made the partition. What does not belong here:
Dagster.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from tagging_assets.domain.errors import CheckFailed
from tagging_assets.domain.frames import FAILED, ImageRecord, StageFrame
from tagging_assets.domain.policy import refused
from tagging_assets.domain.schemas import RECORD, Table
from tagging_assets.domain.stages import STAGES

#: Name of the check of form, which every stage has.
SCHEMA = "schema"

#: Unit vectors survive float32 storage within this.
_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Meaning:
    """A check of meaning.

    Attributes:
        stage: whose rows are checked.
        name: of the check.
        description: what must hold, as a sentence.
        offenders: the rows for which it does not.
    """

    stage: str
    name: str
    description: str
    offenders: Callable[[pl.DataFrame], pl.DataFrame]


def schema_problems(table: Table, frame: StageFrame) -> list[str]:
    """What is wrong with the form of a partition: types, nulls in keys, keys that occur twice, two records."""
    rows = frame.rows
    expected = {**table.columns, "recipe": RECORD["recipe"], "run_id": RECORD["run_id"]}
    problems = [
        f"{name} is {rows.schema.get(name)}, not {dtype}"
        for name, dtype in expected.items()
        if rows.schema.get(name) != dtype
    ]
    key = list(table.key)
    if rows.select(pl.any_horizontal(pl.col(key).is_null().any())).item():
        problems.append(f"null in the key {', '.join(key)}")
    twice = rows.height - rows.select(key).unique().height
    if twice:
        problems.append(f"{twice} rows repeat a key of {', '.join(key)}")
    images = [record.image_id for record in frame.records if record.current]
    if len(images) != len(set(images)):
        problems.append("an image has two current records")
    return problems


def _outside(column: str, low: float, high: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.filter(~pl.col(column).is_between(low, high))


def _not_unit(rows: pl.DataFrame) -> pl.DataFrame:
    norm = pl.col("vector").list.eval(pl.element() ** 2).list.sum().sqrt()
    return rows.filter((norm - 1).abs() > _NORM_TOLERANCE)


def _boxes_inside_out(rows: pl.DataFrame) -> pl.DataFrame:
    flat = (pl.col("x1") <= pl.col("x0")) | (pl.col("y1") <= pl.col("y0"))
    return rows.filter(flat | (pl.min_horizontal("x0", "y0") < 0))


def _against_policy(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("tag").map_elements(lambda tag: refused(tag) is not None, return_dtype=pl.Boolean))


def _unexplained(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("sources").list.len().fill_null(0) == 0)


MEANINGS: tuple[Meaning, ...] = (
    Meaning("proxies", "long_side_at_most_1280", "Proxies are small.", _outside("width", 1, 1280)),
    Meaning("detections", "scores_are_shares", "Scores are in [0, 1].", _outside("score", 0, 1)),
    Meaning("detections", "boxes_are_boxes", "Boxes have an area and start in the photo.", _boxes_inside_out),
    Meaning("landmarks", "person_score_is_share", "Scores are in [0, 1].", _outside("person_score", 0, 1)),
    Meaning("body_features", "confidence_is_share", "Confidences are in [0, 1].", _outside("confidence", 0, 1)),
    Meaning("embeddings", "unit_norm", "Vectors have length 1.", _not_unit),
    Meaning("zero_shot_scores", "scores_in_range", "Scores are in [-1, 1].", _outside("score", -1, 1)),
    Meaning("tagger_scores", "above_floor", "Scores are in [0.05, 1].", _outside("score", 0.05, 1)),
    Meaning("llm_tag_suggestions", "ranks_count_from_one", "Ranks are 1 … 50.", _outside("rank", 1, 50)),
    Meaning("tags", "scores_are_shares", "Scores are in [0, 1].", _outside("score", 0, 1)),
    Meaning("tags", "within_policy", "No tag is one that must never be given.", _against_policy),
    Meaning("tags", "explained", "Every tag names the sources that made it.", _unexplained),
)


def set_aside(stage: str, frame: StageFrame) -> StageFrame:
    """The partition with the images whose rows break a check of meaning, or repeat a key, as failed ones.

    So one photo's trouble is not another's: its record says what is wrong, and the rest of the batch goes on.
    """
    broken = _broken(stage, frame)
    if not broken:
        return frame
    return StageFrame(
        frame.table,
        tuple(
            _failed(record, broken[record.image_id]) if record.current and record.image_id in broken else record
            for record in frame.records
        ),
    )


def set_aside_by(check: str, frame: StageFrame) -> list[str]:
    """What :func:`set_aside` wrote down for a check, an image a line."""
    return [
        f"{record.image_id}: {record.error}"
        for record in frame.current
        if record.error_kind == CheckFailed.__name__ and str(record.error).startswith(f"{check}: ")
    ]


def _broken(stage: str, frame: StageFrame) -> dict[str, str]:
    """Why, by image."""
    rows, key = frame.rows, list(STAGES[stage].table.key)
    if rows.is_empty():
        return {}
    without = pl.any_horizontal(pl.col(key).is_null())
    repeated = pl.struct(key).is_duplicated()
    found = {SCHEMA: ("A row's key is missing, or there twice.", rows.filter(without | repeated))}
    found |= {one.name: (one.description, one.offenders(rows)) for one in MEANINGS if one.stage == stage}
    return {
        image_id: f"{check}: what came out is against the rule: {said}"
        for check, (said, offenders) in reversed(found.items())
        for image_id in offenders["image_id"].unique()
    }


def _failed(record: ImageRecord, why: str) -> ImageRecord:
    return replace(
        record, status=FAILED, rows=(), output="", error_kind=CheckFailed.__name__, error=why, retryable=False
    )


def problems_of(stage: str, frame: StageFrame) -> dict[str, list[str]]:
    """What every check of a stage finds in a partition, by check; empty lists where all is well."""
    key = list(STAGES[stage].table.key)
    meanings = {
        one.name: [str(row) for row in one.offenders(frame.rows).select(key).iter_rows()]
        for one in MEANINGS
        if one.stage == stage
    }
    return {SCHEMA: schema_problems(STAGES[stage].table, frame), **meanings}


def descriptions_of(stage: str) -> dict[str, str]:
    """What must hold, as a sentence, by check; the same checks in the same order as :func:`problems_of`."""
    said = "Columns and types as declared, keys present and unique, one current record per image."
    return {SCHEMA: said, **{one.name: one.description for one in MEANINGS if one.stage == stage}}
