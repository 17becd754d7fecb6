"""What is remembered of the watched folders: a row of ``tagging.folder`` each.

What does not belong here: what to remember (``domain/folders.py``) and looking at folders (``folder_watch``).
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.places import at_or_below
from resources.statements import array, chunks, guard, nanoseconds, rows_of
from resources.tables import folder as table
from resources.tables import image
from tagging_assets.domain.folders import NEVER, Remembered
from tagging_assets.domain.identity import is_local, path_of, uri_of


class FolderBook:
    """The memory of watched folders, in Postgres.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Take an engine of a database that has the tables of ``resources/tables.py``."""
        self._engine = engine

    def at_or_below(self, roots: Collection[str]) -> dict[str, Remembered]:
        """What is remembered of these folders and of all below them, by path."""
        if not roots:
            return {}
        query = sa.select(table.c.path, table.c.mtime_ns, table.c.looked_at).where(
            sa.or_(*(at_or_below(table.c.path, root) for root in roots))
        )
        query = query.order_by(table.c.path)
        with guard(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {path_of(path): Remembered(mtime_ns, nanoseconds(looked_at)) for path, mtime_ns, looked_at in rows}

    def begin(self, root: str) -> dict[str, Remembered]:
        """Remember a root that was never looked at, and every folder where the manifest knows photos below it.

        All are to be listed; so photos that went before are found missing.
        """
        query = sa.select(image.c.folder).where(at_or_below(image.c.folder, root), image.c.gone_at.is_(None)).distinct()
        with guard(), self._engine.connect() as connection:
            known = {path_of(folder) for folder in connection.scalars(query) if folder and is_local(folder)}
        begun = {folder: Remembered(NEVER, 0) for folder in sorted({root, *known})}
        self.keep(begun)
        return begun

    def keep(self, folders: Mapping[str, Remembered]) -> None:
        """Remember folders, by path, in place of what was remembered of them."""
        columns = {"path": sa.Text, "mtime_ns": sa.BigInteger, "looked_at": sa.DateTime(timezone=True)}
        # In one order everywhere, so that two writers never wait for each other.
        rows = [(uri_of(path), one.mtime_ns, _moment(one.looked_at_ns)) for path, one in sorted(folders.items())]
        with guard(), self._engine.begin() as connection:
            for chunk in chunks(rows):
                incoming = rows_of(columns, chunk)
                statement = insert(table).from_select(list(columns), sa.select(*(incoming.c[name] for name in columns)))
                taken = {name: statement.excluded[name] for name in columns if name != "path"}
                connection.execute(statement.on_conflict_do_update(index_elements=[table.c.path], set_=taken))

    def forget(self, folders: Collection[str]) -> None:
        """Forget folders, by path."""
        with guard(), self._engine.begin() as connection:
            for chunk in chunks([uri_of(path) for path in sorted(folders)]):
                connection.execute(sa.delete(table).where(table.c.path.in_(array(chunk))))


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1000 / 1e6, UTC)
