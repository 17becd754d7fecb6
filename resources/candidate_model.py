"""A model that was made and is not in place yet: tried where it lies, before anybody can use it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resources.inference import Inference
from resources.model_in_use import ModelInUse
from resources.onnx_session import OnnxOptions, OnnxSession, Session

#: Where every machine measures alike.
REFERENCE = OnnxOptions(provider="cpu")


@dataclass(frozen=True)
class CandidateModel(ModelInUse):
    """Used like one that is in place; nothing of it stays in memory.

    Attributes:
        at: where its files are.
    """

    at: Path = Path()

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.at

    def inference(self, role: str = "model", *, check: Callable[[Inference], None] | None = None) -> Inference:
        """The loop over one of its files, in a session of its own."""

        def load() -> Session:
            return OnnxSession(self.path(role), self.options)

        return Inference(load, batch=self.options.batch, check=check)
