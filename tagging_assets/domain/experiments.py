"""An experiment: configurations of prompt, model and parameters, asked about the same photos.

What does not belong here: how people write one down (``experiment_spec``), asking (``resources/interviews.py``),
scoring (``scoring``), where experiments are kept (``resources/experiments.py``).
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pydantic

from tagging_assets.domain.chat_settings import Chat, Sampling, Strategy
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.rules import validation_message
from tagging_assets.domain.scoreboard import Options

#: ``cost_source`` of answers for which no question was put, as nothing spoke for any tag.
UNASKED = "nothing asked"

#: Between the names of experiment and contestant in a partition key.
_SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Configuration:
    """One contestant: everything about how photos are asked about that settings can say.

    Attributes:
        label: what people call it; unique within its experiment, letters, digits, ``-``, ``_`` and ``.`` only, so
            that it can stand in a partition key and a file name.
        model: as ``llm.model`` names it.
        prompt: id of the main prompt.
        strategy: ``quick``, ``standard`` or ``detailed``.
        sampling: how words are drawn.
        settings: further keys of ``llm`` that differ, such as ``max_tags`` or ``caption_prompt``.
    """

    label: str
    model: str
    prompt: str
    strategy: Strategy = "standard"
    sampling: Sampling = field(default_factory=Sampling)
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Of all but the label."""
        return content_hash(
            {
                "model": self.model,
                "prompt": self.prompt,
                "strategy": self.strategy,
                "sampling": self.sampling.model_dump(mode="json"),
                "settings": dict(self.settings),
            }
        )

    def as_llm(self) -> dict[str, object]:
        """Keys of the section ``llm`` that make it the production recipe."""
        return {
            "model": self.model,
            "prompt": self.prompt,
            "strategy": self.strategy,
            "sampling": self.sampling.model_dump(mode="json"),
            **self.settings,
        }

    def on(self, llm: Chat) -> Chat:
        """The section ``llm`` with this contestant in it; what it says nothing about stays.

        Raises:
            SettingsError: together they make no sense.
        """
        try:
            return Chat.model_validate({**llm.model_dump(), **self.as_llm()})
        except pydantic.ValidationError as error:
            raise SettingsError(f"{self.label}: {validation_message(error, 'llm')}") from error


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that compares answers, and the prompt (mode ``judge``) it is asked with."""

    model: str
    prompt: str = "judge"


@dataclass(frozen=True, slots=True)
class Experiment:
    """What was asked of whom about which photos; its photos stay the same until more are added.

    Attributes:
        name: lower-case letters, digits, ``-`` and ``_``.
        purpose: one line.
        configurations: the contestants, their labels unique.
        image_ids: the photos, in the order they are asked about.
        repeats: how often every question is put.
        reference: true tags by photo, where somebody knows them.
        judge: ``None`` for none.
        budget_usd: all its questions together may cost so much; ``None`` for no limit of its own.
        options: how the rules of scoring are read.
    """

    name: str
    purpose: str
    configurations: tuple[Configuration, ...]
    image_ids: tuple[str, ...]
    repeats: int = 1
    reference: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    judge: Judge | None = None
    budget_usd: float | None = None
    options: Options = field(default_factory=Options)

    @property
    def purpose_of_calls(self) -> str:
        """What the ledger says its questions were asked for."""
        return f"experiment/{self.name}"

    @property
    def keys(self) -> list[str]:
        """Partition keys of its contestants."""
        return [f"{self.name}{_SEPARATOR}{one.label}" for one in self.configurations]

    def configuration(self, label: str) -> Configuration:
        """The contestant of that label.

        Raises:
            SettingsError: there is none.
        """
        for one in self.configurations:
            if one.label == label:
                return one
        there_are = ", ".join(one.label for one in self.configurations)
        raise SettingsError(f"experiment {self.name} has no contestant {label!r}; there are: {there_are}")


def names_of(key: str) -> tuple[str, str]:
    """Experiment and label that a partition key means.

    Raises:
        SettingsError: it is none.
    """
    name, separator, label = key.partition(_SEPARATOR)
    if not (name and separator and label):
        raise SettingsError(f"{key!r} is no contestant; write EXPERIMENT{_SEPARATOR}LABEL")
    return name, label


def choose_photos(
    held: Sequence[str], there: Collection[str], *, limit: int | None, seed: int, add: bool = False
) -> tuple[str, ...]:
    """Photos of an experiment: those it has, and on top what is asked for.

    Chosen by a hash of id and seed, so that the same photos are chosen whatever else is there, and a greater limit
    adds to what a smaller one chose.

    Args:
        held: those it has already; they stay, in their order, whatever the limit.
        there: ids to choose from.
        limit: so many in all; ``None`` for all.
        seed: another one chooses others.
        add: take in new ones although no greater limit asks for them.
    """
    if held and not add and (limit is None or limit <= len(held)):
        return tuple(held)
    more = sorted(set(there) - set(held), key=lambda one: hashlib.sha256(f"{seed}/{one}".encode()).digest())
    room = len(more) if limit is None or (add and limit <= len(held)) else limit - len(held)
    return (*held, *more[:room])
