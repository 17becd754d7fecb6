"""Reads a vocabulary: a text file of tags, one a line.

Empty lines are passed over, and so is what follows a ``#`` at the start of a line or after a blank. What does not
belong here: which of its tags are put before a model (``domain/narrowing.py``).
"""

import re
from pathlib import Path

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.policy import refused
from tagging_assets.domain.rules import normalise_tag

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_LONGEST = 80


def load_vocabulary(path: Path) -> tuple[str, ...]:
    """The tags of a file in their order, each once, in the one spelling of tags.

    Raises:
        SettingsError: it cannot be read, holds no tag, or a line is too long to be one.
        PolicyError: a line names what must never be tagged.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); see llm.vocabulary") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    tags: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        tag = normalise_tag(_COMMENT.sub("", line))
        if not tag:
            continue
        if len(tag) > _LONGEST:
            raise SettingsError(f"{path}: line {number}: {len(tag)} letters are no tag; write one tag a line")
        category = refused(tag)
        if category is not None:
            raise PolicyError(f'{path}: line {number}: "{tag}" is {category}, which is never tagged; remove it')
        tags[tag] = None
    if not tags:
        raise SettingsError(f"{path}: holds no tag; write one a line")
    return tuple(tags)
