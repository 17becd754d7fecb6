"""What questions to chat models cost, and what they may cost at most: dollars per token, in LiteLLM's names.

Unknown is ``None`` throughout, never 0. What does not belong here: reading price tables (``resources/price_table.py``),
adding up what was spent (``resources/chat_budget.py``).
"""

import decimal
from collections.abc import Mapping
from dataclasses import dataclass, field

from tagging_assets.domain.chat_settings import Prices

#: ``cost_source`` of models that run on this machine.
LOCAL = "local"
#: ``cost_source`` where the provider said what an answer cost.
REPORTED = "provider"
#: ``cost_source`` where the price is the settings' own word.
SETTINGS = "settings"

#: More tokens than any provider was seen to charge for one picture of at most 1280 pixels a side. OpenAI's smaller
#: models charge most: gpt-4o-mini 2,833 and 5,667 a tile of 512 pixels, of which there are six at most.
IMAGE_TOKENS = 40_000
#: Role, markers and the like around each message, at most.
MESSAGE_TOKENS = 32

#: Kept like this in Postgres.
_SMALLEST = decimal.Decimal("0.00000001")

# What LiteLLM calls providers that people name otherwise.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "together": ("together_ai",),
    "google": ("gemini",),
    "gemini": ("google",),
    "together_ai": ("together",),
    "grok": ("xai",),
}


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model and who says so (``cost_source`` of what is reckoned by them)."""

    prices: Prices
    source: str


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by name, as of a day.

    Attributes:
        source: ``prices of DATE``, or of whatever file.
        models: by ``PROVIDER/MODEL`` or ``MODEL``.
    """

    source: str
    models: Mapping[str, Prices] = field(default_factory=dict)

    def find(self, provider: str, model: str) -> Price | None:
        """Prices of a provider's model; ``None`` where the table has none.

        A model without its provider is looked up last: tables list some vendors' models that way.
        """
        for name in (f"{provider}/{model}", *(f"{alias}/{model}" for alias in _ALIASES.get(provider, ())), model):
            if name in self.models:
                return Price(self.models[name], self.source)
        return None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an answer took, as the provider counts; ``None`` where it does not say."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """What a question may take at most.

    Attributes:
        text_bytes: of everything said, schema included, in UTF-8; no tokenizer makes more tokens than bytes.
        messages: how many.
        images: how many.
        output_tokens: the most that may be answered, thinking included.
    """

    text_bytes: int
    messages: int
    images: int
    output_tokens: int


def cost(prices: Prices, tokens: Tokens, *, batch: bool = False) -> decimal.Decimal | None:
    """US dollars of an answer, rounded up to 1e-8; ``None`` where tokens or prices are not known.

    Args:
        prices: of the model.
        tokens: what it took; cached ones are part of the prompt's, and cost the same where no price of theirs is known.
        batch: whether a provider's batch answered; then only batch prices count, as the discount differs.
    """
    if tokens.prompt is None or tokens.completion is None:
        return None
    said = (prices.input_cost_per_token_batches, prices.output_cost_per_token_batches)
    per_input, per_output = said if batch else (prices.input_cost_per_token, prices.output_cost_per_token)
    if per_input is None or per_output is None:
        return None
    cached = 0 if batch else min(tokens.cached or 0, tokens.prompt)
    per_cached = prices.cache_read_input_token_cost
    fresh = _exact(per_input) * (tokens.prompt - cached)
    read = _exact(per_input if per_cached is None else per_cached) * cached
    return _kept(fresh + read + _exact(per_output) * tokens.completion)


def most(prices: Prices, size: Size, *, batch: bool = False) -> decimal.Decimal | None:
    """US dollars that a question can cost at most; ``None`` where no price is known.

    Args:
        prices: of the model.
        size: of the question.
        batch: whether it goes into a provider's batch; without batch prices it is reckoned at the full price.
    """
    tokens = size.text_bytes + size.messages * MESSAGE_TOKENS + size.images * IMAGE_TOKENS
    return cost(prices, Tokens(tokens, size.output_tokens), batch=batch) or cost(
        prices, Tokens(tokens, size.output_tokens)
    )


def _exact(price: float) -> decimal.Decimal:
    return decimal.Decimal(str(price))


def _kept(dollars: decimal.Decimal) -> decimal.Decimal:
    return dollars.quantize(_SMALLEST, rounding=decimal.ROUND_CEILING)
