"""One question to a chat model and what comes of it: the plain values that cross between those who ask and who send.

Assets, experiments and judges ask through the Protocol :class:`ChatModel`; ``resources/llm_engine.py`` implements it
for every server that speaks OpenAI's protocol. What does not belong here: how a model's words are read
(``replies``), what a prompt is (``prompts``), who may be asked (``chat_settings``).
"""

import decimal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tagging_assets.domain.models import Model
from tagging_assets.domain.prompts import Prompt

#: What may come of a question. Only ``ok`` has tags or words. The last two say that nothing was asked:
#: ``over_budget`` because it might have cost more than is left, ``waiting`` because a provider's batch has it.
Outcome = Literal[
    "ok", "empty", "refused", "truncated", "invalid", "timed_out", "rate_limited", "failed", "over_budget", "waiting"
]

#: Outcomes that say which tags fit, be it none.
ANSWERED: frozenset[str] = frozenset({"ok", "empty"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model's text was taken for.

    Attributes:
        outcome: ``ok``, ``empty``, ``refused``, ``truncated`` or ``invalid`` where a model spoke.
        tags: best first, without repetition; within the allowed tags where there are such; empty unless ``ok``.
        outside: what it named as tags and was not allowed to, as it spelled them; never a tag, but scored.
        fields: replies in words, by name: ``caption``, ``title``, ``description``, ``file_name``, ``winner``, ``why``.
        error: one line, or ``""``.
    """

    outcome: Outcome
    tags: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, when it was given; nothing is known of what was never asked.

    Attributes:
        prompt_tokens: as the provider counts, images included; ``None`` where it does not say.
        completion_tokens: as the provider counts, thinking included.
        cached_tokens: of the prompt's, those that the provider had seen before.
        cost_usd: ``None`` where nobody knows, never 0 for that; 0 where the model runs on this machine.
        cost_source: ``provider`` (it reported the cost), ``settings`` or ``prices of DATE`` (reckoned by the prices
            said there, or of the price table), ``local``, or ``""`` where the cost is unknown.
        seconds: from asking to answer.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: decimal.Decimal | None = None
    cost_source: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ChatReply:
    """One answered (or failed) question.

    Attributes:
        answer: what the model's words were taken for.
        request_hash: SHA-256 of everything that was sent; key of the ledger.
        retryable: whether asking again later may help.
        usage: of this answer, whenever it was given: a reply out of the ledger says what it took then.
        asked: whether requests were sent now; ``False`` where the ledger knew the answer, or nothing could be asked.
    """

    answer: Answer
    request_hash: str
    retryable: bool = False
    usage: Usage = Usage()
    asked: bool = False

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        return self.answer.outcome

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags, best first."""
        return self.answer.tags

    @property
    def error(self) -> str:
        """One line, or ``""``."""
        return self.answer.error


@dataclass(frozen=True, slots=True)
class ChatImage:
    """A picture beside the words of a question.

    Attributes:
        key: what it shows and how it was made (pixel id, longest side, encoder); part of the request's hash, so that
            another release of an image library does not make old answers be paid for anew.
        jpeg: makes the bytes; called only when a request is really sent.
    """

    key: str
    jpeg: Callable[[], bytes] = field(compare=False)


class ReplyForm(Protocol):
    """The form that a reply is wanted in, and how JSON of that form is read.

    ``tagging_assets/domain/reply_forms.py`` has one per prompt mode.
    """

    @property
    def name(self) -> str:
        """Of the schema, as requests carry it: letters and underscores."""
        ...

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema, strict: every key required, no other allowed."""
        ...

    @property
    def output_tokens(self) -> int:
        """Room that the longest sensible reply needs."""
        ...

    def read(self, said: object) -> Answer | None:
        """What a JSON value means; ``None`` where it is not of this form at all."""
        ...


class ChatModel(Model, Protocol):
    """Asks questions. One such object is one model with one set of sampling parameters."""

    @property
    def sees(self) -> bool:
        """Whether pictures may be put before it."""
        ...

    def ask(
        self,
        prompt: Prompt,
        values: Mapping[str, object],
        form: ReplyForm,
        images: Sequence[ChatImage] = (),
        *,
        repeat: int = 0,
    ) -> ChatReply:
        """Ask, unless the ledger knows the answer to this very question.

        Args:
            prompt: what is asked, to be filled in.
            values: at least the prompt's variables.
            form: what the reply must be like.
            images: shown with the words.
            repeat: asking the same anew, on purpose: 1 is another sample than 0 (another seed, another hash).

        Raises:
            LlmRejected: the provider says no for good: wrong key, unknown model, no credit.
            ModelError: a local model cannot be started.
            DatabaseUnavailable: the ledger does not answer.
        """
        ...

    def close(self) -> None:
        """Close connections; a later question opens new ones."""
        ...
