"""The history of published tags: who set what going, what it changed, and how things stood at any time.

Rows of ``tagging.tag_event`` are only ever added, each in the transaction that changes the published tag
(``resources.tag_rows``). What does not belong here: changing published tags, and telling why they changed
(``domain/changes.py``).
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from resources.manifest_rows import chunks, guard
from resources.tables import image
from resources.tables import operation as operation_table
from tagging_assets.domain.changes import TagChange, in_place_of_it, standing
from tagging_assets.domain.errors import SettingsError

_MIN_PREFIX = 6

_EVENTS = """
SELECT e.*, o.kind, o.who, o.why
FROM tagging.tag_event e LEFT JOIN tagging.operation o ON o.operation_id = e.operation
WHERE e.image_id = :image_id AND (CAST(:tag AS text) IS NULL OR e.tag = :tag)
ORDER BY e.event_id
"""

_TAGS_AT = """
SELECT DISTINCT ON (tag) tag, at, operation, after
FROM tagging.tag_event WHERE image_id = :image_id AND at <= :at
ORDER BY tag, event_id DESC
"""

#: Ids that the history knows, found by leaping from one to the next along the index: it has few ids in many rows.
_IDS = """
WITH RECURSIVE
operations AS (
    SELECT min(operation) AS id FROM tagging.tag_event
    UNION ALL
    SELECT (SELECT min(operation) FROM tagging.tag_event WHERE operation > operations.id)
    FROM operations WHERE operations.id IS NOT NULL
),
runs AS (
    SELECT min(run_id) AS id FROM tagging.tag_event
    UNION ALL
    SELECT (SELECT min(run_id) FROM tagging.tag_event WHERE run_id > runs.id) FROM runs WHERE runs.id IS NOT NULL
)
"""

_RESOLVE = f"""{_IDS}
SELECT id FROM (
    SELECT id FROM operations UNION SELECT id FROM runs UNION SELECT operation_id FROM tagging.operation
) known WHERE starts_with(id, :prefix) ORDER BY id = :prefix DESC, id LIMIT 6
"""  # noqa: S608 - made of constants

_OPERATIONS = f"""{_IDS}
, newest AS (
    SELECT id, at FROM (
        SELECT operation_id AS id, at FROM tagging.operation
        UNION ALL
        SELECT id, (SELECT at FROM tagging.tag_event WHERE operation = id LIMIT 1)
        FROM operations
        WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM tagging.operation WHERE operation_id = id)
    ) known ORDER BY at DESC, id LIMIT :limit
)
SELECT n.id, coalesce(o.kind, 'run') AS kind, coalesce(o.who, '') AS who, coalesce(o.why, '') AS why, n.at, o.undoes,
       count(*) FILTER (WHERE e.change = 'published') AS published,
       count(*) FILTER (WHERE e.change = 'changed') AS changed,
       count(*) FILTER (WHERE e.change = 'withdrawn') AS withdrawn,
       count(DISTINCT e.image_id) AS photos,
       coalesce(array_agg(DISTINCT e.run_id) FILTER (WHERE e.run_id IS NOT NULL), '{{}}') AS runs
FROM newest n
LEFT JOIN tagging.operation o ON o.operation_id = n.id
LEFT JOIN tagging.tag_event e ON e.operation = n.id
GROUP BY n.id, n.at, o.operation_id ORDER BY n.at DESC, n.id
"""  # noqa: S608 - made of constants

_CHANGES = """
SELECT image_id, tag,
       (array_agg(before ORDER BY event_id))[1] AS before,
       (array_agg(after ORDER BY event_id DESC))[1] AS after
FROM tagging.tag_event WHERE operation = :target OR run_id = :target
GROUP BY image_id, tag ORDER BY image_id, tag
"""

#: The last event that belongs to a target; of one that changed nothing, the last before it began.
_END = """
SELECT coalesce(
    (SELECT max(event_id) FROM tagging.tag_event WHERE operation = :target OR run_id = :target),
    (SELECT max(event_id) FROM tagging.tag_event
     WHERE at <= (SELECT at FROM tagging.operation WHERE operation_id = :target)),
    0)
