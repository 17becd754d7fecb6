"""What a chat model says about the photo in words: kept as it is, and merged with what was seen where so asked."""

import dagster as dg

from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.stages import Recipes


@stage_asset("captions", kinds={"openai"}, above=["chat_model", "prompts"], pool="llm")
def captions(
    context: dg.AssetExecutionContext,
    images: StageFrame,
    proxies: StageFrame,
    embeddings: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    asker: dg.ResourceParam[Asker],
) -> dg.MaterializeResult[StageFrame]:
    """Ask for words once per photo, where the settings want them; they fail no photo."""
    frames = {"images": images, "proxies": proxies, "embeddings": embeddings}
    return run_stage(context, bench, recipes["captions"], frames, each(asker.describe), threads=asker.threads)
