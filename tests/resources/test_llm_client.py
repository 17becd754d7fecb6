import decimal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from resources.ledger import Call, PastReply
from resources.llm_breaker import Breaker
from resources.llm_client import ChatOptions, ChatSuggester, Prices
from resources.llm_server import Endpoint
from resources.llm_transport import ChatTransport
from resources.prompt_store import PromptStore
from tagging_assets.domain.errors import LlmRejected
from tagging_assets.domain.llm import ANSWERED
from tagging_assets.domain.models import ChatReply, TagSuggester
from tests.llm_stub import (
    Behaviour,
    LlmStub,
    fails,
    half_a_body,
    hangs,
    says,
    sends_text,
    slowly,
)

PROMPT = PromptStore(Path(__file__).parents[2] / "prompts" / "llm").get("select")
CAT = '{"tags": ["cat"]}'
OPTIONS = ChatOptions(model="m", provider="stub", revision="1")


@dataclass
class Notebook:
    """A ledger in memory."""

    calls: list[Call] = field(default_factory=list)

    def record(self, call: Call) -> None:
        self.calls.append(call)

    def answered(self, request_hash: str) -> PastReply | None:
        for call in reversed(self.calls):
            if call.request_hash == request_hash and call.outcome in ANSWERED:
                return PastReply(call.outcome, call.reply, call.finish_reason)
        return None


@dataclass
class Desk:
    """A suggester on a stub, with all that it leaves behind."""

    stub: LlmStub
    suggester: ChatSuggester
    ledger: Notebook
    waits: list[float]

    def ask(self, caption: str = "", name: str = "a.jpg", allowed: tuple[str, ...] = ("cat", "dog")) -> ChatReply:
        return self.suggester.suggest(visual_tags=[("cat", 0.8)], caption=caption, name=name, allowed=allowed)

    @property
    def outcomes(self) -> list[str]:
        return [call.outcome for call in self.ledger.calls]


@contextmanager
def desk(
    *behaviours: Behaviour,
    options: ChatOptions = OPTIONS,
    ledger: Notebook | None = None,
    timeout_seconds: float = 5.0,
) -> Iterator[Desk]:
    waits: list[float] = []
    notebook = ledger or Notebook()
    with LlmStub(list(behaviours)) as stub:
        transport = ChatTransport(lambda: Endpoint(stub.base_url, "k", "stub"), timeout_seconds)
        suggester = ChatSuggester(transport, PROMPT, options, notebook, waits.append)
        yield Desk(stub, suggester, notebook, waits)
        suggester.close()


def test_it_is_a_tag_suggester_that_tells_its_identity_unasked() -> None:
    with desk(says(CAT)) as it:
        suggester: TagSuggester = it.suggester
        assert (suggester.card.name, suggester.card.revision) == ("m", "1")
        assert suggester.card.parameters["prompt"] == PROMPT.hash
        assert suggester.provider == "not loaded"
        assert it.stub.asked == []


def test_a_question_is_asked_once_and_answered_again_from_the_ledger() -> None:
    with desk(says(CAT)) as it:
        first, second = it.ask(), it.ask()
    assert first == second
    assert (first.outcome, first.tags) == ("ok", ("cat",))
    assert len(it.stub.asked) == len(it.ledger.calls) == 1
    assert it.ledger.calls[0].request_hash == first.request_hash


def test_a_question_answered_before_needs_no_server() -> None:
    with desk(says(CAT)) as before:
        before.ask()
    with desk(fails(500), ledger=before.ledger) as it:
        assert it.ask().tags == ("cat",)
        assert it.suggester.provider == "not loaded"


