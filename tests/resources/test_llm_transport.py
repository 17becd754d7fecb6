import decimal
import email.utils
import socket
import threading
import time
import traceback

import openai
import openai._exceptions
import pytest

from resources.cancelling import Cancellation
from resources.llm_failures import OPENAI_ERRORS, Exchange, failed_exchange
from resources.llm_server import Endpoint
from resources.llm_transport import ChatTransport, is_loopback, remote_endpoint
from tagging_assets.domain.errors import LlmRejected, SettingsError
from tests.llm_stub import (
    Behaviour,
    LlmStub,
    completion,
    fails,
    floods,
    half_a_body,
    hangs,
    hangs_up,
    says,
    sends,
    sends_text,
    trickles,
)

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def exchange_with(behaviour: Behaviour, timeout_seconds: float = 5.0) -> Exchange:
    with LlmStub([behaviour]) as stub:
        return send(stub, timeout_seconds)


def send(stub: LlmStub, timeout_seconds: float = 5.0, key: str = "k") -> Exchange:
    transport = ChatTransport(lambda: Endpoint(stub.base_url, key, "stub"), timeout_seconds)
    try:
        return transport.send({**BODY, "max_tokens": 9, "response_format": {"type": "json_object"}})
    finally:
        transport.close()


def test_every_exception_of_the_client_library_has_a_meaning() -> None:
    places = (*vars(openai).values(), *vars(openai._exceptions).values())
    # ``type(x) is type``: asking the library's lazy attributes more would load them
    names = {x.__name__ for x in places if type(x) is type and issubclass(x, Exception)}
    assert names == set(OPENAI_ERRORS)


@pytest.mark.parametrize(
    ("error", "outcome", "retryable"),
    [
        (openai.OpenAIError("odd"), "failed", False),
        (openai.ContentFilterFinishReasonError(), "refused", False),
        (openai.WebSocketQueueFullError("full"), "failed", True),
        (type("NewInTheNextVersion", (openai.OpenAIError,), {})("?"), "failed", False),  # as its base
    ],
)
def test_exceptions_without_a_response_have_a_meaning_too(
    error: openai.OpenAIError, outcome: str, retryable: bool
) -> None:
    exchange = failed_exchange(error)
    assert (exchange.failure, exchange.retryable) == (outcome, retryable)


_KEY = "sk-this-is-secret"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, r"says no: .*\[key\].*; check the key at 127\.0\.0\.1:\d+$"),
        (402, "; check the credit at "),
        (403, "; check what the key may do at "),
        (404, "; check base_url and the model's name at "),
    ],
)
def test_a_server_that_repeats_the_key_is_not_quoted_with_it(status: int, says: str) -> None:
    with (
        LlmStub([fails(status, f"Bearer {_KEY} is wrong")]) as stub,
        pytest.raises(LlmRejected, match=says) as caught,
    ):
        send(stub, key=_KEY)
    assert _KEY not in "".join(traceback.format_exception(caught.value))


def test_a_failure_is_told_without_the_key_too() -> None:
    with LlmStub([fails(500, f"cannot serve {_KEY}"), sends({"error": {"message": f"{_KEY} has no credit"}})]) as stub:
        assert send(stub, key=_KEY).error.endswith("cannot serve [key]")
        # OpenRouter says so with status 200.
        assert send(stub, key=_KEY).error == "the reply is no chat completion: [key] has no credit"


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        # Bound, and nobody listens.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        transport = ChatTransport(lambda: Endpoint(f"http://127.0.0.1:{port}/v1", "k", "stub"), 5.0)
        exchange = transport.send(BODY)
        transport.close()
    assert exchange.error.startswith(f"nobody answers at 127.0.0.1:{port} (")
    assert (exchange.failure, exchange.retryable, exchange.may_cost) == ("failed", True, False)


def test_an_answer_comes_with_its_tokens_and_reason() -> None:
    exchange = exchange_with(says("hello", finish_reason="length", refusal="no"))
    assert (exchange.text, exchange.finish_reason, exchange.refusal) == ("hello", "length", "no")
    assert (exchange.prompt_tokens, exchange.completion_tokens) == (100, 10)
    assert exchange.failure is None


