import json
from pathlib import Path

import pytest

from resources.chat_prices import ChatPrices
from resources.price_table import our_prices, prices_in
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.chat_settings import Chat
from tagging_assets.domain.errors import SettingsError

LITELLM = {
    "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "mode": "one of: chat"},
    "gpt-x": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "litellm_provider": "openai"},
    "dall-e": {"output_cost_per_image": 0.04},
    "half": {"input_cost_per_token": 1e-06},
}


def write(path: Path, said: object) -> Path:
    path.write_text(said if isinstance(said, str) else json.dumps(said), encoding="utf-8")
    return path


def test_the_table_that_comes_along_is_dated_and_plausible() -> None:
    table = our_prices()
    assert table.source.startswith("prices of 20")
    assert len(table.models) > 30
    for name, prices in table.models.items():
        assert name.count("/") >= 1, "by provider and model"
        assert 1e-9 < prices.input_cost_per_token <= prices.output_cost_per_token < 1e-4, name
        assert (prices.cache_read_input_token_cost or 0) < prices.input_cost_per_token
        if prices.input_cost_per_token_batches is not None:
            assert prices.input_cost_per_token_batches < prices.input_cost_per_token


def test_a_table_of_litellm_is_read(tmp_path: Path) -> None:
    table = prices_in(write(tmp_path / "prices.json", LITELLM))
    assert set(table.models) == {"gpt-x"}
    assert table.source == "prices of prices.json"


@pytest.mark.parametrize(
    ("name", "said", "complaint"),
    [
        ("none.json", None, "cannot be read"),
        ("bad.json", "{", "neither JSON nor YAML"),
        ("list.yaml", "- a", "must map models"),
        ("minus.json", {"m": {"input_cost_per_token": -1, "output_cost_per_token": 0}}, "m: Input should be greater"),
    ],
)
def test_a_table_that_makes_no_sense_says_so(tmp_path: Path, name: str, said: object, complaint: str) -> None:
    path = tmp_path / name
    if said is not None:
        write(path, said)
    with pytest.raises(SettingsError, match=complaint) as error:
        prices_in(path)
    assert "\n" not in str(error.value)


def test_who_is_asked_first(tmp_path: Path) -> None:
    table = write(tmp_path / "p.json", {**LITELLM, "openai/gpt-5-mini": LITELLM["gpt-x"]})
    own = {"input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6}
    providers = {"openai": {"base_url": "https://api.example.com/v1"}, "here": {"base_url": "http://127.0.0.1:1/v1"}}
    llm = Chat.model_validate(
        {
            "providers": providers,
            "price_table": table,
            "models": {"mine": {"provider": "openai", "model": "gpt-5-nano", "prices": own}},
        }
    )
    prices = ChatPrices(llm)
    sources = [price.source if (price := prices.find("openai", name)) else None for name in PLACES]
    assert sources == ["settings", "prices of p.json", our_prices().source, None]
    free = {name: prices.is_free(llm.find(name)) for name in ("mine", "here/m", "openai/m", "gemma3-270m-q4")}
    assert free == {"mine": False, "here/m": True, "openai/m": False, "gemma3-270m-q4": True}


PLACES = ("gpt-5-nano", "gpt-5-mini", "gpt-4o", "no such")


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("gpt-5-mini", our_prices().source),  # half the price
        ("no such", ""),  # nobody knows
    ],
)
def test_an_answer_of_a_batch_costs_the_batch_price(model: str, source: str) -> None:
    llm = Chat.model_validate({"providers": {"openai": {"base_url": "https://api.example.com/v1"}}})
    usage = ChatPrices(llm).of_batch("openai", model, Usage(1_000_000, 0))
    assert (usage.cost_source, usage.cost_usd is None) == (source, source == "")
