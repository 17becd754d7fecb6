"""What people say about the tags of a batch, as it stands: a snapshot, so that tags are made from what is kept."""

from collections.abc import Mapping, Sequence
from functools import partial

import dagster as dg

from resources.decisions import Decisions
from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.staleness import DECISIONS
from tagging_assets.domain.verdicts import StandingVerdict

#: Verdicts that hold, by image.
Standing = Mapping[str, Sequence[StandingVerdict]]


@stage_asset("decisions", kinds={"postgres"})
def decisions(
    context: dg.AssetExecutionContext,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    decisions: dg.ResourceParam[Decisions],
) -> dg.MaterializeResult[StageFrame]:
    """Take down the verdicts that hold now."""
    # Asked before the verdicts: one that is given in between is then seen as not seen, and a run more finds it.
    seen = {DECISIONS: str(decisions.revision(context.partition_key))}
    standing = decisions.standing(context.partition_key)
    compute = each(partial(take_down, standing=standing))
    return run_stage(context, bench, recipes["decisions"], {}, compute, items=decision_items(standing), seen=seen)


def decision_items(standing: Standing) -> list[Item]:
    """Items of the stage: photos about which anything holds. With its last verdict a photo leaves the table."""
    return [
        Item(image_id, content_hash([one.row(image_id) for one in verdicts])) for image_id, verdicts in standing.items()
    ]


def take_down(item: Item, *, standing: Standing) -> list[Row]:
    """The rows of one photo."""
    return [one.row(item.image_id) for one in standing[item.image_id]]
