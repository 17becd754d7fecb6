"""The sweep over a real database: every change is found, nothing is asked for twice, nothing dear unasked."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from resources.tables import claim
from sensors.retag import retag
from tagging_assets import run_tags
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import PUBLISHED
from tagging_assets.domain.verdicts import Request, Verdict
from tests.workshop import Workshop

BATCH = "b000001"


def tick(shop: Workshop, cursor: str | None = None, **other: Any) -> tuple[dg.SensorResult | dg.SkipReason, str | None]:
    """What one tick said, and the cursor it leaves."""
    tools = shop.tools
    names = ("claims", "database", "history", "ledger", "prices", "retag_limits")
    context = dg.build_sensor_context(
        instance=shop.instance,
        cursor=cursor,
        resources={"line": shop.line, **{name: getattr(tools, name) for name in names}, **other},
    )
    said = retag(context)
    assert isinstance(said, dg.SensorResult | dg.SkipReason)
    return said, said.cursor if isinstance(said, dg.SensorResult) else context.cursor


def asked(said: dg.SensorResult | dg.SkipReason) -> list[str]:
    requests = said.run_requests or () if isinstance(said, dg.SensorResult) else ()
    return [request.partition_key for request in requests if request.partition_key]


def forget_claims(shop: Workshop) -> None:
    """As if time had passed."""
    with shop.tools.database.engine.begin() as connection:
        connection.execute(sa.delete(claim))


@pytest.fixture
def tagged(workshop: Workshop) -> Workshop:
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    return workshop


def three_batches(shop: Workshop) -> list[str]:
    shop.reopen(images={"settle_seconds": 0, "batch_size": 1})
    shop.draw("a.jpg", "b.jpg", "c.jpg")
    shop.tools.intake.look()
    return ["b000001", "b000002", "b000003"]


def test_a_fresh_line_asks_for_nothing(tagged: Workshop) -> None:
    said, _ = tick(tagged)
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "everything is fresh"


def test_a_changed_recipe_asks_for_its_batch_as_one_operation(tagged: Workshop) -> None:
    tagged.edit_prompt()
    said, _ = tick(tagged)
    assert asked(said) == [BATCH]
    (request,) = said.run_requests
    assert request.tags[run_tags.RETRYING] == "due"
    (operation,) = tagged.tools.history.operations(1)
    assert (operation["id"], operation["kind"]) == (request.tags[run_tags.OPERATION], "retag")


def test_two_sweeps_at_once_ask_for_nothing_twice(workshop: Workshop) -> None:
    batches = three_batches(workshop)
    found: list[list[str]] = []

    def sweep() -> None:
        found.append(asked(tick(workshop)[0]))

    sweeps = [threading.Thread(target=sweep) for _ in range(3)]
    for one in sweeps:
        one.start()
    for one in sweeps:
        one.join()
    assert sorted(batch for part in found for batch in part) == batches
    said, _ = tick(workshop)
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "3 batches are stale; 3 were asked for already"


def test_what_is_under_way_is_left_alone_and_fills_the_room(workshop: Workshop) -> None:
    first, second, _ = three_batches(workshop)
    workshop.reopen(retag={"batches_at_once": 2})
    add_run(workshop, first, dg.DagsterRunStatus.STARTED)
    said, cursor = tick(workshop)
    assert asked(said) == [second]
    add_run(workshop, second, dg.DagsterRunStatus.STARTING)
    said, _ = tick(workshop, cursor)
    assert isinstance(said, dg.SkipReason)
    assert "2 batches are under way" in str(said.skip_message)


def test_a_run_of_a_killed_command_is_buried_and_its_batch_asked_for(workshop: Workshop) -> None:
    first, *_ = three_batches(workshop)
    run_id = add_run(workshop, first, dg.DagsterRunStatus.STARTED, **{run_tags.PROCESS: "no such process"})
    said, _ = tick(workshop)
    assert first in asked(said)
    assert workshop.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_recipe_that_changes_while_its_stage_runs_is_found(tagged: Workshop) -> None:
    tagged.edit_prompt()
    ask = tagged.chat.ask

    def ask_and_edit(*question: Any, **more: Any) -> object:
        # Another process of the operator's: the run under way has read its prompt already.
        path = tagged.prompts / "llm" / "select.md"
        path.write_text(path.read_text() + "\nThink first.\n")
        return ask(*question, **more)

    tagged.chat.ask = ask_and_edit  # type: ignore[method-assign]
    tagged.run()
    tagged.chat.ask = ask  # type: ignore[method-assign]
    assert tagged.is_fresh(), "by the recipes that the run knew"
    tagged.reopen()
    said, _ = tick(tagged)
    assert asked(said) == [BATCH]
    assert tagged.cost() == {"chat": 2}
    assert tagged.is_fresh()


def test_the_sweep_goes_on_behind_the_last_batch(workshop: Workshop) -> None:
    batches = three_batches(workshop)
    workshop.reopen(retag={"batches_at_once": 1})
    found, cursor = [], None
    for _ in batches:
        said, cursor = tick(workshop, cursor)
        found += asked(said)
        operation = said.run_requests[0].tags[run_tags.OPERATION]
    assert sorted(found) == batches
    assert len(workshop.tools.history.operations(10)) == 1, "one change of the recipes is one operation"
    assert workshop.tools.history.operations(1)[0]["id"] == operation


@pytest.mark.parametrize(
    ("budget", "price", "stages"),
    [
        (0, None, "without"),  # nobody knows what it costs
        (0, 0.01, "without"),
        (0.019, 0.01, "without"),  # two photos cost 0.02
        (0.02, 0.01, "whole"),
        (None, None, "whole"),  # no limit
        (0, 0.0, "whole"),  # known to be free
    ],
)
def test_what_is_dear_is_not_done_unasked(
    tagged: Workshop, budget: float | None, price: float | None, stages: str
) -> None:
    tagged.edit_prompt()
    tagged.reopen(retag={"budget_usd": budget})
    prices = {"llm_tag_suggestions": price}
    said, _ = tick(tagged, prices=prices)
    if stages == "whole":
        assert asked(said) == [BATCH]
        assert said.run_requests[0].asset_selection is None
        return
    assert isinstance(said, dg.SkipReason)
    assert "1 of 1 wait for money" in str(said.skip_message)
    # What costs nothing is not held up by it.
    tagged.detector.card = type(tagged.detector.card)("fake-detector", "2", "fake-detector/1")
    tagged.reopen()
    said, _ = tick(tagged, prices=prices)
    assert asked(said) == [BATCH]
    chosen = {key.to_user_string() for key in said.run_requests[0].asset_selection}
    assert chosen == {*STAGES, PUBLISHED} - {"llm_tag_suggestions", "tags"}


@pytest.mark.parametrize(
    "happen",
    [
        lambda shop: shop.reopen(rules={"banned": ["boat"]}),
        lambda shop: _decide(shop),
        lambda shop: _fail_until_due(shop),
    ],
)
def test_rules_decisions_and_due_retries_are_found(tagged: Workshop, happen: Callable[[Workshop], object]) -> None:
    happen(tagged)
    forget_claims(tagged)
    said, _ = tick(tagged)
    assert asked(said) == [BATCH]


def _decide(shop: Workshop) -> None:
    (image_id, *_) = [ref.image_id for ref in shop.tools.manifest.images(BATCH)]
    operation = shop.tools.history.begin("decide", "ada", now=datetime.now(UTC))
    request = Request(image_id=image_id, verdict=Verdict.REJECTED, tag="dog")
    shop.tools.decisions.record([request], who="ada", operation=operation, now=datetime.now(UTC))


def _fail_until_due(shop: Workshop) -> None:
    shop.chat.outcome, shop.chat.retryable = "timed_out", True
    shop.edit_prompt()
    shop.run()
    forget_claims(shop)
    said, _ = tick(shop)
    assert isinstance(said, dg.SkipReason), "its time has not come"
    with shop.tools.database.engine.begin() as connection:
        earlier = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(
            sa.text("UPDATE tagging.stage_state SET retry_at = :at WHERE retry_at IS NOT NULL"), {"at": earlier}
        )


def add_run(shop: Workshop, batch: str, status: dg.DagsterRunStatus, **tags: str) -> str:
    """A run over a batch as Dagster's storage holds it; its id."""
    run = dg.DagsterRun(job_name="tag_images", status=status, tags={run_tags.PARTITION: batch, **tags})
    return shop.instance.add_run(run).run_id
