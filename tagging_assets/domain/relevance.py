"""Whether a tag suits a photo, by the word of people.

What does not belong here: what relevance is worth (``scoring``), how far people agree (``agreement``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.verdicts import Verdict
from tagging_assets.domain.voting import Mark

#: A photo and a tag, in the one spelling that comparisons use.
Item = tuple[str, str]


def newest_marks(marks: Iterable[Mark]) -> dict[Item, dict[str, bool]]:
    """What every marker holds now, by photo and tag, then by marker.

    Args:
        marks: in the order in which they were given; of equal times the later one holds. One that says ``None`` takes
            the marker's word back.
    """
    newest: dict[tuple[Item, str], Mark] = {}
    for mark in marks:
        key = ((mark.image_id, normalise_tag(mark.tag)), mark.marker)
        if key not in newest or newest[key].at <= mark.at:
            newest[key] = mark
    found: dict[Item, dict[str, bool]] = {}
    for (item, marker), mark in newest.items():
        if mark.relevant is not None:
            found.setdefault(item, {})[marker] = mark.relevant
    return found


def majority(words: Iterable[bool]) -> bool | None:
    """What more than half say; ``None`` for a tie, and where nobody says anything."""
    counts = Counter(words)
    return None if counts[True] == counts[False] else counts[True] > counts[False]


def relevance(marks: Iterable[Mark]) -> dict[str, dict[str, bool | None]]:
    """The majority's word by photo, then by tag in the spelling of comparisons; ``None`` where markers are divided."""
    found: dict[str, dict[str, bool | None]] = {}
    for (image_id, tag), words in newest_marks(marks).items():
        found.setdefault(image_id, {})[tag] = majority(words.values())
    return found


def marks_of_decisions(rows: Iterable[Mapping[str, Any]]) -> list[Mark]:
    """People's decisions on published tags as marks of who decided.

    Accepted and added tags are relevant, rejected ones are not; a withdrawn decision takes its word back.

    Args:
        rows: ``image_id``, ``tag``, ``verdict``, ``who`` and ``decided_at``, as the table ``decisions`` has them.
    """
    says = {Verdict.ACCEPTED: True, Verdict.ADDED: True, Verdict.REJECTED: False, Verdict.WITHDRAWN: None}
    return [
        Mark(row["image_id"], row["tag"], says[Verdict(row["verdict"])], row["who"], row["decided_at"]) for row in rows
    ]
