"""Schema, grain and key of every table: the one place where columns are declared.

The Parquet IO manager, the schema checks, the asset descriptions and the exports read this. What every stored
record carries besides its rows (recipe, inputs, run, status) is :data:`RECORD`.
"""

from dataclasses import dataclass

import polars as pl

_F32_LIST = pl.List(pl.Float32)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the line.

    Attributes:
        name: plural noun, the same as the asset and its module.
        grain: what one row is, as a phrase that completes "One row per …".
        columns: column name to Polars type, without the record columns.
        key: columns that identify a row; ``image_id`` always comes first.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: dict[str, pl.DataType | type[pl.DataType]]

    @property
    def schema(self) -> pl.Schema:
        """The columns as a Polars schema."""
        return pl.Schema(self.columns)


#: Kept once per (image, recipe, inputs) beside the rows that were made; see ``domain/freshness.py``.
RECORD: dict[str, pl.DataType | type[pl.DataType]] = {
    "image_id": pl.String,
    "recipe": pl.String,
    "inputs": pl.String,
    "output": pl.String,
    "status": pl.String,
    "error_kind": pl.String,
    "error": pl.String,
    "retryable": pl.Boolean,
    "run_id": pl.String,
    "computed_at": pl.Datetime("us", "UTC"),
    "seconds": pl.Float64,
    "current": pl.Boolean,
    "attempts": pl.Int32,
}

_SOURCE = pl.Struct(
    {
        "source": pl.String,
        "model": pl.String,
        "revision": pl.String,
        "label": pl.String,
        "subject": pl.String,
        "score": pl.Float64,
        "confidence": pl.Float64,
        "weight": pl.Float64,
        "threshold": pl.Float64,
        "prompt_id": pl.String,
        "prompt_hash": pl.String,
        "label_set": pl.String,
        "label_set_hash": pl.String,
        "request_hash": pl.String,
        "recipe": pl.String,
        "run_id": pl.String,
    }
)

IMAGES = Table(
    "images",
    "photo: where it is, what its bytes and its header say",
    ("image_id",),
    {
        "image_id": pl.String,
        "uri": pl.String,
        "content_hash": pl.String,
        "bytes": pl.Int64,
        "format": pl.String,
        "width": pl.Int32,
        "height": pl.Int32,
        "orientation": pl.Int8,
        "captured_at": pl.String,
        "camera": pl.String,
        "caption": pl.String,
        "caption_source": pl.String,
        "creator": pl.String,
        # what people gave the photo before, empty where none did; null in tables of before there was the column
        "keywords": pl.List(pl.String),
    },
)

PROXIES = Table(
    "proxies",
    "photo: its upright sRGB working copy, long side at most 1280 pixels",
    ("image_id",),
    {
        "image_id": pl.String,
        "pixel_id": pl.String,
        "path": pl.String,
        "width": pl.Int32,
        "height": pl.Int32,
        "phash": pl.String,
    },
)

DETECTIONS = Table(
    "detections",
    "box: a possible person or thing, raw score, in proxy pixels",
    ("image_id", "detection_id"),
    {
        "image_id": pl.String,
        "detection_id": pl.Int32,
        "label": pl.String,
        "x0": pl.Float32,
        "y0": pl.Float32,
        "x1": pl.Float32,
        "y1": pl.Float32,
        "score": pl.Float32,
    },
)

PERSON_PERMISSIONS = Table(
    "person_permissions",
    "photo: whether its people may be described, why, and who hints at a minor",
    ("image_id",),
    {
        "image_id": pl.String,
        "allowed": pl.Boolean,
        "reason": pl.String,
        "minor_suspected": pl.Boolean,
        # the sources that hint, never their words
        "minor_by": pl.List(pl.String),
    },
)

LANDMARKS = Table(
    "landmarks",
    "box: pose, face and silhouette of the possible person in it, and how likely it is one",
    ("image_id", "detection_id"),
    {
        "image_id": pl.String,
        "detection_id": pl.Int32,
        # the crop the landmarkers saw, in proxy pixels; pose, face and mask are relative to it
        "x0": pl.Float32,
        "y0": pl.Float32,
        "x1": pl.Float32,
        "y1": pl.Float32,
        "detection_score": pl.Float32,
        "pose_score": pl.Float32,
        "face_score": pl.Float32,
        "mask_fraction": pl.Float32,
        "mask_aspect": pl.Float32,
        "mask_circularity": pl.Float32,
        "person_score": pl.Float32,
        # null unless people.enabled: measurements of a body are not kept without the operator's word
        "pose": _F32_LIST,
        "face": _F32_LIST,
        "mask_png": pl.Binary,
        # null, too, where no model tells parts, and in tables of before there was the column
        "parts_png": pl.Binary,
    },
)

BODY_FEATURES = Table(
    "body_features",
    "person and feature: a ratio or a colour, with its confidence; null where not visible",
    ("image_id", "detection_id", "feature"),
    {
        "image_id": pl.String,
        "detection_id": pl.Int32,
        "feature": pl.String,
        "value": pl.Float32,
        "label": pl.String,
        "confidence": pl.Float32,
    },
)

_VIEW: dict[str, pl.DataType | type[pl.DataType]] = {
    "image_id": pl.String,
    "subject": pl.String,
    "view": pl.String,
    "norm": pl.Float32,
    "vector": _F32_LIST,
}

