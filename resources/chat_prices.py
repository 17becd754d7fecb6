"""What chat models cost, by the settings' word and the price tables.

What does not belong here: reckoning (``tagging_assets/domain/prices.py``), reading tables
(``resources/price_table.py``).
"""

from dataclasses import replace

from resources.llm_transport import is_loopback
from resources.price_table import our_prices, prices_in
from tagging_assets.domain.chat import Usage
from tagging_assets.domain.chat_settings import EMBEDDED, Chat, ChatModelEntry
from tagging_assets.domain.prices import SETTINGS, Price, Tokens, cost


class ChatPrices:
    """Looks prices up.

    Args:
        llm: the section of the settings.
    """

    def __init__(self, llm: Chat) -> None:
        self._llm = llm

    def is_free(self, entry: ChatModelEntry) -> bool:
        """Whether a model runs on this machine and no prices are said for it, so that nothing is paid."""
        here = entry.provider == EMBEDDED or is_loopback(self._llm.providers[entry.provider].base_url)
        return here and entry.prices is None

    def find(self, provider: str, model: str) -> Price | None:
        """What a provider's model costs; ``None`` where nobody knows.

        Asked are the settings' word, ``llm.price_table``, and the table that comes along, in this order.

        Raises:
            SettingsError: the price table cannot be read.
        """
        for entry in self._llm.models.values():
            if entry.prices is not None and (entry.provider, entry.model) == (provider, model):
                return Price(entry.prices, SETTINGS)
        named = prices_in(self._llm.price_table).find(provider, model) if self._llm.price_table else None
        return named or our_prices().find(provider, model)

    def of_batch(self, provider: str, model: str, usage: Usage) -> Usage:
        """The usage of an answer from a provider's batch, with its cost where anybody knows it."""
        price = self.find(provider, model)
        if usage.cost_usd is not None or price is None:
            return usage
        tokens = Tokens(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)
        spent = cost(price.prices, tokens, batch=True)
        return replace(usage, cost_usd=spent, cost_source="" if spent is None else price.source)
