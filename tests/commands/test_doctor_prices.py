"""What `tagging doctor` says of the chat model in use."""

from typing import Any

import pytest

from tagging_assets.commands.doctor import _chat_model
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import Settings

PROVIDERS = {
    "openai": {"base_url": "https://llm.example.com/v1", "api_key_env": "SOME_KEY"},
    "here": {"base_url": "http://127.0.0.1:9/v1"},
}


def says(**llm: Any) -> str:
    return _chat_model(Settings.model_validate({"privacy": "remote", "llm": {"providers": PROVIDERS, **llm}}))


@pytest.mark.parametrize(
    ("llm", "expected"),
    [
        ({"enabled": False}, "off"),
        ({"model": "here/m"}, "m at here (http://127.0.0.1:9/v1), free of charge"),
        ({"model": "openai/gpt-5-mini"}, "$0.25 and $2 per million tokens in and out (prices of 20"),
        ({"model": "openai/new"}, "at a price that nobody knows"),
    ],
)
def test_who_is_asked_and_at_what_price(monkeypatch: pytest.MonkeyPatch, llm: dict[str, Any], expected: str) -> None:
    monkeypatch.setenv("SOME_KEY", "k")
    assert expected in says(**llm)


@pytest.mark.parametrize(
    ("key", "llm", "complaint"),
    [
        ("", {"model": "openai/gpt-5-mini"}, "SOME_KEY is not set"),
        ("k", {"model": "openai/new", "budget_usd": 1}, "nobody knows what openai/new costs; say prices"),
        ("k", {"model": "nowhere/m"}, "no provider 'nowhere'"),
    ],
)
def test_what_would_go_wrong(monkeypatch: pytest.MonkeyPatch, key: str, llm: dict[str, Any], complaint: str) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(SettingsError, match=complaint):
        says(**llm)
