"""Everything the tables of a project say, as one JSON document, without what differs from run to run.

    python benchmarks/faults_snapshot.py SETTINGS

Photos are named by their file, hashes of rows and of recipes stand for themselves, ids of photos, runs and moments are
left out. Beside the tables: what Dagster and we hold for runs (nothing, where none goes on), and whether a run would
have something to compute (no).
"""

import json
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resources.tables import image, llm_call, published_tag
from tagging_assets.commands.session import Session, open_session
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import STAGES

_NOT_THERE = "SELECT to_regclass(:name) IS NULL"


def main() -> None:
    """Print the document."""
    with open_session(Path(sys.argv[1])) as session:
        json.dump(snapshot(session), sys.stdout, default=str)


def snapshot(session: Session) -> dict[str, Any]:
    """Tables by name, each a sorted list of lines."""
    from datetime import UTC, datetime

    with session.database.engine.connect() as connection:
        names = {
            row.image_id: row.uri.rsplit("/", 1)[-1]
            for row in connection.execute(sa.select(image.c.image_id, image.c.uri))
        }
        batches = sorted(set(connection.scalars(sa.select(image.c.batch))))
        published = [
            [names[row.image_id], row.tag, row.category, round(float(row.score or 0), 5), row.status, row.reason]
            for row in connection.execute(sa.select(published_tag).where(published_tag.c.withdrawn_at.is_(None)))
        ]
        answered = [
            list(row)
            for row in connection.execute(
                sa.select(llm_call.c.request_hash, llm_call.c.outcome).where(llm_call.c.outcome == "ok").distinct()
            )
        ]
        held = _held(connection)
    told: dict[str, Any] = {"images known": sorted(names.values()), "published": published, "answers": answered}
    for stage in STAGES:
        told[stage] = [
            [names[record.image_id], record.recipe, record.status, record.error_kind, *_plain(record.rows, names)]
            for batch in batches
            for record in session.toolbox.bench.store.read(stage, batch).current
        ]
    stale = session.line.stale_batches(batches, now=datetime.now(UTC), retrying=Retrying.DUE)
    lines = {
        name: sorted(json.dumps(line, default=str, sort_keys=True) for line in rows) for name, rows in told.items()
    }
    return {**lines, "left to compute": stale, "held for runs": held}


def _plain(rows: Any, names: dict[str, str]) -> list[str]:
    """Rows without ids that were drawn by lot, numbers as far as they are shown."""
    document = json.dumps([_rounded(dict(row)) for row in rows], default=str, sort_keys=True)
    for image_id, name in names.items():
        document = document.replace(image_id, name)
    return [document]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items() if key not in ("run_id", "uri", "mtime", "path")}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value


def _held(connection: sa.Connection) -> list[str]:
    """What is held for a run although none goes on: slots and steps of pools, runs under way."""
    held = []
    for table, condition in (
        ("concurrency_slots", "run_id IS NOT NULL AND NOT deleted"),
        ("pending_steps", "true"),
        ("runs", "status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"),
    ):
        if not connection.execute(sa.text(_NOT_THERE), {"name": f"public.{table}"}).scalar_one():
            count = connection.execute(sa.text(f"SELECT count(*) FROM public.{table} WHERE {condition}")).scalar_one()
            held += [f"{table}: {count}"] if count else []
    return held


if __name__ == "__main__":
    main()
