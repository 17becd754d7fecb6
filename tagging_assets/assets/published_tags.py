"""Tags as the world reads them: rows of Postgres, replaced by batch in one transaction, every change kept."""

from datetime import UTC, datetime

import dagster as dg

from resources.manifest import Manifest
from resources.publisher import Publisher
from resources.states import States
from tagging_assets.assets.stage import OWNER
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.staleness import PUBLISHED, state_of
from tagging_assets.partitions import image_batches
from tagging_assets.run_tags import operation_of


@dg.asset(
    partitions_def=image_batches,
    group_name="decision",
    description="One row per photo and tag that stands, in Postgres; what no longer stands is withdrawn, not erased.",
    code_version="2",
    owners=[OWNER],
    kinds={"postgres"},
)
def published_tags(
    context: dg.AssetExecutionContext,
    tags: StageFrame,
    manifest: dg.ResourceParam[Manifest],
    publisher: dg.ResourceParam[Publisher],
    states: dg.ResourceParam[States],
    recipes: dg.ResourceParam[Recipes],
) -> dg.MaterializeResult[None]:
    """Publish what was decided; withdraw the tags of photos that are gone."""
    batch, now = context.partition_key, datetime.now(UTC)
    # Of the op's context: the asset's own knows no run where the asset is called as a plain function.
    run = context.op_execution_context
    operation = operation_of(run.run_tags, run.run_id)
    gone = [ref.image_id for ref in manifest.images(batch) if ref.gone]
    decided = [record for record in tags.current if record.ok]
    done = publisher.publish(batch, decided, gone, now, run_id=run.run_id, operation=operation)
    above = {"tags": tags.version}
    states.keep(state_of(tags, batch, "", above, run_id=run.run_id, began=now, stage=PUBLISHED))
    states.settle(batch, recipes)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": done.live,
            "tags written": done.written,
            "tags withdrawn": done.withdrawn,
            "photos held by an undo": done.held,
            "operation": operation,
        }
    )
