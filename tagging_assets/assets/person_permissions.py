"""Whether the people in each photo may be described: known before anything about them is measured."""

from functools import partial

import dagster as dg

from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.permissions import PeopleRules, permission_row
from tagging_assets.domain.stages import Recipes


@stage_asset("person_permissions", kinds={"python"})
def person_permissions(
    context: dg.AssetExecutionContext,
    images: StageFrame,
    proxies: StageFrame,
    detections: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    people_rules: dg.ResourceParam[PeopleRules],
) -> dg.MaterializeResult[StageFrame]:
    """Hear the operator's word on each photo's source, and hints of minors."""
    frames = {"images": images, "proxies": proxies, "detections": detections}
    compute = each(partial(permit, rules=people_rules))
    return run_stage(context, bench, recipes["person_permissions"], frames, compute)


def permit(item: Item, *, rules: PeopleRules) -> list[Row]:
    """The row of one photo."""
    return [permission_row(item, rules)]
