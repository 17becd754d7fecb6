"""One canonical content hash for everything whose identity decides freshness."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

#: Facts about how a row came to be, not about what it says: left out wherever content is compared.
PROVENANCE_FIELDS = frozenset({"image_id", "run_id"})


def content_hash(value: object) -> str:
    """SHA-256 (64 hex digits) of a JSON-able value; bytes count by their hex digits.

    Mappings hash alike whatever the order of their keys; floats by their shortest exact representation.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def rows_hash(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Hash of what rows say: order matters, whose photo it is and which run made it does not.

    Args:
        rows: the rows of one image.
        columns: only these columns count; all by default.
    """
    return content_hash([_said(row, columns) for row in rows])


def _said(row: Mapping[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    chosen = row if columns is None else {name: row[name] for name in columns}
    return {name: _strip(value) for name, value in chosen.items() if name not in PROVENANCE_FIELDS}


def _strip(value: Any) -> Any:
    """Provenance stays out at every depth, as in the ``sources`` of a tag."""
    if isinstance(value, Mapping):
        return {name: _strip(item) for name, item in value.items() if name not in PROVENANCE_FIELDS}
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [_strip(item) for item in value]
    return value


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "item"):  # a NumPy scalar
        return value.item()
    raise TypeError(f"cannot hash a {type(value).__name__}")
