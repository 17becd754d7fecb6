"""Upright sRGB working copies: the one place where originals are decoded."""

from functools import partial

import dagster as dg

from resources.decoder_pool import DecoderPool
from resources.manifest import Manifest
from resources.proxy_store import ProxyStore
from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import ImageRecord, Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.identity import path_of
from tagging_assets.domain.images import proxy_row
from tagging_assets.domain.stages import Recipes


@stage_asset("proxies", kinds={"pillow"})
def proxies(
    context: dg.AssetExecutionContext,
    images: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    manifest: dg.ResourceParam[Manifest],
    proxy_files: dg.ResourceParam[ProxyStore],
    decoders: dg.ResourceParam[DecoderPool],
) -> dg.MaterializeResult[StageFrame]:
    """Decode each photo once, keep its proxy, tell the manifest what its pixels are."""
    recipe = recipes["proxies"]
    limit = float(recipe.parts["max_megapixels"])
    compute = each(partial(make_proxy, proxy_files=proxy_files, decoders=decoders, max_megapixels=limit))
    # A record stands for its file: where somebody cleared the folder, stages below could never heal otherwise.
    bench.forget("proxies", context.partition_key, partial(is_lost, proxy_files=proxy_files))
    result = run_stage(context, bench, recipe, {"images": images}, compute)
    frame = result.value
    manifest.set_pixel_ids({one.image_id: one.rows[0]["pixel_id"] for one in frame.current if one.ok})
    return result


def is_lost(record: ImageRecord, *, proxy_files: ProxyStore) -> bool:
    """Whether the file that a record names is gone."""
    return not all(proxy_files.exists(row["path"]) for row in record.rows)


def make_proxy(item: Item, *, proxy_files: ProxyStore, decoders: DecoderPool, max_megapixels: float) -> list[Row]:
    """The proxy of one photo."""
    decoded = decoders.decode(path_of(item.row("images")["uri"]), max_megapixels=max_megapixels)
    pixel_id, path = proxy_files.put(decoded.pixels)
    return [proxy_row(item.image_id, pixel_id, path, decoded.pixels)]
