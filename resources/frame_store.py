"""Stage frames as Parquet files, one per stage and partition.

What does not belong here: deciding what is fresh (``domain/freshness.py``) and computing (``workbench.py``).
"""

import io
from pathlib import Path

import polars as pl

from resources.files import storage_error, write_atomically
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.path_names import path_name
from tagging_assets.domain.stages import STAGES


class FrameStore:
    """Reads and writes stage frames under one folder. A reader sees the old file or the new one, never a part.

    Args:
        root: folder; created on first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, stage: str, partition: str) -> Path:
        """Where a partition lives.

        Raises:
            UnsafeName: it would live elsewhere.
        """
        return self.root / path_name(stage) / f"{path_name(partition)}.parquet"

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
