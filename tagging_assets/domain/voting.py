"""Blind votes on two answers about one photo, marks on single tags, and which pair to show next.

A vote says which of two lists of tags suits a photo better, by somebody who does not know whose lists they are. A mark
says whether one tag suits it. Both are only ever appended; the newest holds. What does not belong here: where they are
kept (``resources/votes.py``), how they are asked for (``tagging_assets/review``), ratings (``bradley_terry``) and
relevance (``relevance``).
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any, Literal

from tagging_assets.domain.chat import ANSWERED
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.rules import normalise_tag

#: Which side suits the photo better, as it was shown.
Winner = Literal["left", "right", "tie"]

#: Who votes. A judge is a model; its votes count once it was seen to agree with people.
Kind = Literal["person", "judge"]

#: What was answered, by photo and contestant: the tags that are shown to voters.
Shown = Mapping[str, Mapping[str, tuple[str, ...]]]

#: Two contestants, by label.
_Contest = tuple[str, str]

_MIRRORED: Mapping[Winner, Winner] = {"left": "right", "right": "left", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class Vote:
    """One blind comparison.

    Attributes:
        experiment: its name.
        image_id: of the photo.
        left: label of the contestant whose tags stood on the left.
        right: of the one on the right.
        winner: ``left``, ``right`` or ``tie``.
        shown: :func:`shown_hash` of both answers.
        voter: a person's name, or the judge's model.
        kind: ``person`` or ``judge``.
        at: aware UTC.
        why: one line, or ``""``.
        request_hash: of the judge's question in the ledger; ``None`` for people.
    """

    experiment: str
    image_id: str
    left: str
    right: str
    winner: Winner
    shown: str
    voter: str
    kind: Kind
    at: datetime
    why: str = ""
    request_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """One person's word on whether a tag suits a photo.

    Attributes:
        image_id: of the photo.
        tag: in any spelling.
        relevant: ``None`` takes the marker's earlier word back.
        marker: the person's name.
        at: aware UTC.
    """

    image_id: str
    tag: str
    relevant: bool | None
    marker: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to be compared.

    Attributes:
        image_id: of the photo.
        left: contestant on the left; not to be shown.
        right: contestant on the right; not to be shown.
        left_tags: what it answered.
        right_tags: what it answered.
    """

    image_id: str
    left: str
    right: str
    left_tags: tuple[str, ...]
    right_tags: tuple[str, ...]

    @property
    def shown(self) -> str:
        """What a vote on the pair carries as ``shown``."""
        return shown_hash(self.left_tags, self.right_tags)

    @property
    def mirrored(self) -> "Pair":
        """The same with sides changed: a judge is asked both ways, for models prefer a side."""
        return Pair(self.image_id, self.right, self.left, self.right_tags, self.left_tags)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one voter holds of two answers, all of their votes on the pair taken together.

    Attributes:
        image_id: of the photo.
        left: contestant on the left, by :func:`sides`, however it was shown.
        right: the other.
        winner: in these terms; ``tie`` also where a voter contradicts themselves once sides are changed.
        voter: who compares.
        kind: ``person`` or ``judge``.
    """

    image_id: str
    left: str
    right: str
    winner: Winner
    voter: str
    kind: Kind

    @property
    def item(self) -> tuple[str, str, str]:
        """What was compared: equal for all voters on the same pair and photo."""
        return (self.image_id, self.left, self.right)


def shown_hash(left_tags: Sequence[str], right_tags: Sequence[str]) -> str:
    """Hash of two answers as they were shown, sides and order of tags included."""
    return content_hash([list(left_tags), list(right_tags)])


def shown_answers(answers: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """What voters see of the rows of ``benchmark_answers``: the allowed tags of the first repeat with an answer.

    Returns:
        Tags by photo, then by contestant; contestants without an answer are not there.
    """
    found: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {}
    for row in answers:
        if row["outcome"] not in ANSWERED:
            continue
        photo = found.setdefault(row["image_id"], {})
        known = photo.get(row["configuration"])
        if known is None or row["repeat"] < known[0]:
            photo[row["configuration"]] = (row["repeat"], tuple(row["tags"] or ()))
    return {image_id: {label: tags for label, (_, tags) in photo.items()} for image_id, photo in found.items()}


def sides(experiment: str, image_id: str, pair: Iterable[str]) -> tuple[str, str]:
    """Who stands left and who right: by a hash, so that sides are fair on average and the same for everybody."""
    one, other = sorted(pair)
    return (other, one) if int(content_hash([experiment, image_id, one, other])[:8], 16) % 2 else (one, other)


def standing_votes(votes: Iterable[Vote], shown: Shown) -> list[Vote]:
    """Votes that count: about the answers as they are now, and the newest of each voter for a pair and its sides.

    Args:
        votes: in the order in which they were given; of equal times the later one holds.
        shown: as :func:`shown_answers` gives it.
    """
    newest: dict[tuple[str, ...], Vote] = {}
    for vote in votes:
        tags = shown.get(vote.image_id, {})
        if vote.left == vote.right or vote.left not in tags or vote.right not in tags:
            continue
        if vote.shown != shown_hash(tags[vote.left], tags[vote.right]):
            continue
        key = (vote.kind, vote.voter, vote.image_id, vote.left, vote.right)
        if key not in newest or newest[key].at <= vote.at:
            newest[key] = vote
    return list(newest.values())


def comparisons(votes: Iterable[Vote]) -> list[Comparison]:
    """One comparison per voter, photo and pair.

    A voter who was asked both ways and does not say the same twice has no preference: a tie, the conservative reading
    of Zheng et al., "Judging LLM-as-a-judge with MT-bench and chatbot arena", NeurIPS 2023, section 3.4.

    Args:
        votes: those that count.
    """
    found: dict[tuple[Kind, str, str, str, str], set[Winner]] = {}
    for vote in votes:
        left, right = sides(vote.experiment, vote.image_id, (vote.left, vote.right))
        winner = vote.winner if vote.left == left else _MIRRORED[vote.winner]
        found.setdefault((vote.kind, vote.voter, vote.image_id, left, right), set()).add(winner)
    return [
        Comparison(image_id, left, right, winners.pop() if len(winners) == 1 else "tie", voter, kind)
        for (kind, voter, image_id, left, right), winners in found.items()
    ]


def next_pairs(
    experiment: str, shown: Shown, votes: Sequence[Vote], voter: str, *, limit: int | None = None, shared: bool = False
) -> list[Pair]:
    """Pairs that a voter has not compared yet, the least compared contestants first.

    Answers that hold the same tags are not shown: nobody could tell them apart. The same arguments give the same
    pairs, and another voter gets them in another order, so that many voters soon cover many photos.

    Args:
        experiment: its name.
        shown: as :func:`shown_answers` gives it.
        votes: all votes of the experiment, in the order in which they were given.
        voter: who is to compare.
        limit: as many pairs at most; all by default.
        shared: pairs that others have compared come first: how else could a judge be scored against people?
    """
    made = comparisons(standing_votes(votes, shown))
    done = {one.item for one in made if one.voter == voter}
    seen = {one.item for one in made if one.voter != voter} if shared else set()
    compared = Counter((one.left, one.right) if one.left < one.right else (one.right, one.left) for one in made)
    queues: dict[_Contest, list[tuple[bool, str, Pair]]] = {}
    for pair in _pairs(experiment, shown):
        item = (pair.image_id, pair.left, pair.right)
        if item not in done:
            one, other = sorted((pair.left, pair.right))
            chance = content_hash([experiment, voter, *item])
            queues.setdefault((one, other), []).append((item not in seen, chance, pair))
    return _in_turns(queues, compared, limit)


def _pairs(experiment: str, shown: Shown) -> Iterator[Pair]:
    for image_id, answers in shown.items():
        for one, other in combinations(sorted(answers), 2):
            if _content(answers[one]) != _content(answers[other]):
                left, right = sides(experiment, image_id, (one, other))
                yield Pair(image_id, left, right, answers[left], answers[right])


def _content(tags: Iterable[str]) -> frozenset[str]:
    return frozenset(normalise_tag(tag) for tag in tags)


def _in_turns(
    queues: Mapping[_Contest, list[tuple[bool, str, Pair]]], compared: Counter[_Contest], limit: int | None
) -> list[Pair]:
    """Always the next of the contestants' pair that was compared least, those already picked included."""
    heap: list[tuple[bool, int, str, _Contest]] = []
    for key, queue in queues.items():
        queue.sort(key=lambda one: one[:2], reverse=True)
        heap.append((queue[-1][0], compared[key], queue[-1][1], key))
    heapq.heapify(heap)
    picked: list[Pair] = []
    while heap and (limit is None or len(picked) < limit):
        _, count, _, key = heapq.heappop(heap)
        queue = queues[key]
        picked.append(queue.pop()[2])
        if queue:
            heapq.heappush(heap, (queue[-1][0], count + 1, queue[-1][1], key))
    return picked
