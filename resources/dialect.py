"""What a provider understands of OpenAI's chat protocol; parts that it refuses are given up one by one.

What does not belong here: remembering it (``resources/chat_abilities.py``), sending (``resources/llm_transport.py``).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tagging_assets.domain.chat import ReplyForm
from tagging_assets.domain.chat_settings import Sampling

#: How the reply's form is asked for: held to the schema, any JSON, or by the prompt's words alone.
Structured = Literal["json_schema", "json_object", "none"]

_RUNGS: tuple[Structured, ...] = ("json_schema", "json_object", "none")

# What a provider may refuse about the form of a request, and how its words tell. A complaint about length names
# max_tokens too, so the parameters count only beside a word that refuses them.
_REFUSES = re.compile(r"support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|instead", re.IGNORECASE)
_STRUCTURED = re.compile(r"response_format|json_schema|json_object|structured|grammar|schema", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Parts of the protocol that may be used.

    Attributes:
        structured: the best way in which the reply's form may be asked for.
        token_limit: name of the parameter that limits the answer; newer models of OpenAI refuse ``max_tokens``.
        temperature: whether a temperature may be said.
        top_p: whether nucleus sampling may be.
        seed: whether a seed may be.
    """

    structured: Structured = "json_schema"
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105 (no password)
    temperature: bool = True
    top_p: bool = True
    seed: bool = True

    @classmethod
    def remembered(cls, said: Mapping[str, Any]) -> "Dialect":
        """Of :meth:`told`; what this version does not know is left out."""
        known = {name: value for name, value in said.items() if name in cls.__slots__}
        return cls(**known)

    def told(self) -> dict[str, Any]:
        """JSON-able: the parts that had to be given up, by name."""
        full = asdict(Dialect())
        return {name: value for name, value in asdict(self).items() if value != full[name]}

    def at_most(self, structured: Structured) -> "Dialect":
        """This dialect where no more than so much structure is wanted."""
        return replace(self, structured=max(self.structured, structured, key=_RUNGS.index))

    def parameters(self, sampling: Sampling, max_output_tokens: int, seed: int) -> dict[str, Any]:
        """Sampling parameters of a request."""
        said: dict[str, Any] = {self.token_limit: max_output_tokens}
        if self.temperature:
            said["temperature"] = sampling.temperature
        if self.top_p and sampling.top_p is not None:
            said["top_p"] = sampling.top_p
        if self.seed:
            said["seed"] = seed
        return said

    def response_format(self, form: ReplyForm) -> dict[str, Any]:
        """How the reply's form is asked for; ``{}`` for not at all."""
        if self.structured == "json_schema":
            wanted = {"name": form.name, "strict": True, "schema": dict(form.schema)}
            return {"type": "json_schema", "json_schema": wanted}
        return {"type": "json_object"} if self.structured == "json_object" else {}

    def without(self, complaint: str) -> "Dialect | None":
        """The next best dialect for a provider that refused a request; ``None`` where its words name no part."""
        refuses = _REFUSES.search(complaint) is not None
        if refuses and self.token_limit == "max_tokens" and "max_tokens" in complaint:  # noqa: S105 (no password)
            return replace(self, token_limit="max_completion_tokens")  # noqa: S106 (no password)
        if refuses and self.temperature and "temperature" in complaint:
            return replace(self, temperature=False)
        if refuses and self.top_p and "top_p" in complaint:
            return replace(self, top_p=False)
        if refuses and self.seed and re.search(r"\bseed\b", complaint):
            return replace(self, seed=False)
        if self.structured != "none" and _STRUCTURED.search(complaint):
            return replace(self, structured=_RUNGS[_RUNGS.index(self.structured) + 1])
        return None
