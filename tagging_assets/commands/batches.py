"""Runs the line over batches in this process: one Dagster run a batch, models warm from batch to batch."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from tagging_assets import run_tags
from tagging_assets.commands.console import print_note, styled
from tagging_assets.commands.in_process import executing
from tagging_assets.commands.session import Session
from tagging_assets.domain.retrying import Retrying


def run_batches(
    session: Session,
    batches: Sequence[str],
    *,
    operation: str,
    stages: Collection[str] | None = None,
    retrying: Retrying = Retrying.NOW,
) -> dict[str, str]:
    """Run the line over batches, in order; one that somebody else has brought up to date meanwhile is left out.

    Args:
        session: open.
        batches: partitions.
        operation: id of what they are part of (see ``resources.history``).
        stages: only these assets; the whole line by default.
        retrying: which failed images are tried again.

    Returns:
        The id of the Dagster run of each batch.

    Raises:
        TaggingError: something that concerns all photos.
    """
    from tagging_assets.partitions import image_batches

    session.instance.add_dynamic_partitions(str(image_batches.name), batches)
    runs = {}
    with executing(session, "tag_images", operation) as execute:
        for place, batch in enumerate(batches, start=1):
            # Whoever dies gives the lock back; the next one goes on from what is stored.
            with session.database.lock(f"batch/{batch}"):
                if not session.line.stale_batches([batch], now=datetime.now(UTC), retrying=retrying):
                    continue
                if len(batches) > 1:
                    print_note(styled(batch, "bold"), f" ({place} of {len(batches)})")
                runs[batch] = execute(batch, {run_tags.RETRYING: retrying.value}, stages)
    return runs
