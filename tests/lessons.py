"""Decisions on photos of a batch of their own, with raw scores of a model whose truth is known.

What does not belong here: assertions.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa

from resources.database import Database
from resources.tables import decision, image

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def half_as_right(raw: float) -> float:
    """A model that is half as often right as it says."""
    return raw / 2


def decide_on(
    database: Database,
    source: str,
    model: str,
    *,
    count: int = 120,
    truth: Callable[[float], float] = half_as_right,
    seed: int = 1,
    revision: str = "1",
) -> None:
    """Accept or reject the tag "kite" (category ``object``) of ``count`` new photos, as the truth has it."""
    draw = np.random.default_rng(seed)
    photos, verdicts = [], []
    for place, raw in enumerate(draw.uniform(0.4, 1.0, count)):
        name = f"{source} {seed} {place}"
        said = {"source": source, "model": model, "revision": revision, "score": float(raw), "label_set": ""}
        photos.append(
            {
                "image_id": name,
                "uri": f"/elsewhere/{name}.jpg",
                "batch": "b000900",
                "bytes": 1,
                "mtime_ns": 1,
                "first_seen": NOON,
                "changed_at": NOON,
                "gone_at": NOON,
            }
        )
        verdicts.append(
            {
                "image_id": name,
                "tag": "kite",
                "verdict": "accepted" if draw.random() < truth(raw) else "rejected",
                "category": "object",
                "who": "anna",
                "at": NOON,
                "operation": "op",
                "score": float(raw),
                "sources": [said],
            }
        )
    with database.engine.begin() as connection:
        connection.execute(sa.insert(image), photos)
        connection.execute(sa.insert(decision), verdicts)
