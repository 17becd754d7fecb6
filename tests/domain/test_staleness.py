"""What is stale, told from sums: each event, and how far it reaches."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from tagging_assets.domain.freshness import Why
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.retrying import CEILING, Retrying
from tagging_assets.domain.stages import STAGES, Recipes, build_recipes
from tagging_assets.domain.staleness import (
    DECISIONS,
    PHOTOS,
    PUBLISHED,
    BatchSum,
    StageState,
    Stale,
    done_mark,
    has_news,
    mark,
    stale_stages,
    state_of,
    with_below,
)
from tests.handmade import NOON, failed, frame, record

RECIPES = build_recipes({})
BATCH = BatchSum("b1", images=10, gone=0, revision=3, decisions=1, changed_at=NOON)

#: All that is made from a box.
PEOPLE = ["person_permissions", "landmarks", "body_features", "person_embeddings"]
JUDGED = ["zero_shot_scores", "llm_tag_suggestions", "tags"]

States = dict[str, StageState]


def whole(recipes: Recipes = RECIPES) -> States:
    """A batch of ten photos through the whole line, one of them torn, two with verdicts."""
    states: States = {}
    for name in (*STAGES, PUBLISHED):
        above = {table: f"{table} 1" for table in STAGES[name].needs} if name in STAGES else {"tags": "tags 1"}
        counters = {"images": {PHOTOS: "3"}, "decisions": {DECISIONS: "1"}}
        states[name] = StageState(
            stage=name,
            batch="b1",
            recipe=recipes[name].hash if name in recipes else "",
            version=f"{name} 1",
            above=counters.get(name, above),
            kept={},
            ok={"images": 10, "decisions": 2}.get(name, 9),
            failed=1 if name == "proxies" else 0,
            waiting=0,
            retry_at=None,
            seconds=9.0,
            run_id="run",
            updated_at=NOON,
        )
    return states


def with_state(states: States, stage: str, **said: object) -> States:
    return {**states, stage: replace(states[stage], **said)}


def told(stale: list[Stale]) -> dict[str, tuple[int, int]]:
    """Certain and at most, by stage."""
    return {one.stage: (one.certain, one.at_most) for one in stale}


def asked(
    states: States,
    *,
    batch: BatchSum = BATCH,
    recipes: Recipes = RECIPES,
    changed: Mapping[str, int] | None = None,
    retrying: Retrying = Retrying.DUE,
) -> list[Stale]:
    return stale_stages(batch, states, recipes, now=NOON, changed=changed or {}, retrying=retrying)


def other(*stages: str) -> Recipes:
    """The recipes with those of some stages changed."""
    return build_recipes({stage: {"changed": True} for stage in stages})


def test_nothing_changed() -> None:
    assert asked(whole()) == []
    assert done_mark(whole(), RECIPES) == mark(3, 1, RECIPES)


def test_a_batch_that_never_ran() -> None:
    stale = asked({})
    assert {one.why for one in stale} == {Why.NEW}
    assert told(stale) == {name: (0 if name == "decisions" else 10, 10) for name in STAGES}
    assert done_mark({}, RECIPES) is None


@pytest.mark.parametrize(
    ("changed", "certain", "may_follow"),
    [
        # a prompt: the chat model, and what is decided; no look at a picture
        (["llm_tag_suggestions"], {"llm_tag_suggestions": 9}, ["tags"]),
        # a label set is part of four recipes, and none of them looks at pictures
        (
            ["zero_shot_scores", "llm_tag_suggestions", "tags"],
            {"zero_shot_scores": 9, "llm_tag_suggestions": 9, "tags": 9},
            [],
        ),
        # the detector: people, and what is made from them; not the tagger, not the vectors of the photo
        (["detections"], {"detections": 9}, [*PEOPLE, *JUDGED]),
        (["tags"], {"tags": 9}, []),
        # the decoder: everything but the header; the torn photo is tried too
        (["proxies"], {"proxies": 10}, [name for name in STAGES if name not in ("images", "proxies", "decisions")]),
    ],
)
def test_a_changed_recipe_reaches_exactly_what_is_below(
    changed: list[str], certain: dict[str, int], may_follow: list[str]
) -> None:
    stale = asked(whole(), recipes=other(*changed))
    reach = max(certain.values())
    assert told(stale) == {
        name: (certain.get(name, 0), max(certain.get(name, 0), reach if name in may_follow else 0))
        for name in STAGES
        if name in certain or name in may_follow
    }
    assert {one.stage for one in stale if one.why is Why.RECIPE} == set(certain)
    assert {one.recipe for one in stale if one.why is Why.RECIPE} <= {recipe.hash for recipe in RECIPES.values()}
    assert done_mark(whole(), other(*changed)) is None


def test_the_way_back_is_told_to_be_free() -> None:
    states = with_state(whole(other("tags")), "tags", kept={RECIPES["tags"].hash: 9})
    (one,) = asked(states)
    assert (one.why, one.certain, one.at_most) == (Why.RESTORED, 0, 0)
    partly = with_state(states, "tags", kept={RECIPES["tags"].hash: 5})
    assert told(asked(partly)) == {"tags": (4, 4)}
    # below what is found again, all may have to be made anew
    prompt = other("llm_tag_suggestions")
    states = with_state(whole(prompt), "llm_tag_suggestions", kept={RECIPES["llm_tag_suggestions"].hash: 9})
    assert told(asked(states)) == {"llm_tag_suggestions": (0, 0), "tags": (0, 9)}


def test_two_new_photos_cost_two_photos() -> None:
    more = replace(BATCH, images=12, revision=4)
    stale = asked(whole(), batch=more, changed={PHOTOS: 2})
    expected = {name: (2 if name == "images" else 0, 2) for name in STAGES if name != "decisions"}
    assert told(stale) == expected
    assert done_mark(whole(), RECIPES) != mark(4, 1, RECIPES)


def test_a_verdict_costs_a_decision() -> None:
    stale = asked(whole(), batch=replace(BATCH, decisions=2), changed={DECISIONS: 1})
    assert told(stale) == {"decisions": (1, 1), "tags": (0, 1)}


@pytest.mark.parametrize(
    ("minutes", "retrying", "expected"),
    [
        (0, Retrying.DUE, 2),
        (5, Retrying.DUE, 0),  # its time has not come
        (5, Retrying.NOW, 2),
        (None, Retrying.NOW, 2),  # given up: only where somebody asks
        (None, Retrying.DUE, 0),
        (None, Retrying.ALL, 3),  # those that failed for good too
    ],
)
def test_failures_are_retried(minutes: int | None, retrying: Retrying, expected: int) -> None:
    due = None if minutes is None else NOON + timedelta(minutes=minutes)
    states = with_state(whole(), "llm_tag_suggestions", ok=6, failed=3, waiting=2, retry_at=due)
    stale = [one for one in asked(states, retrying=retrying) if one.stage == "llm_tag_suggestions"]
    assert [(one.why, one.certain) for one in stale] == ([(Why.RETRY, expected)] if expected else [])


@pytest.mark.parametrize(
    "spoil",
    [
        # a run that died between two stages
        lambda states: with_state(states, "detections", version="detections 2"),
        # tags that were decided and not published yet
        lambda states: with_state(states, "tags", version="tags 2"),
        # a stage that was running while its recipe changed
        lambda states: with_state(states, "tags", recipe="older"),
        lambda states: {name: state for name, state in states.items() if name != PUBLISHED},
    ],
)
def test_what_is_half_done_is_not_done(spoil: Callable[[States], States]) -> None:
    assert done_mark(spoil(whole()), RECIPES) is None


def test_a_stage_behind_the_one_above_is_stale() -> None:
    stale = asked(with_state(whole(), "detections", version="detections 2"))
    assert told(stale) == {name: (0, 9) for name in STAGES if name in [*PEOPLE, *JUDGED]}
    assert {one.why for one in stale} == {Why.INPUTS}


def test_only_the_stages_asked_for() -> None:
    stale = stale_stages(
        BATCH, whole(), other("detections", "tags"), now=NOON, changed={}, only=with_below(["llm_tag_suggestions"])
    )
    assert told(stale) == {"tags": (9, 9)}


def test_what_is_below() -> None:
    assert with_below(["tags"]) == ["tags", PUBLISHED]
    assert with_below(["detections"]) == ["detections", *PEOPLE, *JUDGED, PUBLISHED]
    assert with_below(STAGES) == [*STAGES, PUBLISHED]


def test_a_partition_is_summed_up() -> None:
    down = replace(failed("b", "LlmUnavailable"), retryable=True)
    weary = replace(down, image_id="c", attempts=CEILING)
    old = replace(record("tags", "a", recipe="before"), current=False)
    held = frame("tags", record("tags", "a"), old, down, weary, failed("d"))
    state = state_of(held, "b1", "recipe", {"images": "1"}, run_id="run", began=NOON)
    assert (state.ok, state.failed, state.waiting, state.kept) == (1, 3, 2, {"before": 1})
    assert state.retry_at == NOON + timedelta(minutes=1)
    assert state.seconds == pytest.approx(0.4)
    assert state.version == held.version
    assert content_hash(state.above) == content_hash({"images": "1"})


@pytest.mark.parametrize(
    ("batch", "news"),
    [(BATCH, False), (replace(BATCH, revision=4), True), (replace(BATCH, decisions=2), True)],
)
def test_news_of_a_batch(batch: BatchSum, news: bool) -> None:
    assert has_news(batch, whole()) is news
    assert not has_news(batch, {}), "what never ran counts nothing: all of it is new"
