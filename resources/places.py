"""Places in the manifest's tables: what lies in a folder, or below one, found by an index.

A path is kept as ``identity.uri_of`` writes it, so the files of one folder may be kept under two names: those that
Unicode can say, and the others with percent escapes.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote_from_bytes

import sqlalchemy as sa

from tagging_assets.domain.identity import uri_of


def names_of(folder: str) -> tuple[str, ...]:
    """The values of ``image.folder`` that mean a folder; one where Unicode cannot say its path, else two."""
    stem = folder.rstrip("/\\")
    escaped = "file://" + quote_from_bytes(stem.encode("utf-8", "surrogateescape"), safe="/")
    plain = uri_of(stem)
    return (plain,) if plain == escaped else (plain, escaped)


def at_or_below(column: sa.ColumnElement[Any], folder: str) -> sa.ColumnElement[bool]:
    """Whether a folder is the given one or below it, by ranges of a column that is compared byte by byte."""
    return sa.or_(*_ranges(column, names_of(folder)))


def _ranges(column: sa.ColumnElement[Any], names: Iterable[str]) -> Iterable[sa.ColumnElement[bool]]:
    for name in names:
        yield column == name
        for slash in ("/", "\\"):
            # What follows a slash sorts before the character after the slash.
            yield sa.and_(column >= name + slash, column < name + chr(ord(slash) + 1))
