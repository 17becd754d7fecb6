"""Thresholds that a photo's own scores set: where a tagger's labels of a category fall apart most.

MCut (Largeron, Moulin, Géry, "MCut: A Thresholding Strategy for Multi-label Classification", IDA 2012): with the
scores in falling order, the threshold is the middle of the widest gap between neighbours.

What does not belong here: thresholds that are the same for every photo (``evidence.SourceCard``).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagging_assets.domain.booru import CHARACTER, GENERAL

#: A photo without any known character has its widest gap among tiny scores; WD's own demonstration stops here.
LEAST_CHARACTER = 0.15


@dataclass(frozen=True, slots=True)
class PhotoCut:
    """How a tagger's labels are cut, photo by photo.

    Attributes:
        floor: raw score below which the tagger's scores are not kept: it counts as the next lower score. Vocabularies
            are so large that there nearly always is one just below it. Labels that the policy refuses are not kept
            either, and have no part in the gaps.
        least: category to the lowest threshold that may come out; categories that are missing are not cut.
    """

    floor: float
    least: Mapping[str, float] = field(default_factory=dict)

    def thresholds(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
        """Threshold per category.

        Args:
            rows: of the table ``tagger_scores``, of one photo.
        """
        scores: dict[str, list[float]] = defaultdict(list)
        for row in rows:
            if row["category"] in self.least:
                scores[row["category"]].append(float(row["score"]))
        return {name: max(mcut(found, self.floor), self.least[name]) for name, found in scores.items()}


def mcut(scores: Sequence[float], floor: float) -> float:
    """The middle of the widest gap, the higher one of equals; the floor where there is no score.

    Args:
        scores: in any order, none below ``floor``.
        floor: what comes after the lowest.
    """
    ordered = [*sorted(scores, reverse=True), floor]
    pairs = list(itertools.pairwise(ordered))
    if not pairs:
        return floor
    high, low = max(pairs, key=lambda pair: pair[0] - pair[1])
    return (high + low) / 2


def photo_cut(floor: float) -> PhotoCut:
    """MCut of general tags, and of characters from :data:`LEAST_CHARACTER` on."""
    return PhotoCut(floor, {GENERAL: floor, CHARACTER: max(floor, LEAST_CHARACTER)})
