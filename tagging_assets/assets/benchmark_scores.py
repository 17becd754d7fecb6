"""What the answers of an experiment are worth, tag by tag."""

from datetime import UTC, datetime

import dagster as dg

from resources.experiments import Experiments
from resources.row_store import RowStore
from resources.scoreboards import Scoreboards
from tagging_assets.assets.benchmark import benchmark_asset, schema_result
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.printable import markdown_list
from tagging_assets.domain.schemas import BENCHMARK_SCORES
from tagging_assets.domain.standings_text import standings_markdown
from tagging_assets.partitions import experiments as by_experiment


@benchmark_asset(BENCHMARK_SCORES, by_experiment, kinds={"python"}, deps=["benchmark_answers"])
def benchmark_scores(
    context: dg.AssetExecutionContext,
    experiments: dg.ResourceParam[Experiments],
    scoreboards: dg.ResourceParam[Scoreboards],
    benchmark_rows: dg.ResourceParam[RowStore],
) -> dg.MaterializeResult[None]:
    """Score with the marks, decisions and votes of now."""
    board = scoreboards.make(experiments.get(context.partition_key), datetime.now(UTC))
    rows = benchmark_rows.read(BENCHMARK_SCORES, board.experiment)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "photos": len(board.photos),
            "standings": dg.MetadataValue.md(standings_markdown(board)),
            "notes": dg.MetadataValue.md(markdown_list(board.notes) or "none"),
        },
        data_version=dg.DataVersion(content_hash(rows)),
        check_results=[schema_result(BENCHMARK_SCORES, rows)],
    )
