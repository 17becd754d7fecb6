"""The decision: evidence of all sources and people's verdicts made into tags, each with everything that made it so."""

from functools import partial

import dagster as dg

from resources.gallery import Gallery
from resources.workbench import Workbench, each
from tagging_assets.assets.pictures import contact_sheet, histogram
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.asking import silence
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import Gatherer
from tagging_assets.domain.permissions import admitted, permitted
from tagging_assets.domain.rules import Rules
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.verdicts import StandingVerdict, standing


@stage_asset("tags", kinds={"python"}, above=["rules", "label_sets"], beside=["calibration"])
def tags(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    detections: StageFrame,
    landmarks: StageFrame,
    body_features: StageFrame,
    zero_shot_scores: StageFrame,
    tagger_scores: StageFrame,
    captions: StageFrame,
    llm_tag_suggestions: StageFrame,
    decisions: StageFrame,
    person_permissions: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    gallery: dg.ResourceParam[Gallery],
    gatherer: dg.ResourceParam[Gatherer],
    fusion: dg.ResourceParam[Fusion],
    rules: dg.ResourceParam[Rules],
) -> dg.MaterializeResult[StageFrame]:
    """Decide each photo's tags."""
    frames = {
        "proxies": proxies,
        "detections": detections,
        "landmarks": landmarks,
        "body_features": body_features,
        "zero_shot_scores": zero_shot_scores,
        "tagger_scores": tagger_scores,
        "captions": captions,
        "llm_tag_suggestions": llm_tag_suggestions,
        "decisions": decisions,
        "person_permissions": person_permissions,
    }
    compute = each(partial(decide, gatherer=gatherer, fusion=fusion, rules=rules))
    return run_stage(
        context,
        bench,
        recipes["tags"],
        frames,
        compute,
        show=lambda frame: {**contact_sheet(gallery, context.partition_key, frame), **histogram(frame)},
    )


def decide(item: Item, *, gatherer: Gatherer, fusion: Fusion, rules: Rules) -> list[Row]:
    """Tags of one photo, best first, then those that people rejected."""
    verdicts = standing(StandingVerdict.from_row(row) for row in item.rows("decisions"))
    evidence, heard, permission = permitted(item, gatherer.all(item, rules), fusion.counts, verdicts)
    rows = admitted(fusion.decide(evidence, heard).rows(item.image_id), permission)
    note = silence(item)
    return [{**row, "reason": f"{row['reason']}{note}"} for row in rows]
