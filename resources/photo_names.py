"""Photos by the names that people and programs give them, many at a time.

What does not belong here: one photo by whatever a person types (``Manifest.find``).
"""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from resources.manifest_rows import chunks, guard, rows_of
from resources.tables import image


class PhotoNames:
    """Looks names up in the manifest.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.

    Args:
        engine: of the project's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the photos that have a name as their whole image_id, their uri or their file name.

        Names that no photo has are left out; one that several have, gone ones included, has several ids.
        """
        # One look through the manifest, however many names: a file name is no column of its own.
        file_name = sa.func.regexp_replace(image.c.uri, r"^.*[/\\]", "")
        found: defaultdict[str, list[str]] = defaultdict(list)
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(sorted(set(names))):
                wanted = rows_of({"name": sa.Text}, [(name,) for name in chunk])
                for column in (image.c.image_id, image.c.uri, file_name):
                    query = sa.select(wanted.c.name, image.c.image_id).join(image, column == wanted.c.name)
                    for row in connection.execute(query.order_by(image.c.uri)):
                        if row.image_id not in found[row.name]:
                            found[row.name].append(row.image_id)
        return {name: ids for name, ids in found.items() if ids}

    def uris(self, image_ids: Sequence[str]) -> dict[str, str]:
        """Where photos lie, or lay last."""
        found: dict[str, str] = {}
        with guard(), self._engine.connect() as connection:
            for chunk in chunks(sorted(set(image_ids))):
                wanted = rows_of({"name": sa.Text}, [(image_id,) for image_id in chunk])
                query = sa.select(image.c.image_id, image.c.uri).join(wanted, wanted.c.name == image.c.image_id)
                found.update((row.image_id, row.uri) for row in connection.execute(query))
        return found
