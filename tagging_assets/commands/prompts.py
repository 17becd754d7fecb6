"""``tagging prompts``: what the chat model is asked and what label sets look for, with their hashes."""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from resources.database import Database
from resources.label_store import load_label_sets
from resources.prompt_store import PromptStore, load_prompt
from tagging_assets.commands.console import print_line, print_table, print_text, styled
from tagging_assets.commands.session import open_database
from tagging_assets.domain.asking_way import prompts_of
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.text_differences import SourceText, unified
from tagging_assets.settings import Settings, load_settings

_HASH = re.compile(r"[0-9a-f]{6,64}")


def listing(settings_path: Path | None) -> list[dict[str, Any]]:
    """Every prompt and label set, and whether the settings use it."""
    settings = load_settings(settings_path)
    prompts = _store(settings).all()
    label_sets = load_label_sets(settings.prompts_dir / "labels").values()
    used = prompts_of(settings.llm) if settings.llm.enabled else ()
    return [
        *(
            {
                "name": prompt.id,
                "kind": "prompt",
                "mode": prompt.mode,
                "used": prompt.id in used,
                "hash": prompt.hash,
                "purpose": prompt.purpose,
            }
            for prompt in prompts
        ),
        *(
            {
                "name": one.name,
                "kind": "label set",
                "mode": None,
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


def diff(settings_path: Path | None, a: str, b: str) -> dict[str, Any]:
    """What two prompts say differently.

    Args:
        settings_path: of the project.
        a: a prompt's id, a prompt's file, or the first digits of the hash of one that was ever in use.
        b: the other.

    Returns:
        ``a`` and ``b`` (each ``name`` and ``hash``) and ``diff``, the lines of a unified diff.

    Raises:
        SettingsError: there is no such prompt, or several.
    """
    with closing(_Versions(load_settings(settings_path))) as versions:
        (hash_a, old), (hash_b, new) = versions.find(a), versions.find(b)
    return {
        "a": {"name": old.name, "hash": hash_a},
        "b": {"name": new.name, "hash": hash_b},
        "diff": unified(replace(old, name=f"{old.name} {hash_a[:12]}"), replace(new, name=f"{new.name} {hash_b[:12]}")),
    }


class _Versions:
    """Prompts as they are and as they were; the database is opened for the latter only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None

    def find(self, name: str) -> tuple[str, SourceText]:
        store = _store(self._settings)
        if name in store.ids() or Path(name).is_file():
            prompt = store.get(name) if name in store.ids() else load_prompt(Path(name))
            return prompt.hash, SourceText("prompt", prompt.id, prompt.text)
        if not _HASH.fullmatch(name):
            raise SettingsError(
                f'no prompt "{name}"; give an id (there are: {", ".join(store.ids())}), a file, or 6 digits or more of '
                "the hash of an earlier version"
            )
        if self._database is None:
            self._database = open_database(self._settings)
        found = {key: one for key, one in self._database.texts_by_hash(name).items() if one.kind == "prompt"}
        if len(found) != 1:
            raise SettingsError(f'{len(found)} prompts were in use whose hash begins with "{name}"; give other digits')
        return next(iter(found.items()))

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


def show_diff(told: dict[str, Any]) -> None:
    """Tell a person."""
    if not told["diff"]:
        print_line("They say the same.")
    for line in told["diff"]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        print_line(styled(line, style))


def _store(settings: Settings) -> PromptStore:
    return PromptStore(settings.prompts_dir / "llm")


def show_list(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person."""
    print_table(
        "prompts and label sets",
        ["name", "kind", "mode", "used", "hash", "purpose"],
        [
            (
                one["name"],
                one["kind"],
                one["mode"] or "",
                "yes" if one["used"] else "",
                one["hash"][:12],
                one["purpose"],
            )
            for one in told
        ],
    )


def show(told: dict[str, Any]) -> None:
    """Print one."""
    print_line(styled(f"{told['path']}  {told['hash']}", "dim"))
    print_text(told["text"])
