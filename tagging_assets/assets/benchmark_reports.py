"""The reports of an experiment: a page, a workbook, a PDF and plots."""

import base64

import dagster as dg

from resources.experiments import Experiments
from resources.scoreboards import Scoreboards
from tagging_assets.assets.stage import OWNER
from tagging_assets.domain.standings_text import standings_markdown
from tagging_assets.partitions import experiments as by_experiment

#: Larger pictures would bloat Dagster's event log.
_LARGEST_PICTURE = 300_000


@dg.asset(
    partitions_def=by_experiment,
    group_name="benchmark",
    description="One folder per experiment: page, workbook, PDF and plots of its scoreboard.",
    owners=[OWNER],
    kinds={"python", "matplotlib"},
    deps=["benchmark_scores"],
)
def benchmark_reports(
    context: dg.AssetExecutionContext,
    experiments: dg.ResourceParam[Experiments],
    scoreboards: dg.ResourceParam[Scoreboards],
) -> dg.MaterializeResult[None]:
    """Write every report, each whole or not at all."""
    experiment = experiments.get(context.partition_key)
    written = scoreboards.report(experiment)
    plots = {path.stem: path.read_bytes() for path in written if path.suffix == ".png"}
    return dg.MaterializeResult(
        metadata={
            "standings": dg.MetadataValue.md(standings_markdown(scoreboards.read(experiment.name))),
            **{path.name: dg.MetadataValue.path(path) for path in written},
            **{
                name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(data).decode()})")
                for name, data in plots.items()
                if len(data) <= _LARGEST_PICTURE
            },
        }
    )
