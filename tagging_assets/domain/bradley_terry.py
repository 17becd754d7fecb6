"""Ratings from blind comparisons of two answers at a time.

The model of Bradley and Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952): with strengths p and
q the first wins with probability p / (p + q). A tie is half a win for either. Fitted by maximum likelihood: the
minorisation-maximisation of Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32
(2004), climbs the same hill, but takes thousands of steps where contestants were compared little; the logarithms of
strengths make the hill concave, and Newton's method is there in about ten steps for all draws of a bootstrap at once.

What does not belong here: which votes count (``voting``, ``agreement``).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.resampling import interval, photo_draws
from tagging_assets.domain.scoreboard import Estimate
from tagging_assets.domain.voting import Comparison

#: The mean rating of all that were compared.
MEAN = 1500.0

#: Points for a strength ten times as great, which wins ten times of eleven, as in Elo's ratings of chess.
PER_DECADE = 400.0

#: Every contestant is taken to have tied once with an imagined one of strength 1. Without that, one who never lost
#: would be infinitely strong, and groups that were never compared with one another could not stand on one scale.
_TIE = 0.5

_DRAWS = 1000
_STEPS = 60
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Ratings:
    """What comparisons come to.

    Attributes:
        estimates: contestant to rating with its 95 % interval; only those that were compared.
        votes: contestant to the comparisons it took part in.
        groups: contestants that comparisons connect; with more than one group, ratings of different groups do not say
            who is better.
    """

    estimates: dict[str, Estimate]
    votes: dict[str, int]
    groups: tuple[frozenset[str], ...]


def strengths(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithms of strengths, given who won how often.

    Args:
        wins: shape (…, contestants, contestants): how often the row's contestant won over the column's; halves for
            ties; the diagonal is 0.

    Returns:
        Shape (…, contestants), finite; 0 is the strength of the imagined contestant that everybody tied with once.
    """
    played = wins + wins.swapaxes(-1, -2)
    won = wins.sum(-1) + _TIE
    logs = np.zeros(wins.shape[:-1])
    for _ in range(_STEPS):
        chance = _sigmoid(logs[..., :, None] - logs[..., None, :])
        alone = _sigmoid(logs)
        slope = won - (played * chance).sum(-1) - 2 * _TIE * alone
        if np.abs(slope / won).max(initial=0.0) < _CLOSE:
            break
        bend = played * chance * (1 - chance)
        matrix = -bend
        diagonal = np.arange(wins.shape[-1])
        matrix[..., diagonal, diagonal] += bend.sum(-1) + 2 * _TIE * alone * (1 - alone)
        step = np.linalg.solve(matrix, slope[..., None])[..., 0]
        # A step is at most one unit long: far from the top the hill is flatter than it looks from there.
        logs = logs + step / np.maximum(1.0, np.abs(step).max(-1, keepdims=True))
    return logs


def rate(comparisons: Iterable[Comparison]) -> Ratings:
    """Ratings of all contestants that were compared, with intervals over photos.

    Args:
        comparisons: those that count.
    """
    made = list(comparisons)
    labels = sorted({label for one in made for label in (one.left, one.right)})
    photos = sorted({one.image_id for one in made})
    if not made:
        return Ratings({}, {}, ())
    wins = _wins(made, labels, photos)
    points = _points(strengths(wins.sum(0)))
    flat = wins.reshape(len(photos), -1)
    drawn = np.concatenate([part @ flat for part in photo_draws(photos, _DRAWS)])
    spread = _points(strengths(drawn.reshape(-1, len(labels), len(labels))))
    found = {}
    for place, label in enumerate(labels):
        rating = float(points[place])
        low, high = interval(spread[:, place])
        found[label] = Estimate(rating, min(low, rating), max(high, rating))
    votes = {label: sum(label in (one.left, one.right) for one in made) for label in labels}
    return Ratings(found, votes, groups(labels, [(one.left, one.right) for one in made]))


def groups(labels: Sequence[str], pairs: Iterable[tuple[str, str]]) -> tuple[frozenset[str], ...]:
    """Who is connected with whom by comparisons, however indirectly; in the order of their first labels."""
    home = {label: {label} for label in labels}
    for one, other in pairs:
        if home[one] is not home[other]:
            home[one] |= home[other]
            for label in home[other]:
                home[label] = home[one]
    found: dict[frozenset[str], None] = {}
    for label in labels:
        found[frozenset(home[label])] = None
    return tuple(found)


def _wins(made: Sequence[Comparison], labels: Sequence[str], photos: Sequence[str]) -> NDArray[np.float64]:
    place = {label: index for index, label in enumerate(labels)}
    row = {photo: index for index, photo in enumerate(photos)}
    wins = np.zeros((len(photos), len(labels), len(labels)))
    for one in made:
        won = {"left": 1.0, "tie": 0.5, "right": 0.0}[one.winner]
        wins[row[one.image_id], place[one.left], place[one.right]] += won
        wins[row[one.image_id], place[one.right], place[one.left]] += 1.0 - won
    return wins


def _points(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = logs - logs.mean(-1, keepdims=True)
    return np.asarray(MEAN + PER_DECADE * centred / math.log(10))


def _sigmoid(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * value)))
