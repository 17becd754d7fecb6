"""Ratios and colours of the people in a photo; nothing at all unless people may be measured."""

from functools import partial

import dagster as dg

from resources.proxy_store import ProxyStore
from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.body_features import body_feature_rows
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.permissions import may_describe
from tagging_assets.domain.stages import Recipes


@stage_asset("body_features", kinds={"python"})
def body_features(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    landmarks: StageFrame,
    person_permissions: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    proxy_files: dg.ResourceParam[ProxyStore],
) -> dg.MaterializeResult[StageFrame]:
    """Measure each person."""
    recipe = recipes["body_features"]
    compute = partial(measure, proxy_files=proxy_files, allowed=bool(recipe.parts["people_allowed"]))
    frames = {"proxies": proxies, "landmarks": landmarks, "person_permissions": person_permissions}
    return run_stage(context, bench, recipe, frames, each(compute))


def measure(item: Item, *, proxy_files: ProxyStore, allowed: bool) -> list[Row]:
    """Rows of one photo."""
    people = item.rows("landmarks")
    if not allowed or not people or not may_describe(item):
        return []
    image = proxy_files.load(item.row("proxies")["path"])
    return list(body_feature_rows(image, people))
