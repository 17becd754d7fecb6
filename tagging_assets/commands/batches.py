"""Runs the line over batches in this process: one Dagster run a batch, models warm from batch to batch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tagging_assets import run_tags
from tagging_assets.commands.console import print_note, styled
from tagging_assets.commands.in_process import executing
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import CheckFailed
from tagging_assets.domain.retrying import Retrying


@dataclass(frozen=True)
class RanBatches:
    """What came of it.

    Attributes:
        runs: batch to the Dagster run that brought it up to date.
        blocked: batch to the check that stopped it; its photos were not tagged to the end.
    """

    runs: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> dict[str, str]:
        """The runs, where no batch was stopped.

        Raises:
            CheckFailed: one was.
        """
        for batch, why in self.blocked.items():
            raise CheckFailed(f"{batch}: {why}")
        return dict(self.runs)


def run_batches(
    session: Session,
    batches: Sequence[str],
    *,
    operation: str,
    stages: Collection[str] | None = None,
    retrying: Retrying = Retrying.NOW,
) -> RanBatches:
    """Run the line over batches, in order; one that somebody else has brought up to date meanwhile is left out.

    A batch that breaks a check is one outcome, and the next one goes on.

    Args:
        session: open.
        batches: partitions.
        operation: id of what they are part of (see ``resources.history``).
        stages: only these assets; the whole line by default.
        retrying: which failed images are tried again.

    Raises:
        TaggingError: something that concerns all photos.
    """
    from tagging_assets.partitions import image_batches

    session.instance.add_dynamic_partitions(str(image_batches.name), batches)
    runs, blocked = dict[str, str](), dict[str, str]()
    with executing(session, "tag_images", operation) as execute:
        for place, batch in enumerate(batches, start=1):
            # Whoever dies gives the lock back; the next one goes on from what is stored.
            with session.database.lock(f"batch/{batch}"):
                if not session.line.stale_batches([batch], now=datetime.now(UTC), retrying=retrying):
                    continue
                if len(batches) > 1:
                    print_note(styled(batch, "bold"), f" ({place} of {len(batches)})")
                try:
                    runs[batch] = execute(batch, {run_tags.RETRYING: retrying.value}, stages)
                except CheckFailed as error:
                    blocked[batch] = str(error)
                    print_note(styled("stopped", "red"), f" {batch}: {error}")
    return RanBatches(runs, blocked)
