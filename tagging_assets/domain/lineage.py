"""How one photo came to its tags: every stage as it stood for it, now or at an earlier time, and what led to what.

The graph says what was made from what. What does not belong here: reading tables (``commands/explain.py``), what the
nodes say (``lineage_graph``), where boxes go (``lineage_layout``) and what they look like (``lineage_drawing``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tagging_assets.domain.frames import ImageRecord, StageFrame
from tagging_assets.domain.freshness import inputs_hash
from tagging_assets.domain.stages import STAGES, Recipes


class State(StrEnum):
    """What became of a step. The values are words for people; drawings colour by them."""

    OK = "ok"
    REVIEW = "to review"
    PEOPLE = "said by people"
    STALE = "made by an earlier recipe or from earlier inputs"
    SUPERSEDED = "superseded since"
    LOST = "no longer kept"
    UNCOUNTED = "does not count"
    STOPPED = "not a tag"
    FAILED = "failed"
    ABSENT = "nothing there"


#: Which stage a source of a tag speaks from.
SOURCE_STAGES = {
    "people": "landmarks",
    "detector": "detections",
    "body features": "body_features",
    "zero-shot": "zero_shot_scores",
    "tagger": "tagger_scores",
    "chat model": "llm_tag_suggestions",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One stage as it stood for the photo.

    Attributes:
        stage: its name.
        state: ok, stale, failed and absent now; also superseded and lost (known by its hashes only) at a time.
        record: what came out; ``None`` where absent or lost.
        recipe: hash of how it was made; ``""`` where absent.
        run_id: run that made it; ``""`` where absent.
    """

    stage: str
    state: State
    record: ImageRecord | None = None
    recipe: str = ""
    run_id: str = ""

    @property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """What came out; empty where nothing did."""
        return self.record.rows if self.record is not None else ()


Links = Mapping[str, Link]


@dataclass(frozen=True, slots=True)
class Node:
    """A step of the chain.

    Attributes:
        id: unique in the graph: ``photo``, a stage's name, ``score:…``, ``decision:…``, ``tag:…`` or ``published``.
        kind: ``photo``, ``stage``, ``score``, ``decision``, ``tag`` or ``published``.
        title: a few words.
        state: what became of it.
        facts: short lines for people, the most telling first.
        note: a longer sentence, or ``""``.
        recipe: hash of the recipe, or ``""``.
        model: name of the model behind it, or ``""``.
        revision: of the model's weights, or ``""``.
        asked: prompts and label sets, each by name, to their hash.
        run_id: Dagster run that made it, or ``""``.
        at: when it was made, or ``None``.
    """

    id: str
    kind: str
    title: str
    state: State
    facts: tuple[str, ...] = ()
    note: str = ""
    recipe: str = ""
    model: str = ""
    revision: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs: every attribute."""
        return {
            **{name: getattr(self, name) for name in ("id", "kind", "title", "note", "recipe", "model", "revision")},
            "state": self.state.name.lower(),
            "facts": list(self.facts),
            "asked": dict(self.asked),
            "run_id": self.run_id,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    """``target`` was made from ``source``; ``strength`` in [0, 1] is what a score adds to a tag, 0 for the rest."""

    source: str
    target: str
    strength: float = 0.0


@dataclass(frozen=True, slots=True)
class Lineage:
    """The graph, in the order of the line: no edge leads to an earlier node."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        edges = [{"source": one.source, "target": one.target, "strength": one.strength} for one in self.edges]
        return {"nodes": [node.as_json() for node in self.nodes], "edges": edges}

    def leading_to(self, targets: Collection[str]) -> "Lineage":
        """Only these nodes and what they were made from, at any distance."""
        wanted = set(targets)
        # Edges go forward, so one pass from the end finds everything.
        order = {node.id: place for place, node in enumerate(self.nodes)}
        for edge in sorted(self.edges, key=lambda one: -order[one.target]):
            if edge.target in wanted:
                wanted.add(edge.source)
        return Lineage(
            tuple(node for node in self.nodes if node.id in wanted),
            tuple(edge for edge in self.edges if {edge.source, edge.target} <= wanted),
        )

    @property
    def reduced(self) -> tuple[Edge, ...]:
        """Edges without those that other edges imply (the transitive reduction): what a drawing needs."""
        below: dict[str, set[str]] = {node.id: set() for node in self.nodes}
        for node in reversed(self.nodes):
            for edge in self.edges:
                if edge.source == node.id:
                    below[node.id] |= {edge.target, *below[edge.target]}
        return tuple(
            edge
            for edge in self.edges
            if not any(
                other.source == edge.source and other.target != edge.target and edge.target in below[other.target]
                for other in self.edges
            )
        )


def links_now(frames: Mapping[str, StageFrame], image_id: str, recipes: Recipes) -> dict[str, Link]:
    """Every stage as it stands for a photo.

    Args:
        frames: the photo's partition, by stage.
        image_id: the photo.
        recipes: how rows would be made now; what was made otherwise is stale.
    """
    records = {name: frames[name].get(image_id) for name in STAGES}
    links = {}
    for name, record in records.items():
        if record is None:
            links[name] = Link(name, State.ABSENT)
            continue
        state = State.OK if record.ok else State.FAILED
        if record.recipe != recipes[name].hash or _is_behind(name, record, records):
            state = State.STALE if record.ok else State.FAILED
        links[name] = Link(name, state, record, record.recipe, record.run_id)
    return links


def _is_behind(name: str, record: ImageRecord, records: Mapping[str, ImageRecord | None]) -> bool:
    """Whether what the record was made from says something else by now."""
    needs = STAGES[name].needs
    above = {table: one for table in needs if (one := records[table]) is not None}
    return (
        bool(needs)
        and all(table in above and above[table].ok for table, need in needs.items() if need.required)
        and (inputs_hash(needs, above) != record.inputs)
    )


def links_at(
    frames: Mapping[str, StageFrame], image_id: str, at: datetime, tags: Sequence[Mapping[str, Any]]
) -> dict[str, Link]:
    """Every stage as it stood for a photo at a time, as far as that is still kept.

    What the tags of that time say of their own making goes first; where they are silent, the newest record that is
    not younger than the time.

    Args:
        frames: the photo's partition, by stage, superseded records included.
        image_id: the photo.
        at: the time, aware.
        tags: tags that stood then, with ``sources``, ``recipe`` and ``run_id``.
    """
    links = {}
    named = _named_by(tags)
    for name in STAGES:
        own = [record for record in frames[name].records if record.image_id == image_id]
        recipe, run_id = named.get(name, ("", ""))
        meant = [record for record in own if record.recipe == recipe and record.run_id == run_id]
        earlier = sorted((record for record in own if record.computed_at <= at), key=lambda one: one.computed_at)
        record = next(iter([*meant, *([] if recipe else reversed(earlier))]), None)
        if record is not None:
            state = State.FAILED if not record.ok else State.OK if record.current else State.SUPERSEDED
            links[name] = Link(name, state, record, record.recipe, record.run_id)
        elif recipe:
            links[name] = Link(name, State.LOST, None, recipe, run_id)
        else:
            links[name] = Link(name, State.ABSENT)
    return links


def _named_by(tags: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Recipe and run of each stage that tags name."""
    named = {}
    for tag in tags:
        named["tags"] = (tag["recipe"], tag["run_id"])
        for source in tag["sources"]:
            stage = SOURCE_STAGES.get(source["source"])
            if stage and source["recipe"]:
                named[stage] = (source["recipe"], source["run_id"])
    return named
