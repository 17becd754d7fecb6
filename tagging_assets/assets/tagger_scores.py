"""Raw scores of a tagger over its own vocabulary, above 0.05. No decision is made here."""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from resources.proxy_store import ProxyStore
from resources.workbench import Outcome, Workbench, together
from tagging_assets.assets.pictures import histogram
from tagging_assets.assets.stage import run_stage, stage_asset
from tagging_assets.domain.booru import CHARACTER
from tagging_assets.domain.frames import Row, StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.models import LabelScore, Tagger
from tagging_assets.domain.policy import describes_people, refused
from tagging_assets.domain.stages import Recipes


@stage_asset("tagger_scores", kinds={"onnx"}, above=["tagger"], pool="gpu")
def tagger_scores(
    context: dg.AssetExecutionContext,
    proxies: StageFrame,
    bench: dg.ResourceParam[Workbench],
    recipes: dg.ResourceParam[Recipes],
    proxy_files: dg.ResourceParam[ProxyStore],
    tagger: dg.ResourceParam[Tagger],
) -> dg.MaterializeResult[StageFrame]:
    """Score each photo."""
    recipe = recipes["tagger_scores"]
    # Recipes of taggers that know things only do not speak of people.
    people = bool(recipe.parts.get("people_allowed", True))
    compute = partial(tag, tagger=tagger, proxy_files=proxy_files, people=people)
    frames = {"proxies": proxies}
    return run_stage(context, bench, recipe, frames, compute, model=tagger, show=histogram)


def tag(items: Sequence[Item], *, tagger: Tagger, proxy_files: ProxyStore, people: bool = True) -> list[Outcome]:
    """Scores of a chunk of photos; labels that the policy forbids are not even stored.

    Args:
        items: photos.
        tagger: scores them.
        proxy_files: where their pictures are.
        people: whether labels that describe people may be stored.
    """
    return together(
        items,
        lambda item: proxy_files.load(item.row("proxies")["path"]),
        lambda images: (_rows(scores, people=people) for scores in tagger.tag(images)),
    )


def _rows(scores: Sequence[LabelScore], *, people: bool) -> list[Row]:
    return [
        {"label": one.label, "category": one.category, "score": one.score}
        for one in scores
        if refused(one.label) is None and (people or not _is_of_people(one))
    ]


def _is_of_people(one: LabelScore) -> bool:
    # A character is somebody, by name.
    return one.category == CHARACTER or describes_people(one.label)