def test_what_is_sent_is_bound_to_the_allowed_tags_and_deterministic() -> None:
    with desk(says(CAT)) as it:
        it.ask(caption="my cat", allowed=("cat", "dog", "bus"))
    body = it.stub.asked[0].body
    assert (body["model"], body["temperature"], body["seed"]) == ("m", 0.0, 0)
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["tags"]["items"]["enum"] == ["cat", "dog", "bus"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert 'Caption: "my cat"' in body["messages"][1]["content"]


@pytest.mark.parametrize("name", ["/home/ann/private/a.jpg", r"C:\Users\ann\private\a.jpg", "a.jpg"])
def test_a_folder_tells_nobody_anything(name: str) -> None:
    with desk(says(CAT)) as it:
        it.ask(name=name)
    sent = str(it.stub.asked[0].body)
    assert "a.jpg" in sent
    assert "ann" not in sent


def test_a_long_caption_is_cut() -> None:
    with desk(says(CAT), options=replace(OPTIONS, caption_characters=20)) as it:
        it.ask(caption="word " * 1000)
    assert 'Caption: "word word word word "' in it.stub.asked[0].body["messages"][1]["content"]


def test_only_tags_with_evidence_are_put_before_a_small_model() -> None:
    options = replace(OPTIONS, only_evidenced=True)
    with desk(says(CAT), options=options) as it:
        it.ask(caption="on the bus", allowed=("dog", "bus", "cat"))
    schema = it.stub.asked[0].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["tags"]["items"]["enum"] == ["cat", "bus"]


def test_without_any_tag_to_choose_nothing_is_asked() -> None:
    with desk(says(CAT), options=replace(OPTIONS, only_evidenced=True)) as it:
        reply = it.ask(allowed=("dog", "bus"))
    assert (reply.outcome, it.stub.asked, it.ledger.calls) == ("empty", [], [])


@pytest.mark.parametrize(
    ("behaviour", "outcome", "retryable", "requests"),
    [
        (says('{"tags": []}'), "empty", False, 1),
        (says("```json\n" + CAT + "\n```"), "ok", False, 1),
        (says("<think>dog…</think>" + CAT), "ok", False, 1),
        (says("I'm sorry, I cannot help."), "refused", False, 1),
        (says(None, refusal="No."), "refused", False, 1),
        (says(CAT, finish_reason="content_filter"), "refused", False, 1),
        (says('{"tags": ["ca', finish_reason="length"), "truncated", False, 1),
        (says("Error: API request failed"), "invalid", False, 1),
        (says('{"tags": ["cow"]}'), "invalid", False, 1),
        (sends_text("{"), "invalid", True, 3),
        (fails(429), "rate_limited", True, 3),
        (fails(500), "failed", True, 3),
        (half_a_body(), "failed", True, 3),
        (fails(400, "too long"), "failed", False, 1),
    ],
)
def test_whatever_comes_is_a_typed_outcome(behaviour: Behaviour, outcome: str, retryable: bool, requests: int) -> None:
    with desk(behaviour, options=replace(OPTIONS, attempts=3)) as it:
        reply = it.ask()
    assert (reply.outcome, reply.retryable) == (outcome, retryable)
    assert bool(reply.tags) is (outcome == "ok")
    assert it.outcomes == [outcome] * requests


def test_a_hanging_server_is_timed_out() -> None:
    with desk(hangs(5), options=replace(OPTIONS, attempts=2), timeout_seconds=0.2) as it:
        reply = it.ask()
    assert (reply.outcome, reply.retryable, it.outcomes) == ("timed_out", True, ["timed_out"] * 2)


def test_a_failure_that_passes_leaves_an_answer() -> None:
    with desk(fails(503), fails(500), says(CAT)) as it:
        assert it.ask().outcome == "ok"
    assert it.outcomes == ["failed", "failed", "ok"]
    assert 1 <= it.waits[0] <= 1.5 < 2 <= it.waits[1] <= 3


def test_the_wait_a_server_asks_for_is_kept() -> None:
    with desk(fails(429, headers={"Retry-After": "7"}), says(CAT)) as it:
        assert it.ask().outcome == "ok"
    assert 7 <= it.waits[0] <= 10.5


def test_too_long_a_wait_is_not_waited() -> None:
    with desk(fails(429, headers={"Retry-After": "3600"})) as it:
        reply = it.ask()
    assert (reply.outcome, reply.retryable, it.waits) == ("rate_limited", True, [])


def test_a_provider_that_says_no_for_good_raises_and_is_not_asked_again() -> None:
    with desk(fails(401)) as it, pytest.raises(LlmRejected):
        it.ask()
    assert len(it.stub.asked) == 1


def test_a_form_that_the_provider_refuses_is_given_up_for_good() -> None:
    refusal = fails(400, "response_format: json_schema is not supported")
    with desk(refusal, says(CAT)) as it:
        assert it.ask().outcome == "ok"
        assert it.ask(caption="another").outcome == "ok"
    formats = [asked.body["response_format"]["type"] for asked in it.stub.asked]
    assert formats == ["json_schema", "json_object", "json_object"]
    assert it.outcomes == ["failed", "ok", "ok"]


def test_a_server_that_never_answers_is_spared_for_a_while() -> None:
    with desk(fails(500), options=replace(OPTIONS, attempts=1)) as it:
        replies = [it.ask(caption=str(number)) for number in range(5)]
    assert len(it.stub.asked) == 3
    assert {(reply.outcome, reply.retryable) for reply in replies} == {("failed", True)}
    assert "next try" in replies[-1].error


def test_threads_with_one_question_ask_it_once() -> None:
    with desk(slowly(0.2, says(CAT))) as it:
        barrier = threading.Barrier(4)

        def ask(_: int) -> ChatReply:
            barrier.wait()
            return it.ask()

        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(ask, range(4)))
    assert len(it.stub.asked) == 1
    assert {reply.tags for reply in replies} == {("cat",)}


def test_threads_with_different_questions_do_not_wait_for_each_other() -> None:
    with desk(slowly(0.05, says(CAT))) as it, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: it.ask(caption=str(number)), range(16)))
    assert len({reply.request_hash for reply in replies}) == len(it.stub.asked) == 16


def test_a_call_is_kept_with_its_cost() -> None:
    options = replace(OPTIONS, prices=Prices(prompt=0.15, completion=0.6))
    with desk(says(CAT), options=options) as it:
        it.ask()
    call = it.ledger.calls[0]
    assert call.cost_usd == decimal.Decimal("0.000021")
    assert (call.provider, call.model, call.prompt_id, call.prompt_hash) == ("stub", "m", "select", PROMPT.hash)
    assert (call.prompt_tokens, call.completion_tokens, call.reply) == (100, 10, CAT)
    assert call.parameters["structured"] == "json_schema"
    assert call.asked_at.utcoffset() is not None


def test_the_key_is_kept_nowhere() -> None:
    with desk(says(CAT), fails(401, "wrong key")) as it:
        it.ask()
    assert "Bearer k" in str(it.stub.asked)
    assert "Bearer" not in str(it.ledger.calls)


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
