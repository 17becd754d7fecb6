"""Makes askers of chat models from the settings: who serves a model, what it costs, what may be spent.

What does not belong here: asking (``resources/llm_engine.py``), wording (``tagging_assets/domain/asking.py``).
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from resources.cancelling import Cancellation
from resources.catalogue import Catalogue, Entry
from resources.chat_abilities import ChatAbilities
from resources.chat_accounts import Books
from resources.chat_budget import ChatBudget, Limit
from resources.chat_limits import ProviderLimits
from resources.chat_prices import ChatPrices
from resources.chat_probe import PURPOSE, ChatProbe
from resources.chat_question import ChatOptions
from resources.ledger import Ledger
from resources.llm_engine import ChatEngine, ChatServices
from resources.llm_server import ChatServer, Endpoint, ServerOptions
from resources.llm_transport import ChatTransport, remote_endpoint
from resources.question_locks import QuestionLocks
from resources.waiting_questions import WaitingQuestions
from resources.weights import WeightsStore
from tagging_assets.domain.chat_settings import EMBEDDED, Chat, ChatModelEntry, Sampling
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prices import Size, most
from tagging_assets.settings import Settings

#: What a typical question of ours takes at most, to guess at costs before the first is asked: a prompt with forty
#: tags, one picture, and the answer.
_TYPICAL = Size(text_bytes=4_000, messages=2, images=1, output_tokens=500)


class ChatModels:
    """Askers that share what is one per process: servers, connections, rate limits, locks. Safe from several threads.

    Args:
        settings: of the project.
        engine: on the project's Postgres, migrated.
        weights: of models that run here.

    Attributes:
        prices: of every model.
    """

    def __init__(self, settings: Settings, engine: sa.Engine, weights: WeightsStore) -> None:
        self._settings = settings
        self._llm: Chat = settings.llm
        self._weights = weights
        self.prices = ChatPrices(settings.llm)
        self._cancellation = Cancellation()
        self._books = Books(Ledger(engine), ChatBudget(engine), WaitingQuestions(engine))
        self._abilities = ChatAbilities(engine)
        self._locks = QuestionLocks(engine, self._cancellation)
        self._lock = threading.Lock()
        self._limits: dict[str, ProviderLimits] = {}
        self._servers: dict[str, ChatServer] = {}
        self._transports: dict[str, ChatTransport] = {}

    def asker(self, name: str, sampling: Sampling, *, purpose: str = "", budget_usd: float | None = None) -> ChatEngine:
        """Who asks a model.

        Args:
            name: as in ``llm.model``.
            sampling: how it draws its words.
            purpose: what the money is for: ``""`` for tagging, else ``experiment/NAME``.
            budget_usd: limit of everything ever spent for this purpose, beside the settings' limit of a day.

        Raises:
            SettingsError: there is no such model or provider, or ``privacy`` forbids it.
        """
        entry = self._llm.find(name)
        limits = [Limit.daily(self._llm.budget_usd)] if self._llm.budget_usd is not None else []
        if budget_usd is not None:
            limits.append(Limit.of(purpose, budget_usd))
        services = ChatServices(
            self.limits(entry.provider), replace(self._books, limits=tuple(limits)), self._abilities, self._locks
        )
        return ChatEngine(self._options(name, entry, sampling, purpose), self.transport(name), services)

    def probe(self, name: str) -> ChatProbe:
        """What finds out what a model can do.

        Raises:
            SettingsError: as :meth:`asker`.
        """
        entry = self._llm.find(name)
        limits = [Limit.daily(self._llm.budget_usd)] if self._llm.budget_usd is not None else []
        options = self._options(name, entry, self._llm.sampling, PURPOSE)
        dialect = self._abilities.dialect(entry.provider, entry.model)
        return ChatProbe(options, self.transport(name), replace(self._books, limits=tuple(limits)), dialect)

    def transport(self, name: str) -> ChatTransport:
        """What sends requests to who serves a model.

        Raises:
            SettingsError: as :meth:`asker`.
        """
        entry = self._llm.find(name)
        place = f"{EMBEDDED}/{entry.model}" if entry.provider == EMBEDDED else entry.provider
        connect = self._connect(entry)
        with self._lock:
            if place not in self._transports:
                self._transports[place] = ChatTransport(connect, self._llm.timeout_seconds, self._cancellation)
            return self._transports[place]

    def connection(self, provider: str) -> Callable[[], Endpoint]:
        """Where a provider answers.

        Raises:
            SettingsError: the settings have no such provider (any more), or ``privacy`` forbids it.
        """
        if provider not in self._llm.providers:
            raise SettingsError(
                "is not under llm.providers of the settings; put it back, or its batches stay where they are"
            )
        return self._connect(ChatModelEntry(provider=provider, model=""))

    def limits(self, provider: str) -> ProviderLimits:
        """Rate limits of a provider, the same for all who ask it."""
        said = self._llm.providers.get(provider)
        with self._lock:
            if provider not in self._limits:
                self._limits[provider] = ProviderLimits(
                    said.concurrency if said else self._llm.concurrency,
                    said.requests_per_minute if said else None,
                    self._cancellation,
                )
            return self._limits[provider]

    def cost_per_question(self, name: str) -> float | None:
        """US dollars of a question: the mean of those asked, else the most that a typical one costs.

        ``None`` where nobody knows.
        """
        entry = self._llm.find(name)
        if self.prices.is_free(entry):
            return 0.0
        mean = self._books.ledger.mean_cost(entry.provider, entry.model) if self._books.ledger else None
        price = self.prices.find(entry.provider, entry.model)
        if mean is not None or price is None:
            return mean
        guess = most(price.prices, _TYPICAL, batch=self._in_batches(entry))
        return None if guess is None else float(guess)

    def cancel(self) -> None:
        """End all waits and send nothing new, for good; questions under way end as failed."""
        self._cancellation.cancel()

    def close(self) -> None:
        """Stop servers and give connections back; what was never used costs nothing."""
        with self._lock:
            transports, servers = list(self._transports.values()), list(self._servers.values())
        for transport in transports:
            transport.close()
        for server in servers:
            server.stop()
        self._locks.close()

    def _in_batches(self, entry: ChatModelEntry) -> bool:
        provider = self._llm.providers.get(entry.provider)
        return self._llm.batch_api and provider is not None and provider.batch_api

    def _options(self, name: str, entry: ChatModelEntry, sampling: Sampling, purpose: str) -> ChatOptions:
        free = self.prices.is_free(entry)
        options = ChatOptions(
            model=entry.model,
            name=name,
            provider=entry.provider,
            revision=entry.revision,
            vision=entry.vision,
            extra=entry.extra,
            sampling=sampling,
            free=free,
            price=None if free else self.prices.find(entry.provider, entry.model),
            batch=self._in_batches(entry),
            purpose=purpose,
            patience_seconds=self._llm.patience_seconds,
        )
        if entry.provider != EMBEDDED:
            return options
        known = chat_entry(self._weights.catalogue, entry.model)
        return replace(
            options,
            revision=self._weights.catalogue.revision(entry.model),
            vision=bool(known.capabilities.get("vision", False)),
        )

    def _connect(self, entry: ChatModelEntry) -> Callable[[], Endpoint]:
        if entry.provider != EMBEDDED:
            provider = self._llm.providers[entry.provider]
            try:
                return remote_endpoint(provider.base_url, provider.api_key_env, self._settings.privacy)
            except SettingsError as error:
                raise SettingsError(f"llm.providers.{entry.provider}: {error}") from error
        with self._lock:
            if entry.model not in self._servers:
                path: Callable[[], Path] = partial(self._weights.path, entry.model)
                options = ServerOptions(alias=entry.model, slots=self._llm.concurrency)
                self._servers[entry.model] = ChatServer(path, options, log_dir=self._settings.data_dir / "logs")
            return self._servers[entry.model].endpoint


def chat_entry(catalogue: Catalogue, name: str) -> Entry:
    """The entry of a chat model that runs here.

    Raises:
        SettingsError: the name stands for no chat model.
    """
    there_are = [entry.name for entry in catalogue.entries.values() if "chat" in entry.tasks]
    if name not in there_are:
        raise SettingsError(
            f"llm.model {name!r}: is no chat model that runs here ({', '.join(there_are)}), and no name under "
            "llm.models; a provider's is written PROVIDER/MODEL"
        )
    return catalogue.entry(name)
