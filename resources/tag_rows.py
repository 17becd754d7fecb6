"""How rows of ``published_tag`` are written: every write leaves its event, in the same transaction.

The work is done by Postgres, in a few statements whatever the number of rows. The states in events are the rows as
Postgres has them, so that undoing can put them back column for column. What does not belong here: what is to be
written (``publisher``), and what happened before (``history``).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tagging_assets.domain.changes import TagChange

#: Rows that travel in one statement, as one JSON document.
_CHUNK = 5000

#: A row without what the event says beside it.
_STATE = "- '{image_id,tag,batch,said}'::text[]"

_NEWS = """
CREATE TEMPORARY TABLE news (
    image_id text, tag text, category text, score float8, status text, reason text, sources jsonb, recipe text,
    run_id text, before jsonb
) ON COMMIT DROP
"""

_FILL = f"""
INSERT INTO news
SELECT row.*, to_jsonb(p) {_STATE}
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(
    image_id text, tag text, category text, score float8, status text, reason text, sources jsonb, recipe text,
    run_id text)
LEFT JOIN tagging.published_tag p ON p.image_id = row.image_id AND p.tag = row.tag
"""  # noqa: S608 - made of constants

_WRITE = """
INSERT INTO tagging.published_tag
    (image_id, tag, batch, category, score, status, reason, sources, recipe, run_id, published_at, withdrawn_at)
SELECT image_id, tag, :batch, category, score, status, reason, sources, recipe, run_id, :at, NULL FROM news
ON CONFLICT (image_id, tag) DO UPDATE SET
    batch = excluded.batch, category = excluded.category, score = excluded.score, status = excluded.status,
    reason = excluded.reason, sources = excluded.sources, recipe = excluded.recipe, run_id = excluded.run_id,
    published_at = excluded.published_at, withdrawn_at = NULL
"""

_WRITE_EVENTS = f"""
INSERT INTO tagging.tag_event (at, image_id, tag, batch, operation, run_id, change, before, after)
SELECT :at, image_id, tag, :batch, :operation, :run_id,
       CASE WHEN before IS NULL OR before ->> 'withdrawn_at' IS NOT NULL THEN 'published' ELSE 'changed' END,
       before, to_jsonb(p) {_STATE}
FROM news JOIN tagging.published_tag p USING (image_id, tag) ORDER BY image_id, tag
"""  # noqa: S608 - made of constants

_WITHDRAW = f"""
WITH withdrawn AS (
    UPDATE tagging.published_tag p SET withdrawn_at = :at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS said(image_id text, tag text, said jsonb)
    WHERE p.image_id = said.image_id AND p.tag = said.tag
    RETURNING p.*, said.said
)
INSERT INTO tagging.tag_event (at, image_id, tag, batch, operation, run_id, change, before, after)
SELECT :at, image_id, tag, batch, :operation, :run_id, 'withdrawn',
       to_jsonb(withdrawn) {_STATE} || '{{"withdrawn_at": null}}',
       said || jsonb_build_object('withdrawn_at', to_jsonb(withdrawn) -> 'withdrawn_at')
