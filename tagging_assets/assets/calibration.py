"""What raw scores are worth, learnt from people's decisions: above ``tags``, beside the catalogue's own word."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from resources.calibrations import Calibrations
from resources.reliability import reliability_markdown
from tagging_assets.assets.stage import OWNER
from tagging_assets.automation import decisions_changed
from tagging_assets.domain.fitted import Fitted
from tagging_assets.domain.printable import markdown_table
from tagging_assets.domain.teaching import Teacher


@dg.asset(
    group_name="decision",
    kinds={"python", "postgres"},
    owners=[OWNER],
    code_version="1",
    # Read from Postgres as they stand now; batches whose snapshot is older are no reason to wait.
    deps=[dg.AssetDep("decisions", partition_mapping=dg.AllPartitionMapping())],
    automation_condition=decisions_changed,
    description="One curve per source, model and category: what raw scores are worth, by accepted and rejected tags.",
)
def calibration(
    context: dg.AssetExecutionContext,
    calibrations: dg.ResourceParam[Calibrations],
    teacher: dg.ResourceParam[Teacher],
) -> dg.MaterializeResult[None]:
    """Fit, and put to use what came of it; with too few decisions nothing changes."""
    lessons = calibrations.lessons()
    fitted = teacher.teach(lessons)
    changed = calibrations.keep(fitted, context.op_execution_context.run_id, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={"decisions": len(lessons), "changed": changed, **told(fitted, teacher)},
        data_version=dg.DataVersion(fitted.hash),
    )


def told(fitted: Fitted, teacher: Teacher) -> Mapping[str, Any]:
    """What was fitted and what was refused, for people: tables and diagrams."""
    metadata: dict[str, Any] = {"fitted": len(fitted.fits), "refused": len(fitted.refused)}
    if fitted.fits:
        metadata["what was fitted"] = _table(
            ("source", "model", "category", "decisions", "right", "error before", "after", "threshold"),
            [
                (
                    *(one.source, one.model, ", ".join(one.serves), one.decisions, one.right),
                    *(f"{one.before.ece:.3f}", f"{one.after.ece:.3f}"),
                    "none" if one.threshold is None else f"{one.threshold.raw:.3f}",
                )
                for one in fitted.fits
            ],
        )
        metadata["reliability"] = dg.MetadataValue.md(
            reliability_markdown(fitted.fits, lambda one: teacher.pupils[(one.source, one.model)].curve)
        )
    if fitted.refused:
        metadata["what was refused"] = _table(
            ("source", "model", "category", "decisions", "why"),
            [(one.source, one.model, ", ".join(one.serves), one.decisions, one.why) for one in fitted.refused],
        )
    if not fitted.fits:
        metadata["nothing fitted"] = "the catalogue's calibrations stay; accept and reject more tags"
    return metadata


def _table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(markdown_table(columns, rows))
