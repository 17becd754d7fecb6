"""Reads price tables: the one that comes along, and files in the form of LiteLLM's.

What does not belong here: reckoning (``tagging_assets/domain/prices.py``).
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pydantic

from tagging_assets.domain.chat_settings import Prices
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prices import PriceTable
from tagging_assets.text_files import read_text, read_yaml

_OURS = Path(__file__).with_name("prices.yaml")


@cache
def our_prices() -> PriceTable:
    """The table that comes along."""
    said = read_yaml(_OURS)
    return PriceTable(f"prices of {said['date']}", _models(said["models"], _OURS))


@cache
def prices_in(path: Path) -> PriceTable:
    """A file in the form of LiteLLM's ``model_prices_and_context_window.json``, or a YAML like ours.

    Entries without a price of input and output tokens (pictures, speech, …) are left out.

    Raises:
        SettingsError: it cannot be read, or is no such table.
    """
    try:
        said = json.loads(read_text(path)) if path.suffix == ".json" else read_yaml(path)
    except SettingsError as error:
        raise SettingsError(f"llm.price_table: {error}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"llm.price_table: {path} is neither JSON nor YAML") from error
    if not isinstance(said, dict):
        raise SettingsError(f"llm.price_table: {path} must map models to prices, as LiteLLM's table does")
    models = said.get("models", said)
    return PriceTable(f"prices of {said.get('date', path.name)}", _models(models, path))


def _models(said: Mapping[str, Any], path: Path) -> dict[str, Prices]:
    found = {}
    for name, entry in said.items():
        if not isinstance(entry, dict) or name == "sample_spec":
            continue
        known = {key: entry[key] for key in Prices.model_fields if entry.get(key) is not None}
        if {"input_cost_per_token", "output_cost_per_token"} <= set(known):
            try:
                found[name] = Prices.model_validate(known)
            except pydantic.ValidationError as error:
                complaint = error.errors()[0]["msg"]
                raise SettingsError(f"llm.price_table: {path}: {name}: {complaint}") from error
    return found
