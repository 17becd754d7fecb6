"""What tests of publishing, history and undo share: photos in two batches, and records of the stage ``tags``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from resources.database import Database
from resources.history import History
from resources.publisher import Forbidden, Published, Publisher, Undone
from resources.tables import held_decision, image, published_tag
from tagging_assets.domain import schemas
from tagging_assets.domain.frames import ImageRecord, typed_rows
from tests.workshop import clear

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(image_id: str, tag: str, score: float, **said: Any) -> dict[str, Any]:
    """A row of the stage ``tags``."""
    plain = {"category": "object", "status": "auto", "reason": "", "sources": []}
    return {"image_id": image_id, "tag": tag, "score": score, **plain, **said}


def decided(
    image_id: str, run_id: str = "run1", *, rows: Iterable[Mapping[str, Any]] = (), recipe: str = "r", **scores: float
) -> ImageRecord:
    """An ok record of the stage ``tags``; its output is told by its rows."""
    made = typed_rows(schemas.TAGS, [*rows, *(row(image_id, tag, score) for tag, score in scores.items())])
    output = ",".join(f"{one['tag']}:{one['score']:.2f}:{one['status']}" for one in made)
    return ImageRecord(image_id, recipe, "inputs", output, "ok", made, run_id, NOON, 0.1)


@dataclass
class Desk:
    """Photos a and b in the batch b1, c in b2; an hour passes with every publication and undo."""

    database: Database
    now: datetime = NOON
    #: What is decided last, by batch.
    decided: dict[str, Sequence[ImageRecord]] = field(default_factory=dict)
    #: What an undo must not bring back.
    forbidden: Forbidden | None = None

    def __post_init__(self) -> None:
        clear(self.database)
        self.publisher, self.history = Publisher(self.database.engine), History(self.database.engine)
        self.add_photos("a", "b")
        self.add_photos("c", batch="b2")

    def add_photos(self, *names: str, batch: str = "b1") -> None:
        rows = [
            {"image_id": name, "uri": f"/photos/{name}.jpg", "batch": batch, "bytes": 1, "mtime_ns": 1}
            | {"first_seen": NOON, "changed_at": NOON}
            for name in names
        ]
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(image), rows)

    def lose(self, name: str, gone_at: datetime | None = NOON) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(sa.update(image).where(image.c.image_id == name).values(gone_at=gone_at))

    def publish(
        self, *records: ImageRecord, run: str, operation: str = "", gone: Sequence[str] = (), batch: str = "b1"
    ) -> Published:
        self.decided[batch] = records
        self.now += HOUR
        return self.publisher.publish(batch, records, gone, self.now, run_id=run, operation=operation or run)

    def undo(self, target: str, *, dry_run: bool = False) -> Undone:
        self.now += HOUR
        return self.publisher.undo(
            target,
            decided=lambda batch: self.decided.get(batch, ()),
            who="anna",
            why="a bad prompt",
            now=self.now,
            dry_run=dry_run,
            forbidden=self.forbidden,
        )

    def table(self) -> list[tuple[Any, ...]]:
        """Every row of ``published_tag``, column for column."""
        with self.database.engine.connect() as connection:
            chosen = sa.select(published_tag).order_by(published_tag.c.image_id, published_tag.c.tag)
            return [tuple(one) for one in connection.execute(chosen)]

    def held(self) -> set[tuple[str, str]]:
        with self.database.engine.connect() as connection:
            return {(one.image_id, one.output) for one in connection.execute(sa.select(held_decision))}

    def live(self) -> dict[tuple[str, str], float]:
        return {(one["image_id"], one["tag"]): round(one["score"], 3) for one in self.publisher.tags()}

    def is_current(self, batch: str = "b1", gone: Sequence[str] = ()) -> bool:
        return self.publisher.is_current(batch, self.decided[batch], gone)

    def changes(self, image_id: str) -> list[tuple[str, str, str]]:
        return [(one["change"], one["tag"], one["run_id"]) for one in self.history.events(image_id)]
