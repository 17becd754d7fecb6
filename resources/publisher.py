"""Published tags: what the world reads, replaced by partition in one transaction.

A tag that is decided no longer, or whose photo is gone, is withdrawn: the row stays and says when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.tables import image, published_tag
from tagging_assets.domain.frames import ImageRecord

_SAID = ("category", "score", "status", "reason", "sources", "recipe")
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication changed.

    Attributes:
        live: tags that stand after it.
        written: tags that are new, changed or back.
        withdrawn: tags that stand no longer.
    """

    live: int
    written: int
    withdrawn: int


class Publisher:
    """Reads and replaces published tags.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def publish(self, batch: str, decided: Sequence[ImageRecord], gone: Sequence[str], now: datetime) -> Published:
        """Make the published tags of a batch say what was decided.

        Images that are neither decided nor gone (their decision failed) keep what was published before.

        Args:
            batch: the partition.
            decided: ok records of the stage ``tags``.
            gone: images whose file is no more.
            now: aware UTC.
        """
        with self._engine.begin() as connection:
            written, withdrawn = _changes(connection, batch, decided, gone, now)
            for start in range(0, len(written), _CHUNK):
                connection.execute(_upsert(written[start : start + _CHUNK]))
            if withdrawn:
                keys = sa.tuple_(published_tag.c.image_id, published_tag.c.tag)
                connection.execute(sa.update(published_tag).where(keys.in_(withdrawn)).values(withdrawn_at=now))
            live = sa.select(sa.func.count()).where(
                published_tag.c.batch == batch, published_tag.c.withdrawn_at.is_(None)
            )
            return Published(connection.execute(live).scalar_one(), len(written), len(withdrawn))

    def is_current(self, batch: str, decided: Sequence[ImageRecord], gone: Sequence[str]) -> bool:
        """Whether publishing now would change nothing; reads only."""
        with self._engine.connect() as connection:
            # Nothing is written, so the time that rows would carry does not matter.
            written, withdrawn = _changes(connection, batch, decided, gone, datetime.min.replace(tzinfo=UTC))
        return not (written or withdrawn)

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
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(chosen).mappings()]


def _changes(
    connection: sa.Connection, batch: str, decided: Sequence[ImageRecord], gone: Sequence[str], now: datetime
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Rows that publishing would write, and the (image_id, tag) of those that it would withdraw."""
    wanted = {(record.image_id, row["tag"]): _row(batch, record, row, now) for record in decided for row in record.rows}
    settled = {record.image_id for record in decided} | set(gone)
    chosen = sa.select(published_tag).where(published_tag.c.batch == batch)
    standing = {(row["image_id"], row["tag"]): row for row in connection.execute(chosen).mappings()}
    written = [row for key, row in wanted.items() if _differs(standing.get(key), row)]
    withdrawn = [
        key for key, row in standing.items() if row["withdrawn_at"] is None and key not in wanted and key[0] in settled
    ]
    return written, withdrawn


def _row(batch: str, record: ImageRecord, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "image_id": record.image_id,
        "tag": row["tag"],
        "batch": batch,
        **{name: row[name] for name in _SAID if name != "recipe"},
        "recipe": record.recipe,
        "run_id": record.run_id,
        "published_at": now,
        "withdrawn_at": None,
    }


def _differs(standing: sa.RowMapping | None, row: Mapping[str, Any]) -> bool:
    if standing is None or standing["withdrawn_at"] is not None:
        return True
    return any(standing[name] != row[name] for name in _SAID)


def _upsert(rows: list[dict[str, Any]]) -> sa.Executable:
    statement = insert(published_tag).values(rows)
    return statement.on_conflict_do_update(
        index_elements=["image_id", "tag"],
        set_={name: statement.excluded[name] for name in rows[0] if name not in ("image_id", "tag")},
    )
