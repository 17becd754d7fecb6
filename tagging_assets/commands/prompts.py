"""``tagging prompts``: what the chat model is asked and what label sets look for, with their hashes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from resources.label_store import load_label_sets
from resources.prompt_store import PromptStore
from tagging_assets.commands.console import print_table, stdout
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import load_settings


def listing(settings_path: Path | None) -> list[dict[str, Any]]:
    """Every prompt and label set, and whether the settings use it."""
    settings = load_settings(settings_path)
    prompts = PromptStore(settings.prompts_dir / "llm").all()
    label_sets = load_label_sets(settings.prompts_dir / "labels").values()
    return [
        *(
            {
                "name": prompt.id,
                "kind": "prompt",
                "used": settings.llm.enabled and prompt.id == settings.llm.prompt,
                "hash": prompt.hash,
                "purpose": prompt.purpose,
            }
            for prompt in prompts
        ),
        *(
            {
                "name": one.name,
                "kind": "label set",
                "used": one.name in settings.label_sets,
                "hash": one.hash,
                "purpose": f"{len(one.labels)} labels, scope {one.scope}" + (", exclusive" if one.exclusive else ""),
            }
            for one in label_sets
        ),
    ]


def one(settings_path: Path | None, name: str) -> dict[str, Any]:
    """One of them, whole.

    Raises:
        SettingsError: there is none of that name.
    """
    settings = load_settings(settings_path)
    found = next((told for told in listing(settings_path) if told["name"] == name), None)
    if found is None:
        raise SettingsError(f'no prompt or label set "{name}"; `tagging prompts list` shows what there is')
    folder, suffix = ("llm", "md") if found["kind"] == "prompt" else ("labels", "yaml")
    path = settings.prompts_dir / folder / f"{name}.{suffix}"
    return {**found, "path": str(path), "text": path.read_text(encoding="utf-8")}


def show_list(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person."""
    print_table(
        "prompts and label sets",
        ["name", "kind", "used", "hash", "purpose"],
        [(one["name"], one["kind"], "yes" if one["used"] else "", one["hash"][:12], one["purpose"]) for one in told],
    )


def show(told: dict[str, Any]) -> None:
    """Print one."""
    stdout.print(f"[dim]{escape(told['path'])}  {told['hash']}[/dim]", soft_wrap=True)
    stdout.print(escape(told["text"]), highlight=False, soft_wrap=True)
