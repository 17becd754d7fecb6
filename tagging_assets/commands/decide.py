"""``tagging decide``: what people say about tags, and what comes of it at once.

:func:`decide` is what a review desk imports; the rest reads what a person typed and shows what was done.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.photo_folder import canonical
from resources.photo_names import PhotoNames
from tagging_assets.commands.batches import run_batches
from tagging_assets.commands.console import print_note, print_table
from tagging_assets.commands.explain import find_image
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.policy import describes_people, refused, refused_sentence
from tagging_assets.domain.verdict_text import parse_verdicts
from tagging_assets.domain.verdicts import Request, Verdict, checked, edited, one_line

#: What a verdict makes stale: no model is asked again.
_STAGES = ("decisions", "tags", "published_tags")

#: Rows of a table that a person still reads.
_SHOWN = 100

#: Status and score of a published tag.
Shown = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Said:
    """One verdict that was written down (or would be).

    Attributes:
        request: what was said, with the category it got.
        uri: of the photo.
        decision_id: of its row; ``None`` where it was not written.
        before: the published tag as it was; ``None`` where there was none.
        after: as it is now.
    """

    request: Request
    uri: str
    decision_id: int | None
    before: Shown | None
    after: Shown | None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "image": self.uri,
            "image_id": self.request.image_id,
            "tag": self.request.tag,
            "verdict": self.request.verdict.value,
            "category": self.request.category,
            "replaces": self.request.replaces,
            "why": self.request.why,
            "decision_id": self.decision_id,
            "before": _as_json(self.before),
            "after": _as_json(self.after),
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of verdicts.

    Attributes:
        who: said so.
        operation: id by which what it changed is found in the history; ``""`` where nothing had to be done.
        said: verdicts that are news; what stood already, in the same words, is not among them.
        runs: batches that were decided anew, to the Dagster run that did it.
    """

    who: str
    operation: str = ""
    said: tuple[Said, ...] = ()
    runs: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For programs: ``who``, ``operation``, ``decisions`` (a list, see :class:`Said`) and ``runs``."""
        return {
            "who": self.who,
            "operation": self.operation,
            "decisions": [one.as_json() for one in self.said],
            "runs": dict(self.runs),
        }


@dataclass(frozen=True, slots=True)
class Typed:
    """Verdicts as the options of the command give them: for every photo that is chosen."""

    accept: Sequence[str] = ()
    reject: Sequence[str] = ()
    add: Sequence[str] = ()
    edit: Sequence[str] = ()
    withdraw: Sequence[str] = ()
    category: str = ""

    @property
    def anything(self) -> bool:
        """Whether there is one."""
        return any((self.accept, self.reject, self.add, self.edit, self.withdraw))

    def requests(self, image_id: str) -> Iterable[Request]:
        """What is said about one photo.

        Raises:
            SettingsError: an edit that is not written OLD=NEW.
        """
        for tag in self.accept:
            yield Request(image_id, tag, Verdict.ACCEPTED, category=self.category)
        for tag in self.reject:
            yield Request(image_id, tag, Verdict.REJECTED)
        for tag in self.add:
            yield Request(image_id, tag, Verdict.ADDED, category=self.category)
        for edit in self.edit:
            old, equals, new = edit.partition("=")
            if not (equals and old.strip() and new.strip()):
                raise SettingsError(f'--edit "{edit}" does not say what becomes of what; write OLD=NEW')
            yield from edited(image_id, old, new, category=self.category)
        for tag in self.withdraw:
            yield Request(image_id, tag, Verdict.WITHDRAWN)


def decide(session: Session, requests: Sequence[Request], who: str, why: str = "", *, dry_run: bool = False) -> Decided:
    """Write down what a person says about tags, decide and publish the photos' tags anew. No model is asked.

    All verdicts are written, or none. What stands already, in the same words of the same person, is not written
    again; where an earlier call was cut short before it had published, this one finishes it.

    Args:
        session: open.
        requests: verdicts, in any spelling of the tags; see ``domain.verdicts`` (``edited`` makes those of an edit).
        who: says so: a login, a name, an e-mail address.
        why: for requests that do not say why themselves.
        dry_run: tell what would be written, and write nothing.

    Returns:
        What is news, with each published tag before and after.

    Raises:
        SettingsError: an unknown photo, an empty tag, two things said about one tag, a tag accepted or edited that
            the photo does not have, or nobody's name.
        PolicyError: a tag that is never given.
        StorageError: Postgres does not answer, or the disk is full; ask again.
    """
    tools, name = session.toolbox, one_line(who)
    settings = session.settings
    asked = checked(
        requests,
        settings.rules,
        refused,
        describes=(lambda _tag: False) if settings.people_rules.anywhere else describes_people,
        refuse_why=refused_sentence,
    )
    if refused_sentence(why) is not None:
        raise PolicyError("the reason speaks of what is never written down; say it without")
    new = tools.decisions.preview(asked, who=name, why=why)
    keys = [(request.image_id, request.tag) for request in new]
    before = tools.decisions.shown(keys)
    if dry_run:
        return Decided(name, said=_said(session, new, None, before, before))
    now = datetime.now(UTC)
    batches = tools.decisions.batches([request.image_id for request in asked])
    unfinished = [] if new else _unfinished(session, batches, now)
    if not (new or unfinished):
        return Decided(name)
    operation = tools.history.begin("decide", name, one_line(why), now=now)
    ids = tools.decisions.record(asked, who=name, why=why, operation=operation, now=now)
    session.observe_recipes()
    touched = tools.decisions.batches([request.image_id for request in new]) or unfinished
    runs = run_batches(session, touched, operation=operation, stages=_STAGES).check()
    return Decided(name, operation, _said(session, new, ids, before, tools.decisions.shown(keys)), runs)


def choose(session: Session, names: Sequence[str], all_with: str | None = None) -> list[str]:
    """Ids of the photos that a person means, each once, in order of mention.

    Args:
        session: open.
        names: paths of photos or folders, file names, or first digits of ids.
        all_with: of these photos, or of all where none is named, those on which this tag is published.

    Raises:
        SettingsError: a name that means no photo, or several; or no photo has the tag.
    """
    found = list(dict.fromkeys(image_id for name in names for image_id in _named(session, name)))
    if all_with is None:
        return found
    tagged = session.toolbox.decisions.tagged(all_with)
    chosen = [image_id for image_id in (found if names else tagged) if image_id in tagged]
    if not chosen:
        raise SettingsError(f'no photo{" of these" if names else ""} has the tag "{all_with}"; `tagging tags` tells')
    return chosen


def read_file(session: Session, path: Path) -> list[Request]:
    """Verdicts of a CSV or JSON-lines file; see ``domain.verdict_text``.

    Raises:
        SettingsError: it cannot be read, or a line of it says something impossible.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}); give a UTF-8 file") from error
    lines = parse_verdicts(text, path.name)
    known = PhotoNames(session.database.engine).find([line.image for line in lines])
    requests: list[Request] = []
    for line in lines:
        ids = known.get(line.image, [])
        if len(ids) != 1:
            try:
                ids = _named(session, line.image)
            except SettingsError as error:
                raise SettingsError(f"{line.where}: {error}") from error
        requests += [request for image_id in ids for request in line.requests(image_id)]
    return requests


