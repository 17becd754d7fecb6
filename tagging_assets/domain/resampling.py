"""Bootstrap intervals over photos: how far a mean would move, had other photos of the kind been asked about.

The percentile interval of Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapter 13. Photos are
drawn, not answers or tags: tags of one photo stand and fall together. All contestants are judged on the same draws, so
that differences between them are as sure as they can be. What does not belong here: what is averaged.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.scoreboard import Estimate

#: Draws of an interval: its ends are then sure to about a twentieth of its width.
DRAWS = 2000

_ENDS = (2.5, 97.5)
_DIGITS = 6
# Draws are made in parts of this many numbers, so that thousands of photos do not fill the memory.
_PART = 4_000_000


def photo_draws(photos: Sequence[str], draws: int = DRAWS) -> list[NDArray[np.float64]]:
    """How often each photo is in each draw, with replacement.

    The draws follow from the photos alone: the same photos give the same digits, whoever else takes part.

    Args:
        photos: ids, at least one.
        draws: how many.

    Returns:
        Arrays of shape (part of the draws, photos); every row sums to the number of photos.
    """
    count = len(photos)
    random = np.random.default_rng(int(content_hash(list(photos))[:16], 16))
    size = max(1, _PART // count)
    parts = []
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        places = random.integers(0, count, (rows, count)) + np.arange(rows)[:, None] * count
        counted = np.bincount(places.ravel(), minlength=rows * count)
        parts.append(counted.reshape(rows, count).astype(np.float64))
    return parts


def drawn_means(values: NDArray[np.float64], draws: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Means of each row of values, in every draw.

    Args:
        values: shape (rows, photos); NaN where a row has no value for a photo, which is then left out of its mean.
        draws: as :func:`photo_draws` gives them.

    Returns:
        Shape (draws, rows); NaN where a draw holds no value of a row.
    """
    there = ~np.isnan(values)
    known = np.where(there, values, 0.0)
    sums = np.concatenate([part @ known.T for part in draws])
    counts = np.concatenate([part @ there.T.astype(np.float64) for part in draws])
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def estimates(values: NDArray[np.float64], photos: Sequence[str], draws: int = DRAWS) -> list[Estimate | None]:
    """Mean and 95 % interval of each row.

    Args:
        values: shape (rows, photos); NaN where a row has no value for a photo.
        photos: ids of the columns.
        draws: how many.

    Returns:
        One per row; ``None`` for a row without any value. A row with one value has no width: one photo says nothing
        about others.
    """
    if not values.size:
        return [None] * len(values)
    means = drawn_means(values, photo_draws(photos, draws))
    return [_estimate(row, means[:, place]) for place, row in enumerate(values)]


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the 95 % interval, to six decimals.

    Args:
        drawn: one number per draw, at least one of them finite; NaN is left out.
    """
    low, high = np.percentile(drawn[~np.isnan(drawn)], _ENDS)
    return round(float(low), _DIGITS), round(float(high), _DIGITS)


def _estimate(row: NDArray[np.float64], drawn: NDArray[np.float64]) -> Estimate | None:
    known = row[~np.isnan(row)]
    if not known.size:
        return None
    mean = float(np.mean(known))
    low, high = interval(drawn)
    # Rounding must not put the mean outside of its own interval.
    return Estimate(mean, min(low, mean), max(high, mean))
