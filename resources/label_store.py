"""Reads label sets from ``prompts/labels/*.yaml``.

What does not belong here: what a label set may say (``tagging_assets.domain.labels``).
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.labels import LabelSet, check_unique, parse_label_set

#: The sets that come with the project.
DEFAULT_FOLDER = Path(__file__).parent.parent / "prompts" / "labels"


class _UniqueKeyLoader(yaml.SafeLoader):
    """Plain YAML that refuses a key given twice, where PyYAML would silently keep the last."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[object, object]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} must be text; put it in quotes", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f'key "{key}" is there twice; keep one', key_node.start_mark
            )
        seen.add(key)
    return dict(loader.construct_mapping(node, deep=True))


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_label_set(path: Path) -> LabelSet:
    """Read and check one file.

    Raises:
        SettingsError: it cannot be read, is no YAML, or makes no sense as a label set.
        PolicyError: it asks for what must never be tagged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); give a label set's file") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8; save it as UTF-8") from error
    try:
        # a SafeLoader: it makes plain values only
        raw = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {_yaml_problem(error)}") from error
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


def _yaml_problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return "not valid YAML: " + " ".join(str(error).split())
