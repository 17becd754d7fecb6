"""What a chat model is told about a photo, and what its answer is taken for."""

from collections.abc import Sequence
from dataclasses import dataclass

from tagging_assets.domain.errors import LlmNoAnswer, LlmUnavailable
from tagging_assets.domain.frames import Row
from tagging_assets.domain.freshness import Item
from tagging_assets.domain.fusion import Fusion
from tagging_assets.domain.gathering import Gatherer
from tagging_assets.domain.llm import narrow
from tagging_assets.domain.models import TagSuggester

#: So many of the tags seen in a photo are told to the chat model.
VISUAL_TAGS = 10


@dataclass(frozen=True)
class Asker:
    """Asks about one photo at a time.

    Attributes:
        suggester: the chat model; ``None`` where it is switched off.
        gatherer: what was seen.
        first_look: fuses what was seen, without the operator's rules: a changed rule asks nothing anew.
        vocabulary: every tag that may be answered.
        allowed_tags: at most so many of them are put before the model.
    """

    suggester: TagSuggester | None
    gatherer: Gatherer
    first_look: Fusion
    vocabulary: Sequence[str]
    allowed_tags: int

    def ask(self, item: Item) -> list[Row]:
        """Rows of ``llm_tag_suggestions`` of one photo.

        Raises:
            LlmUnavailable: no answer this time.
            LlmNoAnswer: an answer that is none.
            LlmRejected: the provider says no for good.
        """
        if self.suggester is None:
            return []
        seen = self.first_look.decide(self.gatherer.seen(item)).tags[:VISUAL_TAGS]
        caption = item.row("images")["caption"] or ""
        visual = [(tag.tag, tag.score) for tag in seen]
        reply = self.suggester.suggest(
            visual_tags=visual,
            caption=caption,
            allowed=narrow(self.vocabulary, visual, self.allowed_tags, text=caption),
        )
        if reply.outcome not in ("ok", "empty"):
            error = LlmUnavailable if reply.retryable else LlmNoAnswer
            raise error(f"{reply.outcome}: {reply.error}")
        return [
            {
                "model": self.suggester.card.name,
                "tag": tag,
                "rank": rank,
                "request_hash": reply.request_hash,
            }
            for rank, tag in enumerate(reply.tags, start=1)
        ]
