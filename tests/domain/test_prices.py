import decimal
import random

import pytest

from tagging_assets.domain.chat_settings import Prices
from tagging_assets.domain.prices import IMAGE_TOKENS, MESSAGE_TOKENS, Price, PriceTable, Size, Tokens, cost, most

PLAIN = Prices(input_cost_per_token=1e-6, output_cost_per_token=4e-6)
CACHED = PLAIN.model_copy(update={"cache_read_input_token_cost": 1e-7})
BATCHED = CACHED.model_copy(update={"input_cost_per_token_batches": 5e-7, "output_cost_per_token_batches": 2e-6})


@pytest.mark.parametrize(
    ("prices", "tokens", "batch", "dollars"),
    [
        (PLAIN, Tokens(100, 10), False, "0.00014"),
        (PLAIN, Tokens(100, 10, cached=60), False, "0.00014"),  # no price for cached ones: they cost the same
        (CACHED, Tokens(100, 10, cached=60), False, "0.000086"),
        (CACHED, Tokens(100, 10, cached=600), False, "0.00005"),  # no more cached than there are
        (PLAIN, Tokens(0, 0), False, "0"),  # nothing is nothing
        (PLAIN, Tokens(None, 10), False, None),  # not known is not nothing
        (PLAIN, Tokens(100, None), False, None),
        (BATCHED, Tokens(100, 10, cached=60), True, "0.00007"),  # batches have no cache
        (CACHED, Tokens(100, 10), True, None),  # whatever the discount is
        (Prices(input_cost_per_token=1e-9, output_cost_per_token=0), Tokens(1, 1), False, "0.00000001"),  # rounded up
        (Prices(input_cost_per_token=0, output_cost_per_token=0), Tokens(9, 9), False, "0"),  # a free model
    ],
)
def test_what_an_answer_cost(prices: Prices, tokens: Tokens, batch: bool, dollars: str | None) -> None:
    expected = None if dollars is None else decimal.Decimal(dollars)
    assert cost(prices, tokens, batch=batch) == expected


def test_pennies_add_up_exactly() -> None:
    prices = Prices(input_cost_per_token=0.1e-6, output_cost_per_token=0.2e-6)
    calls = [cost(prices, Tokens(1, 1)) for _ in range(1000)]
    assert sum(one for one in calls if one is not None) == decimal.Decimal("0.0003")


def test_the_most_counts_bytes_messages_pictures_and_the_longest_answer() -> None:
    size = Size(text_bytes=1_000, messages=2, images=1, output_tokens=50)
    prompt = 1_000 + 2 * MESSAGE_TOKENS + IMAGE_TOKENS
    assert most(PLAIN, size) == cost(PLAIN, Tokens(prompt, 50))
    assert most(BATCHED, size, batch=True) == cost(BATCHED, Tokens(prompt, 50), batch=True)
    assert most(PLAIN, size, batch=True) == most(PLAIN, size), "without a batch price the full one is reserved"


def test_no_answer_costs_more_than_the_most() -> None:
    chance = random.Random(4)
    for _ in range(500):
        text, images, output = chance.randrange(1, 9_000), chance.randrange(3), chance.randrange(1, 900)
        prompt = chance.randrange(text + images * IMAGE_TOKENS + 1)
        tokens = Tokens(prompt, chance.randrange(output + 1), chance.randrange(prompt + 1))
        highest, real = most(CACHED, Size(text, 2, images, output)), cost(CACHED, tokens)
        assert highest is not None
        assert real is not None
        assert real <= highest


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("openai", "gpt", 1),  # by provider and model
        ("together", "llama", 2),  # by the name that LiteLLM gives the provider
        ("openrouter", "vendor/big", 3),  # by the model alone
        ("openai", "unknown", None),
        ("openai", "", None),
    ],
)
def test_a_table_is_asked_from_the_narrowest_name_on(provider: str, model: str, found: int | None) -> None:
    names = {"openai/gpt": 1, "gpt": 9, "together_ai/llama": 2, "vendor/big": 3}
    prices = {name: Prices(input_cost_per_token=one, output_cost_per_token=0) for name, one in names.items()}
    table = PriceTable("prices of 2026-01-01", prices)
    expected = (
        None if found is None else Price(Prices(input_cost_per_token=found, output_cost_per_token=0), table.source)
    )
    assert table.find(provider, model) == expected
