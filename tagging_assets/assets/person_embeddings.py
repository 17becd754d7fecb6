"""Vectors of the people in a photo, where people may be looked at."""

from functools import partial

import dagster as dg

from resources.proxy_store import ProxyStore
from resources.workbench import Workbench
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.assets.views import View, crop, embed
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.models import PERSON_LABEL, ImageEncoder
from tagging_assets.domain.permissions import may_describe
from tagging_assets.domain.stages import Recipes

#: Boxes below this are not worth a vector: hardly one of them turns out to be a person.
PERSON_VIEW_FLOOR = 0.4


@stage_asset("person_embeddings", kinds={"onnx"}, above=["image_encoder"], pool="gpu")
def person_embeddings(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    detections: StageFrame,
    person_permissions: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    proxy_files: dg.ResourceParam[ProxyStore],
    encoder: dg.ResourceParam[ImageEncoder],
) -> dg.MaterializeResult[StageFrame]:
    """Encode each possible person; nobody, unless the operator allows it."""
    recipe = recipes["person_embeddings"]
    allowed = bool(recipe.parts["people_allowed"])
    load = partial(person_views, proxy_files=proxy_files, allowed=allowed)
    frames = {"proxies": proxies, "detections": detections, "person_permissions": person_permissions}
    return run_stage(context, bench, recipe, frames, partial(embed, encoder=encoder, load=load), model=encoder)


def person_views(item: Item, *, proxy_files: ProxyStore, allowed: bool) -> list[View]:
    """The people of a photo that are encoded."""
    people = [
        row
        for row in item.rows("detections")
        if allowed and may_describe(item) and row["label"] == PERSON_LABEL and row["score"] >= PERSON_VIEW_FLOOR
    ]
    if not people:
        return []
    image = proxy_files.load(item.row("proxies")["path"])
    return [
        View(str(row["detection_id"]), "whole", crop(image, (row["x0"], row["y0"], row["x1"], row["y1"])))
        for row in people
    ]
