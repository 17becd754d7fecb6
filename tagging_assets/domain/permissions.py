"""Whether the people in one photo may be described: the operator's word on its source, and any hint of a minor.

The operator speaks per source (``sources`` of the settings: ``adults_only``, ``consent``), and for all others in
``people``. A hint of a minor, from whatever source, outweighs every word. What does not belong here: which words
hint at a minor (``policy``), and which tags describe people (``policy``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tagging_assets.domain.booru import CHARACTER
from tagging_assets.domain.evidence import Evidence
from tagging_assets.domain.frames import Row
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.models import PERSON_LABEL
from tagging_assets.domain.policy import (
    describes_people,
    hints_at_minor,
    person_attributes_allowed,
    refused,
    refused_sentence,
)
from tagging_assets.domain.verdicts import StandingVerdict, Verdict

#: Who hinted, as it is recorded: the source, never its words, which would be the very record that is forbidden.
CAPTION, KEYWORDS, DETECTOR, CHAT_CAPTION, CHAT_REPLY, DECISION = (
    *("the photo's caption", "the photo's keywords", "detector", "chat model's caption", "chat model"),
    "a person's decision",
)

_SAID_BY_PEOPLE = frozenset(str(one) for one in Verdict)


@dataclass(frozen=True, slots=True)
class SourceWord:
    """What the operator says about the people in one source.

    Attributes:
        folder: its path.
        adults_only: whether it shows adults only; ``None`` leaves it to ``people.adults_only_source``.
        consent: whether its people agreed; ``None`` where nothing is said.
    """

    folder: str
    adults_only: bool | None = None
    consent: bool | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the people in one photo may be described.

    Attributes:
        allowed: the answer, for the whole photo.
        reason: one line.
        minor_suspected: whether anything hints at a minor.
        minor_by: which sources do.
    """

    allowed: bool
    reason: str
    minor_suspected: bool
    minor_by: tuple[str, ...] = ()

    def with_hints(self, by: Iterable[str]) -> "Permission":
        """The permission once more sources were heard."""
        sources = tuple(dict.fromkeys((*self.minor_by, *by)))
        if not sources:
            return self
        found = replace(self, minor_suspected=True, minor_by=sources)
        if not self.allowed and not self.minor_suspected:
            return found  # what forbade it before still does
        return replace(found, allowed=False, reason=f"someone in the photo may be a minor, by {', '.join(sources)}")

    def row(self) -> dict[str, Any]:
        """A row of the table ``person_permissions``, without the photo."""
        return {
            "allowed": self.allowed,
            "reason": self.reason,
            "minor_suspected": self.minor_suspected,
            "minor_by": list(self.minor_by),
        }

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> "Permission":
        """Inverse of :meth:`row`; without a row nobody allowed anything."""
        if not rows:
            return cls(False, "nothing is known about the photo's source", False)
        (row,) = rows
        return cls(row["allowed"], row["reason"], row["minor_suspected"], tuple(row["minor_by"] or ()))


@dataclass(frozen=True, slots=True)
class PeopleRules:
    """The operator's word about people, as a whole.

    Attributes:
        enabled: the setting ``people.enabled``.
        adults_only: ``people.adults_only_source``, for photos of sources that do not say it themselves.
        sources: those that say something.
    """

    enabled: bool = False
    adults_only: bool = False
    sources: tuple[SourceWord, ...] = ()

    @property
    def anywhere(self) -> bool:
        """Whether there may be photos whose people are described."""
        said = (self.adults_only, *(one.adults_only for one in self.sources if one.consent is not False))
        return self.enabled and any(said)

    def permission(self, uri: str, hints: Iterable[str] = ()) -> Permission:
        """What may be done about the people of one photo.

        Args:
            uri: where it lies; the innermost source that holds it speaks.
            hints: sources that hint at a minor.
        """
        around = [one for one in self.sources if uri.startswith(f"{one.folder.rstrip('/')}/")]
        word = max(around, key=lambda one: len(one.folder), default=SourceWord(""))
        adults = self.adults_only if word.adults_only is None else word.adults_only
        allowed, reason = person_attributes_allowed(
            people_enabled=self.enabled, adults_only_source=adults, consent=word.consent, minor_suspected=None
        )
        return Permission(allowed, reason, minor_suspected=False).with_hints(hints)