def wanted(
    session: Session, typed: Typed, names: Sequence[str], all_with: str | None, file: Path | None
) -> list[Request]:
    """All that a command line asks for: its verdicts on every photo that is chosen, and those of a file.

    Raises:
        SettingsError: verdicts without photos, photos without verdicts, or a name that means no photo, or several.
    """
    chosen = bool(names) or all_with is not None
    if typed.anything and not chosen:
        raise SettingsError("no photo is named; name photos or folders, or choose with --all-with TAG")
    if chosen and not typed.anything:
        raise SettingsError("the file names its own photos; leave the others out, or say what is decided about them")
    found = choose(session, names, all_with) if chosen else []
    requests = [request for image_id in found for request in typed.requests(image_id)]
    return [*requests, *(read_file(session, file) if file is not None else [])]


def holding(session: Session, names: Sequence[str], all_with: str | None) -> list[dict[str, Any]]:
    """Verdicts that hold, by photo and tag; of all photos where none is named."""
    image_ids = choose(session, names, all_with) if names or all_with is not None else None
    found = session.toolbox.decisions.listing(image_ids)
    uris = PhotoNames(session.database.engine).uris([image_id for image_id, _ in found])
    told = [{"image": uris[image_id], **one.row(image_id)} for image_id, one in found]
    return sorted(told, key=lambda row: (row["image"], row["tag"]))


