"""Raw scores of free text, from the label sets, against stored vectors: editing a label set costs no image model."""

from collections.abc import Iterator, Mapping
from functools import partial

import dagster as dg

from resources.workbench import Workbench, each
from tagging_assets.assets.pictures import histogram
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.labels import LabelSet
from tagging_assets.domain.models import Vectors, ZeroShotScorer
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.zero_shot import SCORE_FLOOR, raw_vectors, score_label_set

LabelSets = Mapping[str, LabelSet]


@stage_asset("zero_shot_scores", kinds={"onnx"}, above=["zero_shot_scorer", "label_sets"])
def zero_shot_scores(
    context: dg.AssetExecutionContext,
    embeddings: StageFrame,
    person_embeddings: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    zero_shot_scorer: dg.ResourceParam[ZeroShotScorer],
    label_sets: dg.ResourceParam[LabelSets],
) -> dg.MaterializeResult[StageFrame]:
    """Score each subject against each label of the sets that are about its kind."""
    floor = float(zero_shot_scorer.card.parameters.get("score_floor", SCORE_FLOOR))
    compute = each(partial(score, scorer=zero_shot_scorer, label_sets=label_sets, floor=floor))
    frames = {"embeddings": embeddings, "person_embeddings": person_embeddings}
    recipe = recipes["zero_shot_scores"]
    return run_stage(context, bench, recipe, frames, compute, model=zero_shot_scorer, show=histogram)


def score(item: Item, *, scorer: ZeroShotScorer, label_sets: LabelSets, floor: float = SCORE_FLOOR) -> list[Row]:
    """Rows of one photo: raw scores from the floor on."""
    return [
        {"subject": subject, "label_set": label_set.name, "label": label.name, "score": float(value)}
        for subject, vectors in subjects(item)
        for label_set in label_sets.values()
        if label_set.scope == ("image" if subject == "image" else "person")
        for label, value in zip(label_set.scored, score_label_set(scorer, vectors, label_set), strict=True)
        if value >= floor
    ]


def subjects(item: Item) -> Iterator[tuple[str, Vectors]]:
    """Each subject with the vectors (views, d) of its views, as the encoder gave them."""
    by_subject: dict[str, list[Row]] = {}
    for row in (*item.rows("embeddings"), *item.rows("person_embeddings")):
        by_subject.setdefault(row["subject"], []).append(row)
    for subject, rows in by_subject.items():
        yield subject, raw_vectors(rows)
