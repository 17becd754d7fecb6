"""Stage frames as Parquet files, one per stage and partition, and the IO manager that hands them to Dagster.

What does not belong here: deciding what is fresh (``domain/freshness.py``) and computing (``workbench.py``).
"""

import io
from pathlib import Path

import dagster as dg
import polars as pl

from resources.files import storage_error, write_atomically
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.schemas import Table
from tagging_assets.domain.stages import STAGES


class FrameStore:
    """Reads and writes stage frames under one folder. A reader sees the old file or the new one, never a part.

    Args:
        root: folder; created on first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, stage: str, partition: str) -> Path:
        """Where a partition lives."""
        return self.root / stage / f"{partition}.parquet"

    def exists(self, stage: str, partition: str) -> bool:
        """Whether a partition was ever written, and is still there."""
        return self.path(stage, partition).exists()

    def read(self, stage: str, partition: str) -> StageFrame:
        """What a partition holds; an empty frame where it was never written.

        Raises:
            StorageError: the file is there and cannot be read.
        """
        table = STAGES[stage].table
        path = self.path(stage, partition)
        try:
            return StageFrame.from_polars(table, pl.read_parquet(path))
        except FileNotFoundError:
            return StageFrame(table)
        except (pl.exceptions.PolarsError, OSError, TypeError, KeyError) as error:
            raise StorageError(
                f"{path} cannot be read ({_line(error)}); move it away and run again to compute it anew"
            ) from error

    def write(self, stage: str, partition: str, frame: StageFrame) -> Path:
        """Replace a partition: temporary file in the same folder, fsync, rename.

        Raises:
            DiskFull: no space left; the old file still stands.
            StorageError: any other refusal of the file system.
        """
        path = self.path(stage, partition)
        buffer = io.BytesIO()
        frame.to_polars().write_parquet(buffer, compression="zstd")
        try:
            write_atomically(path, buffer.getvalue())
        except OSError as error:
            raise storage_error(error, path) from error
        return path

    def partitions(self, stage: str) -> list[str]:
        """Partitions that were ever written."""
        return sorted(path.stem for path in (self.root / stage).glob("*.parquet"))


def _line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


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
            if self._store.read(stage, partition) != frame:
                self._store.write(stage, partition, frame)

    def load_input(self, context: dg.InputContext) -> StageFrame:
        """Read the partitions an input asks for, as one frame."""
        stage = context.asset_key.path[-1]
        table: Table = STAGES[stage].table
        frames = [self._store.read(stage, partition) for partition in context.asset_partition_keys]
        return frames[0] if len(frames) == 1 else StageFrame.joined(table, frames)
