"""The settings' section ``llm`` becomes askers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resources.chat_models import ChatModels
from resources.database import Database
from resources.weights import WeightsStore
from tagging_assets.domain.chat import ChatReply
from tagging_assets.domain.chat_settings import Sampling
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import Settings
from tests.chat_desk import CAT, PROMPT, clear
from tests.forms import Choice
from tests.llm_stub import LlmStub, says

PRICES = {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}
VALUES = {"tags": [], "caption": "", "name": "", "allowed": ("cat", "dog"), "max_tags": 2}


@pytest.fixture
def stub(database: Database) -> Iterator[LlmStub]:
    clear(database)
    with LlmStub([says(CAT)]) as stub:
        yield stub


class Shop:
    """Chat models by settings, with a stub as the provider ``here``."""

    def __init__(self, database: Database, folder: Path, stub: LlmStub, llm: dict[str, Any]) -> None:
        providers = {
            "here": {"base_url": stub.base_url, "concurrency": 3, "requests_per_minute": 60_000, "batch_api": True},
            "away": {"base_url": "https://llm.example.com/v1", "api_key_env": "AWAY_KEY"},
        }
        settings = Settings.model_validate({"data_dir": folder, "llm": {"providers": providers, **llm}})
        self.models = ChatModels(settings, database.engine, WeightsStore())

    def ask(self, name: str, caption: str = "", **more: Any) -> ChatReply:
        engine = self.models.asker(name, Sampling(), **more)
        return engine.ask(PROMPT, {**VALUES, "caption": caption}, Choice("cat", "dog"))


@pytest.fixture
def shops(database: Database, tmp_path: Path, stub: LlmStub) -> Iterator[Any]:
    opened: list[Shop] = []

    def shop(**llm: Any) -> Shop:
        opened.append(Shop(database, tmp_path, stub, llm))
        return opened[-1]

    yield shop
    for one in opened:
        one.models.close()


def test_a_model_is_named_in_three_ways(shops: Any, stub: LlmStub) -> None:
    entry = {"provider": "here", "model": "m", "revision": "7", "extra": {"reasoning_effort": "low"}, "vision": False}
    models = shops(models={"mine": entry}).models
    mine, other = models.asker("mine", Sampling()), models.asker("here/vendor/m:free", Sampling(temperature=0.5))
    embedded = models.asker("gemma3-270m-q4", Sampling())
    assert (mine.card.name, mine.card.revision, mine.sees) == ("mine", "7", False)
    assert (other.card.name, other.card.revision, other.sees) == ("here/vendor/m:free", "here", True)
    assert other.card.parameters["temperature"] == 0.5
    assert (embedded.card.name, len(embedded.card.revision), embedded.sees) == ("gemma3-270m-q4", 64, False)
    assert stub.asked == []


def test_extra_parameters_and_the_model_s_own_name_are_sent(shops: Any, stub: LlmStub) -> None:
    shops(models={"mine": {"provider": "here", "model": "m", "extra": {"reasoning_effort": "low"}}}).ask("mine")
    assert (stub.asked[0].body["model"], stub.asked[0].body["reasoning_effort"]) == ("m", "low")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("away/m", "llm.providers.away: .* privacy is local"),
        ("nowhere/m", "no provider 'nowhere'"),
        ("here/", "write here/MODEL"),
        ("nothing", r"no chat model that runs here \(gemma3-270m-q4\).* PROVIDER/MODEL"),
        ("person-yolov8s", "is no chat model"),
    ],
)
def test_a_model_that_cannot_be_asked_says_why(shops: Any, name: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        shops().models.asker(name, Sampling())


def test_what_runs_here_is_free_and_known_by_its_source(shops: Any) -> None:
    shop = shops(budget_usd=0)
    reply = shop.ask("here/m")
    assert (reply.outcome, reply.usage.cost_usd, reply.usage.cost_source) == ("ok", 0, "local")
    assert shop.models.cost_per_question("here/m") == 0


def test_a_price_said_for_a_model_holds_here_too(shops: Any) -> None:
    entry = {"provider": "here", "model": "m", "prices": PRICES}
    shop = shops(models={"mine": entry})
    guess = shop.models.cost_per_question("mine")
    reply = shop.ask("mine")
    assert (float(reply.usage.cost_usd), reply.usage.cost_source) == (0.00014, "settings")
    assert shop.models.cost_per_question("mine") == 0.00014 < guess
    assert shop.models.cost_per_question("away/m") is None, "nobody knows"


def test_limits_of_the_day_and_of_a_purpose_both_hold(shops: Any, stub: LlmStub) -> None:
    entry = {"provider": "here", "model": "m", "prices": PRICES}
    of_day = shops(models={"mine": entry}, budget_usd=0.0001)
    assert of_day.ask("mine").outcome == "over_budget"
    shop = shops(models={"mine": entry}, budget_usd=1)
    assert shop.ask("mine", "one", purpose="experiment/x", budget_usd=0.0001).outcome == "over_budget"
    assert stub.asked == []
    assert shop.ask("mine", "two", purpose="experiment/x", budget_usd=0.1).outcome == "ok"


def test_askers_of_a_provider_share_its_limits(shops: Any) -> None:
    models = shops().models
    assert models.limits("here") is models.limits("here")
    assert models.limits("here") is not models.limits("away")
    assert models.transport("here/a") is models.transport("here/b"), "and its connections"


@pytest.mark.parametrize(
    ("batch_api", "name", "outcome"),
    [
        (True, "here/m", "waiting"),  # both want it
        (False, "here/m", "ok"),
    ],
)
def test_batches_are_used_where_settings_and_provider_want_them(
    shops: Any, batch_api: bool, name: str, outcome: str
) -> None:
    assert shops(batch_api=batch_api).ask(name).outcome == outcome


def test_cancelling_ends_all_of_them(shops: Any, stub: LlmStub) -> None:
    shop = shops()
    shop.models.cancel()
    reply = shop.ask("here/m")
    assert (reply.error, reply.retryable, stub.asked) == ("cancelled", True, [])
