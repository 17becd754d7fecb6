"""The line: every stage, what it takes from the stages above, and the version of its code.

This is the one place where dependencies are declared; the assets, the freshness plan and ``tagging status`` read
it. Bump ``code_version`` in the commit that changes what a stage computes from the same inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tagging_assets.domain import schemas
from tagging_assets.domain.freshness import Need, Recipe
from tagging_assets.domain.schemas import Table


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the line.

    Attributes:
        table: what it makes.
        group: part of the line it is shown in.
        needs: tables above, and what of them matters.
        anchor: the table whose images it goes through; ``""`` where the database is asked.
        code_version: of the code that makes the rows.
        shared: rows depend on the inputs alone, so copies of a photo share them.
        chunk: images computed, timed and checkpointed together.
    """

    table: Table
    group: str
    needs: dict[str, Need] = field(default_factory=dict)
    anchor: str = "proxies"
    code_version: str = "1"
    shared: bool = True
    chunk: int = 8

    @property
    def name(self) -> str:
        """Name of the stage, its asset, its module and its table."""
        return self.table.name


_PIXELS = Need(columns=("pixel_id",))
_PERSON = Need(columns=("detection_id", "person_score"), required=False)
_THINGS = Need(columns=("label", "score"), required=False)
_OPTIONAL = Need(required=False)
#: Whether people may be described, whatever the reason.
_ALLOWED = Need(columns=("allowed",))
#: Words that may hint at a minor.
_WORDS = Need(columns=("caption", "title", "description", "file_name", "keywords"), required=False)
#: What a chat model says, or why it says nothing.
_SAID = Need(required=False, failures=True)

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(schemas.IMAGES, "photos", anchor="", code_version="2", shared=False, chunk=32),
        Stage(schemas.PROXIES, "photos", {"images": Need(columns=("content_hash",))}, anchor="images"),
        Stage(schemas.DETECTIONS, "people", {"proxies": _PIXELS}),
        Stage(
            schemas.PERSON_PERMISSIONS,
            "people",
            {
                "images": Need(columns=("uri", "caption", "keywords")),
                "proxies": _PIXELS,
                "detections": Need(columns=("label",), required=False),
            },
            shared=False,
            chunk=256,
        ),
        Stage(
            schemas.LANDMARKS,
            "people",
            {"proxies": _PIXELS, "detections": Need(), "person_permissions": _ALLOWED},
        ),
        Stage(
            schemas.BODY_FEATURES,
            "people",
            {"proxies": _PIXELS, "landmarks": Need(), "person_permissions": _ALLOWED},
            code_version="2",
        ),
        Stage(
            schemas.PERSON_EMBEDDINGS,
            "people",
            {"proxies": _PIXELS, "detections": Need(), "person_permissions": _ALLOWED},
        ),
        Stage(schemas.EMBEDDINGS, "scores", {"proxies": _PIXELS}, code_version="2"),
        Stage(
            schemas.ZERO_SHOT_SCORES,
            "scores",
            {"embeddings": Need(), "person_embeddings": _OPTIONAL},
            anchor="embeddings",
            chunk=64,
        ),
        Stage(schemas.TAGGER_SCORES, "scores", {"proxies": _PIXELS}),
        Stage(
            schemas.CAPTIONS,
            "scores",
            {"images": Need(columns=("caption",)), "proxies": _PIXELS, "embeddings": _OPTIONAL},
            shared=False,
            chunk=1,
        ),
        Stage(
            schemas.LLM_TAG_SUGGESTIONS,
            "decision",
            {
                "images": Need(columns=("caption",)),
                "proxies": _PIXELS,
                "landmarks": _PERSON,
                "embeddings": _OPTIONAL,
                "zero_shot_scores": _OPTIONAL,
                "tagger_scores": _OPTIONAL,
                "captions": _SAID,
            },
            code_version="2",
            shared=False,
            chunk=1,
        ),
        Stage(schemas.DECISIONS, "decision", anchor="", shared=False, chunk=256),
        Stage(
            schemas.TAGS,
            "decision",
            {
                "proxies": _PIXELS,
                "detections": _THINGS,
                "landmarks": _PERSON,
                "body_features": _OPTIONAL,
                "zero_shot_scores": _OPTIONAL,
                "tagger_scores": _OPTIONAL,
                "captions": _WORDS,
                "llm_tag_suggestions": _SAID,
                "decisions": _OPTIONAL,
                "person_permissions": _OPTIONAL,
            },
            code_version="5",
            shared=False,
            chunk=256,
        ),
    )
}

#: Stages that ask a chat model: without its answer the other sources stand, so a failure there fails no photo.
ASKING = frozenset({"captions", "llm_tag_suggestions"})

#: Recipe of each stage, as things stand now.
Recipes = Mapping[str, Recipe]


def build_recipes(parts: Mapping[str, Mapping[str, Any]]) -> Recipes:
    """Recipe per stage.

    Args:
        parts: what goes into each stage's rows besides its inputs and its code, by stage.
    """
    return {name: Recipe(name, stage.code_version, dict(parts.get(name, {}))) for name, stage in STAGES.items()}
