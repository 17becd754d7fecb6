"""A scoreboard taken apart into the rows that a spreadsheet calculates it from again.

What the points follow from is answers (who named what), marks (what suits a photo) and options; a tag that somebody
named has a row for everybody who answered, so that moving a threshold finds gold that was not gold before. What does
not belong here: formulas and sheets (``resources.report_workbook``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.scoreboard import Given, Photo, Scoreboard, ScoredTag

#: An asked question: place of the contestant in the standings from 0, and repeat.
Voter = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Subject:
    """A tag of a photo that somebody named: what people may mark.

    Attributes:
        number: from 1, over all photos.
        photo: which.
        tag: as the pool spells it, or as it was named first.
        chosen: whether somebody named it out of the pool; nobody's mark matters where not.
        relevant: people's word.
        named: of those who answered about the photo, whether they named it out of their pool.
    """

    number: int
    photo: Photo
    tag: str
    chosen: bool
    relevant: bool | None
    named: Mapping[Voter, bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """An asked question with what came of it.

    Attributes:
        number: from 1, over all photos and contestants.
        voter: who answered.
        photo: which.
        given: the answer.
        asked: questions to this contestant about this photo.
        answered: of these, those with an answer; points count by this part of 1.
    """

    number: int
    voter: Voter
    photo: Photo
    given: Given
    asked: int
    answered: int


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A tag and a reply: named in it, or what it might have named.

    Attributes:
        reply: whose.
        subject: which tag.
        spelled: as the reply has it.
        named: whether the reply names it.
        in_pool: whether it could be chosen; true of what was not named, too.
        scored: ``None`` where no rule applies.
    """

    reply: Reply
    subject: Subject
    spelled: str
    named: bool
    in_pool: bool
    scored: ScoredTag | None


@dataclass(frozen=True, slots=True)
class Rows:
    """All of them, photo by photo, in the scoreboard's order."""

    voters: tuple[Voter, ...]
    subjects: tuple[Subject, ...]
    replies: tuple[Reply, ...]
    scores: tuple[ScoreRow, ...]


def rows_of(board: Scoreboard) -> Rows:
    """Take a scoreboard apart."""
    places = {one.contestant: place for place, one in enumerate(board.standings)}
    asked = {(places[one.contestant], one.repeat) for photo in board.photos for one in photo.given}
    # Who could not be asked at all has a column too, and it is empty.
    voters = sorted(asked | {(place, 0) for place in places.values()})
    subjects: list[Subject] = []
    replies: list[Reply] = []
    scores: list[ScoreRow] = []
    for photo in board.photos:
        about = _subjects(photo, places, len(subjects))
        subjects += about.values()
        for given in photo.given:
            own = [one.answered for one in photo.given if one.contestant == given.contestant]
            voter = (places[given.contestant], given.repeat)
            reply = Reply(len(replies) + 1, voter, photo, given, len(own), sum(own))
            replies.append(reply)
            if given.answered:
                scores += _scores(reply, about)
    return Rows(tuple(voters), tuple(subjects), tuple(replies), tuple(scores))


def _subjects(photo: Photo, places: Mapping[str, int], before: int) -> dict[str, Subject]:
    answers = [one for one in photo.given if one.answered]
    chosen = [_chosen(one) for one in answers]
    spelled = {normalise_tag(tag): tag for tag in reversed(photo.pool)}
    relevant: dict[str, bool | None] = {}
    for one in answers:
        for tag in (*one.tags, *one.missing):
            key = normalise_tag(tag.tag)
            spelled.setdefault(key, tag.tag)
            relevant.setdefault(key, tag.relevant)
    return {
        key: Subject(
            before + place,
            photo,
            spelled[key],
            any(key in tags for tags in chosen),
            relevant[key],
            {(places[one.contestant], one.repeat): key in tags for one, tags in zip(answers, chosen, strict=True)},
        )
        for place, key in enumerate(sorted(relevant), start=1)
    }


def _chosen(given: Given) -> frozenset[str]:
    return frozenset(normalise_tag(one.tag) for one in given.tags if one.rule != "hallucinated")


def _scores(reply: Reply, about: Mapping[str, Subject]) -> Iterator[ScoreRow]:
    """Named tags as they were named, then the others in the order of the subjects."""
    missing = {normalise_tag(one.tag): one for one in reply.given.missing}
    done = set()
    for one in reply.given.tags:
        key = normalise_tag(one.tag)
        done.add(key)
        yield ScoreRow(reply, about[key], one.tag, named=True, in_pool=one.rule != "hallucinated", scored=one)
    for key, subject in about.items():
        if key not in done and subject.chosen:
            yield ScoreRow(reply, subject, subject.tag, named=False, in_pool=True, scored=missing.get(key))


def count_of_scores(photos: Sequence[Photo]) -> int:
    """At most so many rows of scores, without making them."""
    total = 0
    for photo in photos:
        answers = [one for one in photo.given if one.answered]
        total += len(answers) * len({tag.tag for one in answers for tag in one.tags})
    return total
