"""How a photo's stages stood, now and at a time, and the graph that is drawn up of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tagging_assets.domain.frames import ImageRecord, StageFrame
from tagging_assets.domain.freshness import inputs_hash
from tagging_assets.domain.lineage import Edge, Lineage, Link, Node, State, links_at, links_now
from tagging_assets.domain.lineage_graph import Story, draw_up
from tagging_assets.domain.stages import STAGES, build_recipes
from tests.handmade import NOON, TABLES, failed, record

RECIPES = build_recipes({})
HOUR = timedelta(hours=1)


def source(name: str = "tagger", **said: Any) -> dict[str, Any]:
    """A struct of the column ``sources``."""
    told = {
        **{"source": name, "model": "net", "revision": "r" * 64, "label": "dog", "subject": "photo", "score": 0.8},
        **{"confidence": 0.9, "weight": 0.5, "threshold": 0.3, "prompt_id": "", "prompt_hash": "", "label_set": ""},
        **{"label_set_hash": "", "request_hash": "", "recipe": "scores-1", "run_id": "run-1"},
    }
    return {**told, **said}


def tag(name: str = "dog", status: str = "auto", *sources: dict[str, Any]) -> dict[str, Any]:
    """A published tag, or a row of the stage ``tags`` with what its record adds."""
    return {
        **{"tag": name, "category": "object", "score": 0.45, "status": status, "reason": "only tagger says so"},
        **{"sources": list(sources or [source()]), "recipe": "tags-1", "run_id": "run-2", "published_at": NOON},
    }


def verdict(word: str = "accepted", name: str = "dog") -> dict[str, Any]:
    return {
        **{"tag": name, "verdict": word, "category": "", "replaces": "", "who": "anna", "why": "clear to see"},
        **{"decided_at": NOON, "decision_id": 1},
    }


def frames(**records: list[ImageRecord]) -> dict[str, StageFrame]:
    return {name: StageFrame(TABLES[name], tuple(records.get(name, ()))) for name in STAGES}


def made(stage: str, rows: list[dict[str, Any]], above: dict[str, ImageRecord] | None = None) -> ImageRecord:
    """A record as a run would make it now."""
    return replace(
        record(stage, "a", rows),
        recipe=RECIPES[stage].hash,
        inputs=inputs_hash(STAGES[stage].needs, above or {}),
    )


PHOTO = made("images", [{"uri": "/p/a.jpg", "content_hash": "c", "format": "JPEG", "width": 9, "height": 6}])
PROXY = made("proxies", [{"pixel_id": "f" * 64, "width": 9, "height": 6}], {"images": PHOTO})


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        # as a run would make it now
        (PROXY, State.OK),
        # made by another recipe
        (replace(PROXY, recipe="old"), State.STALE),
        # made from other bytes
        (replace(PROXY, inputs="old"), State.STALE),
        # failed, whatever it was made by
        (replace(failed("a"), recipe="old"), State.FAILED),
    ],
)
def test_a_stage_now(proxy: ImageRecord, expected: State) -> None:
    links = links_now(frames(images=[PHOTO], proxies=[proxy]), "a", RECIPES)
    assert list(links) == list(STAGES)
    assert (links["images"].state, links["proxies"].state) == (State.OK, expected)
    assert links["tags"] == Link("tags", State.ABSENT)


def old(**said: Any) -> ImageRecord:
    return replace(record("tagger_scores", "a"), **{"recipe": "scores-1", "run_id": "run-1", **said})


@pytest.mark.parametrize(
    ("records", "tags", "state", "recipe"),
    [
        # what the tag was made from still stands
        ([old()], [tag()], State.OK, "scores-1"),
        # it was superseded, and is kept
        (
            [old(current=False), old(recipe="scores-2", computed_at=NOON + 2 * HOUR)],
            [tag()],
            State.SUPERSEDED,
            "scores-1",
        ),
        # it is not kept any more: the tag still names it
        ([old(recipe="scores-2", computed_at=NOON + 2 * HOUR)], [tag()], State.LOST, "scores-1"),
        # no tag names it: the newest of the time
        ([old(recipe="0", computed_at=NOON - HOUR, current=False), old()], [], State.OK, "scores-1"),
        # made afterwards only
        ([old(computed_at=NOON + 2 * HOUR)], [], State.ABSENT, ""),
        # failed then
        ([replace(failed("a"), current=False)], [], State.FAILED, "recipe"),
        # another photo's
        ([replace(old(), image_id="b")], [], State.ABSENT, ""),
    ],
)
def test_a_stage_at_a_time(records: list[ImageRecord], tags: list[dict[str, Any]], state: State, recipe: str) -> None:
    links = links_at(frames(tagger_scores=records), "a", NOON + HOUR, tags)
    link = links["tagger_scores"]
    assert (link.state, link.recipe) == (state, recipe)
    # A tag says which run decided it, kept or not.
    assert links["tags"].run_id == ("run-2" if tags else "")


def story(*tags: dict[str, Any], **said: Any) -> Story:
    links = {name: Link(name, State.OK, record(name, "a"), "recipe", "run") for name in STAGES}
    told = {"name": "a.jpg", "uri": "/p/a.jpg", "content_hash": "c" * 64, "bytes": 84_000, "links": links, "bodies": {}}
    return Story(**{**told, "tags": tags, "published": tags, **said})


def graph_of(*args: Any, asked: str | None = None, **said: Any) -> tuple[dict[str, Node], set[tuple[str, str]]]:
    lineage = draw_up(story(*args, **said), asked)
    return {node.id: node for node in lineage.nodes}, {(edge.source, edge.target) for edge in lineage.edges}


def test_every_edge_of_the_line_is_in_the_graph() -> None:
    nodes, edges = graph_of(tag())
    for stage in STAGES.values():
        if stage.name not in ("decisions", "tags"):
            assert {(table, stage.name) for table in stage.needs} <= edges
            assert stage.name in nodes
    assert ("photo", "images") in edges
    chain = [("tagger_scores", "score:dog:tagger:net"), ("score:dog:tagger:net", "tag:dog"), ("tag:dog", "published")]
    assert set(chain) <= edges
    assert nodes["score:dog:tagger:net"].facts == ("raw 0.80 ≥ 0.30", "→ 0.90 × 0.50")
    assert nodes["photo"].facts == ("bytes cccccccc…", "84 kB")


def test_of_one_tag_only_what_led_to_it_is_shown() -> None:
    cat = tag("cat", "auto", source("zero-shot"))
    nodes, edges = graph_of(tag(), cat, asked="dog")
    assert set(nodes) == {"photo", "images", "proxies", "tagger_scores", "score:dog:tagger:net", "tag:dog", "published"}
    assert all(one in nodes for edge in edges for one in edge)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("auto", State.OK),
        ("needs_review", State.REVIEW),
        ("accepted", State.PEOPLE),
        ("added", State.PEOPLE),
        ("rejected", State.STOPPED),
    ],
)
def test_states_of_tags(status: str, state: State) -> None:
    nodes, _ = graph_of(tag("dog", status))
    assert nodes["tag:dog"].state is state


def test_a_verdict_is_a_node_and_not_a_score() -> None:
    person = source("person", model="anna", recipe="", run_id="", score=1.0, confidence=1.0, weight=1.0)
    nodes, edges = graph_of(tag("dog", "accepted", person, source()), decisions=[verdict(), verdict(name="cat")])
    assert nodes["decision:dog"].title == "accepted"
    assert nodes["decision:dog"].facts == ("by anna", "2026-01-01 12:00")
    assert nodes["decision:dog"].note == "clear to see"
    assert {("photo", "decision:dog"), ("decision:dog", "tag:dog")} <= edges
    # The verdict on a tag that is not shown is not either.
    assert {name for name in nodes if name.startswith(("score:", "decision:"))} == {
        "decision:dog",
        "score:dog:tagger:net",
    }


def test_a_source_that_is_not_counted_again_adds_nothing() -> None:
    nodes, _ = graph_of(tag("dog", "auto", source(), source("zero-shot", model="other", weight=0.0)))
    assert nodes["score:dog:zero-shot:other"].state is State.UNCOUNTED
    lineage = draw_up(story(tag("dog", "auto", source(), source("zero-shot", model="other", weight=0.0))))
    strengths = {edge.source: edge.strength for edge in lineage.edges if edge.target == "tag:dog"}
    assert strengths == {"score:dog:tagger:net": 0.45, "score:dog:zero-shot:other": 0.0}


def test_a_tag_that_is_none_shows_what_was_said_and_what_stopped_it() -> None:
    missing = {"tag": "bus", "reason": "no score reaches its threshold", "scores": [source(counts=False, score=0.1)]}
    nodes, _ = graph_of(tag(), missing=missing, tags=(), asked="bus")
    assert nodes["tag:bus"].state is State.STOPPED
    assert nodes["tag:bus"].facts == ("not a tag", "no score reaches its threshold")
    assert nodes["score:bus:tagger:net"].facts == ("raw 0.10 < 0.30", "too low to count")
    assert "published" not in nodes


def test_a_photo_that_failed_has_no_tags_and_says_where_it_ended() -> None:
    links: dict[str, Link] = {name: Link(name, State.ABSENT) for name in STAGES}
    links["images"] = Link("images", State.FAILED, failed("a"), "recipe", "run")
    nodes, _ = graph_of(links=links)
    assert nodes["images"].facts == ("UnreadableImage", "cut short")
    assert (nodes["tags"].title, nodes["tags"].state) == ("no tags", State.ABSENT)
    assert "published" not in nodes


def test_what_is_not_published_is_said_so() -> None:
    nodes, edges = graph_of(tag(), published=())
    assert (nodes["published"].title, nodes["published"].state) == ("not published", State.ABSENT)
    assert ("tag:dog", "published") in edges


def test_a_stage_tells_model_and_label_sets_of_its_recipe() -> None:
    body = {"model": {"name": "net", "revision": "r"}, "label_sets": {"things": "h"}, "chat": {"prompt": "p"}}
    nodes, _ = graph_of(tag(), bodies={"recipe": body})
    node = nodes["zero_shot_scores"]
    assert (node.model, node.revision, dict(node.asked)) == ("net", "r", {"label set things": "h", "prompt": "p"})
    assert node.as_json()["at"] == NOON


def test_implied_edges_are_left_out_of_the_drawing() -> None:
    nodes = tuple(Node(name, "stage", name, State.OK) for name in "abcd")
    pairs = ["ab", "bc", "ac", "cd", "ad", "bd"]
    lineage = Lineage(nodes, tuple(Edge(*pair) for pair in pairs))
    assert [edge.source + edge.target for edge in lineage.reduced] == ["ab", "bc", "cd"]


def test_no_edge_leads_back() -> None:
    lineage = draw_up(story(tag(), tag("cat"), decisions=[verdict()]))
    order = {node.id: index for index, node in enumerate(lineage.nodes)}
    assert all(order[edge.source] < order[edge.target] for edge in lineage.edges)
