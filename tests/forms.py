"""A small form of reply for tests of those who ask, whatever the product's own forms are."""

from collections.abc import Mapping
from typing import Any

from tagging_assets.domain.chat import Answer


class Choice:
    """``{"tags": […]}`` out of a few; ``domain.chat.ReplyForm`` is the Protocol."""

    name = "tags"
    output_tokens = 64

    def __init__(self, *allowed: str) -> None:
        self._allowed = allowed

    @property
    def schema(self) -> Mapping[str, Any]:
        tags = {"type": "array", "items": {"type": "string", "enum": list(self._allowed)}}
        return {"type": "object", "properties": {"tags": tags}, "required": ["tags"], "additionalProperties": False}

    def read(self, said: object) -> Answer | None:
        named = said.get("tags") if isinstance(said, dict) else None
        if not isinstance(named, list):
            return None
        tags = tuple(tag for tag in named if tag in self._allowed)
        outside = tuple(tag for tag in named if isinstance(tag, str) and tag not in self._allowed)
        if tags or not named:
            return Answer("ok" if tags else "empty", tags, outside)
        return Answer("invalid", outside=outside, error="none of its tags is allowed")
