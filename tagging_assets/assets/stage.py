"""What all stages share: how an asset of the line is declared, and how its run is told to people.

What does not belong here: what any one stage computes.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from resources.ran_on import fell_back
from resources.workbench import Compute, StageRun, Workbench
from tagging_assets.domain.checks import descriptions_of, problems_of, set_aside_by
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.freshness import Item, Recipe
from tagging_assets.domain.models import Model
from tagging_assets.domain.printable import markdown_list
from tagging_assets.domain.stages import STAGES
from tagging_assets.partitions import image_batches
from tagging_assets.run_tags import retrying_of

OWNER = "team:tagging"

AssetFunction = Callable[..., dg.MaterializeResult[StageFrame]]


def stage_asset(
    name: str,
    *,
    kinds: set[str],
    above: Sequence[str] = (),
    beside: Sequence[str] = (),
    pool: str | None = None,
) -> Callable[[AssetFunction], dg.AssetsDefinition]:
    """Declare the asset of a stage: name, grain, group and dependencies come from the stage's own entry.

    Args:
        name: of the stage.
        kinds: what it is made with, shown as badges.
        above: external recipe assets it depends on (see ``assets/recipes.py``).
        beside: assets it depends on that are no stages; what they say is part of its recipe.
        pool: Dagster pool that limits how many run at once.
    """
    stage = STAGES[name]
    asset = dg.asset(
        name=name,
        partitions_def=image_batches,
        group_name=stage.group,
        description=f"One row per {stage.table.grain}.",
        code_version=stage.code_version,
        owners=[OWNER],
        kinds={*kinds, "parquet"},
        deps=[*(dg.AssetKey(["recipes", one]) for one in above), *map(dg.AssetKey, beside)],
        pool=pool,
        io_manager_key="frames",
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(column, str(dtype)) for column, dtype in stage.table.columns.items()]
            )
        },
        # Checked in the step that made it: a step of its own would read the partition again, for every check.
        check_specs=[
            dg.AssetCheckSpec(check, asset=name, description=said, blocking=True)
            for check, said in descriptions_of(name).items()
        ],
    )

    def declare(function: AssetFunction) -> dg.AssetsDefinition:
        # An asset with checks has several outputs, and Dagster would have the annotation name each of them.
        function.__annotations__.pop("return", None)
        return asset(function)

    return declare


def run_stage(
    context: dg.AssetExecutionContext,
    bench: Workbench,
    recipe: Recipe,
    frames: Mapping[str, StageFrame],
    compute: Compute,
    *,
    model: Model | None = None,
    items: Sequence[Item] | None = None,
    seen: Mapping[str, str] | None = None,
    threads: int | None = None,
    show: Callable[[StageFrame], Mapping[str, Any]] = lambda _frame: {},
) -> dg.MaterializeResult[StageFrame]:
    """Run the stage that ``recipe`` names over the context's partition and report it to Dagster.

    Args:
        context: of the asset.
        bench: runs it.
        recipe: how rows are made now.
        frames: the stages above, by table.
        compute: what the stage does with a chunk of images.
        model: asked, after the run, what it really ran on.
        items: the images, where they do not come from ``frames``.
        seen: versions of what ``items`` were made from, by name.
        threads: chunks computed at once; the workbench's own number by default.
        show: further metadata for people, from the finished frame.
    """
    # Of the op's context: the asset's own knows no run where the asset is called as a plain function.
    run_id = context.op_execution_context.run_id
    retrying = retrying_of(context.op_execution_context.run_tags)
    run = bench.run(
        recipe.stage,
        context.partition_key,
        run_id,
        recipe,
        frames,
        compute,
        items,
        seen=seen,
        retrying=retrying,
        threads=threads,
    )
    metadata = {
        **_told(run),
        "recipe": dg.MetadataValue.json(recipe.body),
        "recipe hash": recipe.hash,
        **show(run.frame),
    }
    if model is not None:
        metadata["execution provider"] = model.provider
        bench.keep_provider(recipe.stage, model.provider)
        if fell_back(model.provider):
            context.log.warning(f"{recipe.stage} is slower than it could be: it ran on {model.provider}")
    return dg.MaterializeResult(
        value=run.frame,
        metadata=metadata,
        data_version=dg.DataVersion(run.frame.version),
        check_results=[
            _checked(check, found, set_aside_by(check, run.frame))
            for check, found in problems_of(recipe.stage, run.frame).items()
        ],
    )


def _checked(check: str, problems: Sequence[str], aside: Sequence[str]) -> dg.AssetCheckResult:
    """What is in the rows stops the batch; images that were set aside do not, and are told all the same."""
    return dg.AssetCheckResult(
        check_name=check,
        passed=not (problems or aside),
        severity=dg.AssetCheckSeverity.ERROR if problems else dg.AssetCheckSeverity.WARN,
        description="; ".join([*problems, *aside][:5]) or "as it should be",
        metadata={"problems": len(problems), "images set aside": len(aside)},
    )


def _told(run: StageRun) -> dict[str, Any]:
    current = run.frame.current
    failures = Counter(record.error_kind or "" for record in current if not record.ok)
    told: dict[str, Any] = {
        "dagster/row_count": sum(len(record.rows) for record in current),
        "images": len(current),
        "images computed": run.computed,
        "images kept": len(run.plan.keep),
        "why": dg.MetadataValue.json(dict(Counter(str(why) for why in run.plan.why.values()))),
    }
    if run.computed:
        told["seconds per image"] = round(run.seconds / run.computed, 4)
    if failures:
        told["failures by kind"] = dg.MetadataValue.json(dict(failures))
        told["failed"] = dg.MetadataValue.md(
            markdown_list(f"{record.image_id} {record.error}" for record in current if not record.ok)
        )
    return told
