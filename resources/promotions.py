"""Promotions in Postgres: which contestant became the production recipe when, and what it replaced.

What does not belong here: changing the settings file (``settings_file``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.statements import guard
from resources.tables import promotion, source_text
from tagging_assets.domain.hashing import content_hash

_KIND = "settings"


@dataclass(frozen=True, slots=True)
class Said:
    """What a settings file says, before a promotion or after it.

    Attributes:
        said: values by key of the section ``llm``, such as ``sampling.temperature``; only keys that the promotion
            changes, and only those that the file says.
        text: the whole file.
    """

    said: Mapping[str, Any]
    text: str

    @property
    def hash(self) -> str:
        """Of the text."""
        return content_hash(self.text)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One promotion; ``promotion_id`` grows with time."""

    promotion_id: int
    experiment: str
    configuration: str
    settings_path: str
    before: Said
    after: Said
    who: str
    why: str
    at: datetime


class Promotions:
    """Writes and reads promotions.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError`` where
    it refuses.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(
        self, names: tuple[str, str], path: Path, before: Said, after: Said, *, by: tuple[str, str], now: datetime
    ) -> int:
        """Write a promotion down, before the file is changed.

        Args:
            names: of experiment and contestant.
            path: of the settings file.
            before: what it says.
            after: what it will say.
            by: who, and why.
            now: aware UTC.

        Returns:
            Its id.
        """
        texts = [
            {"hash": one.hash, "kind": _KIND, "name": str(path), "text": one.text, "first_seen": now}
            for one in (before, after)
        ]
        row = {
            **dict(zip(("experiment", "configuration"), names, strict=True)),
            "settings_path": str(path),
            "before": {"said": dict(before.said), "text": before.hash},
            "after": {"said": dict(after.said), "text": after.hash},
            **dict(zip(("who", "why"), by, strict=True)),
            "at": now,
        }
        with guard(), self._engine.begin() as connection:
            connection.execute(insert(source_text).values(texts).on_conflict_do_nothing())
            made = connection.execute(sa.insert(promotion).values(row).returning(promotion.c.promotion_id))
            return int(made.scalar_one())

    def latest(self, path: Path) -> Promotion | None:
        """The newest promotion of a settings file that was not taken back; ``None`` for none."""
        chosen = (
            sa.select(promotion)
            .where(promotion.c.settings_path == str(path), promotion.c.undone_at.is_(None))
            .order_by(promotion.c.promotion_id.desc())
            .limit(1)
        )
        with guard(), self._engine.connect() as connection:
            row = connection.execute(chosen).mappings().first()
            if row is None:
                return None
            hashes = [row[name]["text"] for name in ("before", "after")]
            found = sa.select(source_text.c.hash, source_text.c.text).where(source_text.c.hash.in_(hashes))
            texts = {key: text for key, text in connection.execute(found)}
        sides = {name: Said(row[name]["said"], texts[row[name]["text"]]) for name in ("before", "after")}
        return Promotion(**{one.name: sides.get(one.name, row[one.name]) for one in fields(Promotion)})

    def take_back(self, promotion_id: int, now: datetime) -> None:
        """Remember that a promotion holds no more."""
        written = sa.update(promotion).where(promotion.c.promotion_id == promotion_id).values(undone_at=now)
        with guard(), self._engine.begin() as connection:
            connection.execute(written)
