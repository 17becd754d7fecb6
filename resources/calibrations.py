"""Calibrations fitted to people's decisions, in Postgres: appended, the newest one in use; and what they learn from.

What does not belong here: fitting (``domain/teaching.py``) and use (``domain/fitted.py``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pydantic
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from resources.locks import lock_transaction
from resources.manifest_rows import guard
from resources.tables import calibration, decision, image
from tagging_assets.domain.errors import StorageError
from tagging_assets.domain.fitted import Fitted
from tagging_assets.domain.teaching import Lesson
from tagging_assets.domain.verdicts import Verdict

#: Key of the advisory lock that lets one process at a time add a calibration.
_LOCK = 0x6361_6C69_6272

_SAYS_MUCH = (str(Verdict.ACCEPTED), str(Verdict.REJECTED))


@dataclass(frozen=True, slots=True)
class FittedCalibration:
    """A calibration that was kept: its content, the ``hash`` of that, when and by which Dagster run."""

    hash: str
    body: Fitted
    made_at: datetime
    run_id: str


class Calibrations:
    """Keeps calibrations and reads what they are fitted to.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def latest(self) -> FittedCalibration | None:
        """The one in use; ``None`` where none was ever kept.

        Raises:
            StorageError: it was written by another version of this project.
        """
        with guard(), self._engine.connect() as connection:
            rows = _newest(connection, 1)
        return _read(rows[0]) if rows else None

    def latest_hash(self) -> str:
        """Hash of the one in use, without reading it; ``""`` for none."""
        chosen = sa.select(calibration.c.hash).order_by(calibration.c.calibration_id.desc()).limit(1)
        with guard(), self._engine.connect() as connection:
            return connection.execute(chosen).scalar_one_or_none() or ""

    def keep(self, body: Fitted, run_id: str, now: datetime) -> bool:
        """Put a calibration to use, unless its content is that of the one in use.

        With nothing fitted and none in use there is nothing to keep.

        Returns:
            Whether it is another one now.
        """
        with guard(), self._engine.begin() as connection:
            lock_transaction(connection, _LOCK, "writing down a calibration")
            newest = _newest(connection, 1)
            if newest[0]["hash"] == body.hash if newest else not body.fits:
                return False
            _append(connection, body.hash, body.model_dump(mode="json"), run_id, now)
        return True

    def revert(self, run_id: str, now: datetime) -> FittedCalibration | None:
        """Put the one before back to use, by adding a copy of it; one without any fit where there was none before.

        Returns:
            What is in use now; ``None``, and nothing is done, where no calibration was ever kept.
        """
        with guard(), self._engine.begin() as connection:
            lock_transaction(connection, _LOCK, "writing down a calibration")
            newest = _newest(connection, 2)
            if not newest:
                return None
            body = newest[1]["body"] if len(newest) > 1 else Fitted().model_dump(mode="json")
            digest = newest[1]["hash"] if len(newest) > 1 else Fitted().hash
            _append(connection, digest, body, run_id, now)
        return self.latest()

    def lessons(self) -> list[Lesson]:
        """Accepted and rejected tags that the machine had spoken for, the newest verdict on each.

        Copies of one picture are one: of several verdicts on a tag of it the newest counts. Photos that are gone
        still teach.
        """
        photo = sa.func.coalesce(image.c.pixel_id, image.c.image_id).label("photo")
        holds = (
            sa.select(decision, photo)
            .join(image, image.c.image_id == decision.c.image_id)
            .ext(distinct_on(decision.c.image_id, decision.c.tag))
            .order_by(decision.c.image_id, decision.c.tag, decision.c.decision_id.desc())
            .subquery()
        )
        chosen = (
            sa.select(holds)
            .where(holds.c.verdict.in_(_SAYS_MUCH), holds.c.sources != sa.literal([], holds.c.sources.type))
            .ext(distinct_on(holds.c.photo, holds.c.tag))
            .order_by(holds.c.photo, holds.c.tag, holds.c.decision_id.desc())
        )
        with guard(), self._engine.connect() as connection:
            return [_lesson(row) for row in connection.execute(chosen).mappings()]


def _lesson(row: sa.RowMapping) -> Lesson:
    return Lesson(row["photo"], row["category"] or "", row["verdict"] == Verdict.ACCEPTED, _said(row["sources"]))


def _said(sources: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in sources if one.get("score") is not None]


def _newest(connection: sa.Connection, count: int) -> list[sa.RowMapping]:
    chosen = sa.select(calibration).order_by(calibration.c.calibration_id.desc()).limit(count)
    return list(connection.execute(chosen).mappings())


def _append(connection: sa.Connection, digest: str, body: dict[str, Any], run_id: str, now: datetime) -> None:
    row = {"hash": digest, "body": body, "made_at": now, "run_id": run_id}
    connection.execute(sa.insert(calibration).values(row))


def _read(row: sa.RowMapping) -> FittedCalibration:
    try:
        body = Fitted.model_validate(row["body"])
    except pydantic.ValidationError as error:
        raise StorageError(
            f"calibration {row['calibration_id']} is not in this version's form; run `tagging calibrate` for a new one"
        ) from error
    return FittedCalibration(row["hash"], body, row["made_at"], row["run_id"])
