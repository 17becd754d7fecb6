"""Which tags of a vocabulary are put before a chat model: of thousands, those that one photo speaks for.

The order is: what was seen in the photo, what its texts name, what the photo's vectors are near to, and the rest of
the vocabulary. Early places matter: small models prefer them, and the cap cuts the end.

What does not belong here: how vectors are compared with words (``ZeroShotScorer``), what a model answers
(``reply_forms``).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

from tagging_assets.domain.frames import Row
from tagging_assets.domain.models import ZeroShotScorer
from tagging_assets.domain.zero_shot import pool_views, raw_vectors

#: Bumped where the same photo would have other tags put before the model.
VERSION = "narrowing/2"

#: Raw score from which a tag counts as seen by its likeness alone: what label sets take for a threshold.
EVIDENT = 0.5

_WORD = re.compile(r"\w+")
_NOTHING: Mapping[str, float] = {}

Words = tuple[str, ...]


def narrow(
    vocabulary: Sequence[str],
    seen: Sequence[tuple[str, float]],
    cap: int,
    *,
    text: str = "",
    likeness: Mapping[str, float] = _NOTHING,
    fill: bool = True,
) -> tuple[str, ...]:
    """Choose which tags to put before a model.

    Args:
        vocabulary: every tag that may be answered.
        seen: (tag, score) pairs; tags outside the vocabulary are left out.
        cap: at most so many.
        text: caption and whatever else was written; whole words count only.
        likeness: raw score of tags against the photo, in [0, 1]; tags that score 0 are like nothing in it.
        fill: whether tags that nothing speaks for may fill up the list, and likeness below :data:`EVIDENT` counts. A
            model of a few hundred million parameters picks from such fillers at random.
    """
    places = _places(tuple(vocabulary))
    best = [tag for tag, _ in sorted(seen, key=lambda pair: -pair[1]) if tag in places.of]
    named = places.named(text)
    floor = 0.0 if fill else EVIDENT
    like = [tag for tag, score in likeness.items() if tag in places.of and score > 0 and score >= floor]
    # Ties in the vocabulary's own order, whatever order the scores came in.
    like.sort(key=lambda tag: (-likeness[tag], places.of[tag]))
    rest = vocabulary if fill else ()
    return tuple(dict.fromkeys([*best, *named, *like, *rest]))[:cap]


class Likeness:
    """How much a photo is like each tag of a vocabulary, from its stored vectors: no look at the photo.

    Args:
        scorer: compares vectors with words, and keeps what it knows of the words.
        tags: the vocabulary.
    """

    def __init__(self, scorer: ZeroShotScorer, tags: Sequence[str]) -> None:
        self._scorer = scorer
        self._tags = tuple(tags)

    @cached_property
    def _prompts(self) -> tuple[Words, ...]:
        template = str(self._scorer.card.parameters.get("template", "a photo of a {}"))
        return tuple((template.format(tag),) for tag in self._tags)

    def of(self, views: Sequence[Row]) -> Mapping[str, float]:
        """Raw score in [0, 1] by tag, above 0 only.

        Args:
            views: rows of ``embeddings`` of one photo; none say nothing.

        Raises:
            ModelError: the scorer's.
        """
        if not views or not self._tags:
            return _NOTHING
        scores = pool_views(self._scorer.score(raw_vectors(views), self._prompts))
        return {self._tags[place]: float(scores[place]) for place in scores.nonzero()[0] if scores[place] > 0}


class _Places:
    """A vocabulary by tag, and by the words of its tags, so that a caption costs its own length and no more."""

    def __init__(self, vocabulary: Words) -> None:
        self.of: dict[str, int] = {}
        self._by_words: dict[Words, list[int]] = {}
        self._vocabulary = vocabulary
        self._longest = 0
        for place, tag in enumerate(vocabulary):
            self.of.setdefault(tag, place)
            parts = _words(tag)
            if parts:
                self._longest = max(self._longest, len(parts))
                self._by_words.setdefault(parts, []).append(place)
                self._by_words.setdefault((*parts[:-1], f"{parts[-1]}s"), []).append(place)

    def named(self, text: str) -> list[str]:
        """Tags whose words stand in a row in the text, in the vocabulary's order; a plain plural counts as well."""
        words = _words(text)
        found: set[int] = set()
        for start in range(len(words)):
            for length in range(1, min(self._longest, len(words) - start) + 1):
                found.update(self._by_words.get(words[start : start + length], ()))
        return [self._vocabulary[place] for place in sorted(found)]


@lru_cache(maxsize=8)
def _places(vocabulary: Words) -> _Places:
    return _Places(vocabulary)


def _words(text: str) -> Words:
    return tuple(word.casefold() for word in _WORD.findall(text.replace("_", " ")))
