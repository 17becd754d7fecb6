"""Named jobs, so that runs read as what they are in the Dagster UI."""

import dagster as dg

#: How many steps of all runs may be in each pool at once: models share a GPU badly, chat servers share well.
POOL_LIMITS = {"gpu": 1, "llm": 4}

#: The whole line over one batch of photos. In-process: a process per step would load every model anew.
tag_images = dg.define_asset_job(
    "tag_images",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.groups("recipes", "benchmark", "models")
    - dg.AssetSelection.assets("calibration"),
    executor_def=dg.in_process_executor,
    description="Tag a batch of photos: compute what is missing or stale, keep the rest.",
)

#: What raw scores are worth, learnt from decisions; tags are made anew by the line, as after any other change.
calibrate = dg.define_asset_job(
    "calibrate",
    selection=dg.AssetSelection.assets("calibration"),
    executor_def=dg.in_process_executor,
    description="Fit calibrations and thresholds to accepted and rejected tags.",
)

#: One model, from its checkpoint; the line uses it once it is proved.
export_models = dg.define_asset_job(
    "export_models",
    selection=dg.AssetSelection.assets("exported_models"),
    executor_def=dg.in_process_executor,
    description="Make ONNX files of a model's checkpoint, and compare them with the library they come from.",
)

#: One model in one precision; used once tagging.yaml says so.
quantise_models = dg.define_asset_job(
    "quantise_models",
    selection=dg.AssetSelection.assets("quantised_models"),
    executor_def=dg.in_process_executor,
    description="Make a model faster by the project's own photos, and compare it with fp32 on others.",
)

#: One contestant of an experiment about all its photos.
ask_benchmark = dg.define_asset_job(
    "ask_benchmark",
    selection=dg.AssetSelection.assets("benchmark_answers"),
    executor_def=dg.in_process_executor,
    description="Ask one contestant of an experiment; what was answered before comes from the ledger.",
)

#: All contestants of an experiment, from what they answered.
score_benchmark = dg.define_asset_job(
    "score_benchmark",
    selection=dg.AssetSelection.assets("benchmark_scores", "benchmark_reports"),
    executor_def=dg.in_process_executor,
    description="Score an experiment's answers with the marks and votes of now, and write its reports.",
)


def set_pool_limits(instance: dg.DagsterInstance) -> None:
    """Give the pools of an instance their limits; dagster.yaml can only state one for all of them."""
    storage = instance.event_log_storage
    for pool, limit in POOL_LIMITS.items():
        if storage.get_concurrency_info(pool).slot_count != limit:
            storage.set_concurrency_slots(pool, limit)
