"""What stands above the line: weights, prompts, label sets and rules, as external assets.

They show Dagster what the line is made with; their data version is the hash of their content. What a change touches
is decided by the recipes (``domain/stages.py``), which say the same at the grain of one stage.
"""

import warnings
from collections.abc import Mapping

import dagster as dg

#: External asset → what it is.
SOURCES: dict[str, str] = {
    "person_detector": "Weights of the model that finds people and things.",
    "landmarker": "Weights of the models that find pose, face and silhouette.",
    "image_encoder": "Weights of the model that turns pictures into vectors.",
    "zero_shot_scorer": "Weights of the models that score free text against picture vectors.",
    "tagger": "Weights of the model that scores a vocabulary of its own.",
    "chat_model": "The chat model that suggests tags.",
    "prompts": "What the chat model is asked (prompts/llm).",
    "label_sets": "What is looked for by free text (prompts/labels).",
    "rules": "What the operator decides about tags (tagging.yaml).",
}

_TEXT = frozenset({"prompts", "label_sets", "rules"})

#: Where Dagster keeps the data version of an observation.
_VERSION_TAG = "dagster/data_version"

#: Content hash per external asset.
SourceVersions = Mapping[str, str]


def source_key(name: str) -> dg.AssetKey:
    """Key of an external asset."""
    return dg.AssetKey(["recipes", name])


def recipe_source(name: str) -> dg.SourceAsset:
    """The external asset of that name; observing it records its content hash."""

    def observe(source_versions: dg.ResourceParam[SourceVersions]) -> dg.DataVersion:
        return dg.DataVersion(source_versions[name])

    with warnings.catch_warnings():
        # Observable source assets are marked beta; the pinned version is what the tests run.
        warnings.simplefilter("ignore", dg.BetaWarning)
        declare = dg.observable_source_asset(
            key=source_key(name),
            description=SOURCES[name],
            group_name="recipes",
            tags={f"dagster/kind/{'yaml' if name in _TEXT else 'onnx'}": ""},
        )
        return declare(observe)


def observe_changed(instance: dg.DagsterInstance, versions: SourceVersions) -> list[str]:
    """Record the content hash of each external asset whose last observation says another one; their names."""
    changed = []
    for name, version in versions.items():
        latest = instance.fetch_observations(source_key(name), limit=1).records
        observed = latest[0].asset_observation if latest else None
        if observed is None or observed.tags.get(_VERSION_TAG) != version:
            instance.report_runless_asset_event(dg.AssetObservation(source_key(name), tags={_VERSION_TAG: version}))
            changed.append(name)
    return changed


recipe_sources = [recipe_source(name) for name in SOURCES]
