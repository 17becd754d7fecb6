import base64
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from resources.chat_abilities import ChatAbilities
from resources.database import Database
from resources.dialect import Dialect
from resources.llm_breaker import Breaker
from resources.waiting_questions import WaitingQuestions
from tagging_assets.domain.chat import ChatImage, ChatModel, ChatReply
from tagging_assets.domain.chat_settings import Sampling
from tagging_assets.domain.errors import LlmRejected, SettingsError
from tagging_assets.domain.reply_forms import CaptionForm
from tests.chat_desk import CAT, COST, FREE, PAID, PROMPT, clear, desk
from tests.llm_stub import fails, hangs, says, slowly

PICTURE = ChatImage("pixels/768/1", lambda: b"\xff\xd8picture")


@pytest.fixture(autouse=True)
def _no_calls(database: Database) -> None:
    clear(database)


def test_it_is_a_chat_model_that_tells_its_identity_unasked(database: Database) -> None:
    with desk(database, says(CAT), options=replace(FREE, name="mine", extra={"reasoning_effort": "low"})) as it:
        model: ChatModel = it.engine
        assert (model.card.name, model.card.revision) == ("mine", "1")
        assert model.card.parameters["temperature"] == 0.0
        assert model.card.parameters["extra"] == '{"reasoning_effort": "low"}'
        assert (model.provider, model.sees) == ("not loaded", True)
        assert it.stub.asked == []


def test_a_question_is_asked_once_and_answered_again_from_the_ledger(database: Database) -> None:
    with desk(database, says(CAT), options=PAID) as it:
        first, second = it.ask(), it.ask()
        assert (first.outcome, first.tags, first.asked) == ("ok", ("cat",), True)
        assert second == replace(first, asked=False), "usage of then, and nothing asked"
        assert (first.usage.cost_usd, first.usage.cost_source) == (COST, "prices of 2026-01-01")
        assert (len(it.stub.asked), len(it.calls), it.cost) == (1, 1, COST)
        assert it.calls[0]["request_hash"] == first.request_hash


def test_a_question_answered_before_needs_no_server(database: Database) -> None:
    with desk(database, says(CAT)) as before:
        before.ask()
    with desk(database, fails(500)) as it:
        assert it.ask().tags == ("cat",)
        assert it.engine.provider == "not loaded"


def test_a_repetition_on_purpose_is_another_question(database: Database) -> None:
    with desk(database, says(CAT)) as it:
        replies = [it.ask(repeat=repeat) for repeat in (0, 1, 0, 1)]
        assert len({reply.request_hash for reply in replies}) == 2
        assert [asked.body["seed"] for asked in it.stub.asked] == [0, 1]


def test_what_is_sent_follows_form_and_sampling(database: Database) -> None:
    sampling = Sampling(temperature=0.3, top_p=0.9, seed=5, max_output_tokens=70)
    with desk(database, says(CAT), options=replace(FREE, sampling=sampling, extra={"reasoning_effort": "low"})) as it:
        it.ask(caption="my cat", allowed=("cat", "dog", "bus"))
    body = it.stub.asked[0].body
    said = {name: value for name, value in body.items() if name not in ("messages", "response_format")}
    assert said == {
        "model": "m",
        "temperature": 0.3,
        "top_p": 0.9,
        "seed": 5,
        "max_tokens": 70,
        "reasoning_effort": "low",
    }
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["tags"]["items"]["enum"] == ["cat", "dog", "bus"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert '"my cat"' in body["messages"][1]["content"]


def test_a_picture_goes_along_and_its_key_into_the_hash(database: Database) -> None:
    with desk(database, says(CAT)) as it:
        shown, other, blind = it.ask(images=(PICTURE,)), it.ask(images=(replace(PICTURE, key="b"),)), it.ask()
    picture, words = it.stub.asked[0].body["messages"][1]["content"]
    assert base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) == b"\xff\xd8picture"
    assert words["type"] == "text"
    assert len({shown.request_hash, other.request_hash, blind.request_hash}) == 3


def test_bytes_of_a_picture_are_made_only_to_be_sent(database: Database) -> None:
    def unreadable() -> bytes:
        raise AssertionError("made without need")

    with desk(database, says(CAT)) as it:
        it.ask(images=(PICTURE,))
        assert it.ask(images=(ChatImage(PICTURE.key, unreadable),)).tags == ("cat",)


@pytest.mark.parametrize("told", ["by the settings", "by a probe"])
def test_a_blind_model_is_shown_nothing(database: Database, told: str) -> None:
    if told == "by a probe":
        ChatAbilities(database.engine).saw("stub", "m", {"vision": False})
    with desk(database, says(CAT), options=replace(FREE, vision=False if told == "by the settings" else None)) as it:
        assert not it.engine.sees
        with pytest.raises(SettingsError, match="does not see"):
            it.ask(images=(PICTURE,))
        assert it.stub.asked == []


def test_other_forms_are_read_as_they_say(database: Database) -> None:
    with desk(database, says('```json\n{"caption": "A cat."}\n```')) as it:
        reply = it.ask(form=CaptionForm())
    assert (reply.outcome, reply.answer.fields) == ("ok", {"caption": "A cat."})


