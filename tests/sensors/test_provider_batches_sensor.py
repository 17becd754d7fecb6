"""From a photo to its tags by way of a provider's batch: the real line, a real database, a real HTTP server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from resources.provider_batches import ProviderBatches
from sensors.provider_batches import provider_batches
from tagging_assets import run_tags
from tests.batch_stub import BatchStub, answer, error
from tests.workshop import Workshop

BATCH = "b000001"


@pytest.fixture
def stub() -> Iterator[BatchStub]:
    with BatchStub() as server:
        yield server


@pytest.fixture
def shop(workshop: Workshop, stub: BatchStub) -> Iterator[Workshop]:
    """A line whose chat model answers by batches only."""
    # As another process that has the real chat model, which speaks to the stub.
    provider = {"base_url": stub.base_url, "batch_api": True}
    workshop.reopen(llm={"model": "stub/m", "batch_api": True, "providers": {"stub": provider}})
    del workshop.tools.__dict__["chat"]
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    yield workshop
    workshop.tools.close()


def tick(shop: Workshop, after: float = 120) -> dg.SensorResult | dg.SkipReason:
    """One tick, as if it came so many seconds from now."""
    batches = shop.tools.provider_batches
    ahead = ProviderBatches(
        shop.tools.database,
        batches.connect,
        batches.book.pricing,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=after),
    )
    names = ("claims", "database", "retag_limits")
    resources = {"provider_batches": ahead, **{name: getattr(shop.tools, name) for name in names}}
    context = dg.build_sensor_context(instance=shop.instance, resources=resources)
    try:
        said = provider_batches(context)
    finally:
        ahead.close()
    assert isinstance(said, dg.SensorResult | dg.SkipReason)
    return said


def suggested(shop: Workshop) -> dict[str, tuple[bool, str | None]]:
    """Whether each photo's suggestions stand, and the kind of error where not."""
    records = shop.frame("llm_tag_suggestions").current
    return {record.image_id: (record.ok, record.error_kind) for record in records}


def choice(question: dict[str, Any]) -> dict[str, Any]:
    """An answer to a question as the line puts it: the first tag that it allows."""
    schema = question["body"]["response_format"]["json_schema"]["schema"]
    return answer(question["custom_id"], json.dumps({"tags": [first_allowed(schema)]}))


def first_allowed(schema: dict[str, Any]) -> str:
    (tag, *_) = schema["properties"]["tags"]["items"]["enum"]
    return str(tag)


def test_answers_of_a_batch_become_tags_in_one_run(shop: Workshop, stub: BatchStub) -> None:
    assert {kind for _, kind in suggested(shop).values()} == {"LlmWaiting"}
    said = tick(shop)
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "1 batches submitted, 0 collected, 0 answers"
    assert len(stub.custom_ids(stub.last)) == 2
    stub.end(stub.last, [choice(one) for one in stub.questions(stub.last)])

    # The process dies after collecting: nothing is asked for, and the next tick makes up for it.
    assert shop.tools.provider_batches.work(at_once=True).answers == 2

    run_id = add_run(shop)
    assert isinstance(tick(shop), dg.SkipReason), "it is being run"
    shop.instance.delete_run(run_id)

    said = tick(shop)
    assert isinstance(said, dg.SensorResult)
    (request,) = said.run_requests or ()
    assert (request.partition_key, request.run_key) == (BATCH, f"{BATCH}/{stub.last}")
    assert request.tags[run_tags.RETRYING] == "now"
    assert isinstance(tick(shop), dg.SkipReason), "the run that was asked for will use them"

    asked = len(stub.asked)
    shop.run(tags=request.tags)
    assert {ok for ok, _ in suggested(shop).values()} == {True}
    assert shop.tools.provider_batches.news() == []
    assert isinstance(tick(shop), dg.SkipReason)
    assert len(stub.asked) == asked, "what the ledger has is asked nobody"
    assert len(stub.batches) == 1


def test_what_batches_could_not_answer_is_a_failure_with_its_reason(shop: Workshop, stub: BatchStub) -> None:
    tick(shop)
    stub.end(stub.last, errors=[error(one, 400, "picture too large") for one in stub.custom_ids(stub.last)])
    assert isinstance(tick(shop), dg.SensorResult)
    shop.run()
    (record, *_) = shop.frame("llm_tag_suggestions").current
    assert not record.ok
    assert "HTTP 400: picture too large" in (record.error or "")
    assert not record.retryable, "else image batches with such photos would set each other going for ever"


def add_run(shop: Workshop) -> str:
    """A run over the batch that is under way."""
    run = dg.DagsterRun(job_name="tag_images", status=dg.DagsterRunStatus.STARTED, tags={run_tags.PARTITION: BATCH})
    return shop.instance.add_run(run).run_id
