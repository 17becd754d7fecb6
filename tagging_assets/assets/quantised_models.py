"""Models in other precisions, made on this machine from the project's own photos. Beside the line.

What does not belong here: how that is done (``resources/quantising.py``). Making one changes nothing by itself: a
model is used in a precision where tagging.yaml says so, and only then do recipes change.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import cast

import dagster as dg

from resources.calibration_photos import Photos
from resources.catalogue import Catalogue
from resources.quantising import Lower, Quantised, quantising
from resources.quantising_int8 import VERSION
from resources.weights import WeightsStore
from tagging_assets.assets.exported_models import told
from tagging_assets.assets.stage import OWNER
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.printable import markdown_table

NAME = "quantised_models"
AGREEMENT = "agreement"

#: What can be made here.
_LOWER = ("int8", "fp16")

logger = logging.getLogger(__name__)


def quantisable(catalogue: Catalogue) -> list[str]:
    """Partitions: every model and precision that can be made, as ``NAME/PRECISION``."""
    return sorted(
        f"{name}/{precision}"
        for name, entry in catalogue.entries.items()
        if "precision" in entry.knobs
        for precision in entry.knobs["precision"].choices
        if precision in _LOWER
    )


def quantised_models(names: Sequence[str]) -> dg.AssetsDefinition:
    """The asset.

    Args:
        names: its partitions; see :func:`quantisable`.
    """

    @dg.asset(
        name=NAME,
        partitions_def=dg.StaticPartitionsDefinition(list(names)),
        group_name="models",
        kinds={"onnx"},
        owners=[OWNER],
        code_version=str(VERSION),
        description="One folder of ONNX files per model and precision, with what that costs against fp32.",
        # Asked in the step that makes it: what fails is not kept, so there would be nothing to look at later.
        check_specs=[
            dg.AssetCheckSpec(
                AGREEMENT,
                asset=NAME,
                blocking=True,
                description="It says of photos that it was not calibrated on what fp32 says.",
            )
        ],
    )
    def make(
        context: dg.AssetExecutionContext,
        weights: dg.ResourceParam[WeightsStore],
        calibration_photos: dg.ResourceParam[Photos],
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        yield from _make(context, weights, calibration_photos)

    return make


def _make(
    context: dg.AssetExecutionContext, weights: WeightsStore, photos: Photos
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    name, _, precision = context.partition_key.partition("/")

    def report(words: str) -> None:
        context.log.info(words)
        logger.info("%s: %s", context.partition_key, words)

    with quantising(weights, weights.catalogue.entry(name), cast("Lower", precision), photos, report) as made:
        table = cost_table(made)
        passed = made.cost.agreement >= made.cost.least
        yield dg.AssetCheckResult(passed=passed, check_name=AGREEMENT, metadata={"cost": table})
        notes = made.accept()
    yield dg.MaterializeResult(
        metadata={
            "cost": table,
            "agreement": made.cost.agreement,
            "photos": len(photos.calibrate),
            "photos of": photos.origin,
            "seconds": round(made.seconds, 1),
            **told(notes),
        },
        data_version=dg.DataVersion(content_hash(dict(notes.sha256))),
    )


def cost_table(made: Quantised) -> dg.MarkdownMetadataValue:
    """Each measure, the deciding one first."""
    rows = [(made.cost.means, f"{made.cost.agreement:.4f} (must be ≥ {made.cost.least:g})")]
    rows += [(name.replace("_", " "), f"{value:g}") for name, value in made.notes.accuracy.items()]
    return dg.MetadataValue.md(markdown_table(("measure", "against fp32"), rows))
