"""Stage frames as Parquet files, one per stage and partition.

What does not belong here: deciding what is fresh (``domain/freshness.py``) and computing (``workbench.py``).
"""

from pathlib import Path

from resources.parquet_files import read_frame, seems_whole, write_frame
from tagging_assets.domain.errors import DamagedFile
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

    def seems_whole(self, stage: str, partition: str) -> bool:
        """Whether its file is there and was not cut off; costs next to nothing, and cannot tell all damage."""
        return seems_whole(self.path(stage, partition))

    def read(self, stage: str, partition: str) -> StageFrame:
        """What a partition holds; an empty frame where it was never written.

        Raises:
            DamagedFile: the file could not be read; it was set aside, and the partition is empty from now on.
            StorageError: it is of a newer version, or the file system refuses.
        """
        table = STAGES[stage].table
        found = read_frame(self.path(stage, partition), lambda frame: StageFrame.from_polars(table, frame))
        return StageFrame(table) if found is None else found

    def sound(self, stage: str, partition: str) -> StageFrame:
        """What a partition holds, nothing where that was damaged: for those who make it anew, or can do without it.

        Raises:
            StorageError: it is of a newer version, or the file system refuses.
        """
        try:
            return self.read(stage, partition)
        except DamagedFile:
            return StageFrame(STAGES[stage].table)

    def write(self, stage: str, partition: str, frame: StageFrame) -> Path:
        """Replace a partition: temporary file in the same folder, fsync, rename.

        Raises:
            DiskFull: no space left; the old file still stands.
            StorageError: any other refusal of the file system.
        """
        path = self.path(stage, partition)
        write_frame(self.root, path, frame.to_polars())
        return path

    def partitions(self, stage: str) -> list[str]:
        """Partitions that were ever written."""
        return sorted(path.stem for path in (self.root / stage).glob("*.parquet"))
