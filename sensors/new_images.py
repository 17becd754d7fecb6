"""Sees new, changed, moved and deleted photos in the watched folders and asks for exactly the runs needed."""

from datetime import UTC, datetime

import dagster as dg

from resources.claims import Claims
from resources.database import Database
from resources.intake import Intake, cursor_from_looks, looks_from_cursor
from tagging_assets.assets.line import Line
from tagging_assets.assets.recipes import SourceVersions, observe_changed
from tagging_assets.assets.runs import batches_under_way
from tagging_assets.jobs import tag_images
from tagging_assets.partitions import image_batches

NAME = "new_images"


@dg.sensor(
    name=NAME,
    job=tag_images,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes photos of the watched folders into the manifest and tags the batches they touch.",
)
def new_images(
    context: dg.SensorEvaluationContext,
    intake: dg.ResourceParam[Intake],
    line: dg.ResourceParam[Line],
    claims: dg.ResourceParam[Claims],
    database: dg.ResourceParam[Database],
    source_versions: dg.ResourceParam[SourceVersions],
) -> dg.SensorResult | dg.SkipReason:
    """Look, write down, ask for a run per batch that a run would change."""
    observe_changed(context.instance, source_versions)
    taken = intake.watch(previous=looks_from_cursor(context.cursor))
    cursor = cursor_from_looks(taken.looks)
    # The newest batch is asked again: a tick that died after writing the manifest must lose nothing. What a changed
    # recipe makes stale is left to the sweep, which has a budget.
    touched = sorted({*taken.change.touched_batches, *line.with_news(line.manifest.batches()[-1:])})
    now = datetime.now(UTC)
    under_way = batches_under_way(context.instance, database)
    stale = [batch for batch in line.stale_batches(touched, now=now) if batch not in under_way]
    asked = claims.take(line.versions(stale), by=f"sensor {NAME}", now=now)
    if not asked:
        context.update_cursor(cursor)
        return dg.SkipReason(taken.summary)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=batch) for batch in asked],
        dynamic_partitions_requests=[image_batches.build_add_request(asked)],
        cursor=cursor,
    )