FROM withdrawn ORDER BY image_id, tag
"""  # noqa: S608 - made of constants


def _left(after: str, row: str) -> str:
    """Condition that a row is as an event left it. Times tell one publication of the same words from another."""
    return f"""CASE
        WHEN {after} IS NULL THEN {row} IS NULL
        WHEN {after} ->> 'published_at' IS NOT NULL THEN coalesce({row} = {after}, false)
        WHEN {after} ->> 'withdrawn_at' IS NOT NULL
            THEN coalesce({row} ->> 'withdrawn_at' = {after} ->> 'withdrawn_at', false)
        -- published before there was a history
        ELSE coalesce({row} @> {after}, false)
    END"""


#: Every tag that the target changed: as it was before, and now. Of several changes of the target the last ones count
#: that follow on each other; before these is what something else left, which is not the target's to undo. What was
#: done since and undone again does not count.
_UNDOING = f"""
CREATE TEMPORARY TABLE undoing ON COMMIT DROP AS
WITH own AS (
    SELECT event.*, {_left("lag(after) OVER same", "before")} AND lag(event_id) OVER same IS NOT NULL AS follows
    FROM tagging.tag_event event WHERE operation = :target OR run_id = :target
    WINDOW same AS (PARTITION BY image_id, tag ORDER BY event_id)
),
marked AS (
    SELECT own.*, max(event_id) FILTER (WHERE NOT follows) OVER (PARTITION BY image_id, tag) AS first FROM own
),
last_ones AS (
    SELECT image_id, tag, batch, (array_agg(before ORDER BY event_id))[1] AS before,
           (array_agg(after ORDER BY event_id DESC))[1] AS after
    FROM marked WHERE event_id >= first GROUP BY image_id, tag, batch
),
change AS (
    SELECT one.*, to_jsonb(p) {_STATE} AS now
    FROM last_ones one LEFT JOIN tagging.published_tag p ON p.image_id = one.image_id AND p.tag = one.tag
)
SELECT change.image_id, tag, change.batch, before, now,
       before IS NOT DISTINCT FROM now AS back,
       NOT ({_left("after", "now")}) AS changed_since,
       image.gone_at IS NOT NULL AS gone,
       -- a verdict that came with it: people's words are taken back by people
       coalesce(after ->> 'status' IN ('accepted', 'added', 'rejected')
           AND after ->> 'status' IS DISTINCT FROM before ->> 'status', false) AS decided
FROM change LEFT JOIN tagging.image image ON image.image_id = change.image_id
"""  # noqa: S608 - made of constants

_GO_BACK = "NOT (back OR changed_since OR gone OR decided)"

_COUNT = f"""
SELECT count(*) FILTER (WHERE {_GO_BACK}) AS restored,
       count(DISTINCT image_id) FILTER (WHERE {_GO_BACK}) AS photos,
       count(*) FILTER (WHERE NOT back AND gone) AS gone,
       count(*) FILTER (WHERE NOT (back OR gone) AND changed_since) AS changed_since,
       count(*) FILTER (WHERE NOT (back OR gone OR changed_since) AND decided) AS decided
FROM undoing
"""  # noqa: S608 - made of constants

_PHOTOS = f"SELECT DISTINCT batch, image_id FROM undoing WHERE {_GO_BACK} ORDER BY batch, image_id"  # noqa: S608

_CHANGES = f"""
SELECT image_id, tag, now AS before, before AS after
FROM undoing WHERE {_GO_BACK} ORDER BY batch, image_id, tag LIMIT 1000
"""  # noqa: S608 - made of constants

_RESTORE = f"""
INSERT INTO tagging.published_tag
SELECT row.* FROM undoing, jsonb_populate_record(
    NULL::tagging.published_tag, before || jsonb_build_object('image_id', image_id, 'tag', tag, 'batch', batch)) row
WHERE {_GO_BACK} AND before IS NOT NULL
ON CONFLICT (image_id, tag) DO UPDATE SET
    batch = excluded.batch, category = excluded.category, score = excluded.score, status = excluded.status,
    reason = excluded.reason, sources = excluded.sources, recipe = excluded.recipe, run_id = excluded.run_id,
    published_at = excluded.published_at, withdrawn_at = excluded.withdrawn_at
"""  # noqa: S608 - made of constants

_REMOVE = f"""
DELETE FROM tagging.published_tag p USING undoing u
WHERE {_GO_BACK} AND before IS NULL AND p.image_id = u.image_id AND p.tag = u.tag
"""  # noqa: S608 - made of constants

_UNDO_EVENTS = f"""
INSERT INTO tagging.tag_event (at, image_id, tag, batch, operation, run_id, change, before, after)
SELECT :at, image_id, tag, batch, :operation, :run_id,
       CASE WHEN NOT stands_then THEN 'withdrawn' WHEN stands_now THEN 'changed' ELSE 'published' END,
       now, before
