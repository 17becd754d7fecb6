"""What there is to judge: photos with the tags that anybody named, and where the pictures come from.

What does not belong here: which answers are compared (``domain.voting``), and what the judgements are worth
(``domain.scoring``).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagging_assets.domain.chat import ANSWERED
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.scoreboard import Estimate, Options
from tagging_assets.domain.voting import shown_answers


@dataclass(frozen=True, slots=True)
class BallotPhoto:
    """One photo and what was named in it.

    Attributes:
        image_id: of the photo.
        title: what people call it: its file name.
        tags: what anybody named of the allowed tags, in their normal spelling: those that most agree on first, then the
            rest, each in the order of the alphabet, so that their places do not tell who named them.
    """

    image_id: str
    title: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """How a contestant stands after the votes.

    Attributes:
        contestant: its label.
        rating: in Elo-like points; the mean of all contestants is 1500.
        votes: that it took part in.
    """

    contestant: str
    rating: Estimate
    votes: int


def _nobody() -> Sequence[Rating]:
    return ()


@dataclass(frozen=True, slots=True)
class Ballot:
    """All that the pages show.

    Attributes:
        experiment: its name.
        photos: in the experiment's order.
        picture: image_id to the bytes of a JPEG file; raises ``TaggingError`` where there is none.
        ratings: how the contestants stand now, best first; asked for when everything is judged, not before.
    """

    experiment: str
    photos: tuple[BallotPhoto, ...]
    picture: Callable[[str], bytes]
    ratings: Callable[[], Sequence[Rating]] = field(default=_nobody)


def ballot_photos(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> tuple[BallotPhoto, ...]:
    """Photos from stored answers.

    Args:
        rows: of the table ``benchmark_answers``; the tags of all repeats count.
        titles: image_id to what people call the photo, in the order in which photos are to be shown.

    Returns:
        Photos that have an answer.
    """
    named: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        if row["outcome"] in ANSWERED:
            for tag in row["tags"]:
                named.setdefault(row["image_id"], {}).setdefault(normalise_tag(tag), set()).add(row["configuration"])
    contestants = {image_id: len(answers) for image_id, answers in shown_answers(rows).items()}
    return tuple(
        BallotPhoto(image_id, title, _in_order(named.get(image_id, {}), contestants[image_id]))
        for image_id, title in titles.items()
        if image_id in contestants
    )


def _in_order(named_by: Mapping[str, Collection[str]], contestants: int) -> tuple[str, ...]:
    gold = Options().gold_above * contestants
    return tuple(sorted(named_by, key=lambda tag: (len(named_by[tag]) <= gold, tag)))
