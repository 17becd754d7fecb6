"""What differs between two prompts or label sets that two recipes name by hash, in lines for people."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text that a recipe names by its hash: a prompt or a label set.

    Attributes:
        kind: ``prompt`` or ``label set``.
        name: its name.
        text: what it says, in lines.
    """

    kind: str
    name: str
    text: str


def text_differences(old: object, new: object, texts: Mapping[str, SourceText]) -> dict[str, list[str]]:
    """Lines that came (``+``) and went (``-``), by the text they are of.

    Args:
        old: body of a recipe.
        new: body of the recipe that follows it.
        texts: what hashes stand for; hashes that are not in it are passed over.
    """
    found = {}
    for before, after in _changed_hashes(old, new):
        if before in texts and after in texts:
            one = texts[after]
            found[f"{one.kind} {one.name}"] = _lines(texts[before].text, one.text)
    return found


def unified(before: SourceText, after: SourceText) -> list[str]:
    """A unified diff of two texts, with three lines of context; empty where they say the same."""
    old, new = before.text.splitlines(), after.text.splitlines()
    return list(difflib.unified_diff(old, new, before.name, after.name, lineterm=""))


def _changed_hashes(old: object, new: object) -> Iterator[tuple[str, str]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in old.keys() & new.keys():
            yield from _changed_hashes(old[name], new[name])
    elif isinstance(old, str) and isinstance(new, str) and old != new:
        yield old, new


def _lines(before: str, after: str) -> list[str]:
    compared: Sequence[str] = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))
    # The first two name files, and lines that begin with @@ places in them; people look for what changed.
    return [line for line in compared[2:] if not line.startswith("@@")]
