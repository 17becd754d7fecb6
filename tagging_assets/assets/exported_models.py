"""Models made on this machine: checkpoints as ONNX files, each proved against its library. Beside the line.

What does not belong here: how that is done (``resources/exporting.py``). What a new model makes stale is decided by
the recipes, in which the SHA-256 of these files stands.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from resources.exporting import exporting, parity_photos
from resources.model_in_use import EXPORT_VERSION
from resources.model_notes import ModelNotes
from resources.parity import LIMITS, Parity
from resources.weights import WeightsStore
from tagging_assets.assets.stage import OWNER
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.printable import markdown_table

NAME = "exported_models"
PARITY = "parity"

logger = logging.getLogger(__name__)


def exported_models(names: Sequence[str]) -> dg.AssetsDefinition:
    """The asset.

    Args:
        names: entries of the catalogue that are exported: its partitions.
    """
    asset = dg.asset(
        name=NAME,
        partitions_def=dg.StaticPartitionsDefinition(list(names)),
        group_name="models",
        kinds={"pytorch", "onnx"},
        owners=[OWNER],
        code_version=str(EXPORT_VERSION),
        description="One folder of ONNX files per model that comes as a checkpoint, with notes on how it was made.",
        # Asked in the step that makes it: what fails is not kept, so there would be nothing to look at later.
        check_specs=[
            dg.AssetCheckSpec(
                PARITY,
                asset=NAME,
                blocking=True,
                description="It does on real photos what the library that it comes from does.",
            )
        ],
    )

    def make(context: dg.AssetExecutionContext, weights: dg.ResourceParam[WeightsStore]) -> Iterator[Any]:
        yield from _make(context, weights)

    # An asset with checks has several outputs, and Dagster would have the annotation name each of them.
    make.__annotations__.pop("return", None)
    return asset(make)


def _make(
    context: dg.AssetExecutionContext, weights: WeightsStore
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    name = context.partition_key

    def report(words: str) -> None:
        context.log.info(words)
        logger.info("%s: %s", name, words)

    entry = weights.catalogue.entry(name)
    with exporting(weights, entry, parity_photos(weights, report), report) as made:
        table = parity_table(made.parity)
        yield dg.AssetCheckResult(passed=made.parity.ok, check_name=PARITY, metadata={"parity": table})
        notes = made.accept()
    yield dg.MaterializeResult(
        metadata={"parity": table, "seconds": round(made.seconds, 1), **told(notes)},
        data_version=dg.DataVersion(content_hash(dict(notes.sha256))),
    )


def parity_table(parity: Parity) -> dg.MarkdownMetadataValue:
    """Each measure beside what it must reach."""
    rows = [
        (LIMITS[name].says, f"{measured:.6g}", f"{'≥' if LIMITS[name].at_least else '≤'} {LIMITS[name].value:g}")
        for name, measured in parity.measures.items()
    ]
    return dg.MetadataValue.md(markdown_table(("measure", "measured", "must be"), rows))


def told(notes: ModelNotes) -> dict[str, Any]:
    """What it was made of and with."""
    return {
        "megabytes": round(sum(file.size for file in notes.files.values()) / 1e6, 1),
        "made by": notes.made_by,
        "opset": notes.opset,
        "options": dg.MetadataValue.json(dict(notes.options)),
        "libraries": dg.MetadataValue.json(dict(notes.libraries)),
        "checkpoint": dg.MetadataValue.json(dict(notes.made_from)),
        "sha256": dg.MetadataValue.json(dict(notes.sha256)),
    }
