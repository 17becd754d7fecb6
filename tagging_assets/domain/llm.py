"""What makes two questions to chat models the same question.

What does not belong here: how replies are read (``replies``, ``reply_forms``), HTTP, keys and retries
(``resources/llm_engine.py``), wording (``prompts/llm``).
"""

from collections.abc import Mapping, Sequence

from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.prompts import Message

#: Bumped where another answer would be made of the same words (``replies``, ``reply_forms``).
READING = "reply/2"


def request_hash(
    *,
    model: str,
    revision: str,
    prompt_hash: str,
    messages: Sequence[Message],
    parameters: Mapping[str, object],
    response_format: Mapping[str, object],
    images: Sequence[str] = (),
    repeat: int = 0,
) -> str:
    """SHA-256 (64 hex digits) of everything about a request that can change its answer.

    Where a model is served does not count by itself: the same weights elsewhere say the same. Where the weights are
    not known, the revision says who serves it.

    Args:
        model: its name in requests.
        revision: SHA-256 of its weights, or whatever tells versions apart.
        prompt_hash: of the prompt before it was filled in.
        messages: as sent, without pictures.
        parameters: sampling parameters and whatever else is sent beside the messages.
        response_format: how the reply's form is asked for.
        images: keys of the pictures, in order.
        repeat: 0, or which repetition on purpose.
    """
    asked: dict[str, object] = {
        "model": model,
        "revision": revision,
        "prompt": prompt_hash,
        "messages": [[message.role, message.content] for message in messages],
        "parameters": dict(parameters),
        "response_format": dict(response_format),
    }
    # Left out where there are none, so that answers had before there were pictures stand.
    if images:
        asked["images"] = list(images)
    if repeat:
        asked["repeat"] = repeat
    return content_hash(asked)
