"""Plain rows as Parquet files, one per name: what experiments hold.

What does not belong here: the stages' tables, which carry a record per photo (``frame_store.py``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from resources.parquet_files import read_frame, write_frame
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.path_names import path_name
from tagging_assets.domain.schemas import Table


class RowStore:
    """Reads and writes rows under one folder; a reader sees the old file or the new one, never a part.

    Args:
        root: folder; created on first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, table: Table, *names: str) -> Path:
        """Where rows live; ``names`` are folders and a file name.

        Raises:
            UnsafeName: they would live elsewhere.
        """
        *folders, file = map(path_name, names)
        return self.root.joinpath(table.name, *folders, f"{file}.parquet")

    def read(self, table: Table, *names: str) -> list[dict[str, Any]]:
        """Rows as they were written; none where they never were.

        Raises:
            DamagedFile: the file could not be read; it was set aside, and there are no rows from now on.
            StorageError: it is of a newer version, or the file system refuses.
        """
        # Where an earlier version wrote other columns, the answers are in the ledger still.
        return (
            read_frame(self.path(table, *names), lambda frame: frame.to_dicts() if frame.schema == table.schema else [])
            or []
        )

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]], *names: str) -> Path:
        """Replace rows: temporary file in the same folder, fsync, rename.

        Raises:
            DiskFull: no space left; the old file still stands.
            StorageError: a value is not of its column's type, or any other refusal of the file system.
        """
        path = self.path(table, *names)
        try:
            frame = pl.DataFrame(list(rows), schema=table.schema, strict=True)
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise StorageError(f"rows of {table.name} have another form than declared: {error}") from error
        write_frame(self.root, path, frame)
        return path


def row_problems(table: Table, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the form of rows: columns, nulls in keys, keys that occur twice."""
    problems = [
        f"a row has {sorted(row)}, not {sorted(table.columns)}" for row in rows if set(row) != set(table.columns)
    ]
    if problems:
        return problems[:1]
    keys = [tuple(row[name] for name in table.key) for row in rows]
    if any(None in key for key in keys):
        problems.append(f"null in the key {', '.join(table.key)}")
    if len(set(keys)) < len(keys):
        problems.append(f"{len(keys) - len(set(keys))} rows repeat a key of {', '.join(table.key)}")
    return problems
