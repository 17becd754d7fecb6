"""Boxes of possible people and things: raw detector scores above a low floor. No decision is made here."""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from resources.gallery import Gallery
from resources.proxy_store import ProxyStore
from resources.workbench import Outcome, Workbench, together
from tagging_assets.assets.pictures import contact_sheet, histogram
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.models import Detection, Detector
from tagging_assets.domain.policy import refused
from tagging_assets.domain.stages import Recipes


@stage_asset("detections", kinds={"onnx"}, above=["person_detector"], pool="gpu")
def detections(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    gallery: dg.ResourceParam[Gallery],
    proxy_files: dg.ResourceParam[ProxyStore],
    detector: dg.ResourceParam[Detector],
) -> dg.MaterializeResult[StageFrame]:
    """Find people and things in proxies."""
    compute = partial(detect, detector=detector, proxy_files=proxy_files)
    return run_stage(
        context,
        bench,
        recipes["detections"],
        {"proxies": proxies},
        compute,
        model=detector,
        show=lambda frame: {**contact_sheet(gallery, context.partition_key, frame), **histogram(frame)},
    )


def detect(items: Sequence[Item], *, detector: Detector, proxy_files: ProxyStore) -> list[Outcome]:
    """Boxes of a chunk of images, best first; a proxy that is gone is that image's own error.

    Labels that the policy forbids are not even stored.
    """
    return together(
        items,
        lambda item: proxy_files.load(item.row("proxies")["path"]),
        lambda images: map(_rows, detector.detect(images)),
    )


def _rows(boxes: Sequence[Detection]) -> list[Row]:
    return [
        {
            "detection_id": number,
            "label": box.label,
            **dict(zip(("x0", "y0", "x1", "y1"), box.box_xyxy, strict=True)),
            "score": box.score,
        }
        for number, box in enumerate(box for box in boxes if refused(box.label) is None)
    ]
