"""The section ``llm`` of ``tagging.yaml``: which chat models there are, where they answer, and how they are asked.

A model is named in one of three ways: a name under ``llm.models``; ``PROVIDER/MODEL`` with a provider under
``llm.providers`` (``openrouter/deepseek/deepseek-v3.2``); or a chat entry of the catalogue of weights, which then runs
on this machine. Keys come from the environment only.

What does not belong here: endpoints, prices and requests (``resources``).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic

from tagging_assets.domain.errors import SettingsError

#: Provider of models that run on this machine, in a process of this project's own.
EMBEDDED = "embedded"

_UNDER_SAMPLING = "write it under llm.sampling"

#: By the last word of its name, what to do about a setting that people look for in this section and that is not there.
ADVICE: Mapping[str, str] = {
    "base_url": "name the server under llm.providers, and write llm.model: PROVIDER/MODEL",
    "api_key_env": "say it with the server, under llm.providers",
    "api_key": "keys come from the environment: api_key_env names the variable",
    "key": "keys come from the environment: api_key_env names the variable",
    "temperature": _UNDER_SAMPLING,
    "top_p": _UNDER_SAMPLING,
    "seed": _UNDER_SAMPLING,
    "max_output_tokens": _UNDER_SAMPLING,
    "max_tokens": "write llm.sampling.max_output_tokens",
    "structured": _UNDER_SAMPLING,
}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: How tagger and chat model work together; see ``domain/asking.py``.
Strategy = Literal["quick", "standard", "detailed"]


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Prices(_Section):
    """US dollars per token, in the names of LiteLLM's price table; what is not said is not known."""

    input_cost_per_token: float = pydantic.Field(ge=0)
    output_cost_per_token: float = pydantic.Field(ge=0)
    cache_read_input_token_cost: float | None = pydantic.Field(default=None, ge=0)
    input_cost_per_token_batches: float | None = pydantic.Field(default=None, ge=0)
    output_cost_per_token_batches: float | None = pydantic.Field(default=None, ge=0)


class Provider(_Section):
    """A server that speaks OpenAI's chat protocol."""

    base_url: str
    api_key_env: str = ""
    concurrency: int = pydantic.Field(default=4, ge=1, le=256)
    requests_per_minute: int | None = pydantic.Field(default=None, ge=1)
    batch_api: bool = False

    # Not of the field alone: pydantic would name its value, which may be a key.
    @pydantic.model_validator(mode="after")
    def _names_a_variable(self) -> "Provider":
        if self.api_key_env and not _VARIABLE.fullmatch(self.api_key_env):
            raise ValueError(
                "api_key_env: write the name of the environment variable that holds the key, not the key itself"
            )
        return self


class ChatModelEntry(_Section):
    """A model of a provider, with what its users know about it."""

    provider: str
    model: str
    revision: str = ""
    vision: bool | None = None
    extra: dict[str, Any] = {}  # sent with every request, such as reasoning_effort
    prices: Prices | None = None


class Sampling(_Section):
    """How a model draws its words; part of a request's hash."""

    temperature: float = pydantic.Field(default=0.0, ge=0, le=2)
    top_p: float | None = pydantic.Field(default=None, gt=0, le=1)
    seed: int = 0
    max_output_tokens: int | None = pydantic.Field(default=None, ge=1)
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"


class Chat(_Section):
    """The whole section."""

    enabled: bool = True
    model: str = "gemma3-270m-q4"
    strategy: Strategy = "standard"
    prompt: str = "select"
    caption_prompt: str | None = None
    merge_prompt: str = "merge"
    vocabulary: Path | None = None
    max_tags: int = pydantic.Field(default=5, ge=1, le=50)
    allowed_tags: int = pydantic.Field(default=40, ge=2, le=2000)
    only_evidenced: bool = True
    image_side: int = pydantic.Field(default=768, ge=64, le=1280)
    sampling: Sampling = Sampling()
    timeout_seconds: float = pydantic.Field(default=120, gt=0)
    patience_seconds: float = pydantic.Field(default=180, gt=0)
    concurrency: int = pydantic.Field(default=1, ge=1, le=64)  # of the embedded model
    batch_api: bool = False
    budget_usd: float | None = pydantic.Field(default=None, ge=0)
    price_table: Path | None = None
    providers: dict[str, Provider] = {}
    models: dict[str, ChatModelEntry] = {}

    @pydantic.model_validator(mode="after")
    def _providers_exist(self) -> "Chat":
        if EMBEDDED in self.providers:
            raise ValueError(f"providers: {EMBEDDED} is the name of what runs here; choose another")
        for name, entry in self.models.items():
            if entry.provider not in self.providers:
                there_are = ", ".join(sorted(self.providers)) or "none"
                raise ValueError(f"models: {name}: provider {entry.provider!r} is unknown; there are: {there_are}")
        return self

    def find(self, name: str) -> ChatModelEntry:
        """What a model's name stands for; an unlisted name without a provider is an entry of the catalogue.

        Raises:
            SettingsError: it names a provider and no model.
        """
        if name in self.models:
            return self.models[name]
        provider, slash, model = name.partition("/")
        if provider in self.providers:
            if not model:
                raise SettingsError(f"llm.model {name!r}: write {provider}/MODEL")
            return ChatModelEntry(provider=provider, model=model)
        if slash:
            there_are = ", ".join(sorted(self.providers)) or "none"
            raise SettingsError(
                f"llm.model {name!r}: no provider {provider!r} under llm.providers; there are: {there_are}"
            )
        return ChatModelEntry(provider=EMBEDDED, model=name)
