"""The Dagster code location: everything, listed by name.

Nothing here can be configured: a run says which assets it is about and which partition, and what they work with is
decided by the settings and the database that the environment of the process names.
"""

from collections.abc import Mapping

import dagster as dg

from resources.catalogue import Catalogue
from resources.exporting import exportable
from resources.frame_io import FrameIOManager
from resources.toolbox import TOOLS, Toolbox
from resources.toolbox_resource import toolbox_of_environment
from resources.weights import WeightsStore
from sensors.new_images import new_images
from sensors.provider_batches import provider_batches
from sensors.retag import retag
from tagging_assets.assets.benchmark_answers import benchmark_answers
from tagging_assets.assets.benchmark_reports import benchmark_reports
from tagging_assets.assets.benchmark_scores import benchmark_scores
from tagging_assets.assets.body_features import body_features
from tagging_assets.assets.calibration import calibration
from tagging_assets.assets.captions import captions
from tagging_assets.assets.decisions import decisions
from tagging_assets.assets.detections import detections
from tagging_assets.assets.embeddings import embeddings
from tagging_assets.assets.exported_models import exported_models
from tagging_assets.assets.images import images
from tagging_assets.assets.landmarks import landmarks
from tagging_assets.assets.line import Line
from tagging_assets.assets.llm_tag_suggestions import llm_tag_suggestions
from tagging_assets.assets.person_embeddings import person_embeddings
from tagging_assets.assets.person_permissions import person_permissions
from tagging_assets.assets.proxies import proxies
from tagging_assets.assets.published_tags import published_tags
from tagging_assets.assets.quantised_models import quantisable, quantised_models
from tagging_assets.assets.recipes import recipe_sources
from tagging_assets.assets.tagger_scores import tagger_scores
from tagging_assets.assets.tags import tags
from tagging_assets.assets.zero_shot_scores import zero_shot_scores
from tagging_assets.automation import automation
from tagging_assets.jobs import (
    ask_benchmark,
    calibrate,
    export_models,
    quantise_models,
    score_benchmark,
    tag_images,
)

STAGE_ASSETS = [
    images,
    proxies,
    detections,
    person_permissions,
    landmarks,
    body_features,
    person_embeddings,
    embeddings,
    zero_shot_scores,
    tagger_scores,
    captions,
    llm_tag_suggestions,
    decisions,
    tags,
    published_tags,
]

#: What may be said about a resource in the configuration of a run. Without it Dagster takes anything, and keeps it.
NOTHING: Mapping[str, object] = {}

#: Experiments: beside the line, each with partitions of its own.
BENCHMARK_ASSETS = [benchmark_answers, benchmark_scores, benchmark_reports]


def build_defs(*, resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """Fresh definitions.

    Args:
        resource_overrides: resources to be used instead of the project's own; ``toolbox`` changes them all.
    """
    resources: dict[str, object] = {
        "toolbox": dg.ResourceDefinition(toolbox_of_environment, config_schema=NOTHING),
        **{name: _tool(name) for name in TOOLS},
        "line": dg.ResourceDefinition(_line, NOTHING, required_resource_keys={"toolbox"}),
        # What hands nothing on needs no store. Dagster's own would write to, and unpickle from, any folder that a run
        # names.
        "io_manager": dg.IOManagerDefinition(_nowhere, NOTHING),
        "frames": dg.IOManagerDefinition(_frames, NOTHING, required_resource_keys={"toolbox"}),
    }
    catalogue = _catalogue(resource_overrides or {})
    return dg.Definitions(
        assets=[
            *recipe_sources,
            *STAGE_ASSETS,
            calibration,
            *BENCHMARK_ASSETS,
            exported_models(exportable(catalogue)),
            quantised_models(quantisable(catalogue)),
        ],
        jobs=[tag_images, calibrate, export_models, quantise_models, ask_benchmark, score_benchmark],
        sensors=[new_images, retag, provider_batches, automation],
        resources={**resources, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def _catalogue(overrides: Mapping[str, object]) -> Catalogue:
    """The models there are, those of this machine included: of the toolbox in use, where one is given."""
    toolbox = overrides.get("toolbox")
    return toolbox.weights.catalogue if isinstance(toolbox, Toolbox) else WeightsStore().catalogue


def _tool(name: str) -> dg.ResourceDefinition:
    def make(context: dg.InitResourceContext) -> object:
        return getattr(_toolbox(context), name)

    return dg.ResourceDefinition(make, NOTHING, required_resource_keys={"toolbox"})


def _line(context: dg.InitResourceContext) -> Line:
    tools = _toolbox(context)
    return Line(tools.bench.store, tools.recipes, tools.manifest, tools.states)


def _frames(context: dg.InitResourceContext) -> FrameIOManager:
    return FrameIOManager(_toolbox(context).bench.store)


def _nowhere(_context: dg.InitResourceContext) -> dg.InMemoryIOManager:
    return dg.InMemoryIOManager()  # type: ignore[no-untyped-call]


def _toolbox(context: dg.InitResourceContext) -> Toolbox:
    toolbox = context.resources.toolbox
    if not isinstance(toolbox, Toolbox):
        raise TypeError(f"the resource toolbox is a {type(toolbox).__name__}")
    return toolbox


defs = build_defs()
