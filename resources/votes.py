"""Blind votes and relevance marks in Postgres: appended, never changed; the newest word of each person holds.

What does not belong here: which votes and marks count, and what for (``domain/voting.py``, ``domain/scoring.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from resources.statements import array, chunks, guard
from resources.tables import relevance_mark, vote
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.voting import Mark, Vote

_VOTE: sa.Select[Any] = sa.select(*(vote.c[one.name] for one in fields(Vote)))
_MARK: sa.Select[Any] = sa.select(*(relevance_mark.c[one.name] for one in fields(Mark)))


class Votes:
    """Writes and reads votes and marks; safe to use from several threads.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError`` where
    it refuses.

    Args:
        engine: on the project's Postgres, migrated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, votes: Sequence[Vote]) -> None:
        """Append votes, all or none."""
        self._append(vote, [asdict(one) for one in votes])

    def of(self, experiment: str) -> list[Vote]:
        """Every vote of an experiment, oldest first; where a voter voted twice on the same, the later one counts."""
        query = _VOTE.where(vote.c.experiment == experiment).order_by(vote.c.vote_id)
        with guard(), self._engine.connect() as connection:
            return [Vote(**row) for row in connection.execute(query).mappings()]

    def mark(self, marks: Sequence[Mark]) -> None:
        """Append marks, all or none; tags are kept in their normal spelling."""
        self._append(relevance_mark, [{**asdict(one), "tag": normalise_tag(one.tag)} for one in marks])

    def marks(self, image_ids: Sequence[str]) -> list[Mark]:
        """What holds on some photos: the newest mark of each photo, tag and marker, by photo, tag and marker.

        A mark that was taken back has ``relevant`` None.
        """
        columns = relevance_mark.c
        key = (columns.image_id, columns.tag, columns.marker)
        found: list[Mark] = []
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(sorted(set(image_ids))):
                newest = _MARK.where(columns.image_id.in_(array(chunk))).ext(distinct_on(*key))
                rows = connection.execute(newest.order_by(*key, columns.mark_id.desc()))
                found += [Mark(**row) for row in rows.mappings()]
        return found

    def _append(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            with guard(), self._engine.begin() as connection:
                connection.execute(sa.insert(table), [_without_nul(row) for row in rows])


def _without_nul(row: Mapping[str, Any]) -> dict[str, Any]:
    """Postgres texts hold no NUL, and a judge's words may."""
    return {name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in row.items()}
