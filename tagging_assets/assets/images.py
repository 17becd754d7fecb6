"""Photos as they are: where they lie, what their bytes and their header say. Nothing is decoded here."""

from collections.abc import Mapping, Sequence
from functools import partial

import dagster as dg

from resources.decoder_pool import DecoderPool
from resources.manifest import ImageRef, Manifest
from resources.photo_folder import read_image_row
from resources.workbench import Workbench, each
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.staleness import PHOTOS


@stage_asset("images", kinds={"python"})
def images(
    context: dg.AssetExecutionContext,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    manifest: dg.ResourceParam[Manifest],
    decoders: dg.ResourceParam[DecoderPool],
) -> dg.MaterializeResult[StageFrame]:
    """Read headers, captions, keywords and sidecars of the batch's photos."""
    # Asked before the photos: what changes in between is then seen as not seen, and a run more finds it.
    batch = manifest.batch(context.partition_key)
    seen = {PHOTOS: str(batch.revision if batch else 0)}
    refs = manifest.images(context.partition_key)
    recipe = recipes["images"]
    limit = float(recipe.parts["max_megapixels"])
    known = {ref.image_id: ref for ref in refs}
    compute = each(partial(describe, refs=known, decoders=decoders, max_megapixels=limit))
    return run_stage(context, bench, recipe, {}, compute, items=image_items(refs), seen=seen)


def image_items(refs: Sequence[ImageRef]) -> list[Item]:
    """Items of the first stage: photos that are there; a move, new bytes or a new sidecar makes them stale."""
    return [
        Item(ref.image_id, content_hash([ref.uri, ref.content_hash, ref.sidecar_mtime_ns]))
        for ref in refs
        if not ref.gone
    ]


def describe(item: Item, *, refs: Mapping[str, ImageRef], decoders: DecoderPool, max_megapixels: float) -> list[Row]:
    """The row of one photo."""
    return [read_image_row(refs[item.image_id], decoders, max_megapixels=max_megapixels)]
