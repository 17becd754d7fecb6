"""What a model can do is what its replies show: probes of a real HTTP server of many talents."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from resources.chat_accounts import Books
from resources.chat_budget import ChatBudget, Limit
from resources.chat_probe import PURPOSE, ChatProbe, Found
from resources.chat_question import ChatOptions
from resources.database import Database
from resources.dialect import Dialect
from resources.ledger import Ledger
from resources.llm_server import Endpoint
from resources.llm_transport import ChatTransport
from resources.tables import llm_call, waiting_question
from tagging_assets.domain.chat_settings import Prices
from tagging_assets.domain.errors import ModelFailed, SettingsError
from tagging_assets.domain.prices import Price
from tests.llm_stub import Behaviour, LlmStub, fails, hangs_up, says
from tests.llm_talents import TOMATO, able, kind_of


def probe(stub: LlmStub, books: Books | None = None, **options: Any) -> Found:
    transport = ChatTransport(lambda: Endpoint(stub.base_url, "", "stub"), 5.0)
    try:
        asked = ChatOptions("m", provider="stub", **options)
        return ChatProbe(asked, transport, books or Books(), Dialect()).run()
    finally:
        transport.close()


def test_a_model_that_can_do_everything() -> None:
    with LlmStub([able()], models=("m", "n")) as stub:
        found = probe(stub)
        assert len(stub.asked) == 5
    assert found == Found(True, True, True, True, True, True, found.seconds, {})
    assert found.seconds is not None
    assert found.seconds > 0


def test_the_picture_is_a_red_square_on_yellow() -> None:
    with LlmStub([able()]) as stub:
        probe(stub)
        (body,) = [one.body for one in stub.asked if kind_of(one.body) == "vision"]
    (shown,) = [part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    head, _, data = shown.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        middle, corner = picture.getpixel((48, 48)), picture.getpixel((3, 3))
    assert isinstance(middle, tuple)
    assert isinstance(corner, tuple)
    assert middle[0] > 200 > 60 > max(middle[1:])
    assert corner[0] > 200 < corner[1]
    assert corner[2] < 60


@pytest.mark.parametrize(
    ("ability", "does", "found", "because"),
    [
        ("vision", says("RED, yellow"), True, None),
        ("vision", says("red and blue"), False, 'it says "red and blue" of a red square on yellow'),  # it guesses
        ("vision", says("red, yellow, blue, green"), False, "it says"),  # it names them all
        ("vision", says("I cannot see pictures."), False, "it says"),
        ("vision", says(None, refusal="no pictures"), False, 'it says "no pictures"'),
        ("vision", fails(400, "image_url is not supported"), False, "BadRequestError"),
        ("vision", fails(404, "No endpoints found that support image input"), False, "image input"),  # OpenRouter
        ("vision", fails(500, "image input is not supported - hint: mmproj"), False, "mmproj"),  # llama.cpp
        ("vision", says("Well, let me think", finish_reason="length"), None, 'too long: "Well'),
        ("json_object", says('{"tomato": ', finish_reason="length"), None, "too long"),
        ("vision", fails(500, "overloaded"), None, "overloaded"),  # nothing is known then
        ("vision", fails(429), None, "RateLimitError"),
        ("vision", hangs_up(), None, "APIConnectionError"),
        ("json_schema", says('{"color": "red"}'), False, "it says"),  # it takes the schema, and does not keep to it
        ("json_schema", says(f"```json\n{TOMATO}\n```"), False, "it says"),
        ("json_schema", says("Red, I am sure."), False, "it says"),
        ("json_schema", fails(400, "response_format json_schema is not supported"), False, "BadRequestError"),
        ("json_schema", fails(503), None, "InternalServerError"),
        ("json_object", says("[1]"), False, "it says"),
        ("json_object", says(f"Here: {TOMATO}"), False, "it says"),
        ("json_object", fails(422, "no json_object"), False, "UnprocessableEntityError"),
        ("logprobs", says("ready"), False, None),  # it takes the parameter, and says nothing
        ("logprobs", fails(400, "logprobs is not supported"), False, "BadRequestError"),
        ("logprobs", fails(429), None, "RateLimitError"),
    ],
)
def test_what_is_missing_is_found_and_the_rest_too(
    ability: str, does: Behaviour, found: bool | None, because: str | None
) -> None:
    with LlmStub([able(**{ability: does})], models=("m",)) as stub:
        seen = probe(stub)
    assert getattr(seen, ability) is found
    assert (because or "") in seen.errors.get(ability, "")
    assert (ability in seen.errors) == (because is not None)
    rest = {"vision", "json_schema", "json_object", "logprobs", "listed", "answers"} - {ability}
    assert {getattr(seen, one) for one in rest} == {True}


@pytest.mark.parametrize(
    "word",
    [fails(401, "wrong key"), fails(404, "no such model"), fails(500), fails(429), hangs_up(), fails(402)],
)
def test_who_does_not_answer_is_asked_no_more(word: Behaviour) -> None:
    with LlmStub([able(word=word)]) as stub:
        found = probe(stub)
        assert len(stub.asked) == 1
    assert (found.answers, found.vision) == (False, None)
    assert found.errors["answers"]


@pytest.mark.parametrize(("models", "listed"), [(("m",), True), (("n",), False), ((), False), (None, None)])
def test_whether_it_is_listed(models: tuple[str, ...] | None, listed: bool | None) -> None:
    with LlmStub([able()], models=models) as stub:
        assert probe(stub).listed is listed


def test_parameters_that_are_refused_are_left_out() -> None:
    def particular(handler: Any) -> None:
        body = handler.stub.asked[-1].body
        if "max_tokens" in body:
            fails(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")(handler)
        elif "temperature" in body:
            fails(400, "Unsupported value: 'temperature' does not support 0.")(handler)
        else:
            able()(handler)

    with LlmStub([particular]) as stub:
        found = probe(stub)
        assert len(stub.asked) == 7
    assert (found.answers, found.vision, found.json_schema) == (True, True, True)


@pytest.mark.parametrize("fault", [ModelFailed("it did not start"), SettingsError("KEY is not set")])
def test_a_server_that_does_not_start_is_a_finding(fault: Exception) -> None:
    def connect() -> Endpoint:
        raise fault

    transport = ChatTransport(connect, 5.0)
    found = ChatProbe(ChatOptions("m"), transport, Books(), Dialect()).run()
    assert (found.answers, found.listed) == (False, None)
    assert found.errors["answers"] == str(fault)


@pytest.fixture
def books(database: Database) -> Books:
    with database.engine.begin() as connection:
        for table in (llm_call, waiting_question):
            connection.execute(sa.delete(table))
    return Books(Ledger(database.engine), ChatBudget(database.engine))


PRICE = Price(Prices(input_cost_per_token=1e-6, output_cost_per_token=2e-6), "prices of test")


def test_a_probe_is_in_the_ledger_and_asked_anew_each_time(database: Database, books: Books) -> None:
    with LlmStub([able()]) as stub:
        for _ in range(2):
            probe(stub, books, free=False, price=PRICE)
        assert len(stub.asked) == 10
    with database.engine.connect() as connection:
        calls = connection.execute(sa.select(llm_call.c.purpose, llm_call.c.outcome, llm_call.c.cost_usd)).all()
    assert calls == [(PURPOSE, "ok", Decimal("0.00012"))] * 10


def test_a_probe_keeps_to_the_budget(books: Books) -> None:
    tight = replace(books, limits=[Limit.daily(0.0001)])
    with LlmStub([able()]) as stub:
        found = probe(stub, tight, free=False, price=PRICE)
        assert stub.asked == []
        unpriced = probe(stub, tight, free=False)
        assert stub.asked == []
    assert "budget" in found.errors["answers"]
    assert "nobody knows what stub/m costs" in unpriced.errors["answers"]


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"free": True}, lambda most: most == 0),
        ({"free": False}, lambda most: most is None),
        ({"free": False, "price": PRICE}, lambda most: 0 < most < 0.1),
    ],
)
def test_it_says_before_what_it_costs(options: dict[str, Any], check: Callable[[float | None], bool]) -> None:
    transport = ChatTransport(lambda: Endpoint("http://127.0.0.1:9/v1", "", "x"), 1.0)
    assert check(ChatProbe(ChatOptions("m", **options), transport, Books(), Dialect()).at_most_usd)