def test_without_a_revision_who_serves_a_model_tells_it_apart(database: Database) -> None:
    hashes = set()
    for provider in ("here", "there"):
        with desk(database, says(CAT), options=replace(FREE, revision="", provider=provider)) as it:
            hashes.add(it.ask().request_hash)
            assert it.engine.card.revision == provider
    assert len(hashes) == 2


def test_a_form_that_the_provider_refuses_is_given_up_for_good(database: Database) -> None:
    refusal = fails(400, "response_format: json_schema is not supported")
    with desk(database, refusal, says(CAT)) as it:
        assert it.ask().outcome == "ok"
        hashed = it.ask(caption="another").request_hash
    with desk(database, says(CAT)) as later:
        assert later.ask(caption="another").request_hash == hashed, "another process asks alike"
        later.ask(caption="a third")
    asked = [*it.stub.asked, *later.stub.asked]
    formats = [one.body["response_format"]["type"] for one in asked]
    assert formats == ["json_schema", "json_object", "json_object", "json_object"]
    assert ChatAbilities(database.engine).dialect("stub", "m") == Dialect("json_object")
    with desk(database, says(CAT), options=replace(FREE, model="n")) as other:
        other.ask()
    assert other.stub.asked[0].body["response_format"]["type"] == "json_schema", "each model for itself"


def test_a_ladder_that_ends_in_nothing_changes_nothing(database: Database) -> None:
    with desk(database, fails(400, "response_format is not supported")) as it:
        reply = it.ask()
        assert (reply.outcome, reply.retryable, len(it.stub.asked)) == ("failed", False, 3)
    assert ChatAbilities(database.engine).dialect("stub", "m") == Dialect()


def test_less_structure_asked_for_is_no_ability_lost(database: Database) -> None:
    options = replace(FREE, sampling=Sampling(structured="none"))
    with desk(database, fails(400, "unsupported parameter: seed"), says(CAT), options=options) as it:
        assert it.ask().outcome == "ok"
        assert "response_format" not in it.stub.asked[0].body
    assert ChatAbilities(database.engine).dialect("stub", "m") == Dialect(seed=False)


def test_a_failure_that_passes_leaves_an_answer(database: Database) -> None:
    with desk(database, fails(503), fails(500), says(CAT)) as it:
        assert it.ask().outcome == "ok"
        assert it.outcomes == ["failed", "failed", "ok"]
    assert 1 <= it.clock.waits[0] <= 1.5 < 2 <= it.clock.waits[1] <= 3


def test_a_provider_that_says_no_for_good_raises_and_is_not_asked_again(database: Database) -> None:
    with desk(database, fails(401), options=PAID) as it:
        with pytest.raises(LlmRejected):
            it.ask()
        assert (len(it.stub.asked), it.outcomes, it.cost, it.reserved) == (1, ["failed"], 0, 0)


def test_a_server_that_never_answers_is_spared_for_a_while(database: Database) -> None:
    with desk(database, fails(500), options=replace(FREE, attempts=1)) as it:
        replies = [it.ask(caption=str(number)) for number in range(5)]
        assert len(it.stub.asked) == 3
        assert {(reply.outcome, reply.retryable) for reply in replies} == {("failed", True)}
        assert "next try" in replies[-1].error
        assert [reply.asked for reply in replies] == [True] * 3 + [False] * 2
        it.clock.now += 31
        it.ask(caption="later")
        assert len(it.stub.asked) == 4


def test_patience_ends_a_question_with_all_its_attempts(database: Database) -> None:
    with desk(database, fails(500), options=replace(FREE, attempts=50, patience_seconds=20)) as it:
        reply = it.ask()
    assert (reply.outcome, reply.retryable) == ("failed", True)
    assert sum(it.clock.waits) <= 20
    assert len(it.stub.asked) < 6


@pytest.mark.parametrize("options", [FREE, PAID], ids=["free", "paid"])
def test_threads_with_one_question_ask_it_once(database: Database, options: object) -> None:
    with desk(database, slowly(0.2, says(CAT)), options=options) as it:  # type: ignore[arg-type]
        barrier = threading.Barrier(4)

        def ask(_: int) -> ChatReply:
            barrier.wait()
            return it.ask()

        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(ask, range(4)))
        assert len(it.stub.asked) == len(it.calls) == 1
        assert {reply.tags for reply in replies} == {("cat",)}


def test_two_processes_with_one_question_pay_it_once(database: Database) -> None:
    # Another process has engine, locks and connections of its own; so has another desk.
    with desk(database, slowly(0.3, says(CAT)), options=PAID) as one, desk(database, says(CAT), options=PAID) as two:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(one.ask)
            while not one.stub.asked:
                one.cancellation.wait(0.01)
            second = two.ask()
            assert first.result().tags == second.tags == ("cat",)
        assert (len(one.stub.asked), len(two.stub.asked), len(one.calls), one.cost) == (1, 0, 1, COST)
        assert (first.result().asked, second.asked) == (True, False)