@pytest.mark.parametrize(
    ("usage", "cached", "cost"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 1}, None, None),
        ({"prompt_tokens_details": {"cached_tokens": 7}}, 7, None),  # OpenAI's words
        ({"prompt_cache_hit_tokens": 7}, 7, None),  # DeepSeek's
        ({"cost": 0.00125}, None, decimal.Decimal("0.00125")),  # OpenRouter's
        ({"cost": 0}, None, decimal.Decimal(0)),  # a free model
        ({"cost": -1, "prompt_tokens_details": {"cached_tokens": -1}}, None, None),  # nonsense is not known
        ({"cost": "much", "prompt_tokens_details": "few"}, None, None),
    ],
)
def test_what_an_answer_took_is_read(
    usage: dict[str, object], cached: int | None, cost: decimal.Decimal | None
) -> None:
    exchange = exchange_with(says("x", usage=usage))
    assert (exchange.cached_tokens, exchange.cost_usd) == (cached, cost)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "retryable"),
    [
        (fails(429), "rate_limited", True),
        (fails(500), "failed", True),
        (fails(503), "failed", True),
        (fails(408), "timed_out", True),
        (fails(409), "failed", True),
        (fails(400), "failed", False),  # asking the same again is no use
        (fails(413), "failed", False),
        (fails(422), "failed", False),
        (hangs_up(), "failed", True),  # the connection breaks
        (half_a_body(), "failed", True),  # in the middle, too
        (sends({}, 302, {"Location": "http://192.0.2.1/"}), "failed", False),  # led elsewhere: not followed
        (sends_text('{"choices": ['), "invalid", True),  # no JSON
        (sends_text("<html>busy</html>", "text/html"), "invalid", True),  # some proxy's page
        (sends_text("null"), "invalid", True),
        (sends([]), "invalid", True),
        (sends({}), "invalid", True),  # JSON, but no chat completion
        (sends({"choices": []}), "invalid", True),
        (sends({"choices": [{"message": None}]}), "invalid", True),
    ],
)
def test_a_failure_is_a_typed_outcome(behaviour: Behaviour, outcome: str, retryable: bool) -> None:
    exchange = exchange_with(behaviour)
    assert (exchange.failure, exchange.retryable, exchange.text) == (outcome, retryable, None)
    assert exchange.error
    assert "\n" not in exchange.error


def test_a_server_that_hangs_is_timed_out() -> None:
    exchange = exchange_with(hangs(5), timeout_seconds=0.3)
    assert (exchange.failure, exchange.retryable) == ("timed_out", True)
    assert exchange.seconds < 3


def test_a_server_that_trickles_is_timed_out_all_the_same() -> None:
    exchange = exchange_with(trickles(), timeout_seconds=0.3)
    assert (exchange.failure, exchange.retryable) == ("timed_out", True)
    assert exchange.seconds < 3


def test_a_question_may_have_less_time_than_others() -> None:
    with LlmStub([hangs(5)]) as stub:
        transport = ChatTransport(lambda: Endpoint(stub.base_url, "", "stub"), 60)
        exchange = transport.send(BODY, timeout_seconds=0.2)
        transport.close()
    assert (exchange.failure, exchange.seconds < 3) == ("timed_out", True)


def test_a_cancelled_request_ends_at_once_and_no_other_is_sent() -> None:
    cancellation = Cancellation()
    with LlmStub([hangs(5)]) as stub:
        transport = ChatTransport(lambda: Endpoint(stub.base_url, "", "stub"), 60, cancellation)
        threading.Timer(0.2, cancellation.cancel).start()
        under_way, after = transport.send(BODY), transport.send(BODY)
        transport.close()
    assert (under_way.failure, under_way.error, under_way.seconds < 3) == ("failed", "cancelled", True)
    assert (under_way.may_cost, after.may_cost) == (True, False)
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("behaviour", "may_cost"),
    [
        (says("x"), True),
        (half_a_body(), True),  # the answer was made
        (hangs_up(), True),  # and here it may have been
        (sends_text("{"), True),
        (fails(429), False),  # refused
        (fails(500), False),
    ],
)
def test_what_may_have_cost_something_is_told_apart(behaviour: Behaviour, may_cost: bool) -> None:
    assert exchange_with(behaviour).may_cost is may_cost


