"""Pose, face and silhouette in every box of a person, and one calibrated score of how likely a person is in it."""

from functools import partial

import dagster as dg

from resources.proxy_store import ProxyStore
from resources.workbench import Workbench, each
from tagging_assets.assets.pictures import histogram
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.landmarks import landmark_rows
from tagging_assets.domain.models import PERSON_LABEL, Landmarker
from tagging_assets.domain.permissions import may_describe
from tagging_assets.domain.person import EMBEDDED_WEIGHING, Weighing
from tagging_assets.domain.stages import Recipes


@stage_asset("landmarks", kinds={"mediapipe"}, above=["landmarker"], pool="gpu")
def landmarks(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    detections: StageFrame,
    person_permissions: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    proxy_files: dg.ResourceParam[ProxyStore],
    landmarker: dg.ResourceParam[Landmarker],
) -> dg.MaterializeResult[StageFrame]:
    """Look at each box; points are kept only where people may be measured."""
    recipe = recipes["landmarks"]
    keep_points = bool(recipe.parts["keep_points"])
    compute = partial(
        look,
        landmarker=landmarker,
        proxy_files=proxy_files,
        keep_points=keep_points,
        weighing=recipe.parts.get("weighing", EMBEDDED_WEIGHING),
    )
    frames = {"proxies": proxies, "detections": detections, "person_permissions": person_permissions}
    return run_stage(
        context,
        bench,
        recipe,
        frames,
        each(compute),
        model=landmarker,
        show=lambda frame: histogram(frame, "person_score"),
    )


def look(
    item: Item,
    *,
    landmarker: Landmarker,
    proxy_files: ProxyStore,
    keep_points: bool,
    weighing: Weighing = EMBEDDED_WEIGHING,
) -> list[Row]:
    """Rows of one photo, one per box of a possible person."""
    boxes = [row for row in item.rows("detections") if row["label"] == PERSON_LABEL]
    if not boxes:
        return []
    keep_points = keep_points and may_describe(item)
    image = proxy_files.load(item.row("proxies")["path"])
    return list(landmark_rows(image, boxes, landmarker, keep_points=keep_points, weighing=weighing))
