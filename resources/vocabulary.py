"""Reads a vocabulary: a text file of tags, one a line.

Empty lines are passed over, and so is what follows a ``#`` at the start of a line or after a blank. What does not
belong here: which of its tags are put before a model (``domain/narrowing.py``).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.policy import refused
from tagging_assets.domain.printable import unseen
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.text_files import read_text

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_LONGEST = 80
#: So many further lines that must go are named.
_NAMED = 50


def load_vocabulary(path: Path) -> tuple[str, ...]:
    """The tags of a file in their order, each once, in the one spelling of tags.

    Raises:
        SettingsError: it cannot be read, holds no tag, or a line is too long to be one.
        PolicyError: a line names what must never be tagged.
    """
    text = read_text(path, "see llm.vocabulary")
    tags: dict[str, None] = {}
    never: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        tag = normalise_tag(_COMMENT.sub("", line))
        if not tag:
            continue
        if hidden := unseen(tag):
            raise SettingsError(f"{path}: line {number}: the unseen letter {hidden} is in it; write the tag plainly")
        if len(tag) > _LONGEST:
            raise SettingsError(f"{path}: line {number}: {len(tag)} letters are no tag; write one tag a line")
        category = refused(tag)
        if category is not None:
            never[number] = f'"{tag}" is {category}'
        tags[tag] = None
    if never:
        raise PolicyError(f"{path}: {_said_of(never)}")
    if not tags:
        raise SettingsError(f"{path}: holds no tag; write one a line")
    return tuple(tags)


def _said_of(never: Mapping[int, str]) -> str:
    """Which lines to remove, all at once: long lists hold many."""
    first, *others = never
    told = f"line {first}: {never[first]}, which is never tagged; remove it"
    if not others:
        return told
    named = ", ".join(str(number) for number in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{told}, and for the like line{'s' if len(others) > 1 else ''} {named}{more}"