def test_no_more_requests_at_once_than_the_provider_takes(database: Database) -> None:
    under_way, most = [0], [0]
    lock = threading.Lock()

    def counted(handler: object) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        slowly(0.03, says(CAT))(handler)  # type: ignore[arg-type]
        with lock:
            under_way[0] -= 1

    with desk(database, counted, concurrency=2) as it, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: it.ask(caption=str(number)), range(10)))
    assert len({reply.request_hash for reply in replies}) == len(it.stub.asked) == 10
    assert most[0] == 2


def test_a_pause_that_a_server_asks_for_holds_for_everybody(database: Database) -> None:
    with desk(database, fails(429, headers={"Retry-After": "7"}), says(CAT)) as it:
        assert it.ask().outcome == "ok"
        assert 7 <= it.clock.waits[0] <= 10.5
        assert it.outcomes == ["rate_limited", "ok"]
    with desk(database, fails(429, headers={"Retry-After": "50"}), says(CAT), options=replace(FREE, attempts=1)) as it:
        start = it.clock.now
        assert it.ask(caption="one").outcome == "rate_limited"
        assert it.ask(caption="two").outcome == "ok"
        assert it.clock.now - start == 50, "another question waits as well"


def test_too_long_a_pause_is_not_waited_for(database: Database) -> None:
    with desk(database, fails(429, headers={"Retry-After": "3600"})) as it:
        replies = [it.ask(caption=str(number)) for number in range(3)]
    assert {(reply.outcome, reply.retryable) for reply in replies} == {("rate_limited", True)}
    assert (it.clock.waits, len(it.stub.asked)) == ([], 1)
    assert [reply.asked for reply in replies] == [True, False, False]


def test_cancelling_ends_waits_at_once_and_sends_nothing_new(database: Database) -> None:
    with desk(database, hangs(30), options=PAID, timeout_seconds=60) as it, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(it.ask, str(number)) for number in range(2)]
        while len(it.stub.asked) < 2:
            it.cancellation.wait(0.01)
        it.cancellation.cancel()
        replies = [one.result(timeout=5) for one in waiting]
        after = it.ask("another")
        assert {(reply.outcome, reply.error, reply.retryable) for reply in (*replies, after)} == {
            ("failed", "cancelled", True)
        }
        assert (len(it.stub.asked), after.asked) == (2, False)
        assert it.reserved > 0, "what was under way may be charged"


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_while_an_answer_is_awaited_ends_the_wait_and_leaves_the_reservation(
    database: Database, press_ctrl_c: Callable[[float], None]
) -> None:
    with desk(database, hangs(30), options=PAID, timeout_seconds=60) as it:
        press_ctrl_c(0.5)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            it.ask()
        assert time.monotonic() - began < 10
        assert it.outcomes == ["asking"]
        assert it.reserved > 0


def test_a_call_is_kept_with_all_that_is_known_of_it(database: Database) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 60}}
    with desk(database, says(CAT, usage=usage), options=replace(PAID, purpose="experiment/x")) as it:
        it.ask()
        (call,) = it.calls
    assert (call["provider"], call["model"], call["prompt_id"], call["prompt_hash"]) == (
        "stub",
        "m",
        "select",
        PROMPT.hash,
    )
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_tokens"], call["reply"]) == (
        100,
        10,
        60,
        CAT,
    )
    assert (call["purpose"], call["parameters"]["structured"]) == ("experiment/x", "json_schema")
    assert f"{call['cost_usd']:f}" == "0.00008600"
    assert call["reserved_usd"] > call["cost_usd"]


def test_the_key_is_kept_nowhere(database: Database) -> None:
    with desk(database, says(CAT)) as it:
        it.ask()
        assert "Bearer k" in str(it.stub.asked)
        assert "Bearer" not in str(it.calls)


def test_a_question_for_a_batch_waits_and_is_sent_by_nobody_here(database: Database) -> None:
    with desk(database, says(CAT), options=replace(PAID, batch=True)) as it:
        first, again = it.ask(images=(PICTURE,)), it.ask(images=(PICTURE,))
        assert (first.outcome, first.retryable, first.asked) == ("waiting", True, False)
        assert again.outcome == "waiting"
        assert (it.stub.asked, it.calls) == ([], [])
        assert WaitingQuestions(database.engine).waits(first.request_hash)
    # Batches are switched off meanwhile: what is under way is not paid for twice.
    with desk(database, says(CAT), options=PAID) as it:
        assert it.ask(images=(PICTURE,)).outcome == "waiting"
        assert it.stub.asked == []


def test_a_breaker_lets_one_through_when_it_has_rested() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, rest_seconds=10, clock=lambda: now[0])
    breaker.note(answered=False)
    assert breaker.resting() == 0
    breaker.note(answered=False)
    assert breaker.resting() == 10
    now[0] = 10.0
    assert [breaker.resting(), breaker.resting()] == [0, 10]
    breaker.note(answered=True)
    assert breaker.resting() == 0
