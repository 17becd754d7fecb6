"""``tagging explain IMAGE``: the chain from photo to decision, for every tag or for one, now or as it was.

What does not belong here: what the answer looks like as text (``explain_text``), and what the graph holds
(``domain/lineage_graph.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from resources.contact_sheet import encode_jpeg
from resources.files import storage_error, write_output
from resources.history import History
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.evidence import Evidence, Trust
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.identity import ImageRef
from tagging_assets.domain.lineage import Lineage, Link, links_at, links_now
from tagging_assets.domain.lineage_drawing import Thumbnail, draw
from tagging_assets.domain.lineage_graph import Story, draw_up
from tagging_assets.domain.lineage_page import render_page
from tagging_assets.domain.permissions import is_forbidden, permitted
from tagging_assets.domain.policy import refused
from tagging_assets.domain.rules import Rules
from tagging_assets.domain.stages import ASKING, STAGES
from tagging_assets.domain.tag_decision import REJECTED
from tagging_assets.domain.verdicts import StandingVerdict, standing
from tagging_assets.domain.why_not import REFUSED, WhyNot, weighed, why_not

#: Columns of a published tag that are told where it is not decided any more.
_SHOWN = ("tag", "category", "score", "status", "reason", "sources", "recipe", "run_id", "published_at")


@dataclass(frozen=True)
class Explained:
    """The answer.

    Attributes:
        told: as one JSON document; :func:`explain` lists its keys.
        graph: what led to what.
    """

    told: dict[str, Any]
    graph: Lineage


def find_image(session: Session, name: str) -> ImageRef:
    """The one photo that a path, a file name or the beginning of an id means.

    Raises:
        SettingsError: none, or several.
    """
    found = session.toolbox.manifest.find(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise SettingsError(f'no photo "{name}"; give its path or the first digits of its image_id')
    names = ", ".join(f"{ref.uri} ({ref.image_id[:8]})" for ref in found[:5])
    raise SettingsError(f'"{name}" may mean {len(found)} photos: {names}')


def moment(text: str, now: datetime | None = None) -> datetime:
    """The time that a person means: a date is its end, and without a zone it is this machine's.

    Args:
        text: ISO date or date-time, e.g. ``2026-11-20`` or ``2026-11-20T14:05+01:00``.
        now: aware; nothing after it can be explained. The clock's by default.

    Raises:
        SettingsError: no such time, or one that is still to come.
    """
    now = datetime.now(UTC) if now is None else now
    try:
        if len(text.strip()) == len("2026-11-20"):
            day = date.fromisoformat(text.strip())
            if day <= now.astimezone().date():
                return min(datetime.combine(day + timedelta(days=1), time()).astimezone(UTC), now)
        at = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SettingsError(f'--at "{text}" is no time; write 2026-11-20, or 2026-11-20T14:05') from error
    if at > now:
        raise SettingsError(f'--at "{text}" is still to come; leave --at out for how things are now')
    return at


def explain(session: Session, ref: ImageRef, *, tag: str | None = None, at: datetime | None = None) -> Explained:
    """Everything that led from the photo to its tags, or to one of them.

    The document's keys: ``image``, ``image_id``, ``content_hash``, ``pixel_id``, ``batch``, ``gone_at`` (the
    photo); ``at`` (the time asked for, ``null`` for now); ``chain`` (every stage that ran: status, recipe with its
    body, hashes, run, time); ``tags`` (rows with all sources; with ``tag`` only that one, and its ``history``);
    ``caption``, ``suggestions``; ``decisions`` (people's verdicts that hold); ``asked`` (with ``tag``: why it is
    not a tag, ``null`` where it is one); ``graph`` (``nodes`` and ``edges``, see ``domain/lineage.py``).

    Args:
        session: open.
        ref: the photo.
        tag: only what led to this tag, or keeps it from being one.
        at: as it was at this time; aware.

    Raises:
        SettingsError: the photo was not known yet at that time.
    """
    _check_known(ref, at)
    wanted = None if tag is None else session.toolbox.rules.canonical(tag)
    store = session.toolbox.bench.store
    frames = {stage: store.read(stage, ref.batch) for stage in STAGES}
    history = History(session.database.engine)
    story = _story(session, ref, frames, history, at)
    if wanted is not None:
        story = _about(session, ref, story, wanted, at)
    graph = draw_up(story, wanted)
    return Explained(_told(ref, story, graph, at, wanted, history), graph)


def _check_known(ref: ImageRef, at: datetime | None) -> None:
    first = datetime.fromtimestamp(ref.first_seen_ns / 1e9, UTC)
    if at is not None and at < first:
        raise SettingsError(f"{ref.uri} was first seen on {first:%Y-%m-%d %H:%M:%S} UTC; give a later --at")


def _story(
    session: Session, ref: ImageRef, frames: Mapping[str, StageFrame], history: History, at: datetime | None
) -> Story:
    tools = session.toolbox
    given = [one for one in tools.decisions.of(ref.image_id) if at is None or one["at"] <= at]
    if at is None:
        links = links_now(frames, ref.image_id, tools.recipes)
        published = tools.publisher.tags([ref.image_id])
        decided = {row["tag"] for row in links["tags"].rows}
        # After an undo the world sees tags that are not decided any more.
        tags: Sequence[Mapping[str, Any]] = [
            *links["tags"].rows,
            *({name: row[name] for name in _SHOWN} for row in published if row["tag"] not in decided),
        ]
    else:
        tags = published = history.tags_at(ref.image_id, at)
        links = links_at(frames, ref.image_id, at, tags)
    hashes = {link.recipe for link in links.values()} | {source["recipe"] for one in tags for source in one["sources"]}
    return Story(
        name=Path(ref.uri).name,
        uri=ref.uri,
        content_hash=ref.content_hash or "",
        bytes=ref.bytes,
        links=links,
        bodies=session.database.recipes(hashes - {""}),
        tags=tags,
        decisions=_standing(given),
        published=published,
    )


def _standing(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Verdicts that hold among those given, with the operation they were part of."""
    said = standing(StandingVerdict.from_row({**one, "decided_at": one["at"]}) for one in given)
    operations = {one["decision_id"]: one["operation"] for one in given}
    return [
        {
            **{name: value for name, value in one.row("").items() if name != "image_id"},
            "operation": operations[one.decision_id],
        }
        for one in said.values()
    ]


