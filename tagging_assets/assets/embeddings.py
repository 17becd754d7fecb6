"""Vectors of views: the whole photo, crops of it and, where people may be looked at, the people in it."""

from collections.abc import Sequence
from functools import partial

import dagster as dg
import numpy as np

from resources.proxy_store import ProxyStore
from resources.workbench import Outcome, Workbench, together
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.geometry import crop_xyxy
from tagging_assets.domain.models import Box, ImageEncoder, RgbImage, Vectors
from tagging_assets.domain.stages import Recipes
from tagging_assets.domain.zero_shot import views

#: Boxes below this are not worth a vector: hardly one of them turns out to be a person.
PERSON_VIEW_FLOOR = 0.4

#: A view of one photo: whose, which, and its pixels.
View = tuple[str, str, RgbImage]


@stage_asset("embeddings", kinds={"onnx"}, above=["image_encoder"], pool="gpu")
def embeddings(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    detections: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    proxy_files: dg.ResourceParam[ProxyStore],
    encoder: dg.ResourceParam[ImageEncoder],
) -> dg.MaterializeResult[StageFrame]:
    """Encode the views of each photo."""
    recipe = recipes["embeddings"]
    compute = partial(embed, encoder=encoder, proxy_files=proxy_files, people=bool(recipe.parts["person_views"]))
    frames = {"proxies": proxies, "detections": detections}
    return run_stage(context, bench, recipe, frames, compute, model=encoder)


def embed(items: Sequence[Item], *, encoder: ImageEncoder, proxy_files: ProxyStore, people: bool) -> list[Outcome]:
    """Rows of a chunk of photos; all their views go through the encoder together."""

    def encode(photos: Sequence[list[View]]) -> list[list[Row]]:
        vectors = iter(encoder.encode([pixels for views_of_one in photos for _, _, pixels in views_of_one]))
        return [[_row(view, next(vectors)) for view in views_of_one] for views_of_one in photos]

    return together(items, partial(photo_views, proxy_files=proxy_files, people=people), encode)


def photo_views(item: Item, *, proxy_files: ProxyStore, people: bool) -> list[View]:
    """What of a photo is encoded."""
    image = proxy_files.load(item.row("proxies")["path"])
    height, width = image.shape[:2]
    boxes: list[tuple[str, str, Box]] = [("image", name, box) for name, box in views(width, height)]
    if people:
        boxes += [
            (str(row["detection_id"]), "whole", (row["x0"], row["y0"], row["x1"], row["y1"]))
            for row in item.rows("detections")
            if row["score"] >= PERSON_VIEW_FLOOR
        ]
    return [(subject, view, _crop(image, box)) for subject, view, box in boxes]


def _crop(image: RgbImage, box: Box) -> RgbImage:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = crop_xyxy(box, width, height, margin=0.0)
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def _row(view: View, vector: Vectors) -> Row:
    norm = float(np.linalg.norm(vector)) or 1.0
    return {"subject": view[0], "view": view[1], "norm": norm, "vector": (vector / norm).tolist()}
