"""Named jobs, so that runs read as what they are in the Dagster UI."""

import dagster as dg

#: The whole line over one batch of photos. In-process: a process per step would load every model anew.
tag_images = dg.define_asset_job(
    "tag_images",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("recipes"),
    executor_def=dg.in_process_executor,
    description="Tag a batch of photos: compute what is missing or stale, keep the rest.",
)
