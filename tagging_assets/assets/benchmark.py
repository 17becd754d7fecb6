"""What the assets of experiments share: how they are declared, and their rows checked.

What does not belong here: asking, scoring and drawing (``resources``).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from resources.row_store import row_problems
from tagging_assets.assets.stage import OWNER
from tagging_assets.domain.schemas import Table

#: Named in the result of every asset whose rows are checked.
SCHEMA = "schema"


def benchmark_asset(
    table: Table,
    partitions: dg.PartitionsDefinition[str],
    *,
    kinds: set[str],
    deps: Sequence[str],
    pool: str | None = None,
) -> Callable[[Callable[..., dg.MaterializeResult[None]]], dg.AssetsDefinition]:
    """Declare the asset that makes a table of experiments.

    Args:
        table: what it makes; its grain is the description.
        partitions: experiments, or their contestants.
        kinds: what it is made with, shown as badges.
        deps: assets that it reads all of, whatever their partitions.
        pool: Dagster pool that limits how many run at once.
    """
    asset = dg.asset(
        name=table.name,
        partitions_def=partitions,
        group_name="benchmark",
        description=f"One row per {table.grain}.",
        owners=[OWNER],
        kinds={*kinds, "parquet"},
        deps=[dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in deps],
        pool=pool,
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(column, str(dtype)) for column, dtype in table.columns.items()]
            )
        },
        check_specs=[
            dg.AssetCheckSpec(
                SCHEMA, asset=table.name, description="Columns as declared, keys present and unique.", blocking=True
            )
        ],
    )

    def declare(function: Callable[..., dg.MaterializeResult[None]]) -> dg.AssetsDefinition:
        # An asset with checks has several outputs, and Dagster would have the annotation name each of them.
        function.__annotations__.pop("return", None)
        return asset(function)

    return declare


def schema_result(table: Table, rows: Sequence[Mapping[str, Any]]) -> dg.AssetCheckResult:
    """Whether rows have the form that the schema table says."""
    problems = row_problems(table, rows)
    return dg.AssetCheckResult(
        check_name=SCHEMA,
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(problems) or "as it should be",
        metadata={"problems": len(problems)},
    )