def may_describe(item: Item) -> bool:
    """Whether the table ``person_permissions`` lets the people of an item's photo be measured.

    The stages that ask need the table, so an item of theirs always has it; one without is judged by its caller alone.
    """
    rows = item.rows("person_permissions")
    return not rows or Permission.from_rows(rows).allowed


def permission_row(item: Item, rules: PeopleRules) -> Row:
    """What is known before any model but the detector was asked: the source's word, caption, keywords and boxes."""
    photo = item.row("images")
    hints = []
    if hints_at_minor(photo.get("caption") or ""):
        hints.append(CAPTION)
    if any(hints_at_minor(word) for word in photo.get("keywords") or ()):
        hints.append(KEYWORDS)
    if any(hints_at_minor(row["label"]) for row in item.rows("detections")):
        hints.append(DETECTOR)
    return rules.permission(photo["uri"], hints).row()


def late_hints(
    item: Item,
    evidence: Iterable[Evidence],
    counts: Callable[[Evidence], bool],
    verdicts: Mapping[str, StandingVerdict],
) -> Iterator[str]:
    """Sources that hint at a minor once everything was said: models, chat and people.

    Args:
        item: of the stage ``tags``.
        evidence: everything said about the photo.
        counts: whether a piece of it reaches its threshold. A tagger keeps only what is above its floor, and in
            doubt that is enough.
        verdicts: people's, that hold.
    """
    for said in evidence:
        if hints_at_minor(said.label) and (said.source == "tagger" or said.rank is not None or counts(said)):
            yield said.source
    for row in item.rows("captions"):
        texts = (row["caption"], row["title"], row["description"], row["file_name"], *(row["keywords"] or ()))
        if any(hints_at_minor(text) for text in texts if text):
            yield CHAT_CAPTION
    if any(one.keeps and hints_at_minor(tag) for tag, one in verdicts.items()):
        yield DECISION


def permitted(
    item: Item,
    evidence: Sequence[Evidence],
    counts: Callable[[Evidence], bool],
    verdicts: Mapping[str, StandingVerdict],
) -> tuple[Sequence[Evidence], Mapping[str, StandingVerdict], Permission]:
    """What may be heard about a photo, and whether its people may be described, once every source was heard.

    What is not heard cannot win over another tag either. Arguments as of :func:`late_hints`.
    """
    permission = Permission.from_rows(item.rows("person_permissions"))
    permission = permission.with_hints(late_hints(item, evidence, counts, verdicts))
    if permission.allowed:
        return evidence, verdicts, permission
    return (
        [said for said in evidence if not is_attribute(said)],
        {tag: one for tag, one in verdicts.items() if not describes_people(tag)},
        permission,
    )


def is_of_people(tag: str, category: str) -> bool:
    """Whether a tag describes people: by its words, or because it names somebody."""
    return category == CHARACTER or describes_people(tag)


def is_attribute(said: Evidence) -> bool:
    """Whether a piece of evidence tells more of a person than that there is one."""
    return is_of_people(said.label, said.category) or (said.subject.startswith("person") and said.label != PERSON_LABEL)


def admitted(rows: Iterable[Row], permission: Permission) -> list[Row]:
    """The one gate before tags are stored: no road leads around it.

    Args:
        rows: of the table ``tags``, whoever said so: models, rules or people.
        permission: whether the photo's people may be described.
    """
    kept: list[Row] = []
    for row in rows:
        if is_forbidden(row["tag"], row["category"], permission):
            continue
        told = {"minor_suspected": permission.minor_suspected, "minor_by": list(permission.minor_by)}
        by_people = row["status"] in _SAID_BY_PEOPLE
        words = str(row["status"]) if by_people and refused_sentence(row["reason"]) else row["reason"]
        kept.append({**row, "reason": words, **told})
    return kept


def is_forbidden(tag: str, category: str, permission: Permission) -> bool:
    """Whether a tag must not be stored or shown for a photo."""
    if refused(tag) is not None or refused(category) is not None:
        return True
    return not permission.allowed and is_of_people(tag, category)
