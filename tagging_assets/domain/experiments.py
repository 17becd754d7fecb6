"""An experiment: configurations of prompt, model and parameters, asked about the same photos.

What does not belong here: asking (``tagging_assets/assets/benchmark_answers.py``), scoring (``scoring``), where
experiments are kept (``resources/experiments.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tagging_assets.domain.chat_settings import Sampling, Strategy
from tagging_assets.domain.hashing import content_hash


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