EMBEDDINGS = Table(
    "embeddings",
    "view of the photo (whole, or a part of it): a unit vector and the norm it had",
    ("image_id", "subject", "view"),
    _VIEW,
)

PERSON_EMBEDDINGS = Table(
    "person_embeddings",
    "view of a possible person in the photo: a unit vector and the norm it had",
    ("image_id", "subject", "view"),
    _VIEW,
)

ZERO_SHOT_SCORES = Table(
    "zero_shot_scores",
    "subject and label: the raw score of free text against the picture",
    ("image_id", "subject", "label_set", "label"),
    {
        "image_id": pl.String,
        "subject": pl.String,
        "label_set": pl.String,
        "label": pl.String,
        "score": pl.Float32,
    },
)

TAGGER_SCORES = Table(
    "tagger_scores",
    "photo and label of the tagger's own vocabulary: a raw score above 0.05",
    ("image_id", "label"),
    {
        "image_id": pl.String,
        "label": pl.String,
        "category": pl.String,
        "score": pl.Float32,
    },
)

CAPTIONS = Table(
    "captions",
    "photo: what a chat model says about it in words; none where that is not asked for",
    ("image_id",),
    {
        "image_id": pl.String,
        "model": pl.String,
        "prompt_id": pl.String,
        "caption": pl.String,
        "title": pl.String,
        "description": pl.String,
        "keywords": pl.List(pl.String),
        "file_name": pl.String,
        "request_hash": pl.String,
    },
)

LLM_TAG_SUGGESTIONS = Table(
    "llm_tag_suggestions",
    "photo, model and tag that a chat model chose, with its rank",
    ("image_id", "model", "tag"),
    {
        "image_id": pl.String,
        "model": pl.String,
        "tag": pl.String,
        "rank": pl.Int32,
        "request_hash": pl.String,
    },
)

DECISIONS = Table(
    "decisions",
    "photo and tag on which a person's verdict holds",
    ("image_id", "tag"),
    {
        "image_id": pl.String,
        "tag": pl.String,
        # accepted, rejected or added
        "verdict": pl.String,
        "category": pl.String,
        # the tag that was edited into this one
        "replaces": pl.String,
        "who": pl.String,
        "why": pl.String,
        "decided_at": pl.Datetime("us", "UTC"),
        "decision_id": pl.Int64,
    },
)

TAGS = Table(
    "tags",
    "photo and tag: the decision, and everything that made it so",
    ("image_id", "tag"),
    {
        "image_id": pl.String,
        "tag": pl.String,
        "category": pl.String,
        "score": pl.Float32,
        "status": pl.String,
        "reason": pl.String,
        "sources": pl.List(_SOURCE),
        # of the photo, once every source was heard; null in tables of before there were the columns
        "minor_suspected": pl.Boolean,
        "minor_by": pl.List(pl.String),
    },
)

#: Every Parquet table, in the order of the line.
TABLES: tuple[Table, ...] = (
    IMAGES,
    PROXIES,
    DETECTIONS,
    PERSON_PERMISSIONS,
    LANDMARKS,
    BODY_FEATURES,
    PERSON_EMBEDDINGS,
    EMBEDDINGS,
    ZERO_SHOT_SCORES,
    TAGGER_SCORES,
    CAPTIONS,
    LLM_TAG_SUGGESTIONS,
    DECISIONS,
    TAGS,
)

BENCHMARK_ANSWERS = Table(
    "benchmark_answers",
    "configuration, photo and repeat: what one contestant answered, and what that took",
    ("image_id", "configuration", "repeat"),
    {
        "image_id": pl.String,
        "configuration": pl.String,
        "repeat": pl.Int32,
        "model": pl.String,
        "outcome": pl.String,
        "error": pl.String,
        # allowed and named, best first; named and not allowed; allowed
        "tags": pl.List(pl.String),
        "outside": pl.List(pl.String),
        "pool": pl.List(pl.String),
        "request_hash": pl.String,
        # hash of what it was asked about, and how: what is no answer stands for the same question, as in the line
        "inputs": pl.String,
        "prompt_tokens": pl.Int64,
        "completion_tokens": pl.Int64,
        "cached_tokens": pl.Int64,
        # what the answer cost when it was given, null where nobody knows
        "cost_usd": pl.Float64,
        "cost_source": pl.String,
        "seconds": pl.Float64,
        # whether it was asked in the run that wrote the row, or known from the ledger
        "asked": pl.Boolean,
    },
)

BENCHMARK_SCORES = Table(
    "benchmark_scores",
    "configuration, photo, repeat and tag: the rule that applies, and its points",
    ("image_id", "configuration", "repeat", "tag"),
    {
        "image_id": pl.String,
        "configuration": pl.String,
        "repeat": pl.Int32,
        "tag": pl.String,
        # see domain/scoring.py
        "rule": pl.String,
        "points": pl.Float64,
        # of the other contestants that answered, those that named it; null where nobody else answered
        "share": pl.Float64,
        # people's word; null where they said nothing, or disagree
        "relevant": pl.Boolean,
    },
)

#: Parquet tables of experiments: plain rows without records, one file per experiment and table.
BENCHMARK_TABLES: tuple[Table, ...] = (BENCHMARK_ANSWERS, BENCHMARK_SCORES)
