"""A desk to try: two photos, three contestants, a book in memory. What does not belong here: assertions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from starlette.testclient import TestClient

from tagging_assets.domain.errors import DatabaseUnavailable, ImageGone
from tagging_assets.domain.scoreboard import Estimate
from tagging_assets.domain.voting import Mark, Pair, Vote
from tagging_assets.review.app import Desk, make_app
from tagging_assets.review.ballot import Ballot, BallotPhoto, Rating
from tagging_assets.review.gate import Keys
from tagging_assets.review.sitting import Marking, Voting

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"

#: Names that no page but the last may show.
CONTESTANTS = ("select-t0", "brief-t0.8", "other-model")

PHOTOS = (
    BallotPhoto("id-a", "a.jpg", ("dog", "grass", "<b>bold</b>")),
    BallotPhoto("id-b", "b & c.jpg", ("boat",)),
)

PAIRS = (
    Pair("id-a", "select-t0", "brief-t0.8", ("dog", "grass"), ("dog", "<b>bold</b>")),
    Pair("id-b", "other-model", "select-t0", ("boat",), ()),
    Pair("id-a", "brief-t0.8", "other-model", ("dog", "<b>bold</b>"), ("grass",)),
)


@dataclass
class FakeBook:
    """Keeps judgements in memory.

    Attributes:
        votes: that were recorded.
        marks: that were recorded.
        broken: whether it refuses, as a database that does not answer.
    """

    votes: list[Vote] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    broken: bool = False

    def record(self, votes: Sequence[Vote]) -> None:
        self._check()
        self.votes += votes

    def mark(self, marks: Sequence[Mark]) -> None:
        self._check()
        self.marks += marks

    def _check(self) -> None:
        if self.broken:
            raise DatabaseUnavailable("Postgres does not answer")


class Clock:
    """A minute later each time."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def picture(image_id: str) -> bytes:
    if image_id == "id-b":
        raise ImageGone("proxy of b is not there")
    return b"\xff\xd8 a picture"


def ratings() -> list[Rating]:
    return [Rating(name, Estimate(1500.0 + step, 1400.0, 1600.0), 2) for step, name in enumerate(CONTESTANTS)]


BALLOT = Ballot("trial", PHOTOS, picture, ratings)


def voting(book: FakeBook, pairs: Sequence[Pair] = PAIRS, earlier: Iterable[Vote] = ()) -> Voting:
    return Voting(BALLOT, pairs, book, "anna", earlier=earlier, now=Clock())


def marking(book: FakeBook, earlier: Iterable[Mark] = ()) -> Marking:
    return Marking(BALLOT, book, "anna", earlier=earlier, now=Clock())


class Visitor:
    """A browser before the desk.

    Args:
        pairs: to be compared.
        inside: whether the link was followed.
        start: where the link leads.
    """

    def __init__(self, pairs: Sequence[Pair] = PAIRS, *, inside: bool = True, start: str = "/vote") -> None:
        self.book = FakeBook()
        self.keys = Keys(PORT)
        desk = Desk(BALLOT, voting(self.book, pairs), marking(self.book), self.keys, start)
        self.web = TestClient(make_app(desk, port=PORT, keys=self.keys), base_url=HOME, follow_redirects=False)
        if inside:
            self.web.get(f"/enter?key={self.keys.link}")

    def post(self, path: str, token: str | None = None, **fields: str) -> tuple[int, str]:
        """Send a form; status and where it leads. The token is the page's own by default."""
        reply = self.web.post(path, data={"token": self.keys.form if token is None else token, **fields})
        return reply.status_code, reply.headers.get("location", "")

    def read(self, path: str) -> str:
        """A page's text, after all redirects."""
        reply = self.web.get(path, follow_redirects=True)
        assert reply.status_code == 200, reply.text
        return reply.text


def words(page: str) -> str:
    """What a page says, without its tags, in single spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())