def show_holding(told: Sequence[Mapping[str, Any]]) -> None:
    """Tell a person what holds."""
    photos = len({row["image_id"] for row in told})
    print_table(
        f"{len(told)} verdicts hold on {photos} photos",
        ["photo", "tag", "verdict", "by", "on", "why"],
        [
            (
                Path(row["image"]).name,
                row["tag"],
                f"{row['verdict']} for {row['replaces']}" if row["replaces"] else row["verdict"],
                row["who"],
                f"{row['decided_at']:%Y-%m-%d}",
                row["why"],
            )
            for row in told
        ],
    )


def show(decided: Decided, *, dry_run: bool) -> None:
    """Tell a person what was done, or would be."""
    if not decided.said:
        done = "; what was left to publish is published" if decided.runs else ""
        print_note(f"Nothing new: it stands already{done}.")
        return
    photos = len({one.request.image_id for one in decided.said})
    verb = "would be written down" if dry_run else "written down"
    print_table(
        f"{len(decided.said)} verdicts by {decided.who} {verb}, on {photos} photos",
        ["photo", "tag", "verdict", "before", *([] if dry_run else ["now"])],
        [
            (
                Path(one.uri).name,
                one.request.tag,
                one.request.verdict.value,
                _in_words(one.before),
                *([] if dry_run else [_in_words(one.after)]),
            )
            for one in decided.said[:_SHOWN]
        ],
    )
    if len(decided.said) > _SHOWN:
        print_note(f"… and {len(decided.said) - _SHOWN} more; --json tells all.")


def _unfinished(session: Session, batches: Sequence[str], now: datetime) -> list[str]:
    """Batches whose tags do not say yet what was decided."""
    return sorted({one.batch for one in session.line.stale(batches, now=now) if one.stage in _STAGES})


def _named(session: Session, name: str) -> list[str]:
    path = Path(name)
    if path.exists():
        refs = session.toolbox.manifest.known([canonical(path)])
        ids = [ref.image_id for ref in refs if not ref.gone]
        if not ids:
            raise SettingsError(f"no photo of {name} is known; `tagging run {name}` takes it in")
        return ids
    return [find_image(session, name).image_id]


def _said(
    session: Session,
    new: Sequence[Request],
    ids: Sequence[int] | None,
    before: Mapping[tuple[str, str], Shown],
    after: Mapping[tuple[str, str], Shown],
) -> tuple[Said, ...]:
    uris = PhotoNames(session.database.engine).uris([request.image_id for request in new])
    # Somebody else may have said the same since the preview: then there are fewer ids than requests.
    numbers = list(ids) if ids is not None and len(ids) == len(new) else [None] * len(new)
    return tuple(
        Said(
            request,
            uris[request.image_id],
            number,
            before.get((request.image_id, request.tag)),
            after.get((request.image_id, request.tag)),
        )
        for request, number in zip(new, numbers, strict=True)
    )


def _as_json(shown: Shown | None) -> dict[str, Any] | None:
    return None if shown is None else {"status": shown[0], "score": round(shown[1], 4)}


def _in_words(shown: Shown | None) -> str:
    return "–" if shown is None else f"{shown[1]:.2f} {shown[0]}"
