"""True tags of photos, as somebody wrote them down: ``{"a.jpg": ["dog"]}``, or rows of ``image,tag``.

What does not belong here: reading the file (``resources/experiment_files.py``).
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.rules import normalise_tag

Reference = Mapping[str, tuple[str, ...]]


def parse_reference(text: str, where: str) -> Reference:
    """Tags by the name of the photo, in their order and without repetition.

    Args:
        text: JSON, or CSV with the columns ``image`` and ``tag``.
        where: what to call it in errors.

    Raises:
        SettingsError: it is neither.
    """
    text = text.removeprefix("\ufeff")
    pairs = _of_json(text, where) if text.lstrip().startswith("{") else _of_csv(text, where)
    found: dict[str, dict[str, None]] = {}
    for name, tag in pairs:
        tags = found.setdefault(name, {})
        if normalise_tag(tag):
            tags[normalise_tag(tag)] = None
    return {name: tuple(tags) for name, tags in found.items()}


def match_reference(reference: Reference, photos: Mapping[str, str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Tags by photo, and the names that no photo has, or several.

    A photo is meant by its id, its path, its file name, or that without its ending, in this order.

    Args:
        reference: tags by name.
        photos: path by id.
    """
    places: dict[str, dict[str, set[str]]] = {kind: {} for kind in ("id", "path", "name", "stem")}
    for image_id, path in photos.items():
        pure = PurePosixPath(path)
        for kind, name in (("id", image_id), ("path", path), ("name", pure.name), ("stem", pure.stem)):
            places[kind].setdefault(name, set()).add(image_id)
    found: dict[str, dict[str, None]] = {}
    unknown = []
    for name, tags in reference.items():
        meant = next((ids for one in places.values() if len(ids := one.get(name, set())) == 1), None)
        if meant is None:
            unknown.append(name)
        else:
            # A photo may be meant by several names.
            found.setdefault(next(iter(meant)), {}).update(dict.fromkeys(tags))
    return {image_id: tuple(tags) for image_id, tags in found.items()}, unknown


def _of_json(text: str, where: str) -> list[tuple[str, str]]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: is not JSON: {error}") from error
    pairs = []
    for name, tags in said.items():
        if not isinstance(tags, Sequence) or isinstance(tags, str) or not all(isinstance(one, str) for one in tags):
            raise SettingsError(f'{where}: {name}: write a list of tags, such as {{"{name}": ["dog", "beach"]}}')
        # A photo whose true tags are none is known too.
        pairs += [(name, tag) for tag in tags] or [(name, "")]
    return pairs


def _of_csv(text: str, where: str) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(text))
    try:
        if not {"image", "tag"} <= set(rows.fieldnames or ()):
            raise SettingsError(f"{where}: is neither JSON nor CSV with the columns image,tag")
        return [(row["image"].strip(), row["tag"] or "") for row in rows if (row["image"] or "").strip()]
    except csv.Error as error:
        raise SettingsError(f"{where}, line {rows.line_num}: no CSV ({error})") from error
