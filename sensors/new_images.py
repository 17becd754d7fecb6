"""Sees new, changed, moved and deleted photos in the watched folders and asks for exactly the runs needed."""

import dagster as dg

from resources.intake import Intake, cursor_from_looks, looks_from_cursor
from tagging_assets.assets.line import Line
from tagging_assets.assets.recipes import SourceVersions, observe_changed
from tagging_assets.jobs import tag_images
from tagging_assets.partitions import image_batches


@dg.sensor(
    name="new_images",
    job=tag_images,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes photos of the watched folders into the manifest and tags the batches they touch.",
)
def new_images(
    context: dg.SensorEvaluationContext,
    intake: dg.ResourceParam[Intake],
    line: dg.ResourceParam[Line],
    source_versions: dg.ResourceParam[SourceVersions],
) -> dg.SensorResult | dg.SkipReason:
    """Look, write down, ask for a run per batch that a run would change."""
    observe_changed(context.instance, source_versions)
    taken = intake.look(previous=looks_from_cursor(context.cursor))
    cursor = cursor_from_looks(taken.result.looks())
    # The newest batch is asked again: a tick that died after writing the manifest must lose nothing.
    touched = sorted({*taken.change.touched_batches, *line.manifest.batches()[-1:]})
    requests = [
        dg.RunRequest(run_key=f"{batch}/{line.version(batch)}", partition_key=batch)
        for batch in line.stale_batches(touched)
    ]
    if not requests:
        context.update_cursor(cursor)
        return dg.SkipReason(taken.summary)
    added = [request.partition_key for request in requests if request.partition_key]
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[image_batches.build_add_request(added)],
        cursor=cursor,
    )
