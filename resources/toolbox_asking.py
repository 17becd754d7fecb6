"""The tools behind a question to the chat model: which prompts are in use, which picture and which tags go with them.

What does not belong here: the models (``toolbox_models``), and who asks (``toolbox``).
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

from resources.chat_pictures import ChatPictures
from resources.prompt_store import PromptStore
from resources.toolbox_models import Models
from resources.vocabulary import load_vocabulary
from tagging_assets.domain import narrowing
from tagging_assets.domain.asking_way import Way, choose_way
from tagging_assets.domain.chat import ChatModel
from tagging_assets.domain.chat_settings import EMBEDDED, Chat
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.narrowing import Likeness
from tagging_assets.domain.prompts import CHOOSING, WITH_PICTURE, Prompt
from tagging_assets.domain.text_differences import SourceText


class Questions(Models):
    """Makes what a question is made of, on the models."""

    @cached_property
    def way(self) -> Way | None:
        """How the chat model is asked; ``None`` where it is switched off.

        Raises:
            SettingsError: a prompt makes no sense, or shows pictures to a model that cannot look.
        """
        return None if self.chat is None else self.way_of(self.settings.llm, self.chat)

    def way_of(self, llm: Chat, chat: ChatModel) -> Way:
        """How a model is asked by other settings than those in use.

        Raises:
            SettingsError: as :attr:`way`.
        """
        way = choose_way(llm, PromptStore(self.settings.prompts_dir / "llm").get)
        way.check_eyes(chat.card.name, sees=chat.sees)
        return way

    def pictures(self, llm: Chat) -> ChatPictures:
        """Makes the pictures that are shown to a chat model."""
        return ChatPictures(self.proxy_files, llm.image_side)

    def likeness(self, llm: Chat, vocabulary: tuple[str, ...]) -> Likeness | None:
        """Compares photos with the vocabulary.

        The labels of label sets were compared before, against thresholds of their own; where only what was seen is
        put before a model, that is all there is to say about them.
        """
        if llm.vocabulary is None and llm.only_evidenced:
            return None
        return Likeness(self.zero_shot_scorer, vocabulary)

    def answerable(self, llm: Chat, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Every tag that a chat model may answer: of the vocabulary's file if there is one, else the labels.

        Raises:
            SettingsError: the file cannot be read, or holds no tags.
            PolicyError: it holds what must never be tagged.
        """
        return labels if llm.vocabulary is None else load_vocabulary(llm.vocabulary)

    def questions_at_once(self, llm: Chat) -> int:
        """As many as the model's provider takes."""
        provider = llm.find(llm.model).provider
        return llm.concurrency if provider == EMBEDDED else llm.providers[provider].concurrency

    @property
    def used_prompts(self) -> Mapping[str, Prompt]:
        """Prompts in use by their hash."""
        return {} if self.way is None else {prompt.hash: prompt for prompt in self.way.prompts}

    @property
    def prompt_texts(self) -> Mapping[str, SourceText]:
        """What the prompts in use say, by their hash."""
        return {key: SourceText("prompt", prompt.id, prompt.text) for key, prompt in self.used_prompts.items()}

    def captions_recipe(self, vocabulary: tuple[str, ...]) -> dict[str, Any]:
        """What goes into the rows of ``captions`` besides photo and code; always the same where they are not made."""
        if self.way is None or self.way.words is None:
            return {"chat": None}
        words = self.way.words
        return {"chat": self._told(words), **(self._choice(vocabulary) if words.mode in CHOOSING else {})}

    def suggestions_recipe(self, vocabulary: tuple[str, ...]) -> dict[str, Any]:
        """What goes into the rows of ``llm_tag_suggestions``, what was seen left aside."""
        if self.way is None:
            return {"chat": None}
        return {"chat": self._told(self.way.prompt), "strategy": self.way.strategy, **self._choice(vocabulary)}

    def _told(self, prompt: Prompt) -> dict[str, Any] | None:
        if self.chat is None or self.way is None:
            return None
        shown = prompt.mode in WITH_PICTURE and self.chat.sees
        return {
            "model": asdict(self.chat.card),
            "prompt": prompt.hash,
            "sampling": self.settings.llm.sampling.model_dump(mode="json"),
            "max_tags": self.way.max_tags,
            "picture": self.pictures(self.settings.llm).version if shown else "",
        }

    def _choice(self, vocabulary: tuple[str, ...]) -> dict[str, Any]:
        llm = self.settings.llm
        compared = self.likeness(llm, vocabulary) is not None
        return {
            "vocabulary": content_hash(vocabulary),
            "narrowing": {
                "version": narrowing.VERSION,
                "allowed_tags": llm.allowed_tags,
                "only_evidenced": llm.only_evidenced,
                "scorer": asdict(self.zero_shot_scorer.card) if compared else None,
            },
        }
