"""How the manifest's rows travel: queries to values, and a scan's result to statements.

What does not belong here: what callers of the manifest see (``manifest``), and what happened to the files
(``domain/scan.py``).
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from resources.batch_sums import add_up, newest_batch
from resources.statements import array, chunks, guard, nanoseconds, rows_of
from resources.tables import image as table
from tagging_assets.domain.identity import ImageRef, assign_batches, buried_uri
from tagging_assets.domain.scan import Change, Found, ScanResult

__all__ = ["SELECT", "Written", "array", "chunks", "guard", "nanoseconds", "refs", "rows_of", "write_result"]

#: The columns of an ``ImageRef``, by its names.
SELECT: sa.Select[tuple[object, ...]] = sa.select(
    table.c.image_id,
    table.c.uri,
    table.c.batch,
    table.c.bytes,
    table.c.mtime_ns,
    table.c.content_hash,
    table.c.sidecar_mtime_ns,
    table.c.first_seen.label("first_seen_ns"),
    table.c.pixel_id,
    table.c.gone_at,
)

_FIRST_SEEN = list(SELECT.selected_columns.keys()).index("first_seen_ns")


@dataclass(frozen=True, slots=True)
class Written:
    """What :func:`write_result` did; see ``manifest.ManifestChange``."""

    new_batches: tuple[str, ...]
    touched_batches: tuple[str, ...]
    counts: dict[str, int]


def refs(connection: sa.Connection, query: sa.Select[Any]) -> list[ImageRef]:
    """The images a query over :data:`SELECT` gives."""
    # By position, as millions of rows may come: up to ``first_seen``, and what is behind it.
    rows = ((row[:_FIRST_SEEN], row[_FIRST_SEEN], row[_FIRST_SEEN + 1 :]) for row in connection.execute(query))
    return [ImageRef(*(*before, nanoseconds(first_seen), *behind)) for before, first_seen, behind in rows]


def write_result(connection: sa.Connection, result: ScanResult, batch_size: int, now: datetime) -> Written:
    """Write a scan's result; the caller holds the manifest's lock and the transaction."""
    by_id, by_uri = _current(connection, result)
    valid = still_valid(result, by_id, by_uri)
    newest, held = newest_batch(connection)
    batches = assign_batches(len(valid.new), newest=newest, held=held, batch_size=batch_size)
    _mark_gone(connection, valid.gone, now)
    _vacate(connection, valid.moved, by_uri)
    _update(connection, _touching(valid), {"changed_at": now})
    _update(connection, valid.retimed, {})
    _insert(connection, valid.new, batches, now)
    touched = {change.image.batch for change in _touching(valid)} | {image.batch for image in valid.gone} | set(batches)
    add_up(
        connection,
        touched,
        came=batches,
        went=(image.batch for image in valid.gone if not image.gone),
        returned=(change.image.batch for change in _touching(valid) if change.image.gone),
        now=now,
    )
    kinds = ("new", "changed", "moved", "gone", "metadata_only", "retimed", "restored")
    return Written(
        new_batches=tuple(sorted({batch for batch in batches if batch > (newest or "")})),
        touched_batches=tuple(sorted(touched)),
        counts=dict(+Counter({kind: len(getattr(valid, kind)) for kind in kinds})),
    )


def still_valid(result: ScanResult, by_id: Mapping[str, ImageRef], by_uri: Mapping[str, ImageRef]) -> ScanResult:
    """What of a scan's result still holds, given the rows as they are now.

    Moves stand or fall together, as one may wait for the place another leaves.

    Args:
        result: decided on rows that were read without a lock.
        by_id: the images it names, as they are now.
        by_uri: the images in the places it names, as they are now.
    """

    def same(image: ImageRef) -> bool:
        now = by_id.get(image.image_id)
        return (
            now is not None
            and replace(now, pixel_id=image.pixel_id, gone_at=image.gone_at) == image
            and (now.gone == image.gone)
        )

    def standing(changes: Sequence[Change]) -> tuple[Change, ...]:
        return tuple(change for change in changes if same(change.image))

    leaving = {change.image.image_id for change in result.moved} | {image.image_id for image in result.gone}
    holders = [by_uri.get(change.file.uri) for change in result.moved]
    free = all(holder is None or holder.gone or holder.image_id in leaving for holder in holders)
    moved = result.moved if free and len(standing(result.moved)) == len(result.moved) else ()
    left = {change.image.uri for change in moved} - {change.file.uri for change in moved}
    return replace(
        result,
        new=tuple(found for found in result.new if found.file.uri not in by_uri or found.file.uri in left),
        changed=standing(result.changed),
        moved=moved,
        gone=tuple(image for image in result.gone if same(image)),
        metadata_only=standing(result.metadata_only),
        retimed=standing(result.retimed),
        restored=standing(result.restored),
    )


def _touching(result: ScanResult) -> tuple[Change, ...]:
    """The changes that later stages must hear of."""
    return (*result.changed, *result.moved, *result.metadata_only, *result.restored)


def _current(connection: sa.Connection, result: ScanResult) -> tuple[dict[str, ImageRef], dict[str, ImageRef]]:
    """The rows a result speaks of, as they are now: by ``image_id``, and by place."""
    changes = (*_touching(result), *result.retimed)
    ids = [change.image.image_id for change in changes] + [image.image_id for image in result.gone]
    uris = [found.file.uri for found in result.new] + [change.file.uri for change in result.moved]
    by_id = {
        ref.image_id: ref
        for chunk in chunks(ids)
        for ref in refs(connection, SELECT.where(table.c.image_id.in_(array(chunk))))
    }
    by_uri = {
        ref.uri: ref for chunk in chunks(uris) for ref in refs(connection, SELECT.where(table.c.uri.in_(array(chunk))))
    }
    return by_id, by_uri


def _mark_gone(connection: sa.Connection, images: Sequence[ImageRef], now: datetime) -> None:
    for chunk in chunks(images):
        ids = array([image.image_id for image in chunk])
        connection.execute(sa.update(table).values(gone_at=now, changed_at=now).where(table.c.image_id.in_(ids)))


def _vacate(connection: sa.Connection, moved: Sequence[Change], by_uri: Mapping[str, ImageRef]) -> None:
    """Free every place a moved image is to take: of its own row, and of a lost one's that was there before."""
    leaving = {change.image.image_id for change in moved}
    places = {change.image.image_id: f"moving:{change.image.image_id}" for change in moved}
    for change in moved:
        holder = by_uri.get(change.file.uri)
        if holder is not None and holder.image_id not in leaving:
            places[holder.image_id] = buried_uri(holder.image_id, holder.uri)
    for chunk in chunks(list(places.items())):
        rows = rows_of({"image_id": sa.Text, "uri": sa.Text}, chunk)
        connection.execute(sa.update(table).values(uri=rows.c.uri).where(table.c.image_id == rows.c.image_id))


