"""What a chat model suggests, from what was seen and the caption, within the allowed tags."""

import dagster as dg

from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.asking import Asker
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.stages import Recipes


@stage_asset("llm_tag_suggestions", kinds={"openai"}, above=["chat_model", "prompts", "label_sets"], pool="llm")
def llm_tag_suggestions(
    context: dg.AssetExecutionContext,
    images: StageFrame,
    proxies: StageFrame,
    landmarks: StageFrame,
    embeddings: StageFrame,
    zero_shot_scores: StageFrame,
    tagger_scores: StageFrame,
    captions: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    asker: dg.ResourceParam[Asker],
) -> dg.MaterializeResult[StageFrame]:
    """Ask once per photo; an answer that is none leaves the other sources in place."""
    frames = {
        "images": images,
        "proxies": proxies,
        "landmarks": landmarks,
        "embeddings": embeddings,
        "zero_shot_scores": zero_shot_scores,
        "tagger_scores": tagger_scores,
        "captions": captions,
    }
    recipe = recipes["llm_tag_suggestions"]
    return run_stage(context, bench, recipe, frames, each(asker.ask), model=asker.chat, threads=asker.threads)
