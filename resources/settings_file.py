"""Changes single settings in a file that people keep, with its comments and order.

What does not belong here: what settings mean (``tagging_assets/settings.py``).
"""

import difflib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.files import write_output
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.yaml_faults import yaml_message
from tagging_assets.domain.yaml_text import parse_yaml

#: A setting by its keys from the top, such as ``("llm", "sampling", "temperature")``.
Place = tuple[str, ...]

#: How far a key stands in; list items and comments do not count.
_INDENTED = re.compile(r"^( +)[^\s#-]", re.MULTILINE)

#: Stands for a setting that a file does not say.
UNSAID = object()


@dataclass(frozen=True, slots=True)
class Edit:
    """A file's text before and after."""

    path: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """What changes, as a unified diff; ``""`` where nothing does."""
        lines = (self.before.splitlines(keepends=True), self.after.splitlines(keepends=True))
        return "".join(
            line if line.endswith("\n") else f"{line}\n"
            for line in difflib.unified_diff(*lines, str(self.path), str(self.path), n=1)
        )

    def write(self) -> None:
        """Put the text after in the file's place.

        Raises:
            SettingsError: the file cannot be written, or was changed since it was read.
        """
        if _text(self.path) != self.before:
            raise SettingsError(f"{self.path} was changed meanwhile; run the command again")
        try:
            write_output(self.path, self.after.encode())
        except OSError as error:
            wrong = SettingsError(f"{self.path} cannot be written ({error.strerror}); put it in by hand:")
            wrong.add_note(self.diff)
            raise wrong from error


def said(path: Path, places: Sequence[Place]) -> dict[Place, Any]:
    """What a file itself says; :data:`UNSAID` where it says nothing.

    Raises:
        SettingsError: it cannot be read.
    """
    document, _ = _load(path, _text(path))
    return {place: _get(document, place) for place in places}


def edit(path: Path, changes: Mapping[Place, Any]) -> Edit:
    """The text of a file with other settings; nothing is written.

    Args:
        path: a YAML file.
        changes: values by place; :data:`UNSAID` takes a setting out, with sections that are empty then.

    Raises:
        SettingsError: it cannot be read, or has something else than a section where one is needed.
    """
    before = _text(path)
    document, yaml = _load(path, before)
    plain = _dumped(yaml, document)
    for place, value in changes.items():
        if value is UNSAID:
            _remove(document, place)
        else:
            _set(path, document, place, value)
    changed = _dumped(yaml, document)
    lines = _merged(before.splitlines(), plain, changed)
    if yaml.load("\n".join(lines)) != yaml.load("\n".join(changed)):
        lines = changed
    # Files edited elsewhere keep their line ends.
    end = "\r\n" if "\r\n" in before else "\n"
    return Edit(path, before, "".join(f"{line}{end}" for line in lines))


def _dumped(yaml: Any, document: Any) -> list[str]:
    buffer = io.StringIO()
    if document:
        yaml.dump(document, buffer)
    return buffer.getvalue().splitlines()


def _merged(text: Sequence[str], plain: Sequence[str], changed: Sequence[str]) -> Sequence[str]:
    """A text with those lines changed that a change changes: writing YAML back may tidy others up as well.

    Args:
        text: as it stands in the file.
        plain: the same, read and written back unchanged.
        changed: written back with the change.
    """
    if not plain:
        return [*text, *changed]
    if len(plain) != len(text):
        return changed
    merged: list[str] = []
    for kind, first, last, start, end in difflib.SequenceMatcher(None, plain, changed, autojunk=False).get_opcodes():
        merged += text[first:last] if kind == "equal" else changed[start:end]
    return merged


def _load(path: Path, text: str) -> tuple[Any, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    # This reader is slower and knows no limits.
    parse_yaml(text, str(path))
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    mapping = min((len(one) for one in _INDENTED.findall(text)), default=2)
    yaml.indent(mapping=mapping, sequence=mapping + 2, offset=mapping)
    try:
        document = yaml.load(text)
    except (YAMLError, ValueError) as error:
        raise SettingsError(f"{path}: is not YAML: {yaml_message(error)}") from error
    if document is None:
        document = CommentedMap()
    if not isinstance(document, CommentedMap):
        raise SettingsError(f"{path}: must be a mapping such as `data_dir: .tagging`")
    return document, yaml


def _text(path: Path) -> str:
    try:
        # As bytes: line ends stay what they are.
        return path.read_bytes().decode()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name one with --settings") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text") from error


def _get(document: Any, place: Place) -> Any:
    for name in place:
        if not isinstance(document, Mapping) or name not in document:
            return UNSAID
        document = document[name]
    return document


def _set(path: Path, document: Any, place: Place, value: Any) -> None:
    from ruamel.yaml.comments import CommentedMap

    *sections, last = place
    for depth, name in enumerate(sections, start=1):
        if document.get(name) is None:
            _put(document, name, CommentedMap())
        document = document[name]
        if not isinstance(document, CommentedMap):
            raise SettingsError(f"{path}: {'.'.join(place[:depth])} must be a section of settings")
    _put(document, last, value)


def _put(section: Any, name: str, value: Any) -> None:
    if name in section or not section:
        section[name] = value
    else:
        # Blank lines and comments behind a section belong to its last key: what is new goes before that.
        section.insert(len(section) - 1, name, value)


def _remove(document: Any, place: Place) -> None:
    sections = [document]
    for name in place[:-1]:
        if not isinstance(sections[-1], Mapping) or name not in sections[-1]:
            return
        sections.append(sections[-1][name])
    for section, name in zip(reversed(sections), reversed(place), strict=True):
        if isinstance(section, Mapping) and name in section:
            del section[name]  # type: ignore[attr-defined]
        if section:
            return
