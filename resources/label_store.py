"""Reads label sets from ``prompts/labels/*.yaml``.

What does not belong here: what a label set may say (``tagging_assets.domain.labels``).
"""

from collections.abc import Sequence
from pathlib import Path

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.labels import LabelSet, check_unique, parse_label_set
from tagging_assets.text_files import read_yaml

#: The sets that come with the project.
DEFAULT_FOLDER = Path(__file__).parent.parent / "prompts" / "labels"


def load_label_set(path: Path) -> LabelSet:
    """Read and check one file.

    Raises:
        SettingsError: it cannot be read, is no YAML, or makes no sense as a label set.
        PolicyError: it asks for what must never be tagged.
    """
    raw = read_yaml(path, "give a label set's file", text_keys=True)
    return parse_label_set(raw, str(path))


def load_label_sets(folder: Path = DEFAULT_FOLDER) -> dict[str, LabelSet]:
    """Every ``*.yaml`` of a folder, by the name of the set, in the order of the names.

    Raises:
        SettingsError: the folder is missing or holds none, a file makes no sense, or two share a name.
        PolicyError: one asks for what must never be tagged.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise SettingsError(f"{folder}: no label sets (*.yaml) there; set the folder that holds them")
    found = [(str(path), load_label_set(path)) for path in paths]
    check_unique(found)
    return {label_set.name: label_set for _, label_set in sorted(found, key=lambda item: item[1].name)}


def choose_label_sets(folder: Path, names: Sequence[str]) -> list[LabelSet]:
    """The named sets, in that order.

    Raises:
        SettingsError: there is no set of that name, or as :func:`load_label_sets`.
        PolicyError: as :func:`load_label_sets`.
    """
    found = load_label_sets(folder)
    for name in names:
        if name not in found:
            raise SettingsError(f"label_sets: no {name!r} in {folder}; there are: {', '.join(found)}")
    return [found[name] for name in names]