def test_nobody_there_is_a_failure_that_may_pass() -> None:
    with LlmStub([says("x")]) as stub:
        pass
    exchange = send(stub)
    assert (exchange.failure, exchange.retryable, exchange.may_cost) == ("failed", True, False)


@pytest.mark.parametrize(
    "behaviour",
    [
        fails(401),  # wrong key
        fails(403),  # forbidden
        fails(404, "model m does not exist"),  # wrong model
        fails(402),  # no credit
        fails(429, code="insufficient_quota"),  # no credit, in OpenAI's words
    ],
)
def test_a_provider_that_says_no_for_good_raises(behaviour: Behaviour) -> None:
    with pytest.raises(LlmRejected, match=r"; check .* at 127"):
        exchange_with(behaviour)


def test_a_server_that_leaves_fields_out_is_still_understood() -> None:
    body = {"choices": [{"message": {"content": "hi"}}]}
    exchange = exchange_with(sends(body))
    assert (exchange.text, exchange.finish_reason, exchange.prompt_tokens) == ("hi", None, None)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),  # the past
        ("in a minute", 60.0),  # a date
        ("soon", None),  # nonsense
    ],
)
def test_the_wait_a_server_asks_for_is_read(said: str, seconds: float | None) -> None:
    if said == "in a minute":  # from now, not from when tests were collected
        said = email.utils.formatdate(time.time() + 60, usegmt=True)
    found = exchange_with(fails(429, headers={"Retry-After": said})).retry_after
    assert found == (None if seconds is None else pytest.approx(seconds, abs=5))


def test_an_error_without_a_response_asks_for_no_wait() -> None:
    assert failed_exchange(openai.OpenAIError("odd")).retry_after is None


def test_nothing_meant_for_another_provider_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "for-somebody-else")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer for-somebody-else")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    with LlmStub([says("x")]) as stub:
        send(stub, key="")
        send(stub, key="mine")
    assert "for-somebody-else" not in str(stub.asked)
    sent = [{name.lower(): value for name, value in asked.headers.items()} for asked in stub.asked]
    assert [headers.get("authorization") for headers in sent] == [None, "Bearer mine"]


def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:9")
    assert exchange_with(says("x")).text == "x"


def test_a_server_that_moved_is_followed() -> None:
    with LlmStub([says("one")]) as first, LlmStub([says("two")]) as second:
        endpoints = [Endpoint(stub.base_url, "", "stub") for stub in (first, second)]
        transport = ChatTransport(lambda: endpoints.pop(0), 5)
        texts = [transport.send(BODY).text for _ in range(2)]
        transport.close()
    assert texts == ["one", "two"]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://127.9.9.9/v1", True),  # the whole block is
        ("http://[::1]:11434/v1", True),
        ("http://localhost:1234/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1.example.com/v1", False),
        ("http://192.168.1.5/v1", False),  # the same house is another machine
        ("http://0.0.0.0/v1", False),
        ("https://api.example.com/v1", False),
        ("http://127.0.0.1@example.com/v1", False),  # a user name, not a host
    ],
)
def test_is_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("url", "privacy", "complaint"),
    [
        ("https://api.example.com/v1", "local", "privacy is local"),
        ("http://127.0.0.1@example.com/v1", "local", "no password"),
        ("https://u:geheim@api.example.com/v1", "remote", "api.example.com.* no password"),
        ("https://api.example.com/v1?key=geheim", "remote", "api.example.com.* no password or key"),
        ("http://127.0.0.1:89111/v1", "local", "write http"),  # no port has five such digits
        ("api.example.com/v1", "remote", "write http"),  # no scheme
        ("file:///etc/passwd", "remote", "write http"),
    ],
)
def test_an_address_that_may_not_be_is_refused_before_use(url: str, privacy: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        remote_endpoint(url, "", privacy)  # type: ignore[arg-type]
    assert "geheim" not in str(caught.value)


def test_the_key_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = remote_endpoint("https://api.example.com/v1", "MY_KEY", "remote")
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(SettingsError, match="MY_KEY is not set"):
        connect()
    monkeypatch.setenv("MY_KEY", "one")
    assert connect().api_key == "one"


def test_a_server_on_this_machine_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    assert remote_endpoint("http://127.0.0.1:1234/v1", "MY_KEY", "local")().api_key == ""


def test_the_stub_says_what_openai_says() -> None:
    assert set(completion("x")) == {"id", "object", "created", "model", "choices", "usage"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "invalid"), (429, "rate_limited"), (500, "failed"), (400, "failed")],
)
def test_a_reply_that_never_ends_is_left_and_known_by_its_status(status: int, outcome: str) -> None:
    exchange = exchange_with(floods(status), timeout_seconds=60)
    assert (exchange.failure, exchange.status) == (outcome, 0 if status == 200 else status)
    assert len(exchange.error) < 400


