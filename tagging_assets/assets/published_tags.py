"""Tags as the world reads them: rows of Postgres, replaced by batch in one transaction."""

from datetime import UTC, datetime

import dagster as dg

from resources.manifest import Manifest
from resources.publisher import Publisher
from tagging_assets.assets.stage import OWNER
from tagging_assets.domain.frames import StageFrame
from tagging_assets.partitions import image_batches


@dg.asset(
    partitions_def=image_batches,
    group_name="decision",
    description="One row per photo and tag that stands, in Postgres; what no longer stands is withdrawn, not erased.",
    code_version="1",
    owners=[OWNER],
    kinds={"postgres"},
)
def published_tags(
    context: dg.AssetExecutionContext,
    tags: StageFrame,
    manifest: dg.ResourceParam[Manifest],
    publisher: dg.ResourceParam[Publisher],
) -> dg.MaterializeResult[None]:
    """Publish what was decided; withdraw the tags of photos that are gone."""
    batch = context.partition_key
    gone = [ref.image_id for ref in manifest.images(batch) if ref.gone]
    done = publisher.publish(batch, [record for record in tags.current if record.ok], gone, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={"dagster/row_count": done.live, "tags written": done.written, "tags withdrawn": done.withdrawn}
    )
