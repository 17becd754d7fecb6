"""Hands stage frames to Dagster. Apart from the store, which commands that need no Dagster use too."""

import dagster as dg

from resources.frame_store import FrameStore
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.schemas import Table
from tagging_assets.domain.stages import STAGES


class FrameIOManager(dg.IOManager):
    """Hands stage frames from asset to asset, one or several partitions at a time.

    Writing a frame that stands already costs a read and no write: the workbench stores what it computes while it
    still holds the partition's lock.
    """

    def __init__(self, store: FrameStore) -> None:
        self._store = store

    def handle_output(self, context: dg.OutputContext, obj: StageFrame | dict[str, StageFrame]) -> None:
        """Write one frame, or a dict of them by partition."""
        stage = context.asset_key.path[-1]
        frames = obj if isinstance(obj, dict) else {context.partition_key: obj}
        for partition, frame in frames.items():
            if self._store.sound(stage, partition) != frame:
                self._store.write(stage, partition, frame)

    def load_input(self, context: dg.InputContext) -> StageFrame:
        """Read the partitions an input asks for, as one frame."""
        stage = context.asset_key.path[-1]
        table: Table = STAGES[stage].table
        frames = [self._store.read(stage, partition) for partition in context.asset_partition_keys]
        return frames[0] if len(frames) == 1 else StageFrame.joined(table, frames)