def test_a_refused_key_is_known_by_an_error_that_never_ends() -> None:
    with pytest.raises(LlmRejected, match="check the key"):
        exchange_with(floods(401), timeout_seconds=60)


def test_events_that_never_end_are_no_answer() -> None:
    flood = floods(200, b"data: {}\n\n" * 5_000, {"Content-Type": "text/event-stream"})
    assert exchange_with(flood, timeout_seconds=60).failure == "invalid"


def test_a_flood_of_headers_is_a_failure() -> None:
    exchange = exchange_with(sends({}, headers={f"X-{i}": "y" * 1000 for i in range(500)}), timeout_seconds=60)
    assert exchange.failure == "failed"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3", 3.0),
        ("-3", 0.0),
        ("1e999", None),
        ("nan", None),
        ("inf", None),
        ("1e300", 86_400.0),
        ("9" * 5000, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Fri, 99 Dec 99999 23:59:59 +9999", None),
        ("soon", None),
        ("", None),
    ],
)
def test_absurd_pauses_are_not_waited_for(said: str, seconds: float | None) -> None:
    assert exchange_with(fails(429, headers={"Retry-After": said})).retry_after == seconds


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**30, "completion_tokens": -1, "cost": 1e308},
        {"prompt_tokens": "7", "completion_tokens": 1.5, "cost": float("nan")},
        {"prompt_tokens": None, "completion_tokens": [], "cost": float("inf")},
    ],
)
def test_figures_that_make_no_sense_are_unknown(usage: dict[str, object]) -> None:
    exchange = exchange_with(says("hi", usage=usage))
    assert (exchange.text, exchange.prompt_tokens, exchange.completion_tokens, exchange.cost_usd) == (
        "hi",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("body", ['"\\ud83d\\u0000"', '"\\udcff"'])
def test_half_a_letter_and_nul_do_not_get_in(body: str) -> None:
    reply = f'{{"choices": [{{"message": {{"content": {body}}}, "finish_reason": {body}}}]}}'
    exchange = exchange_with(sends_text(reply))
    assert exchange.failure is None
    for text in (exchange.text, exchange.finish_reason):
        assert text is not None
        text.encode("utf-8")
        assert "\x00" not in text


@pytest.mark.parametrize("body", ["[" * 200_000, "{" * 200_000, '{"a":' * 100_000, "9" * 100_000, "\x00", '"\ufeff'])
def test_what_is_no_json_is_an_outcome(body: str) -> None:
    exchange = exchange_with(sends_text(body))
    assert exchange.failure == "invalid"
    assert len(exchange.error) < 400


def test_an_error_in_words_that_cannot_be_stored() -> None:
    exchange = exchange_with(sends_text('{"error": {"message": "no \\ud83d\\u0000 \\u202e"}}', status=400))
    exchange.error.encode("utf-8")
    assert "\x00" not in exchange.error
