"""One person judging: which pair is next, what they said so far, and what of it is written down.

What does not belong here: HTTP and pages (``app``), and how votes are kept (``resources.votes``).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Literal, Protocol

from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.voting import Mark, Pair, Vote, Winner
from tagging_assets.review.ballot import Ballot, BallotPhoto

#: What can be said about a pair of answers.
Choice = Winner | Literal["skip"]


class Book(Protocol):
    """Where judgements are kept; both methods raise ``StorageError`` where they cannot be."""

    def record(self, votes: Sequence[Vote]) -> None:
        """Append votes."""
        ...

    def mark(self, marks: Sequence[Mark]) -> None:
        """Append marks."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class Voting:
    """Pairs of answers in a fixed order, each judged, skipped or open; safe to use from several threads.

    Args:
        ballot: what is judged.
        pairs: in the order in which they are shown.
        book: takes each vote as it is given.
        voter: who judges.
        earlier: votes of the experiment, oldest first; those of this voter on the same answers are shown as given.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        ballot: Ballot,
        pairs: Sequence[Pair],
        book: Book,
        voter: str,
        *,
        earlier: Iterable[Vote] = (),
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._ballot = ballot
        self._photos = {photo.image_id: photo for photo in ballot.photos}
        self._pairs = tuple(pairs)
        self._book = book
        self._voter = voter
        self._now = now
        self._lock = Lock()
        given = {_key(vote): vote.winner for vote in earlier if vote.voter == voter and vote.kind == "person"}
        said = ((number, given.get(_key(one))) for number, one in enumerate(self._pairs, start=1))
        self._said: dict[int, Winner] = {number: winner for number, winner in said if winner is not None}
        self._skipped: set[int] = set()
        self.votes = 0

    @property
    def total(self) -> int:
        """How many pairs there are; they are numbered from 1."""
        return len(self._pairs)

    @property
    def judged(self) -> int:
        """How many are judged."""
        return len(self._said)

    @property
    def skipped(self) -> int:
        """How many were skipped and are not judged."""
        return len(self._skipped)

    @property
    def done(self) -> bool:
        """Whether every pair was judged or skipped."""
        return self.judged + self.skipped >= self.total

    def pair(self, number: int) -> tuple[BallotPhoto, Pair]:
        """A pair and its photo.

        Raises:
            IndexError: there is none of that number.
        """
        if not 1 <= number <= self.total:
            raise IndexError(number)
        one = self._pairs[number - 1]
        return self._photos[one.image_id], one

    def said(self, number: int) -> Winner | None:
        """``left``, ``right``, ``tie``, or ``None`` where nothing was said yet."""
        return self._said.get(number)

    def next(self, after: int = 0) -> int | None:
        """The next open pair after one, from the start again at the end; ``None`` where none is open."""
        numbers = [*range(after + 1, self.total + 1), *range(1, min(after, self.total) + 1)]
        return next((number for number in numbers if number not in self._said and number not in self._skipped), None)

    def choose(self, number: int, choice: Choice) -> None:
        """Write down what was said.

        The same word again writes nothing; another word is a new vote that counts instead of the one before; skipping
        leaves what was said.

        Raises:
            IndexError: there is no pair of that number.
            StorageError: it cannot be kept; nothing was said, then.
        """
        photo, one = self.pair(number)
        with self._lock:
            if choice == "skip":
                if number not in self._said:
                    self._skipped.add(number)
                return
            if self._said.get(number) == choice:
                return
            vote = Vote(
                experiment=self._ballot.experiment,
                image_id=photo.image_id,
                left=one.left,
                right=one.right,
                winner=choice,
                shown=one.shown,
                voter=self._voter,
                kind="person",
                at=self._now(),
            )
            self._book.record([vote])
            self._said[number] = choice
            self._skipped.discard(number)
            self.votes += 1


class Marking:
    """Photos with their tags, each marked relevant, not relevant or not at all; safe to use from several threads.

    Args:
        ballot: what is judged.
        book: takes each mark as it is given.
        marker: who judges.
        earlier: marks that hold; those of others are not looked at.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        ballot: Ballot,
        book: Book,
        marker: str,
        *,
        earlier: Iterable[Mark] = (),
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._photos = tuple(photo for photo in ballot.photos if photo.tags)
        self._book = book
        self._marker = marker
        self._now = now
        self._lock = Lock()
        there = {(photo.image_id, normalise_tag(tag)) for photo in self._photos for tag in photo.tags}
        held = ((_subject(one.image_id, one.tag), one.relevant) for one in earlier if one.marker == marker)
        self._said = {key: relevant for key, relevant in held if key in there and relevant is not None}
        self.all_tags = len(there)
        self.marks = 0

    @property
    def total(self) -> int:
        """How many photos have tags; they are numbered from 1."""
        return len(self._photos)

    @property
    def marked(self) -> int:
        """How many tags, of all photos, are marked."""
        return len(self._said)

    @property
    def open(self) -> list[int]:
        """Numbers of the photos that have a tag without a mark."""
        photos = enumerate(self._photos, start=1)
        return [number for number, photo in photos if any(self._word(photo, tag) is None for tag in photo.tags)]

    def photo(self, number: int) -> tuple[BallotPhoto, list[bool | None]]:
        """A photo, and what was said about each of its tags.

        Raises:
            IndexError: there is none of that number.
        """
        if not 1 <= number <= self.total:
            raise IndexError(number)
        photo = self._photos[number - 1]
        return photo, [self._word(photo, tag) for tag in photo.tags]

    def mark(self, number: int, tag_number: int, relevant: bool) -> bool | None:
        """Write down a mark; the same mark again takes it back.

        Args:
            number: of the photo, from 1.
            tag_number: of the tag, from 1, in the photo's order.
            relevant: the mark.

        Returns:
            What holds now.

        Raises:
            IndexError: there is no such photo or tag.
            StorageError: it cannot be kept; nothing was said, then.
        """
        photo, _ = self.photo(number)
        if not 1 <= tag_number <= len(photo.tags):
            raise IndexError(tag_number)
        tag = photo.tags[tag_number - 1]
        key = _subject(photo.image_id, tag)
        with self._lock:
            said = None if self._said.get(key) is relevant else relevant
            self._book.mark([Mark(image_id=key[0], tag=key[1], relevant=said, marker=self._marker, at=self._now())])
            if said is None:
                del self._said[key]
            else:
                self._said[key] = said
            self.marks += 1
        return said

    def _word(self, photo: BallotPhoto, tag: str) -> bool | None:
        return self._said.get(_subject(photo.image_id, tag))


def _key(one: Vote | Pair) -> tuple[str, str, str, str]:
    return one.image_id, one.left, one.right, one.shown


def _subject(image_id: str, tag: str) -> tuple[str, str]:
    return image_id, normalise_tag(tag)
