"""How photos are asked about: which prompts, in which order, within which limits, as the settings say.

Three strategies bring together the tagger's channel and the chat model's:

    quick     the chat model is told nothing of what was seen; both channels meet in the fusion, as numbers
    standard  the tagger goes first, and what was seen is told to the chat model
    detailed  the chat model says in words what it makes of the photo (kept in the table ``captions``), and a second
              question merges the words with what was seen

What does not belong here: asking (``asking``).
"""

from collections.abc import Callable
from dataclasses import dataclass

from tagging_assets.domain.chat_settings import Chat, Strategy
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prompts import CHOOSING, NEEDS_EYES, Prompt

#: Asked for words by the strategy ``detailed`` where the settings name no other prompt.
DEFAULT_CAPTION = "caption"

_MAIN = frozenset({"select", "see"})
_WORDS = frozenset({"caption", "classify", "see"})
_MERGE = frozenset({"merge"})


@dataclass(frozen=True, slots=True)
class Way:
    """A way to ask, checked.

    Attributes:
        strategy: see the module's docstring.
        prompt: of the question whose answer is tags; of mode ``merge`` where the strategy is ``detailed``.
        words: of the question whose answer goes into ``captions``; ``None`` where that is not asked.
        max_tags: at most so many tags are chosen.
        allowed_tags: at most so many are put before the model.
        only_evidenced: put only tags before a model that were seen in the photo or are named in its texts; what
            looks at the photo itself is spared.
    """

    strategy: Strategy
    prompt: Prompt
    words: Prompt | None
    max_tags: int
    allowed_tags: int
    only_evidenced: bool

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Every prompt in use."""
        return (self.prompt,) if self.words is None else (self.words, self.prompt)

    def fills(self, prompt: Prompt) -> bool:
        """Whether tags that nothing speaks for may fill up the list."""
        return not self.only_evidenced or prompt.mode in NEEDS_EYES

    def check_eyes(self, model: str, *, sees: bool) -> None:
        """Refuse to show pictures to what cannot look, before anything is asked.

        Raises:
            SettingsError: a prompt in use is of a mode that needs eyes, and the model has none.
        """
        blind = [prompt for prompt in self.prompts if prompt.mode in NEEDS_EYES and not sees]
        if blind:
            instead = "select" if blind[0].mode in CHOOSING else "classify"
            raise SettingsError(
                f"prompt {blind[0].id} (mode {blind[0].mode}) shows the picture, and {model} cannot look; choose a "
                f"model that sees, or a prompt of mode {instead}"
            )


def prompts_of(llm: Chat) -> tuple[str, str | None]:
    """Ids of the prompts in use: of the question for tags, and of the one for words if that is asked."""
    if llm.strategy == "detailed":
        return llm.merge_prompt, llm.caption_prompt or DEFAULT_CAPTION
    return llm.prompt, llm.caption_prompt


def choose_way(llm: Chat, find: Callable[[str], Prompt]) -> Way:
    """The way that the settings ask for.

    Args:
        llm: the section.
        find: a prompt by its id.

    Raises:
        SettingsError: a prompt is not there, makes no sense, or is of a mode that its place has no use for.
    """
    prompt, words = prompts_of(llm)
    if llm.strategy == "detailed":
        checked = _of_mode(find(prompt), _MERGE, "llm.merge_prompt")
    else:
        checked = _of_mode(find(prompt), _MAIN, "llm.prompt")
    return Way(
        strategy=llm.strategy,
        prompt=checked,
        words=None if words is None else _of_mode(find(words), _WORDS, "llm.caption_prompt"),
        max_tags=llm.max_tags,
        allowed_tags=llm.allowed_tags,
        only_evidenced=llm.only_evidenced,
    )


def _of_mode(prompt: Prompt, modes: frozenset[str], place: str) -> Prompt:
    if prompt.mode not in modes:
        wanted = " or ".join(sorted(modes))
        raise SettingsError(f"{place}: prompt {prompt.id} is of mode {prompt.mode}; name one of mode {wanted}")
    return prompt
