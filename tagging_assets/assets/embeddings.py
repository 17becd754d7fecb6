"""Vectors of the photo: whole, and parts of it. People in it have a stage of their own, so that another detector
leaves these alone.
"""  # noqa: D205

from functools import partial

import dagster as dg

from resources.proxy_store import ProxyStore
from resources.workbench import Workbench
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.assets.views import View, crop, embed
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.models import ImageEncoder
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.zero_shot import VIEWS, WHOLE, views


@stage_asset("embeddings", kinds={"onnx"}, above=["image_encoder"], pool="gpu")
def embeddings(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    proxy_files: dg.ResourceParam[ProxyStore],
    encoder: dg.ResourceParam[ImageEncoder],
) -> dg.MaterializeResult[StageFrame]:
    """Encode the views of each photo."""
    close_ups = encoder.card.parameters.get(VIEWS) != WHOLE
    load = partial(photo_views, proxy_files=proxy_files, close_ups=close_ups)
    compute = partial(embed, encoder=encoder, load=load)
    return run_stage(context, bench, recipes["embeddings"], {"proxies": proxies}, compute, model=encoder)


def photo_views(item: Item, *, proxy_files: ProxyStore, close_ups: bool = True) -> list[View]:
    """What of a photo is encoded."""
    image = proxy_files.load(item.row("proxies")["path"])
    height, width = image.shape[:2]
    return [View("image", name, crop(image, box)) for name, box in views(width, height, close_ups=close_ups)]
