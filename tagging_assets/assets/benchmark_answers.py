"""What one contestant of an experiment answers about its photos."""

from collections import Counter

import dagster as dg

from resources.experiments import Experiments
from resources.interviews import NEEDS, Interviews
from tagging_assets.assets.benchmark import benchmark_asset, schema_result
from tagging_assets.domain.experiments import names_of
from tagging_assets.domain.hashing import rows_hash
from tagging_assets.domain.schemas import BENCHMARK_ANSWERS
from tagging_assets.partitions import contestants

#: What an answer says; when, how fast and for how much it was given is another matter.
_SAID = ("image_id", "repeat", "outcome", "tags", "outside", "pool")


@benchmark_asset(BENCHMARK_ANSWERS, contestants, kinds={"openai"}, deps=list(NEEDS), pool="llm")
def benchmark_answers(
    context: dg.AssetExecutionContext,
    experiments: dg.ResourceParam[Experiments],
    interviews: dg.ResourceParam[Interviews],
) -> dg.MaterializeResult[None]:
    """Ask about every photo; an answer that is none is a row too."""
    name, label = names_of(context.partition_key)
    experiment = experiments.get(name)
    configuration = experiment.configuration(label)
    rows = interviews.ask(experiment, configuration)
    costs = [row["cost_usd"] for row in rows]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "asked now": sum(row["asked"] for row in rows),
            "outcomes": dg.MetadataValue.json(dict(Counter(row["outcome"] for row in rows))),
            "cost of all answers, USD": "unknown" if None in costs else round(sum(costs), 6),
            "configuration": dg.MetadataValue.json(configuration.as_llm()),
        },
        data_version=dg.DataVersion(rows_hash([{name: row[name] for name in _SAID} for row in rows])),
        check_results=[schema_result(BENCHMARK_ANSWERS, rows)],
    )