def _about(session: Session, ref: ImageRef, story: Story, tag: str, at: datetime | None) -> Story:
    """The story with what its sources say of one tag besides, from the raw scores that are kept."""
    row = next((one for one in story.tags if one["tag"] == tag), None)
    if refused(tag) is not None:
        return replace(story, tags=(), decisions=(), missing=WhyNot(tag, REFUSED).as_json())
    scores: tuple[dict[str, Any], ...] = ()
    tools = session.toolbox
    records = {name: link.record for name, link in story.links.items() if link.record is not None and link.record.ok}
    item = Item(ref.image_id, "", {name: record for name, record in records.items() if record is not None})
    verdicts = {one["tag"]: StandingVerdict.from_row(one) for one in story.decisions}
    told = tools.gatherer.all(item, tools.rules)
    evidence, heard, permission = permitted(item, told, tools.fusion.counts, verdicts)
    if is_forbidden(tag, "", permission) or (
        len(evidence) < len(told) and not _says(evidence, tag, tools.rules) and _says(told, tag, tools.rules)
    ):
        return replace(story, tags=(), decisions=(), missing=WhyNot(tag, f"suppressed: {permission.reason}").as_json())
    scores = weighed(tag, evidence, tools.rules, Trust(tools.cards, tools.rules.sources))
    if row is not None:
        known = {(source["source"], source["model"]) for source in row["sources"]}
        others = [one for one in scores if (one["source"], one["model"]) not in known and not one["counts"]]
        return replace(story, also={tag: others})
    failed = next((link.record.error for link in story.links.values() if _is_fatal(link) and link.record), None)
    decision = tools.fusion.decide(evidence, heard)
    verdict = next((one for one in story.decisions if one["tag"] == tag), None)
    answer = why_not(tag, decision, scores, rules=tools.rules, verdict=verdict)
    if failed is not None:
        answer = replace(answer, reason=f"the photo could not be tagged: {failed}")
    elif at is not None:
        answer = replace(answer, reason=f"it was none at that time; by the rules of now: {answer.reason}")
    return replace(story, missing=answer.as_json())


