"""What a reader of a scoreboard must know besides its numbers, in plain sentences.

What does not belong here: the numbers (``standings``, ``scoring``).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tagging_assets.domain.resampling import drawn_means, interval, photo_draws
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.scoreboard import JudgeReport, Photo, Scoreboard, Standing
from tagging_assets.domain.standings import points_matrix

#: Below this many photos the bootstrap knows too few of them for its intervals to be believed: they are too narrow.
FEW_PHOTOS = 20

#: Below this many photos nothing is beyond doubt: of two equals one is better on each of five photos in 2 × 0.5⁵ = 6 %
#: of all cases (sign test). The bootstrap would not see that: who leads on two photos leads in every draw of them.
LEAST_PHOTOS = 6

_NAMED = 4


@dataclass(frozen=True, slots=True)
class Uncounted:
    """What a scoreboard does not show by itself.

    Attributes:
        groups: contestants that comparisons connect.
        judges: further judges than the one on the board.
        votes: votes that do not count, for they were replaced, or were about other answers.
        wordless: photos for which nothing spoke for any tag, so that nobody was asked.
    """

    groups: tuple[frozenset[str], ...] = ()
    judges: tuple[JudgeReport, ...] = ()
    votes: int = 0
    wordless: int = 0


def notes(board: Scoreboard, uncounted: Uncounted) -> tuple[str, ...]:
    """All sentences, the most important first."""
    found = [
        *_who_leads(board),
        *_few_photos(board),
        *_wordless(uncounted.wordless),
        *_unanswered(board.standings),
        *_consensus(board),
        *_unmarked(board.photos),
        *_overruled(board),
        *_costs(board),
        *_votes(board, uncounted),
    ]
    return tuple(found)


def not_worse(board: Scoreboard) -> tuple[str, ...]:
    """Contestants that the first is not better than beyond doubt.

    Both are compared on the photos that both answered, and in every draw of photos on the same ones; there is doubt
    where the 95 % interval of the mean difference reaches 0, and where these photos are fewer than
    :data:`LEAST_PHOTOS`. Each is compared with the first by itself.
    """
    if not board.standings or board.standings[0].score is None:
        return ()
    labels = [one.contestant for one in board.standings if one.score is not None]
    image_ids = sorted(photo.image_id for photo in board.photos)
    answered = {
        photo.image_id: {label: [one for one in photo.given if one.contestant == label] for label in labels}
        for photo in board.photos
    }
    points = points_matrix(labels, image_ids, answered)
    differences = points[0] - points[1:]
    shared = np.count_nonzero(~np.isnan(differences), axis=1)
    means = drawn_means(differences, photo_draws(image_ids))
    return tuple(
        label
        for place, label in enumerate(labels[1:])
        if shared[place] < LEAST_PHOTOS or interval(means[:, place])[0] <= 0.0
    )


def answered_photos(board: Scoreboard) -> int:
    """Photos that somebody answered about."""
    return sum(any(one.answered for one in photo.given) for photo in board.photos)


def _who_leads(board: Scoreboard) -> list[str]:
    scored = [one for one in board.standings if one.score is not None]
    if len(scored) < 2:
        return []
    first, doubtful = scored[0].contestant, not_worse(board)
    if (photos := answered_photos(board)) < LEAST_PHOTOS:
        which = "one photo says nothing about others" if photos == 1 else f"{photos} photos are too few to tell by"
        return [f"{first} has most points, but {which}."]
    if not doubtful:
        return [f"{first} has more points than every other, beyond doubt (95 % intervals of the differences)."]
    return [
        f"{first} has most points, but it is not better beyond doubt than {_listed(doubtful)}: "
        f"the 95 % interval of the difference reaches 0, or they share fewer than {LEAST_PHOTOS} photos."
    ]


def _few_photos(board: Scoreboard) -> list[str]:
    count = len(board.photos)
    if count >= FEW_PHOTOS or not board.standings:
        return []
    return [
        f"{_counted(count, 'photo')}: intervals over fewer than {FEW_PHOTOS} are too narrow; ask about more photos "
        "before choosing."
    ]


def _wordless(photos: int) -> list[str]:
    if not photos:
        return []
    them = "it is" if photos == 1 else "they are"
    return [f"Nothing spoke for any tag of {_counted(photos, 'photo')}: nobody was asked, and {them} not scored."]


def _unanswered(standings: Iterable[Standing]) -> list[str]:
    found = []
    for one in standings:
        if not one.asked:
            found.append(f"{one.contestant} was asked nothing.")
        elif one.unanswered:
            reasons = ", ".join(
                f"{count} {outcome.replace('_', ' ')}"
                for outcome, count in one.outcomes.items()
                if outcome not in ("ok", "empty")
            )
            left = "it has no score" if one.score is None else "these have no points, and it is judged on the others"
            found.append(
                f"{one.contestant} gave no answer to {one.unanswered} of {_counted(one.asked, 'question')} "
                f"({reasons}): {left}."
            )
    return found


def _consensus(board: Scoreboard) -> list[str]:
    answering = [len({one.contestant for one in photo.given if one.answered}) for photo in board.photos]
    alone = sum(count == 1 for count in answering)
    if not alone:
        return []
    if alone == len([count for count in answering if count]):
        return ["Only one contestant answers: there is no consensus, and points come from people's marks alone."]
    return [f"On {_counted(alone, 'photo')} only one contestant answers: there is no consensus."]


def _unmarked(photos: Sequence[Photo]) -> list[str]:
    named = {
        (photo.image_id, normalise_tag(one.tag))
        for photo in photos
        for given in photo.given
        for one in given.tags
        if one.rule == "unmarked"
    }
    if not named:
        return []
    verb = "is" if len(named) == 1 else "are"
    return [
        f"{_counted(len(named), 'tag')} of photos {verb} not gold and marked by nobody, or by as many for as against: "
        "0 points until people say more."
    ]


def _overruled(board: Scoreboard) -> list[str]:
    found = {
        (photo.image_id, normalise_tag(one.tag))
        for photo in board.photos
        for given in photo.given
        for one in given.tags
        if one.rule == "irrelevant" and one.share is not None and one.share > board.options.gold_above
    }
    if not found:
        return []
    return [
        f"{_counted(len(found), 'tag')} of photos would be gold by consensus, but people say "
        f"{'it does' if len(found) == 1 else 'they do'} not suit the photo: naming costs points, missing costs nothing."
    ]


def _costs(board: Scoreboard) -> list[str]:
    unknown = [one.contestant for one in board.standings if one.asked and one.cost_usd is None]
    found = []
    if unknown:
        found.append(f"What {_listed(unknown)} cost is not known: no points per dollar, no place on the Pareto front.")
    silent = Counter(
        given.contestant
        for photo in board.photos
        for given in photo.given
        if given.cost_usd is None and given.outcome == "timed_out"
    )
    for contestant, count in sorted(silent.items()):
        found.append(
            f"{_counted(count, 'question')} to {contestant} timed out; what that cost, if anything, is not known and "
            "not in its cost."
        )
    return found


def _votes(board: Scoreboard, uncounted: Uncounted) -> list[str]:
    found = []
    if len(uncounted.groups) > 1:
        shown = " | ".join(", ".join(sorted(group)) for group in uncounted.groups)
        found.append(f"Votes do not connect all contestants ({shown}): compare ratings within a group only.")
    for judge in (board.judge, *uncounted.judges):
        if judge is not None:
            verb = "count" if judge.trusted else "do not count"
            found.append(f"The votes of the judge {judge.judge} {verb}: {judge.why}.")
    if uncounted.votes:
        found.append(
            f"{_counted(uncounted.votes, 'vote')} left out: replaced by a later one of the same voter, or about "
            "answers that have changed since."
        )
    return found


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(labels: Sequence[str]) -> str:
    shown = [*labels[:_NAMED], *([f"{len(labels) - _NAMED} more"] if len(labels) > _NAMED else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
