"""Plain rows as Parquet files, one per name: what experiments hold.

What does not belong here: the stages' tables, which carry a record per photo (``frame_store.py``).
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from resources.files import storage_error, write_atomically
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
            StorageError: the file is there and cannot be read, or has other columns.
        """
        path = self.path(table, *names)
        try:
            frame = pl.read_parquet(path)
        except FileNotFoundError:
            return []
        except (pl.exceptions.PolarsError, OSError) as error:
            raise StorageError(f"{path} cannot be read ({error}); move it away and run again") from error
        if frame.schema != table.schema:
            # Written by another version; its answers are in the ledger still.
            return []
        return frame.to_dicts()

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]], *names: str) -> Path:
        """Replace rows: temporary file in the same folder, fsync, rename.

        Raises:
            DiskFull: no space left; the old file still stands.
            StorageError: a value is not of its column's type, or any other refusal of the file system.
        """
        path = self.path(table, *names)
        buffer = io.BytesIO()
        try:
            pl.DataFrame(list(rows), schema=table.schema, strict=True).write_parquet(buffer, compression="zstd")
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise StorageError(f"rows of {table.name} have another form than declared: {error}") from error
        try:
            write_atomically(path, buffer.getvalue())
        except OSError as error:
            raise storage_error(error, path) from error
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
