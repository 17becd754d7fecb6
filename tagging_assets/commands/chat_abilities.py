"""What the chat models of the settings can do, as ``tagging models`` tells it: asked now, or as it was last seen."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from resources.chat_abilities import ChatAbilities
from resources.chat_models import ChatModels
from resources.weights import WeightsStore
from tagging_assets.commands.console import print_note, print_table
from tagging_assets.commands.session import open_database
from tagging_assets.domain.chat_settings import EMBEDDED, Chat
from tagging_assets.domain.errors import DatabaseUnavailable, SettingsError
from tagging_assets.settings import Settings

#: By chat model's name: ``name``, ``provider``, ``provider_model``, ``in_use``, ``asked`` (now), ``probed``, and
#: ``why_not`` where it is not asked.
Chats = dict[str, dict[str, Any]]

#: What a probe tells, in the order of the table.
_ABILITIES = ("vision", "json_schema", "json_object", "logprobs", "listed")


def remembered(settings: Settings) -> Chats:
    """The chat models of the settings, each with what the last probe saw; starts no database for it."""
    chats = _named(settings.llm)
    if not os.environ.get("TAGGING_DATABASE_URL") and not (settings.data_dir / "postgres").is_dir():
        return chats
    try:
        database = open_database(settings)
    except DatabaseUnavailable:
        return chats
    try:
        abilities = ChatAbilities(database.engine)
        for one in chats.values():
            one["probed"] = dict(abilities.probed(one["provider"], one["provider_model"]))
    finally:
        database.close()
    return chats


def probed(settings: Settings, weights: WeightsStore) -> Chats:
    """The same, each asked now if the settings allow it; says before what that costs.

    Raises:
        DatabaseUnavailable: Postgres does not answer.
    """
    chats = _named(settings.llm)
    if not chats:
        return chats
    database = open_database(settings)
    models = ChatModels(settings, database.engine, weights)
    abilities = ChatAbilities(database.engine)
    try:
        probes = {}
        for name, one in chats.items():
            one["probed"] = dict(abilities.probed(one["provider"], one["provider_model"]))
            one["why_not"] = _missing(one, weights)
            if not one["why_not"]:
                try:
                    probes[name] = models.probe(name)
                except SettingsError as error:
                    one["why_not"] = str(error)
        _say({name: probe.at_most_usd for name, probe in probes.items()})
        for name, probe in probes.items():
            one = chats[name]
            one["asked"] = True
            one["probed"] = {**probe.run().told(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
            abilities.saw(one["provider"], one["provider_model"], one["probed"])
    finally:
        models.close()
        database.close()
    return chats


def _named(llm: Chat) -> Chats:
    """The model in use first."""
    if not llm.enabled:
        return {}
    found = {}
    for name in dict.fromkeys((llm.model, *llm.models)):
        entry = llm.find(name)
        found[name] = {
            "name": name,
            "provider": entry.provider,
            "provider_model": entry.model,
            "in_use": name == llm.model,
            "asked": False,
            "probed": {},
            "why_not": "",
        }
    return found


def _missing(one: Mapping[str, Any], weights: WeightsStore) -> str:
    if one["provider"] != EMBEDDED:
        return ""
    if all(file.state == "ready" for file in weights.status(one["provider_model"])):
        return ""
    return "its weights are not here; run `tagging models pull`"


def _say(costs: Mapping[str, float | None]) -> None:
    for name, most in costs.items():
        money = "nobody knows what it costs" if most is None else "free" if not most else f"at most ${most:.4f}"
        print_note(
            f"{name}: asking what it can do: 5 questions, a few hundred tokens and one small picture; {money}.",
        )


def state(one: Mapping[str, Any]) -> str:
    """``answers``, ``silent``, or ``unknown`` where it was not asked."""
    return {True: "answers", False: "silent"}.get(one["probed"].get("answers"), "unknown")


def is_silent(one: Mapping[str, Any]) -> bool:
    """Whether a model is in use, was asked just now, and did not answer."""
    return bool(one["in_use"] and one["asked"] and state(one) == "silent")


def show(chats: Chats) -> None:
    """Tell a person, and on stderr why a model was not asked or does not answer."""
    if not chats:
        return
    print_table(
        "chat models of the settings",
        ["model", "at", "state", *(ability.removeprefix("json_") for ability in _ABILITIES), "s"],
        [
            (
                name,
                "-" if name == (place := f"{one['provider']}/{one['provider_model']}") else place,
                state(one),
                *(_word(one["probed"].get(ability)) for ability in _ABILITIES),
                one["probed"].get("seconds") or "-",
            )
            for name, one in chats.items()
        ],
    )
    for name, one in chats.items():
        why = one["why_not"] or one["probed"].get("errors", {}).get("answers")
        if why:
            asked = "not asked" if one["why_not"] else "does not answer"
            print_note(f"{name}: {asked}: {why}")


def _word(able: bool | None) -> str:
    return "?" if able is None else "yes" if able else "no"