def _says(evidence: Sequence[Evidence], tag: str, rules: Rules) -> bool:
    return any(rules.canonical(said.label) == tag for said in evidence)


def _is_fatal(link: Link) -> bool:
    return link.record is not None and not link.record.ok and link.stage not in ASKING


def _told(
    ref: ImageRef, story: Story, graph: Lineage, at: datetime | None, tag: str | None, history: History
) -> dict[str, Any]:
    shown = {node.id for node in graph.nodes}
    decisions = [one for one in story.decisions if tag in (None, one["tag"])]
    # Verdicts and tags have nodes of their own in the graph, and not of their stages' names.
    behind = {*shown, *(["decisions"] if decisions else []), *(["tags"] if story.missing is None else [])}
    links = {name: link for name, link in story.links.items() if tag is None or name in behind}
    tags = [
        {name: value for name, value in row.items() if name != "image_id"}
        for row in story.tags
        if tag in (None, row["tag"])
    ]
    events = history.events(ref.image_id, tag) if tag is not None and refused(tag) is None else []
    if at is not None:
        events = [one for one in events if one["at"] <= at]
    if tag is not None:
        tags = [{**row, "history": events} for row in tags]
    images = story.links["images"].rows
    return {
        "image": ref.uri,
        "image_id": ref.image_id,
        "content_hash": ref.content_hash,
        "pixel_id": ref.pixel_id,
        "batch": ref.batch,
        "gone_at": ref.gone_at,
        "at": at,
        "chain": [_chain_link(link, story) for link in links.values() if link.recipe],
        "tags": tags,
        "caption": images[0]["caption"] if images else None,
        "suggestions": [row["tag"] for row in story.links["llm_tag_suggestions"].rows],
        "decisions": decisions,
        "asked": None if story.missing is None else {**story.missing, "history": events},
        "graph": graph.as_json(),
    }


def _chain_link(link: Link, story: Story) -> dict[str, Any]:
    record = link.record
    return {
        "stage": link.stage,
        "status": "lost" if record is None else record.status,
        "state": link.state.name.lower(),
        "error": record.error if record else None,
        "rows": len(record.rows) if record else None,
        "recipe": link.recipe,
        "recipe_body": story.bodies.get(link.recipe),
        "inputs": record.inputs if record else None,
        "output": record.output if record else None,
        "run_id": link.run_id,
        "computed_at": record.computed_at if record else None,
        "seconds": round(record.seconds, 4) if record else None,
    }


def write_drawings(
    session: Session, ref: ImageRef, explained: Explained, *, svg: Path | None, html: Path | None
) -> list[Path]:
    """Draw the answer to files.

    Returns:
        What was written.

    Raises:
        StorageError: a file cannot be written.
    """
    drawing = draw(explained.graph, Path(ref.uri).name, subtitle(explained.told), thumbnail(session, ref))
    contents = [(svg, drawing), (html, render_page(explained.told, drawing))]
    written = []
    for path, content in contents:
        if path is None:
            continue
        try:
            write_output(path, content.encode())
        except OSError as error:
            raise storage_error(error, path) from error
        written.append(path)
    return written


def thumbnail(session: Session, ref: ImageRef) -> Thumbnail | None:
    """The photo as it is now, small; ``None`` where there is no working copy of it."""
    image = session.toolbox.gallery.entries(ref.batch, [ref.image_id])[0].image
    if image is None:
        return None
    return Thumbnail(encode_jpeg(image), width=image.shape[1], height=image.shape[0])


def subtitle(told: Mapping[str, Any]) -> str:
    """Of what and when the answer is, in one line."""
    at = told["at"]
    when = "as it is now" if at is None else f"as it was on {at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if told["asked"] is not None:
        return f'why "{told["asked"]["tag"]}" is not a tag · {when}'
    tags = [one for one in told["tags"] if one["status"] != REJECTED] or told["tags"]
    what = f'about its tag "{tags[0]["tag"]}"' if len(tags) == 1 else f"how it got its {len(tags)} tags"
    stale = (
        " · parts of it would be made differently now" if any(one["state"] == "stale" for one in told["chain"]) else ""
    )
    return f"{what if tags else 'it has no tags'} · {when}{stale}"