def _update(connection: sa.Connection, changes: Sequence[Change], values: Mapping[str, Any]) -> None:
    columns = {
        "image_id": sa.Text,
        "uri": sa.Text,
        "bytes": sa.BigInteger,
        "mtime_ns": sa.BigInteger,
        "sidecar_mtime_ns": sa.BigInteger,
        "content_hash": sa.Text,
    }
    for chunk in chunks(changes):
        rows = rows_of(
            columns,
            [
                (
                    change.image.image_id,
                    change.file.uri,
                    change.file.bytes,
                    change.file.mtime_ns,
                    change.file.sidecar_mtime_ns,
                    change.content_hash,
                )
                for change in chunk
            ],
        )
        taken = {name: rows.c[name] for name in columns if name != "image_id"}
        connection.execute(
            sa.update(table).values(**taken, gone_at=None, **values).where(table.c.image_id == rows.c.image_id)
        )


def _insert(connection: sa.Connection, new: Sequence[Found], batches: Sequence[str], now: datetime) -> None:
    for chunk in chunks(list(zip(new, batches, strict=True))):
        connection.execute(
            sa.insert(table),
            [
                {
                    "image_id": uuid.uuid4().hex,
                    "uri": found.file.uri,
                    "batch": batch,
                    "content_hash": found.content_hash,
                    "bytes": found.file.bytes,
                    "mtime_ns": found.file.mtime_ns,
                    "sidecar_mtime_ns": found.file.sidecar_mtime_ns,
                    "first_seen": now,
                    "changed_at": now,
                }
                for found, batch in chunk
            ],
        )
