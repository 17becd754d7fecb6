"""``tagging experiment vote`` and ``mark``: people judge answers, on pages of this machine or in a sheet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.files import storage_error, write_output
from resources.photo_jpegs import PhotoJpegs
from resources.photo_names import PhotoNames
from tagging_assets.commands.console import print_note, styled
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiments import Experiment
from tagging_assets.domain.identity import last_place, path_of
from tagging_assets.domain.marking_sheet import SheetLine, format_sheet, parse_sheet
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.verdicts import one_line
from tagging_assets.domain.voting import Mark, Pair, next_pairs, shown_answers, standing_votes
from tagging_assets.review.ballot import Ballot, BallotPhoto, Rating, ballot_photos
from tagging_assets.review.serving import open_browser, serve
from tagging_assets.review.sitting import Marking, Voting


@dataclass(frozen=True, slots=True)
class Subject:
    """An experiment that people judge.

    Attributes:
        experiment: what was asked of whom.
        answers: rows of ``benchmark_answers``.
        photos: with the tags to mark, in the experiment's order.
    """

    experiment: Experiment
    answers: Sequence[Mapping[str, Any]]
    photos: tuple[BallotPhoto, ...]

    @property
    def image_ids(self) -> list[str]:
        """Of the photos that have an answer."""
        return [photo.image_id for photo in self.photos]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a sheet.

    Attributes:
        experiment: its name.
        marker: whose marks they are.
        lines: with a mark in them.
        marks: that are news and were written down.
        unnamed: of the lines, those about tags that no contestant named.
    """

    experiment: str
    marker: str
    lines: int
    marks: int
    unnamed: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {name: getattr(self, name) for name in self.__slots__}


def subject_of(session: Session, name: str) -> Subject:
    """What there is to judge.

    Raises:
        SettingsError: no such experiment, or nobody has answered yet.
    """
    experiment = session.toolbox.experiments.get(name)
    answers = session.toolbox.interviews.answers(experiment)
    uris = PhotoNames(session.database.engine).uris(experiment.image_ids)
    titles = {one: file_name(uris[one]) for one in experiment.image_ids if one in uris}
    photos = ballot_photos(answers, titles)
    if not photos:
        raise SettingsError(f"nobody has answered yet; run `tagging experiment run {name}`")
    return Subject(experiment, answers, photos)


def file_name(uri: str) -> str:
    """What people call the photo at a place."""
    return Path(path_of(last_place(uri))).name


def pairs_for(session: Session, subject: Subject, voter: str, limit: int) -> list[Pair]:
    """What a person judged so far, and then at most ``limit`` pairs that are new to them."""
    name = subject.experiment.name
    shown = shown_answers(subject.answers)
    votes = session.toolbox.votes.of(name)
    own = [vote for vote in standing_votes(votes, shown) if vote.voter == voter and vote.kind == "person"]
    judged = [
        Pair(vote.image_id, vote.left, vote.right, shown[vote.image_id][vote.left], shown[vote.image_id][vote.right])
        for vote in own
    ]
    there = set(subject.image_ids)
    return [pair for pair in (*judged, *next_pairs(name, shown, votes, voter, limit=limit)) if pair.image_id in there]


def judge(
    session: Session, name: str, *, start: str, who: str, port: int = 0, pairs: int = 60, browser: bool = True
) -> None:
    """Serve the pages until Ctrl-C; each judgement is written down as it is given.

    Args:
        session: open.
        name: of the experiment.
        start: the first page: ``/vote`` or ``/mark``.
        who: judges.
        port: to listen on; 0 takes a free one.
        pairs: compare at most so many new pairs.
        browser: show the page at once where there is a desktop.

    Raises:
        SettingsError: no such experiment, no answers, nobody's name, or the port is taken.
    """
    subject, voter = subject_of(session, name), named(who)
    tools = session.toolbox
    pictures = PhotoJpegs(
        tools.tables, tools.proxy_files, tools.decisions.batches(subject.image_ids), set(subject.image_ids)
    )
    ballot = Ballot(name, subject.photos, pictures.of, lambda: ratings(session, subject.experiment))
    voting = Voting(ballot, pairs_for(session, subject, voter, pairs), tools.votes, voter, earlier=tools.votes.of(name))
    marking = Marking(ballot, tools.votes, voter, earlier=tools.votes.marks(subject.image_ids))

    def say(url: str) -> None:
        print_note(f"{voter} judges {name} at ", styled(url, "bold"))
        print_note("The link works once, on this machine. Ctrl-C ends it; what was judged is kept.")
        if browser:
            open_browser(url)

    serve(ballot, voting, marking, start=start, port=port, say=say)
    print_note(
        f"{_count(voting.votes, 'vote')} and {_count(marking.marks, 'mark')} written down; "
        f"`tagging experiment report {name}` counts them.",
    )


