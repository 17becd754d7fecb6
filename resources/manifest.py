"""The manifest: every photo ever seen, its identity, and the batch it belongs to for good.

One table of Postgres (``tagging.image``). What happened to the files is decided by ``domain/scan.py``; here it is
written down, in one transaction under an advisory lock, and checked against what another process may have written
since the scan began. Rows travel as arrays (``unnest``), ten thousand to a statement.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from resources import batch_sums
from resources.folder_book import FolderBook
from resources.locks import lock_transaction
from resources.manifest_rows import SELECT, refs, write_result
from resources.places import at_or_below, names_of
from resources.statements import array, chunks, guard, rows_of
from resources.tables import batch as batch_table
from resources.tables import image as table
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.identity import BATCH_SIZE, ImageRef, endings_of, uri_of
from tagging_assets.domain.path_names import path_name
from tagging_assets.domain.scan import ScanResult
from tagging_assets.domain.staleness import BatchSum

__all__ = ["BatchSum", "ImageRef", "Manifest", "ManifestChange"]

#: Key of the advisory lock that lets one process at a time change the manifest.
_LOCK = 0x7461_6767_696E_67
_MIN_PREFIX = 4


@dataclass(frozen=True, slots=True)
class ManifestChange:
    """What one :meth:`Manifest.apply` did.

    Attributes:
        new_batches: batches opened, in order.
        touched_batches: batches with work to do, in order; the new ones included.
        counts: rows per kind: ``new``, ``changed``, ``moved``, ``gone``, ``metadata_only``, ``retimed``,
            ``restored``; kinds without any are left out.
    """

    new_batches: tuple[str, ...] = ()
    touched_batches: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class Manifest:
    """The manifest in Postgres.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Take an engine of a database that has the tables of ``resources/tables.py``."""
        self._engine = engine

    @property
    def folder_book(self) -> FolderBook:
        """The watched folders as they were at the last look, in the same database."""
        return FolderBook(self._engine)

    def known(self, roots: Sequence[str] | None = None) -> list[ImageRef]:
        """Every image at or below the roots, gone ones included.

        Lost images whose place is another's now (``identity.buried_uri``) are in no place; they are found by
        :meth:`with_hashes`, and among all images.

        Args:
            roots: absolute paths, as ``Listing.roots`` has them; None for all images.
        """
        query = SELECT
        if roots is not None:
            below = (at_or_below(table.c.folder, root) for root in roots)
            # Values, and not a query for them, so that an index serves each of the alternatives.
            named = table.c.uri.in_([uri_of(root) for root in roots])
            query = query.where(sa.or_(named, *below))
        return self._refs(query)

    def in_folders(self, folders: Collection[str], files: Collection[str] = ()) -> list[ImageRef]:
        """Every image in these very folders (not below them) or at the places of these files, gone ones included.

        Args:
            folders: absolute paths.
            files: absolute paths.
        """
        found = {
            ref.image_id: ref
            for column, names in (
                (table.c.folder, [name for folder in folders for name in names_of(folder)]),
                (table.c.uri, [uri_of(file) for file in files]),
            )
            for chunk in chunks(names)
            for ref in self._refs(SELECT.where(column.in_(array(chunk))))
        }
        return list(found.values())

    def standing(self, folders: Collection[str], *, seen_before_ns: int | None, limit: int) -> list[ImageRef]:
        """Images in these very folders that are not gone, at most so many.

        Args:
            folders: absolute paths.
            seen_before_ns: only those first seen before this, nanoseconds since the epoch; None for all.
            limit: how many at most.
        """
        query = SELECT.where(table.c.gone_at.is_(None)).limit(limit)
        if seen_before_ns is not None:
            query = query.where(table.c.first_seen <= datetime.fromtimestamp(seen_before_ns // 1000 / 1e6 + 1, UTC))
        found: list[ImageRef] = []
        for chunk in chunks([name for folder in folders for name in names_of(folder)]):
            found += self._refs(query.where(table.c.folder.in_(array(chunk))))
            if len(found) >= limit:
                break
        return found[:limit]

    def inhabited(self, folders: Collection[str]) -> set[str]:
        """Those of these very folders (absolute paths) that hold an image that is not gone."""
        by_name = {name: folder for folder in folders for name in names_of(folder)}
        found: set[str] = set()
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(sorted(by_name)):
                names = rows_of({"value": sa.Text}, [(name,) for name in chunk])
                there = sa.exists().where(table.c.folder == names.c.value, table.c.gone_at.is_(None))
                found.update(by_name[name] for name in connection.scalars(sa.select(names.c.value).where(there)))
        return found

    def with_hashes(self, hashes: Collection[str]) -> list[ImageRef]:
        """Every image with one of these content hashes, wherever it is."""
        return [
            ref
            for chunk in chunks(sorted(set(hashes)))
            for ref in self._refs(SELECT.where(table.c.content_hash.in_(array(chunk))))
        ]

    def images(self, batch: str) -> list[ImageRef]:
        """The images of a batch, gone ones included, in order of ``image_id``."""
        return self._refs(SELECT.where(table.c.batch == batch).order_by(table.c.image_id))

    def batches(self) -> list[str]:
        """The names of all batches, oldest first."""
        with guard(), self._engine.connect() as connection:
            return list(connection.scalars(sa.select(batch_table.c.batch).order_by(batch_table.c.batch)))

    def batch_sums(self, batches: Collection[str] | None = None) -> list[BatchSum]:
        """Batches, summed up, oldest first: those of the given names that there are, all by default."""
        query = batch_sums.SELECT.order_by(batch_table.c.batch)
        if batches is not None:
            query = query.where(batch_table.c.batch.in_(array(sorted(set(batches)))))
        with guard(), self._engine.connect() as connection:
            return batch_sums.sums(connection, query)

    def batch(self, name: str) -> BatchSum | None:
        """One batch, summed up; None where there is none of that name."""
        return next(iter(self.batch_sums([name])), None)

    def require(self, name: str) -> None:
        """Whoever may start runs may name their partition; which image batches there are is said here.

        Raises:
            UnsafeName: it cannot be the name of one.
            SettingsError: there is none of that name.
        """
        if self.batch(path_name(name)) is None:
            raise SettingsError(f"there is no image batch {name}; `tagging status` shows those there are")

    def apply(self, result: ScanResult, *, batch_size: int = BATCH_SIZE, now: datetime | None = None) -> ManifestChange:
        """Write down what a scan found, in one transaction.

        Two processes may apply the same scan: each fact is checked against the rows as they are now, and one that
        another process has overtaken is left for the next scan.

        Args:
            result: what happened.
            batch_size: images per batch; new images join the newest batch until it is full.
            now: time to record, aware; the present by default.
        """
        if result.is_empty:
            return ManifestChange()
        with guard(), self._engine.begin() as connection:
            lock_transaction(connection, _LOCK, "writing down photos")
            written = write_result(connection, result, batch_size, now or datetime.now(UTC))
        return ManifestChange(written.new_batches, written.touched_batches, written.counts)

    def set_pixel_ids(self, pixel_ids: Mapping[str, str]) -> int:
        """Remember the pixels of images, as ``{image_id: pixel_id}``; returns how many were news."""
        changed = 0
        with guard(), self._engine.begin() as connection:
            for chunk in chunks(sorted(pixel_ids.items())):
                rows = rows_of({"image_id": sa.Text, "pixel_id": sa.Text}, chunk)
                statement = (
                    sa.update(table)
                    .values(pixel_id=rows.c.pixel_id)
                    .where(table.c.image_id == rows.c.image_id)
                    .where(table.c.pixel_id.is_distinct_from(rows.c.pixel_id))
                )
                changed += connection.execute(statement).rowcount
        return changed

    def copies_of(self, pixel_ids: Collection[str]) -> dict[str, list[tuple[str, str]]]:
        """The images that show given pixels: ``{pixel_id: [(image_id, batch), …]}``, oldest first.

        Gone images are listed too: what was computed for them is as good.
        """
        copies: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(sorted(set(pixel_ids))):
                query = (
                    sa.select(table.c.pixel_id, table.c.image_id, table.c.batch)
                    .where(table.c.pixel_id.in_(chunk))
                    .order_by(table.c.first_seen, table.c.image_id)
                )
                for pixel_id, image_id, batch in connection.execute(query):
                    copies[pixel_id].append((image_id, batch))
        return dict(copies)

    def find(self, text: str) -> list[ImageRef]:
        """The images a person means: by whole URI or path, by ``image_id`` or four or more of its first digits,
        or by file name; the first of these that finds any.
        """  # noqa: D205
        wanted = text.strip()
        endings = endings_of(wanted.lstrip("./"))
        if not wanted or not endings:
            return []
        queries = [SELECT.where(table.c.uri == uri_of(wanted))]
        if len(wanted) >= _MIN_PREFIX and all(char in "0123456789abcdef" for char in wanted.lower()):
            queries.append(SELECT.where(table.c.image_id.startswith(wanted.lower(), autoescape=True)))
        named = [table.c.uri.endswith(f"/{ending}", autoescape=True) for ending in endings]
        queries.append(SELECT.where(sa.or_(*named)))
        for query in queries:
            if found := self._refs(query.order_by(table.c.uri)):
                return found
        return []

    def duplicates(self) -> list[list[ImageRef]]:
        """Groups of two or more images, not gone, that show the same pixels; in order of the first one's URI."""
        there = table.c.gone_at.is_(None) & table.c.pixel_id.is_not(None)
        repeated = sa.select(table.c.pixel_id).where(there).group_by(table.c.pixel_id).having(sa.func.count() > 1)
        groups: defaultdict[str, list[ImageRef]] = defaultdict(list)
        for ref in self._refs(SELECT.where(there, table.c.pixel_id.in_(repeated)).order_by(table.c.uri)):
            groups[ref.pixel_id or ""].append(ref)
        return list(groups.values())

    def _refs(self, query: sa.Select[tuple[object, ...]]) -> list[ImageRef]:
        with guard(), self._engine.connect() as connection:
            return refs(connection, query)
