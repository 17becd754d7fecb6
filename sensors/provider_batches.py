"""Hands waiting questions to providers' batch APIs, collects the answers, and has them used at once.

What is to be run is told from what was collected and when each image batch was last run, so nothing is lost where a
tick dies between collecting and asking for runs.
"""

from datetime import UTC, datetime

import dagster as dg

from resources.claims import Claims
from resources.database import Database
from resources.provider_batches import ProviderBatches
from tagging_assets import run_tags
from tagging_assets.assets.runs import batches_under_way
from tagging_assets.domain.provider_batches import News, heard
from tagging_assets.domain.retrying import Retrying
from tagging_assets.jobs import tag_images
from tagging_assets.partitions import image_batches
from tagging_assets.settings import Retag

NAME = "provider_batches"


@dg.sensor(
    name=NAME,
    job=tag_images,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Submits, polls and collects providers' batches; asks for runs over image batches that waited.",
)
def provider_batches(
    context: dg.SensorEvaluationContext,
    provider_batches: dg.ResourceParam[ProviderBatches],
    claims: dg.ResourceParam[Claims],
    database: dg.ResourceParam[Database],
    retag_limits: dg.ResourceParam[Retag],
) -> dg.SensorResult | dg.SkipReason:
    """Work, then ask for runs where there is news."""
    worked = provider_batches.work()
    news = provider_batches.news()
    now = datetime.now(UTC)

    def claim(one: News) -> bool:
        return bool(claims.take({one.batch: one.run_key}, by=f"sensor {NAME}", now=now))

    under_way = batches_under_way(context.instance, database) if news else set()
    chosen = heard(news, under_way, retag_limits.batches_at_once, claim)
    if not chosen:
        return dg.SkipReason(worked.says)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(one.run_key, partition_key=one.batch, tags={run_tags.RETRYING: Retrying.NOW.value})
            for one in chosen
        ],
        dynamic_partitions_requests=[image_batches.build_add_request([one.batch for one in chosen])],
    )
