"""One question as it is sent: messages, pictures, parameters, and the hash by which the ledger knows it.

What does not belong here: sending (``resources/llm_transport.py``) and paying (``resources/chat_accounts.py``).
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resources.dialect import Dialect
from tagging_assets.domain.chat import ChatImage, ReplyForm
from tagging_assets.domain.chat_settings import EMBEDDED, Sampling
from tagging_assets.domain.llm import request_hash
from tagging_assets.domain.prices import Price, Size
from tagging_assets.domain.prompts import Message, Prompt

_TOKEN_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Whom to ask, and how.

    Attributes:
        model: name of the model in requests.
        name: what the settings call it; the same, where ``""``.
        provider: who serves it: a name under ``llm.providers``.
        revision: SHA-256 of the weights where known, or whatever tells versions apart.
        vision: whether it sees pictures; ``None`` where nobody knows.
        extra: sent with every request.
        sampling: how it draws its words.
        free: whether it runs on this machine, so that nothing is paid.
        price: what it costs; ``None`` where nobody knows.
        batch: put questions into the provider's batches instead of sending them.
        purpose: what the money is for: ``""`` for tagging, else ``experiment/NAME``.
        attempts: requests per question at most.
        patience_seconds: a question is over after so long, with every wait and attempt.
    """

    model: str
    name: str = ""
    provider: str = EMBEDDED
    revision: str = ""
    vision: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    free: bool = True
    price: Price | None = None
    batch: bool = False
    purpose: str = ""
    attempts: int = 4
    patience_seconds: float = 180.0

    @property
    def version(self) -> str:
        """What tells the model from another one of its name: its revision, else who serves it."""
        return self.revision or self.provider


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt filled in, in the dialect of who is asked.

    Attributes:
        prompt: what was filled in.
        form: what the reply must be like.
        messages: the words.
        images: shown with the user's message.
        parameters: sampling parameters and whatever else is sent.
        response_format: how the form is asked for; ``{}`` for not at all.
        hash: SHA-256 of everything that can change the answer.
    """

    prompt: Prompt
    form: ReplyForm
    messages: tuple[Message, ...]
    images: tuple[ChatImage, ...]
    parameters: Mapping[str, Any]
    response_format: Mapping[str, Any]
    hash: str

    @property
    def told(self) -> dict[str, Any]:
        """Parameters for the ledger."""
        return {**self.parameters, "structured": self.response_format.get("type", "none")}

    @property
    def size(self) -> Size:
        """What it may take at most."""
        text = [message.content for message in self.messages]
        if self.response_format:
            text.append(json.dumps(self.response_format, ensure_ascii=False))
        output = max(int(self.parameters.get(name) or 0) for name in _TOKEN_LIMITS)
        choices = int(self.parameters.get("n") or 1)
        size = sum(len(part.encode()) for part in text)
        return Size(size, len(text), len(self.images), output * choices)

    def body(self, model: str) -> dict[str, Any]:
        """Of the request; makes the pictures' bytes."""
        said: list[dict[str, Any]] = [
            {"role": message.role, "content": message.content} for message in self.messages[:-1]
        ]
        user = self.messages[-1]
        said.append({"role": user.role, "content": self._shown(user.content) if self.images else user.content})
        body = {"model": model, "messages": said, **self.parameters}
        return {**body, "response_format": dict(self.response_format)} if self.response_format else body

    def _shown(self, text: str) -> list[dict[str, Any]]:
        pictures = [f"data:image/jpeg;base64,{base64.b64encode(image.jpeg()).decode()}" for image in self.images]
        return [
            *({"type": "image_url", "image_url": {"url": picture, "detail": "auto"}} for picture in pictures),
            {"type": "text", "text": text},
        ]


def make_question(
    options: ChatOptions,
    dialect: Dialect,
    asked: tuple[Prompt, ReplyForm, tuple[Message, ...]],
    images: Sequence[ChatImage],
    repeat: int,
) -> Question:
    """Word a question for who is asked.

    Args:
        options: whom.
        dialect: what they understand.
        asked: the prompt, the form of the reply, and the prompt filled in.
        images: to be shown.
        repeat: 0, or which repetition on purpose.
    """
    prompt, form, messages = asked
    sampling = options.sampling
    hint = prompt.hints.get("max_output_tokens")
    limit = sampling.max_output_tokens or (int(hint) if hint is not None else form.output_tokens)
    parameters = {**dialect.parameters(sampling, limit, sampling.seed + repeat), **options.extra}
    response_format = dialect.response_format(form)
    digest = request_hash(
        model=options.model,
        revision=options.version,
        prompt_hash=prompt.hash,
        messages=messages,
        parameters=parameters,
        response_format=response_format,
        images=[image.key for image in images],
        repeat=repeat,
    )
    return Question(prompt, form, messages, tuple(images), parameters, response_format, digest)