"""

_STATES = """
SELECT DISTINCT ON (image_id, tag) image_id, tag, after
FROM tagging.tag_event
WHERE event_id <= :end AND image_id IN (
    SELECT image_id FROM tagging.tag_event WHERE operation IN (:a, :b) OR run_id IN (:a, :b)
)
ORDER BY image_id, tag, event_id DESC
"""


class History:
    """Reads what happened to published tags, and opens operations.

    An operation is what somebody set going: one command, backfill or sweep, over however many Dagster runs. Where
    nobody opened one (a run started in Dagster's own UI), the backfill's or run's id stands for it.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def begin(self, kind: str, who: str, why: str = "", *, undoes: str | None = None, now: datetime) -> str:
        """Open an operation and return its id (32 hex digits).

        Args:
            kind: ``run``, ``retag``, ``decide`` …
            who: a person's name, or the sensor's.
            why: in their words.
            undoes: operation or run that is undone.
            now: aware UTC.
        """
        with guard(), self._engine.begin() as connection:
            return begin(connection, kind, who, why, undoes=undoes, now=now)

    def tags_at(self, image_id: str, at: datetime) -> list[dict[str, Any]]:
        """Tags of a photo that stood at a time, best first.

        Returns:
            Dicts with tag, category, score, status, reason, sources, recipe, run_id, published_at, operation.
        """
        found = []
        with guard(), self._engine.connect() as connection:
            for row in connection.execute(sa.text(_TAGS_AT), {"image_id": image_id, "at": at}).mappings():
                if (after := standing(row["after"])) is not None:
                    # What was published before there was a history says when in the event itself.
                    when = datetime.fromisoformat(after["published_at"]) if "published_at" in after else row["at"]
                    found.append({"tag": row["tag"], **after, "published_at": when, "operation": row["operation"]})
        for one in found:
            one.pop("withdrawn_at", None)
        return sorted(found, key=lambda one: (-one["score"], one["tag"]))

    def events(self, image_id: str, tag: str | None = None) -> list[dict[str, Any]]:
        """What happened to the published tags of a photo, oldest first.

        Returns:
            The columns of ``tag_event`` (``before`` and ``after`` are ``None`` where the tag did not stand), with
            ``kind``, ``who`` and ``why`` of the operation (``None`` where nobody opened one), and ``instead``: of a
            withdrawn tag, what was decided in its place (see ``domain.changes.TagChange``).
        """
        with guard(), self._engine.connect() as connection:
            rows = connection.execute(sa.text(_EVENTS), {"image_id": image_id, "tag": tag}).mappings()
            return [
                {
                    **row,
                    "before": standing(row["before"]),
                    "after": standing(row["after"]),
                    "instead": in_place_of_it(row["after"]),
                }
                for row in rows
            ]

    def operations(self, limit: int) -> list[dict[str, Any]]:
        """What was set going, newest first.

        Returns:
            Dicts with id, kind, who, why, at, undoes, the counts published, changed, withdrawn and photos, runs
            (Dagster's ids), and undone_by: the operation that undid it and was not undone itself, or ``None``.
        """
        undone = self._undone_by()
        with guard(), self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(sa.text(_OPERATIONS), {"limit": limit}).mappings()]
        for row in rows:
            row["undone_by"] = next((undone[name] for name in (row["id"], *row["runs"]) if name in undone), None)
        return rows

    def counts(self, operation: str) -> dict[str, int]:
        """How many published tags an operation published, changed and withdrew so far; what is 0 is left out."""
        query = sa.text(
            "SELECT change, count(*) FROM tagging.tag_event WHERE operation = :id GROUP BY change ORDER BY 1"
        )
        with guard(), self._engine.connect() as connection:
            return {change: count for change, count in connection.execute(query, {"id": operation})}

    def operation(self, target: str) -> dict[str, Any] | None:
        """The operation that an operation or run id means, as its columns; ``None`` where nobody opened one."""
        run = sa.text(
            "SELECT o.* FROM tagging.operation o WHERE o.operation_id = :target OR o.operation_id ="
            " (SELECT operation FROM tagging.tag_event WHERE run_id = :target LIMIT 1)"
        )
        with guard(), self._engine.connect() as connection:
            row = connection.execute(run, {"target": target}).mappings().first()
            return dict(row) if row else None

    def resolve(self, prefix: str) -> str:
        """The operation or Dagster run that is meant by six or more of its first digits.

        Raises:
            SettingsError: none, or several.
        """
        wanted = prefix.strip().lower()
        if len(wanted) < _MIN_PREFIX:
            raise SettingsError(f'"{prefix}" is too short; give {_MIN_PREFIX} or more digits of a run or operation')
        with guard(), self._engine.connect() as connection:
            found: list[str] = list(connection.scalars(sa.text(_RESOLVE), {"prefix": wanted}))
        if not found:
            raise SettingsError(f'the history has no run or operation "{prefix}"; see tagging history')
        if len(found) > 1 and found[0] != wanted:
            raise SettingsError(f'"{prefix}" may mean several: {", ".join(found)}; give more digits')
        return found[0]

    def changes(self, target: str) -> list[TagChange]:
        """What an operation or run changed: every tag it touched, as before its first event and after its last."""
        with guard(), self._engine.connect() as connection:
            rows = connection.execute(sa.text(_CHANGES), {"target": target}).mappings()
            return [TagChange.of(row["image_id"], row["tag"], row["before"], row["after"]) for row in rows]

    def between(self, first: str, second: str) -> list[TagChange]:
        """The tags of all photos that either of two operations or runs touched, after one and after the other.

        Tags that stand after neither are left out; tags that are the same after both are not.
        """
        old, new = self._states(first, first, second), self._states(second, first, second)
        pairs = sorted(old.keys() | new.keys())
        found = [TagChange.of(*key, old.get(key), new.get(key)) for key in pairs]
        return [one for one in found if one.before is not None or one.after is not None]

    def uris(self, image_ids: Collection[str]) -> dict[str, str]:
        """Where photos are, or were last, by id."""
        found: dict[str, str] = {}
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(sorted(image_ids)):
                query = sa.select(image.c.image_id, image.c.uri).where(image.c.image_id.in_(chunk))
                found.update((row.image_id, row.uri) for row in connection.execute(query))
        return found

    def _states(self, target: str, a: str, b: str) -> dict[tuple[str, str], dict[str, Any] | None]:
        with guard(), self._engine.connect() as connection:
            end = connection.execute(sa.text(_END), {"target": target}).scalar_one()
            rows = connection.execute(sa.text(_STATES), {"end": end, "a": a, "b": b})
            return {(row.image_id, row.tag): row.after for row in rows}

    def _undone_by(self) -> dict[str, str]:
        """Operation or run to the operation that undid it, unless that was undone in turn."""
        chosen = sa.select(operation_table.c.operation_id, operation_table.c.undoes)
        chosen = chosen.where(operation_table.c.undoes.is_not(None)).order_by(operation_table.c.at.desc())
        undone: dict[str, str] = {}
        with guard(), self._engine.connect() as connection:
            # Newest first: whether an undo still holds is known before what it undid is looked at.
            for row in connection.execute(chosen):
                if row.operation_id not in undone:
                    undone.setdefault(row.undoes, row.operation_id)
        return undone


def begin(
    connection: sa.Connection, kind: str, who: str, why: str = "", *, undoes: str | None = None, now: datetime
) -> str:
    """:meth:`History.begin` as part of a transaction."""
    name = uuid.uuid4().hex
    row = {"operation_id": name, "kind": kind, "who": who, "why": why, "undoes": undoes, "at": now}
    connection.execute(sa.insert(operation_table).values(row))
    return name


def hashes(changes: Sequence[TagChange]) -> set[str]:
    """Hashes of every recipe that changes name."""
    states = [state for one in changes for state in (one.before, one.after, one.instead) if state is not None]
    own = {state.get("recipe", "") for state in states}
    return (own | {source["recipe"] for state in states for source in state.get("sources", ())}) - {""}
