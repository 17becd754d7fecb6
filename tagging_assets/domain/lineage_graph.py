"""Draws up the graph of one photo: a node per stage, source's score, verdict and tag, each with its facts.

What does not belong here: what a stage's state is (``lineage``), and how the graph looks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tagging_assets.domain.lineage import SOURCE_STAGES, Edge, Lineage, Link, Links, Node, State
from tagging_assets.domain.lineage_facts import decision_facts, size_of, stage_facts, worth
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.tag_decision import ACCEPTED, ADDED, AUTO, NEEDS_REVIEW, REJECTED
from tagging_assets.domain.verdicts import PERSON_SOURCE

Row = Mapping[str, Any]

PHOTO, PUBLISHED = "photo", "published"

#: Stages whose nodes are not drawn up: tags and verdicts have nodes of their own.
_SPOKEN_FOR = ("decisions", "tags")

_TAG_STATES = {
    AUTO: State.OK,
    NEEDS_REVIEW: State.REVIEW,
    ACCEPTED: State.PEOPLE,
    ADDED: State.PEOPLE,
    REJECTED: State.STOPPED,
}


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of a photo, to be drawn up.

    Attributes:
        name: of its file.
        uri: where it is.
        content_hash: SHA-256 of its bytes; ``""`` where unknown.
        bytes: size of the file.
        links: every stage as it stood.
        bodies: recipes by hash.
        tags: rows of the stage ``tags``, or published tags of a time.
        decisions: verdicts that held: ``tag``, ``verdict``, ``who``, ``why``, ``decided_at`` …
        published: published tags: ``tag`` and ``published_at``.
        missing: a tag that was asked for and does not stand: ``tag``, ``reason`` and ``scores`` (see ``why_not``).
    """

    name: str
    uri: str
    content_hash: str
    bytes: int
    links: Links
    bodies: Mapping[str, Mapping[str, Any]]
    tags: Sequence[Row]
    decisions: Sequence[Row] = ()
    published: Sequence[Row] = ()
    missing: Row | None = None
    also: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def draw_up(story: Story, asked: str | None = None) -> Lineage:
    """The graph of a photo, or of one tag of it.

    Args:
        story: what is known.
        asked: only what led to this tag (or keeps it from being one).
    """
    nodes = [_photo(story)]
    edges: list[Edge] = []
    for name, stage in STAGES.items():
        if name in _SPOKEN_FOR:
            continue
        nodes.append(_stage(story, story.links[name]))
        edges += [Edge(table, name) for table in stage.needs] or [Edge(PHOTO, name)]
    standing = [tag for tag in story.tags if asked in (None, tag["tag"])]
    for tag in standing:
        _add_tag(story, tag, nodes, edges)
    if story.missing is not None:
        _add_missing(story, story.missing, nodes, edges)
    elif not standing:
        nodes.append(_no_tags(story.links["tags"]))
        edges += [Edge(table, "tags") for table in STAGES["tags"].needs if table not in _SPOKEN_FOR]
    _add_published(story, standing, nodes, edges)
    whole = Lineage(tuple(nodes), tuple(edges))
    return whole if asked is None else whole.leading_to([nodes[-1].id])


def _photo(story: Story) -> Node:
    said = [f"bytes {story.content_hash[:8]}…"] if story.content_hash else []
    return Node(PHOTO, "photo", story.name, State.OK, (*said, size_of(story.bytes)), note=story.uri)


def _stage(story: Story, link: Link) -> Node:
    body = story.bodies.get(link.recipe, {})
    chat = body.get("chat") or {}
    model = body.get("model") or chat.get("model") or {}
    prompt = {"prompt": chat["prompt"]} if chat.get("prompt") else {}
    return Node(
        link.stage,
        "stage",
        link.stage.replace("_", " "),
        link.state,
        stage_facts(link),
        note=(link.record.error or "") if link.record else "",
        recipe=link.recipe,
        model=model.get("name", ""),
        revision=model.get("revision", ""),
        asked={**{f"label set {name}": one for name, one in (body.get("label_sets") or {}).items()}, **prompt},
        run_id=link.run_id,
        at=link.record.computed_at if link.record else None,
    )


def _add_tag(story: Story, tag: Row, nodes: list[Node], edges: list[Edge]) -> None:
    """A tag, with a node for each source's score and for each verdict behind it."""
    target = f"tag:{tag['tag']}"
    said = [source for source in tag["sources"] if source["source"] != PERSON_SOURCE]
    _add_scores(tag["tag"], [*said, *story.also.get(tag["tag"], ())], target, nodes, edges)
    _add_decisions(story, tag["tag"], target, nodes, edges)
    link = story.links["tags"]
    doubts = [f"(1−{worth(one):.2f})" for one in tag["sources"] if worth(one) > 0.0]
    nodes.append(
        Node(
            target,
            "tag",
            tag["tag"],
            _TAG_STATES.get(tag["status"], State.OK),
            (f"{tag['score']:.2f} {tag['status'].replace('_', ' ')}", *([f"1−{''.join(doubts)}"] * (len(doubts) > 1))),
            note=tag["reason"],
            recipe=tag.get("recipe") or link.recipe,
            run_id=tag.get("run_id") or link.run_id,
            at=tag.get("published_at") or (link.record.computed_at if link.record else None),
        )
    )


