"""What people say about tags, and what holds of it.

A verdict is about one tag of one photo: ``accepted`` (the machine is right), ``rejected`` (it is wrong, now and
later), ``added`` (the photo has it, whatever the machine says) or ``withdrawn`` (nobody says anything any more: the
machine's answer holds again). Verdicts are only ever appended; the newest of a photo and tag holds. An edit is two
of them: the old tag rejected, the new one added, which remembers what it ``replaces``.

What does not belong here: what a verdict does to a photo's tags (``fusion``), and where verdicts are kept.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.evidence import Evidence, Heard
from tagging_assets.domain.rules import Rules, normalise_tag, tag_problem

#: Source of people's verdicts among the sources of a tag.
PERSON_SOURCE = "person"

#: Category of tags of which neither a person nor a model says what kind of thing they are.
PERSON_CATEGORY = "added"

_SHORT = 8


class Verdict(StrEnum):
    """What a person says about a tag."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ADDED = "added"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Request:
    """A verdict that somebody wants to give.

    Attributes:
        image_id: of which photo.
        tag: about which tag, in any spelling until it is :func:`checked`.
        verdict: what is said.
        category: of the tag; ``""`` for the one it has.
        replaces: the tag that is edited into this one; ``""`` for none.
        why: in the person's own words, one line; may be empty.
    """

    image_id: str
    tag: str
    verdict: Verdict
    category: str = ""
    replaces: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class StandingVerdict:
    """A verdict that was given.

    Attributes:
        tag: as it was spelt once aliases were merged, then.
        verdict: what was said.
        who: said it.
        why: one line, or ``""``.
        decided_at: when, aware UTC.
        decision_id: grows with time; of two verdicts the greater one holds.
        category: of the tag, or ``""``.
        replaces: the tag that was edited into this one, or ``""``.
    """

    tag: str
    verdict: Verdict
    who: str
    why: str
    decided_at: datetime
    decision_id: int
    category: str = ""
    replaces: str = ""

    @property
    def keeps(self) -> bool:
        """Whether the photo has the tag by this verdict."""
        return self.verdict in (Verdict.ACCEPTED, Verdict.ADDED)

    @property
    def sentence(self) -> str:
        """Who, when and why, for people: ``accepted by anna on 2026-11-21: clear to see``."""
        instead = f" in place of {self.replaces}" if self.replaces else ""
        why = f": {self.why}" if self.why else ""
        return f"{self.verdict} by {self.who} on {self.decided_at:%Y-%m-%d}{instead}{why}"

    def heard(self) -> Heard:
        """The verdict as one more source of the tag: certain of it, or certain that it is wrong.

        Its weight is 1, so that ``1 - product(1 - weight * confidence)`` is 1 for a tag that a person keeps, and
        what the machine alone would make of it for one that a person rejects.
        """
        says = 1.0 if self.keeps else 0.0
        evidence = Evidence(
            PERSON_SOURCE, self.who, f"decision {self.decision_id}", self.tag, "photo", self.category, says
        )
        return Heard(evidence, threshold=0.0, confidence=says, weight=1.0, family=PERSON_SOURCE)

    def row(self, image_id: str) -> dict[str, Any]:
        """A row of the table ``decisions``."""
        return {
            "image_id": image_id,
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "verdict": str(self.verdict),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`row`; further columns are left alone, and null texts are empty ones."""
        said = {field.name: row[field.name] for field in fields(cls)}
        texts = {name: said[name] or "" for name in ("why", "category", "replaces")}
        return cls(**{**said, **texts, "verdict": Verdict(said["verdict"])})


def edited(image_id: str, old: str, new: str, *, category: str = "", why: str = "") -> tuple[Request, Request]:
    """The two requests that an edit of one tag into another is."""
    return (
        Request(image_id, old, Verdict.REJECTED, why=why),
        Request(image_id, new, Verdict.ADDED, category=category, replaces=old, why=why),
    )


def standing(given: Iterable[StandingVerdict]) -> dict[str, StandingVerdict]:
    """The verdicts on one photo that hold, by tag, in the order of tags: the newest of each, unless withdrawn.

    Args:
        given: all that were ever given, in any order.
    """
    newest: dict[str, StandingVerdict] = {}
    for one in given:
        if one.tag not in newest or newest[one.tag].decision_id < one.decision_id:
            newest[one.tag] = one
    return {tag: one for tag, one in sorted(newest.items()) if one.verdict is not Verdict.WITHDRAWN}


def checked(
    requests: Iterable[Request],
    rules: Rules,
    refuse: Callable[[str], str | None],
    *,
    describes: Callable[[str], bool] = lambda _tag: False,
    refuse_why: Callable[[str], str | None] = lambda _why: None,
) -> list[Request]:
    """Requests that make sense together, in one spelling per tag, each once.

    Args:
        requests: as people write them.
        rules: merge aliases. What the operator banned may be added all the same: a person's word wins.
        refuse: the policy; wins over people too.
        describes: whether a tag describes people, where they may not be described.
        refuse_why: the policy on sentences, for reasons.

    Raises:
        SettingsError: an empty tag, an edit of a tag into itself, or two things said about one tag at once.
        PolicyError: a verdict on a tag that is never given, or not by these settings; it can only be withdrawn.
    """
    found: dict[tuple[str, str], Request] = {}
    for request in requests:
        clean = _cleaned(request, rules)
        if clean.verdict is not Verdict.WITHDRAWN:
            _check_policy((request.tag, clean.tag, request.category), refuse)
            _check_people(clean, describes)
            _check_why(clean.why, refuse_why)
        other = found.setdefault((clean.image_id, clean.tag), clean)
        if other != clean:
            raise SettingsError(f"{_contradiction(other, clean)}; keep one")
    return list(found.values())


def news(
    requests: Iterable[Request],
    who: str,
    given: Mapping[str, Mapping[str, StandingVerdict]],
    published: Mapping[tuple[str, str], str],
    canonical: Callable[[str], str] = normalise_tag,
) -> list[Request]:
    """What of checked requests is to be written down; what holds already, in the same words, is not.

    A tag keeps the category it is shown with unless the request names another. A withdrawal takes back what was
    said about any spelling of the tag; that of an edit's new tag takes back the rejection of the old one too.

    Args:
        requests: checked.
        who: asks.
        given: image_id and tag to the verdict that stands.
        published: (image_id, tag) to the category, for tags that the world sees now.
        canonical: a stored spelling to the one that stands for it now.

    Raises:
        SettingsError: a tag is accepted or edited that the photo does not have.
    """
    asked = {(request.image_id, request.tag): request for request in requests}
    found: dict[tuple[str, str], Request] = {}
    for key, request in asked.items():
        stored = given.get(request.image_id, {})
        same = [one for tag, one in stored.items() if canonical(tag) == request.tag]
        if request.verdict is Verdict.WITHDRAWN:
            found |= _withdrawals(request, same, stored, asked.keys())
            continue
        newest = max(same, key=lambda one: one.decision_id, default=None)
        category = request.category or _category(request, newest, published)
        if newest is None or _words(newest) != (request.tag, request.verdict, category, *_rest(request), who):
            _check_there(request, published, stored)
            found[key] = replace(request, category=category)
    return list(found.values())


def one_line(text: str) -> str:
    """Text as one line, without control characters."""
    shown = (" " if letter.isspace() else letter for letter in text)
    return " ".join("".join(letter for letter in shown if unicodedata.category(letter) not in ("Cc", "Cs")).split())


def _cleaned(request: Request, rules: Rules) -> Request:
    tag, replaces = rules.canonical(request.tag), rules.canonical(request.replaces)
    if not tag:
        raise SettingsError(f"a tag to be {request.verdict} is empty; name it")
    if one_line(tag) != tag:
        raise SettingsError(f"a tag to be {request.verdict} holds control characters: {tag!r}; write it plainly")
    # What is stored by whatever way can be rejected and withdrawn; what is new must be read by people.
    if request.verdict is Verdict.ADDED and (problem := tag_problem(tag)):
        raise SettingsError(f"a tag to be added: {problem}")
    if tag == replaces:
        raise SettingsError(f'"{request.replaces}" and "{request.tag}" are one tag, "{tag}"; an edit takes two')
    return replace(
        request,
        tag=tag,
        replaces=replaces,
        category=normalise_tag(one_line(request.category)),
        why=one_line(request.why),
    )


def _check_policy(terms: Iterable[str], refuse: Callable[[str], str | None]) -> None:
    for term in terms:
        about = refuse(term)
        if about is not None:
            raise PolicyError(f'"{term}" is about {about}, which is never tagged; it can only be withdrawn')


def _check_people(request: Request, describes: Callable[[str], bool]) -> None:
    if request.verdict is not Verdict.REJECTED and describes(request.tag):
        raise PolicyError(
            f'"{request.tag}" describes people, which is tagged only with people.enabled and your word that the source '
            "shows adults only; see docs/policy.md"
        )


def _check_why(why: str, refuse: Callable[[str], str | None]) -> None:
    about = refuse(why) if why else None
    if about is not None:
        raise PolicyError(f"the reason speaks of {about}, which is never written down; say it without")


def _contradiction(one: Request, other: Request) -> str:
    where = f'"{one.tag}" of photo {one.image_id[:_SHORT]}'
    if one.verdict is other.verdict:
        return f"{where} is {one.verdict} twice, in different words"
    return f"{where} cannot be {one.verdict} and {other.verdict} at once"


def _withdrawals(
    request: Request,
    same: Iterable[StandingVerdict],
    stored: Mapping[str, StandingVerdict],
    asked: Collection[tuple[str, str]],
) -> dict[tuple[str, str], Request]:
    tags = []
    for one in same:
        tags.append(one.tag)
        old = stored.get(one.replaces)
        # Both halves of an edit were said by one person at one moment.
        if old is not None and (old.who, old.decided_at) == (one.who, one.decided_at):
            tags += [old.tag] if (request.image_id, old.tag) not in asked else []
    return {(request.image_id, tag): replace(request, tag=tag, category="", replaces="") for tag in tags}


def _category(request: Request, newest: StandingVerdict | None, published: Mapping[tuple[str, str], str]) -> str:
    if newest is not None and newest.verdict is request.verdict and newest.replaces == request.replaces:
        return newest.category
    shown = published.get((request.image_id, request.replaces or request.tag))
    return shown or (newest.category if newest is not None else "")


def _words(one: StandingVerdict) -> tuple[str, ...]:
    return (one.tag, one.verdict, one.category, one.replaces, one.why, one.who)


def _rest(request: Request) -> tuple[str, str]:
    return (request.replaces, request.why)


def _check_there(
    request: Request, published: Mapping[tuple[str, str], str], stored: Mapping[str, StandingVerdict]
) -> None:
    """Nobody accepts or edits what is not there; over many photos that would add a tag to all of them."""
    tag = request.tag if request.verdict is Verdict.ACCEPTED else request.replaces
    if tag and (request.image_id, tag) not in published and tag not in stored:
        verb = "accept" if request.verdict is Verdict.ACCEPTED else "edit"
        raise SettingsError(
            f'photo {request.image_id[:_SHORT]} has no tag "{tag}" to {verb}; add "{request.tag}" to it instead'
        )