FROM (
    SELECT *, now ->> 'withdrawn_at' IS NULL AND now IS NOT NULL AS stands_now,
           before ->> 'withdrawn_at' IS NULL AND before IS NOT NULL AS stands_then
    FROM undoing WHERE {_GO_BACK}
) change ORDER BY batch, image_id, tag
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an event says about its cause.

    Attributes:
        at: aware UTC.
        operation: what somebody set going.
        run_id: the Dagster run of it that wrote; the operation itself where there was none.
    """

    at: datetime
    operation: str
    run_id: str

    @property
    def parameters(self) -> dict[str, Any]:
        """By the names the statements use."""
        return {"at": self.at, "operation": self.operation, "run_id": self.run_id}


@dataclass(frozen=True, slots=True)
class WayBack:
    """What undoing would do, or did.

    Attributes:
        restored: tags that go back to what they were.
        photos: photos these are on.
        gone: tags of photos that are no more; they stay.
        changed_since: tags that something else changed afterwards; they stay.
        decided: tags whose change is a person's verdict; they stay.
    """

    restored: int
    photos: int
    gone: int
    changed_since: int
    decided: int


def begin_writing(connection: sa.Connection, batches: Iterable[str]) -> None:
    """Wait for other writers of the batches, and have times written in UTC whatever the server's zone."""
    connection.execute(sa.text("SET LOCAL TIME ZONE 'UTC'"))
    lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
    for batch in sorted(batches):
        connection.execute(lock, {"name": f"published_tag {batch}"})


def write(connection: sa.Connection, batch: str, rows: Sequence[Mapping[str, Any]], stamp: Stamp) -> None:
    """Publish rows: columns of ``published_tag`` but for batch and times; once in a transaction."""
    if not rows:
        return
    connection.execute(sa.text(_NEWS))
    for chunk in _chunks(rows):
        connection.execute(sa.text(_FILL), {"rows": json.dumps(chunk)})
    parameters = {"batch": batch, **stamp.parameters}
    connection.execute(sa.text(_WRITE), parameters)
    connection.execute(sa.text(_WRITE_EVENTS), parameters)


def withdraw(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], stamp: Stamp) -> None:
    """Withdraw tags: ``image_id``, ``tag`` and ``said``, what was decided in the tag's place."""
    for chunk in _chunks(rows):
        connection.execute(sa.text(_WITHDRAW), {"rows": json.dumps(chunk), **stamp.parameters})


def _chunks(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def batches_of(connection: sa.Connection, target: str) -> list[str]:
    """Batches in which an operation or run changed tags."""
    query = sa.text("SELECT DISTINCT batch FROM tagging.tag_event WHERE operation = :target OR run_id = :target")
    return sorted(connection.scalars(query, {"target": target}))


def find_way_back(connection: sa.Connection, target: str) -> WayBack:
    """Work out, for the rest of the transaction, what undoing an operation or run comes to."""
    connection.execute(sa.text(_UNDOING), {"target": target})
    return WayBack(**connection.execute(sa.text(_COUNT)).mappings().one())


def photos_to_restore(connection: sa.Connection) -> dict[str, list[str]]:
    """The photos that :func:`restore` is about to change, by batch."""
    found: dict[str, list[str]] = {}
    for batch, image_id in connection.execute(sa.text(_PHOTOS)):
        found.setdefault(batch, []).append(image_id)
    return found


def first_changes(connection: sa.Connection) -> tuple[TagChange, ...]:
    """What :func:`restore` is about to change, tag by tag; the first thousand."""
    rows = connection.execute(sa.text(_CHANGES)).mappings()
    return tuple(TagChange.of(one["image_id"], one["tag"], one["before"], one["after"]) for one in rows)


def restore(connection: sa.Connection, stamp: Stamp) -> None:
    """Go the way that :func:`find_way_back` found: every row as it was, or not there where it was not."""
    connection.execute(sa.text(_RESTORE))
    connection.execute(sa.text(_REMOVE))
    connection.execute(sa.text(_UNDO_EVENTS), stamp.parameters)
