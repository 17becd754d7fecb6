"""Reads the prompt files ``prompts/llm/*.md``.

What does not belong here: what a prompt is and may say (``tagging_assets/domain/prompts.py``).
"""

from dataclasses import dataclass
from pathlib import Path

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prompts import Prompt, parse_prompt
from tagging_assets.text_files import read_text

#: No chat model takes in more.
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class PromptStore:
    """A folder of prompts; read anew at each call, so an edit needs no restart.

    Attributes:
        folder: holds one ``ID.md`` per prompt.
    """

    folder: Path

    def ids(self) -> tuple[str, ...]:
        """What there is, sorted."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.md")))

    def get(self, prompt_id: str) -> Prompt:
        """Read and check one prompt.

        Raises:
            SettingsError: there is none of that name, it cannot be read, or it does not make sense.
        """
        if prompt_id not in self.ids():
            there_are = ", ".join(self.ids()) or "none"
            raise SettingsError(f"no prompt {prompt_id!r} in {self.folder}; there are: {there_are}")
        return load_prompt(self.folder / f"{prompt_id}.md")

    def all(self) -> tuple[Prompt, ...]:
        """Every prompt, by id.

        Raises:
            SettingsError: one of them does not make sense.
        """
        return tuple(self.get(prompt_id) for prompt_id in self.ids())


def load_prompt(path: Path) -> Prompt:
    """Read and check a prompt file.

    Raises:
        SettingsError: it cannot be read, does not make sense, or its id is not its file's name.
    """
    prompt = parse_prompt(read_text(path, most=_MOST_BYTES), str(path))
    if prompt.id != path.stem:
        raise SettingsError(f"{path}: says `id: {prompt.id}`; rename the file or the id so that they agree")
    return prompt
