"""Published tags: what the world reads, replaced by partition in one transaction, and put back where it was wrong.

A tag that is decided no longer, or whose photo is gone, is withdrawn: the row stays and says when. Every change
leaves an event in the history (``resources.history``) in the same transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources import tag_rows
from resources.history import begin
from resources.manifest_rows import guard
from resources.tables import held_decision, image, published_tag
from resources.tag_rows import Stamp
from tagging_assets.domain.changes import DROPPED, GONE, TagChange, differs
from tagging_assets.domain.frames import ImageRecord
from tagging_assets.domain.policy import refused

#: Columns of a decided row that are published as they are.
_SAID = ("category", "score", "status", "reason", "sources")

#: Status of decided rows that are kept to be explained, not to be published.
_REJECTED = "rejected"

#: Whether a tag must not be shown on a photo of a batch: by batch, then (image_id, tag, category).
Forbidden = Callable[[str], Callable[[str, str, str], bool]]

#: The current ok records of the stage ``tags`` of a batch.
Decided = Callable[[str], Sequence[ImageRecord]]

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication changed.

    Attributes:
        live: tags that stand after it.
        written: tags that are new, changed or back.
        withdrawn: tags that stand no longer.
        held: photos that keep their tags because what is decided about them was undone.
    """

    live: int
    written: int
    withdrawn: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo put back.

    Attributes:
        target: the operation or run that was undone.
        operation: the undo itself, by which it can be undone; ``""`` where nothing was left to undo, or on trial.
        way: how many tags went back, and how many stay and why.
        held: photos whose present decision is not published until they are decided otherwise.
        batches: those with restored tags.
        changes: what went back, tag by tag; the first thousand.
    """

    target: str
    operation: str
    way: tag_rows.WayBack
    held: int = 0
    batches: tuple[str, ...] = ()
    changes: tuple[TagChange, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """What publishing would do."""

    written: list[dict[str, Any]] = field(default_factory=list)
    withdrawn: list[dict[str, Any]] = field(default_factory=list)
    held: frozenset[str] = frozenset()

    @property
    def images(self) -> set[str]:
        """Photos whose tags it would change."""
        return {row["image_id"] for row in (*self.written, *self.withdrawn)}


class Publisher:
    """Reads, replaces and restores published tags.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def publish(
        self,
        batch: str,
        decided: Sequence[ImageRecord],
        gone: Sequence[str],
        now: datetime,
        *,
        run_id: str,
        operation: str,
    ) -> Published:
        """Make the published tags of a batch say what was decided.

        Images that are neither decided nor gone (their decision failed), and those whose decision was undone, keep
        what was published before.

        Args:
            batch: the partition.
            decided: ok records of the stage ``tags``.
            gone: images whose file is no more.
            now: aware UTC.
            run_id: the Dagster run that publishes.
            operation: what that run is part of.
        """
        stamp = Stamp(now, operation, run_id)
        with guard(), self._engine.begin() as connection:
            tag_rows.begin_writing(connection, [batch])
            holds = _holds(connection, decided)
            plan = _plan(connection, batch, decided, gone, holds)
            tag_rows.write(connection, batch, plan.written, stamp)
            tag_rows.withdraw(connection, plan.withdrawn, stamp)
            _let_go(connection, decided, holds)
            live = sa.select(sa.func.count()).where(
                published_tag.c.batch == batch, published_tag.c.withdrawn_at.is_(None)
            )
            count = connection.execute(live).scalar_one()
        return Published(count, len(plan.written), len(plan.withdrawn), len(plan.held))

    def is_current(self, batch: str, decided: Sequence[ImageRecord], gone: Sequence[str]) -> bool:
        """Whether publishing now would change nothing; reads only."""
        with guard(), self._engine.connect() as connection:
            return not _plan(connection, batch, decided, gone, _holds(connection, decided)).images

    def undo(
        self,
        target: str,
        *,
        decided: Decided,
        who: str,
        why: str,
        now: datetime,
        dry_run: bool = False,
        forbidden: Forbidden | None = None,
    ) -> Undone:
        """Put the tags that an operation or run changed back to what they were before it, row for row.

        A tag that something else has changed since stays as it is, as does one whose change is a person's verdict,
        and one whose photo is gone. Where what is decided about a photo would bring the undone tags back, that
        decision is held: it is not published again until the photo's tags are decided otherwise. Undoing an undo
        lets go what it held. All of it is one transaction, and itself an operation of the kind ``undo``.

        Args:
            target: an operation or a Dagster run (see ``History.resolve``).
            decided: reads what is decided about a batch.
            who: undoes it.
            why: in their words.
            now: aware UTC.
            dry_run: find out, and change nothing.
            forbidden: what must not come back, besides what is never tagged.
        """
        with guard(), self._engine.connect() as connection, connection.begin() as transaction:
            tag_rows.begin_writing(connection, tag_rows.batches_of(connection, target))
            way = tag_rows.find_way_back(connection, target)
            if not way.restored:
                transaction.rollback()
                return Undone(target, "", way)
            operation = begin(connection, "undo", who, why, undoes=target, now=now)
            connection.execute(sa.delete(held_decision).where(held_decision.c.operation == target))
            photos = tag_rows.photos_to_restore(connection)
            by = (operation, now)
            held = [_hold(connection, batch, chosen, decided(batch), by) for batch, chosen in photos.items()]
            changes = tag_rows.first_changes(connection)
            stamp = Stamp(now, operation, operation)
            tag_rows.restore(connection, stamp)
            tag_rows.withdraw(
                connection, _not_to_be_shown(connection, photos, forbidden or (lambda _: _allowed)), stamp
            )
            if dry_run:
                transaction.rollback()
        return Undone(target, "" if dry_run else operation, way, sum(held), tuple(photos), changes)

    def counts(self) -> dict[str, int]:
        """Live tags by status."""
        query = sa.select(published_tag.c.status, sa.func.count()).where(published_tag.c.withdrawn_at.is_(None))
        with self._engine.connect() as connection:
            return {status: count for status, count in connection.execute(query.group_by(published_tag.c.status))}

    def tags(self, image_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Live tags with the uri of their photo, best first; of all photos by default."""
        chosen = (
            sa.select(published_tag, image.c.uri)
            .join(image, image.c.image_id == published_tag.c.image_id)
            .where(published_tag.c.withdrawn_at.is_(None))
            .order_by(image.c.uri, published_tag.c.score.desc(), published_tag.c.tag)
        )
        if image_ids is not None:
            chosen = chosen.where(published_tag.c.image_id.in_(image_ids))
        with guard(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(chosen).mappings()]


def _plan(
    connection: sa.Connection,
    batch: str,
    decided: Sequence[ImageRecord],
    gone: Sequence[str],
    holds: Mapping[_Key, datetime],
) -> _Plan:
    """What publishing would write and withdraw; ``holds``: decisions that are not published, by photo and output."""
    there = set(gone)
    held = {one.image_id: holds[key] for one in decided if (key := (one.image_id, one.output)) in holds}
    free = {record.image_id: record for record in decided if record.image_id not in held}
    said = {(record.image_id, row["tag"]): (record, row) for record in free.values() for row in record.rows}
    wanted = {
        key: pair
        for key, pair in said.items()
        if pair[1]["status"] != _REJECTED and key[0] not in there and not _never(key[1], pair[1]["category"])
    }
    chosen = sa.select(published_tag).where(published_tag.c.batch == batch)
    standing = {(row["image_id"], row["tag"]): dict(row) for row in connection.execute(chosen).mappings()}
    written = [_row(*pair) for key, pair in wanted.items() if _news(standing.get(key), pair[1])]
    # A held photo that was gone and is there again has its tags again.
    written += [
        {name: row[name] for name in ("image_id", "tag", *_SAID, "recipe", "run_id")}
        for (image_id, _), row in standing.items()
        if image_id in held
        and image_id not in there
        and row["withdrawn_at"]
        and row["withdrawn_at"] > held[image_id]
        and not _never(row["tag"], row["category"])
    ]
    settled = (key for key, row in standing.items() if row["withdrawn_at"] is None and key not in wanted)
    withdrawn = [
        {"image_id": key[0], "tag": key[1], "said": _instead(free.get(key[0]), said.get(key), key[0] in there)}
        for key in settled
        if key[0] in there or key[0] in free
    ]
    return _Plan(written, withdrawn, frozenset(held) - there)


def _row(record: ImageRecord, row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: row[name] for name in _SAID}
    return {"image_id": record.image_id, "tag": row["tag"], **said, "recipe": record.recipe, "run_id": record.run_id}


def _never(tag: str, category: str) -> bool:
    """The policy once more, at the door: whatever made the row, it is not shown."""
    return refused(tag) is not None or refused(category) is not None


def _allowed(_image_id: str, _tag: str, _category: str) -> bool:
    return False


def _not_to_be_shown(
    connection: sa.Connection, photos: Mapping[str, Sequence[str]], forbidden: Forbidden
) -> list[dict[str, Any]]:
    """Live tags of photos that must not be shown as things are now, though they once were."""
    found = []
    for batch, image_ids in photos.items():
        chosen = sa.select(published_tag).where(
            published_tag.c.batch == batch,
            published_tag.c.image_id.in_(image_ids),
            published_tag.c.withdrawn_at.is_(None),
        )
        judge = forbidden(batch)
        for row in connection.execute(chosen).mappings():
            if _never(row["tag"], row["category"]) or judge(row["image_id"], row["tag"], row["category"]):
                said = {"status": DROPPED, "reason": "not to be told of people", "sources": [], "recipe": row["recipe"]}
                found.append(
                    {"image_id": row["image_id"], "tag": row["tag"], "said": {**said, "run_id": row["run_id"]}}
                )
    return found


def _news(standing: Mapping[str, Any] | None, row: Mapping[str, Any]) -> bool:
    return standing is None or standing["withdrawn_at"] is not None or differs(standing, row)


def _instead(
    record: ImageRecord | None, said: tuple[ImageRecord, Mapping[str, Any]] | None, gone: bool
) -> dict[str, Any]:
    """What an event says in the place of a tag that is withdrawn."""
    if gone or record is None:
        return {"status": GONE, "reason": "the photo is gone"}
    made_by = {"recipe": record.recipe, "run_id": record.run_id}
    if said is None:
        return {"status": DROPPED, "reason": "decided no longer", "sources": [], **made_by}
    return {**{name: said[1][name] for name in _SAID}, **made_by}


def _holds(connection: sa.Connection, decided: Sequence[ImageRecord]) -> dict[_Key, datetime]:
    """Decisions about the photos that are not published, by photo and output, and since when."""
    images = sa.bindparam("images", [record.image_id for record in decided], sa.ARRAY(sa.Text))
    chosen = sa.select(held_decision).where(held_decision.c.image_id == sa.any_(images))
    return {(row.image_id, row.output): row.at for row in connection.execute(chosen)}


def _let_go(connection: sa.Connection, decided: Sequence[ImageRecord], holds: Mapping[_Key, datetime]) -> None:
    """Forget holds of photos that are decided otherwise by now."""
    photos = {image_id for image_id, _ in holds}
    freed = [one.image_id for one in decided if one.image_id in photos and (one.image_id, one.output) not in holds]
    if freed:
        connection.execute(sa.delete(held_decision).where(held_decision.c.image_id.in_(freed)))


def _hold(
    connection: sa.Connection,
    batch: str,
    photos: Sequence[str],
    decided: Sequence[ImageRecord],
    by: tuple[str, datetime],
) -> int:
    """Hold what is decided about photos wherever it is what is published now, right before that is undone.

    A decision that has not been published yet is another one than was undone, and stays free.
    """
    chosen = set(photos)
    records = [record for record in decided if record.image_id in chosen]
    pending = _plan(connection, batch, records, [], {}).images
    rows = [
        {"image_id": one.image_id, "output": one.output, "operation": by[0], "at": by[1]}
        for one in records
        if one.image_id not in pending
    ]
    if rows:
        connection.execute(insert(held_decision).values(rows).on_conflict_do_nothing())
    return len(rows)
