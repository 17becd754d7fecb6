"""Runs the line over batches in this process: one Dagster run a batch, models warm from batch to batch."""

import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from tagging_assets import run_tags
from tagging_assets.commands.console import stderr
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
    import dagster as dg

    from tagging_assets.assets.runs import bury_the_dead, lock_of_process
    from tagging_assets.definitions import build_defs
    from tagging_assets.partitions import image_batches

    definitions = build_defs(resource_overrides={"toolbox": session.toolbox})
    job = definitions.resolve_job_def("tag_images")
    bury_the_dead(session.instance, session.database)
    session.instance.add_dynamic_partitions(str(image_batches.name), batches)
    process = uuid.uuid4().hex
    runs = {}
    with session.database.lock(lock_of_process(process)):
        for place, batch in enumerate(batches, start=1):
            # Whoever dies gives the lock back; the next one goes on from what is stored.
            with session.database.lock(f"batch/{batch}"):
                if not session.line.stale_batches([batch], now=datetime.now(UTC), retrying=retrying):
                    continue
                if len(batches) > 1:
                    stderr.print(f"[bold]{batch}[/bold] ({place} of {len(batches)})", highlight=False)
                result = job.execute_in_process(
                    instance=session.instance,
                    partition_key=batch,
                    asset_selection=None if stages is None else [dg.AssetKey(stage) for stage in stages],
                    # The console is for progress and results; the events are in the Dagster instance.
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    tags={
                        run_tags.OPERATION: operation,
                        run_tags.PROCESS: process,
                        run_tags.RETRYING: retrying.value,
                    },
                )
                runs[batch] = result.run_id
    return runs