def _add_missing(story: Story, missing: Row, nodes: list[Node], edges: list[Edge]) -> None:
    """A tag that is none, with what was said about it and what stopped it."""
    tag, target = missing["tag"], f"tag:{missing['tag']}"
    _add_scores(tag, missing["scores"], target, nodes, edges)
    _add_decisions(story, tag, target, nodes, edges)
    if not any(edge.target == target for edge in edges):
        edges += [Edge(stage, target) for stage in dict.fromkeys(SOURCE_STAGES.values())]
    nodes.append(Node(target, "tag", tag, State.STOPPED, ("not a tag", missing["reason"]), note=missing["reason"]))


def _add_scores(tag: str, sources: Sequence[Row], target: str, nodes: list[Node], edges: list[Edge]) -> None:
    for source in sources:
        name = f"score:{tag}:{source['source']}:{source['model']}"
        strength = worth(source) if source.get("counts", True) else 0.0
        nodes.append(_score(name, tag, source, State.OK if strength > 0.0 else State.UNCOUNTED))
        stage = SOURCE_STAGES.get(source["source"])
        edges += [Edge(stage, name, strength)] if stage else []
        edges.append(Edge(name, target, strength))


def _score(name: str, tag: str, source: Row, state: State) -> Node:
    raw, threshold = source["score"], source["threshold"]
    sign = "≥" if source.get("counts", True) else "<"
    if source["source"] not in SOURCE_STAGES:
        facts: tuple[str, ...] = ("every photo gets it",)
    else:
        counted = f"→ {source['confidence']:.2f} × {source['weight']:.2f}" if state is State.OK else ""
        again = "same network, not again" if source["weight"] == 0.0 else "too low to count"
        facts = (f"raw {raw:.2f} {sign} {threshold:.2f}", counted or again)
    named = "" if normalise_tag(source["label"]) == tag else f'as "{source["label"]}"'
    where = source["subject"] if source["subject"].startswith("person") else ""
    asked = {f"label set {source['label_set']}": source["label_set_hash"]} if source["label_set"] else {}
    if source["prompt_id"]:
        asked[f"prompt {source['prompt_id']}"] = source["prompt_hash"]
    return Node(
        name,
        "score",
        source["source"],
        state,
        facts,
        note=", ".join(one for one in (named, where) if one),
        recipe=source["recipe"],
        model=source["model"],
        revision=source["revision"],
        asked=asked,
        run_id=source["run_id"],
    )


def _add_decisions(story: Story, tag: str, target: str, nodes: list[Node], edges: list[Edge]) -> None:
    for one in story.decisions:
        if one["tag"] == tag:
            name = f"decision:{tag}"
            title, facts = decision_facts(one)
            nodes.append(
                Node(name, "decision", title, State.PEOPLE, facts, note=one["why"] or "", at=one["decided_at"])
            )
            # People look at the photo itself.
            edges.append(Edge(PHOTO, name))
            edges.append(Edge(name, target, 1.0 if one["verdict"] in (ACCEPTED, ADDED) else 0.0))


def _no_tags(link: Link) -> Node:
    error = (link.record.error or "") if link.record else ""
    facts = {State.ABSENT: "never decided", State.FAILED: error}.get(link.state, "no tag came out")
    at = link.record.computed_at if link.record else None
    return Node("tags", "tag", "no tags", link.state, (facts,), error, link.recipe, run_id=link.run_id, at=at)


def _add_published(story: Story, tags: Sequence[Row], nodes: list[Node], edges: list[Edge]) -> None:
    """What the world sees of the tags."""
    shown = {row["tag"]: row for row in story.published}
    seen = [tag["tag"] for tag in tags if tag["tag"] in shown]
    if not tags:
        return
    times: list[datetime] = [shown[tag]["published_at"] for tag in seen]
    standing = [tag for tag in tags if tag["status"] != REJECTED]
    count = f"{len(seen)} of {len(standing)} tags" if len(tags) > 1 else ""
    said = [f"{max(times):%Y-%m-%d %H:%M}"] if times else ["the world sees nothing of it"]
    edges += [Edge(f"tag:{tag}", PUBLISHED) for tag in seen] or [Edge(f"tag:{tag['tag']}", PUBLISHED) for tag in tags]
    nodes.append(
        Node(
            PUBLISHED,
            "published",
            "published" if seen else "not published",
            State.OK if seen else State.ABSENT,
            tuple(one for one in (count, *said) if one),
            at=max(times, default=None),
        )
    )
