"""Tag tables of booru taggers, and what a tagger's outputs say by them.

The table is ``selected_tags.csv`` of SmilingWolf's WD taggers: one row per output of the model, in its order, with
a name and a category number of Danbooru's. Files as they come have CRLF, rows of nothing but commas that hold the
place of an output nobody knows, and ids, categories and counts written as floats.

What does not belong here: pictures and runtimes (``resources.wd_tagger``), and from which score on a label counts
(``cutting`` and ``evidence``).
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.errors import WeightsCorrupt
from tagging_assets.domain.models import LabelScore
from tagging_assets.domain.printable import storable
from tagging_assets.domain.rules import normalise_tag

GENERAL, CHARACTER, RATING = "general", "character", "rating"

#: Danbooru's category numbers; 9 is the taggers' own.
CATEGORIES = {0: GENERAL, 1: "artist", 3: "copyright", 4: CHARACTER, 5: "meta", 9: RATING}

#: What a rating's label starts with: "general" alone would say nothing. The policy refuses ``rating:questionable``
#: and ``rating:explicit``, so that of such a photo no rating is kept at all.
RATING_PREFIX = "rating:"


@dataclass(frozen=True, slots=True)
class BooruTag:
    """What one output of the model is about.

    Attributes:
        name: with spaces for underscores, but in faces such as ``^_^`` (``rules.KAOMOJI``); ``""`` for an output
            that the table leaves open.
        category: ``general``, ``character``, ``rating`` …
    """

    name: str
    category: str


def read_tag_table(text: str, where: str) -> tuple[BooruTag, ...]:
    """A tag table, in the order of the model's outputs.

    Args:
        text: of the CSV file.
        where: the file's name, for messages.

    Raises:
        WeightsCorrupt: it has no columns ``name`` and ``category``, a category that is no number, or no tag.
    """
    # Names hold quotes (don't_say_"lazy") that open no quoted field; a row without any comma is a blank line.
    try:
        lines = [row for row in csv.reader(io.StringIO(storable(text.removeprefix("\ufeff")), newline="")) if row]
    except csv.Error as error:
        raise WeightsCorrupt(f"{where} is no tag table: {error}; pull the model again") from error
    head = [name.strip() for name in lines[0]] if lines else []
    if "name" not in head or "category" not in head:
        raise WeightsCorrupt(f"{where} is no tag table: it has no columns name and category; pull the model again")
    name, category = head.index("name"), head.index("category")
    if len(lines) < 2:
        raise WeightsCorrupt(f"{where} names no tag; pull the model again")
    return tuple(_tag(row, name, category, f"{where}, tag {place}") for place, row in enumerate(lines[1:]))


def _tag(row: Sequence[str], name: int, category: int, where: str) -> BooruTag:
    if max(name, category) >= len(row) or not row[name].strip():
        return BooruTag("", "")
    try:
        number = int(float(row[category]))
    except (ValueError, OverflowError) as error:
        raise WeightsCorrupt(f"{where}: category {row[category]!r} is no number; pull the model again") from error
    kind = CATEGORIES.get(number, f"category {number}")
    plain = normalise_tag(row[name])
    return BooruTag(f"{RATING_PREFIX}{plain}" if kind == RATING else plain, kind)


class TagTable:
    """A tag table, ready to read a model's outputs by.

    Attributes:
        tags: in the order of the outputs.
    """

    def __init__(self, tags: Sequence[BooruTag]) -> None:
        self.tags = tuple(tags)
        ratings = np.array([tag.category == RATING for tag in tags], np.bool_)
        self._ratings = np.flatnonzero(ratings)
        self._others = np.array([bool(tag.name) for tag in tags], np.bool_) & ~ratings

    def read(self, scores: NDArray[np.float32], floor: float) -> list[LabelScore]:
        """Labels from the floor on, best first: every tag for itself, and of the ratings the highest only.

        Args:
            scores: (n,) in [0, 1], one per output.
            floor: lowest score that is told.

        Raises:
            WeightsCorrupt: the model has more or fewer outputs than the table has tags.
        """
        if scores.shape != (len(self.tags),):
            raise WeightsCorrupt(
                f"the tag table has {len(self.tags)} tags and the model {scores.size} outputs: they do not belong "
                "together; pull both from one revision"
            )
        told = self._others & (scores >= floor)
        if self._ratings.size:
            rating = self._ratings[scores[self._ratings].argmax()]
            told[rating] = scores[rating] >= floor
        places = np.flatnonzero(told)
        best: dict[str, LabelScore] = {}
        for place in places[np.argsort(-scores[places], kind="stable")]:
            tag = self.tags[place]
            # Two outputs may come to one name once case and underscores are gone; the higher stands for both.
            best.setdefault(tag.name, LabelScore(tag.name, tag.category, float(scores[place])))
        return list(best.values())