def ratings(session: Session, experiment: Experiment) -> list[Rating]:
    """How contestants stand by the votes of now, best first; scores the experiment anew."""
    board = session.toolbox.scoreboards.make(experiment, datetime.now(UTC))
    rated = [Rating(one.contestant, one.rating, one.votes) for one in board.standings if one.rating is not None]
    return sorted(rated, key=lambda one: -one.rating.mean)


def export_sheet(session: Session, name: str, path: Path, who: str) -> int:
    """Write the sheet to fill in: a line per photo and tag, with the marks that this person gave before.

    Returns:
        How many lines it has.

    Raises:
        SettingsError: no such experiment, no answers, or the file is there already.
        DiskFull, StorageError: it cannot be written.
    """
    subject, marker = subject_of(session, name), named(who)
    if path.exists():
        raise SettingsError(f"{path} is there already, and marks may be in it; give another name, or move it away")
    held = _held(session, subject, marker)
    known = Counter(photo.title for photo in subject.photos)
    lines = [
        SheetLine(photo.title if known[photo.title] == 1 else photo.image_id, tag, held.get((photo.image_id, tag)))
        for photo in subject.photos
        for tag in photo.tags
    ]
    try:
        write_output(path, format_sheet(lines).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise storage_error(error, path) from error
    return len(lines)


def import_sheet(session: Session, name: str, path: Path, who: str) -> Imported:
    """Write down the marks of a sheet, all or none; what is marked so already is not written again.

    Raises:
        SettingsError: no such experiment, a file that cannot be read, or a line that makes no sense or names a photo
            that the experiment does not have.
    """
    subject, marker = subject_of(session, name), named(who)
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); give a CSV file") from error
    marked = [line for line in parse_sheet(text, path.name) if line.relevant is not None]
    said = _said(marked, _ids(subject))
    held = _held(session, subject, marker)
    now = datetime.now(UTC)
    news = [Mark(*key, relevant, marker, now) for key, relevant in said.items() if held.get(key) is not relevant]
    session.toolbox.votes.mark(news)
    named_tags = {(photo.image_id, tag) for photo in subject.photos for tag in photo.tags}
    return Imported(name, marker, len(marked), len(news), sum(key not in named_tags for key in said))


def show_imported(done: Imported) -> None:
    """Tell a person what came of a sheet."""
    print_note(
        f"{done.marks} of {done.lines} marks are new, and written down for {done.marker}; "
        f"`tagging experiment report {done.experiment}` counts them.",
    )
    if done.unnamed:
        print_note(f"About tags that no contestant named: {done.unnamed}; look for slips of the pen.")


def named(who: str) -> str:
    """A person's name as it is kept.

    Raises:
        SettingsError: it is empty.
    """
    name = one_line(who)
    if not name:
        raise SettingsError("nobody judges; say who with --by")
    return name


def _ids(subject: Subject) -> dict[str, str]:
    """Photos by the names that a sheet may have for them; file names that two photos share are left out."""
    known = Counter(photo.title for photo in subject.photos)
    by_title = {photo.title: photo.image_id for photo in subject.photos if known[photo.title] == 1}
    return by_title | {photo.image_id: photo.image_id for photo in subject.photos}


def _said(lines: Sequence[SheetLine], ids: Mapping[str, str]) -> dict[tuple[str, str], bool]:
    said: dict[tuple[str, str], bool] = {}
    for line in lines:
        image_id = ids.get(line.image) or ids.get(Path(line.image).name)
        if image_id is None:
            raise SettingsError(
                f'{line.where}: no photo with answers is "{line.image}" in the experiment; write its file name, or '
                "its image_id where two photos have the same"
            )
        key, relevant = (image_id, normalise_tag(line.tag)), bool(line.relevant)
        if said.setdefault(key, relevant) is not relevant:
            raise SettingsError(f'{line.where}: "{line.tag}" is marked both ways for {line.image}; keep one line')
    return said


def _held(session: Session, subject: Subject, marker: str) -> dict[tuple[str, str], bool]:
    """What a person's marks are now, by photo and tag."""
    marks = session.toolbox.votes.marks(subject.image_ids)
    return {
        (one.image_id, normalise_tag(one.tag)): one.relevant
        for one in marks
        if one.marker == marker and one.relevant is not None
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
