"""Sums per batch, kept up by whoever changes its photos: told without reading millions of rows.

What does not belong here: what the stages hold of a batch (``stage_state``).
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resources.statements import rows_of
from resources.tables import batch as table
from tagging_assets.domain.staleness import BatchSum

#: The columns of a ``BatchSum``, by its names.
SELECT: sa.Select[Any] = sa.select(
    table.c.batch,
    table.c.images,
    table.c.gone,
    table.c.revision,
    table.c.decisions,
    table.c.changed_at,
    table.c.done,
)


def sums(connection: sa.Connection, query: sa.Select[Any]) -> list[BatchSum]:
    """The batches a query over :data:`SELECT` gives."""
    return [BatchSum(*row) for row in connection.execute(query)]


def newest_batch(connection: sa.Connection) -> tuple[str | None, int]:
    """The newest batch, None before there is one, and how many photos it holds; gone ones may come back and count."""
    newest = sums(connection, SELECT.order_by(table.c.batch.desc()).limit(1))
    return (newest[0].batch, newest[0].images + newest[0].gone) if newest else (None, 0)


def add_up(
    connection: sa.Connection,
    touched: Collection[str],
    *,
    came: Iterable[str],
    went: Iterable[str],
    returned: Iterable[str],
    now: datetime,
) -> None:
    """Write down what a change came to, in its transaction, and count the change.

    Args:
        connection: in the transaction that changes the photos, under the manifest's lock.
        touched: batches with any change; they hold all those below.
        came: the batch of each new photo.
        went: the batch of each photo that is gone now and was there.
        returned: the batch of each photo that was gone and is there again.
        now: time of the change.
    """
    if not touched:
        return
    new, lost, back = Counter(came), Counter(went), Counter(returned)
    columns = {"batch": sa.Text, "images": sa.Integer, "gone": sa.Integer}
    # In one order everywhere, so that two writers never wait for each other.
    rows = [(name, new[name] - lost[name] + back[name], lost[name] - back[name]) for name in sorted(touched)]
    incoming = rows_of(columns, rows)
    told = sa.select(*(incoming.c[name] for name in columns), sa.literal(1), sa.literal(now))
    statement = insert(table).from_select([*columns, "revision", "changed_at"], told)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.batch],
            set_={
                **{name: table.c[name] + statement.excluded[name] for name in ("images", "gone", "revision")},
                "changed_at": statement.excluded.changed_at,
            },
        )
    )
