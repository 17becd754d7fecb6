"""What is decided about the tags of one photo: the output of ``fusion``.

What does not belong here: how it is decided.
"""

from dataclasses import dataclass
from typing import Any

from tagging_assets.domain.verdicts import Verdict

#: Statuses of a tag: the machine's word, the machine's word that a person should look at, and people's words.
AUTO = "auto"
NEEDS_REVIEW = "needs_review"
ACCEPTED = str(Verdict.ACCEPTED)
ADDED = str(Verdict.ADDED)
#: Kept among the rows of the stage ``tags`` so that it can be explained; never published.
REJECTED = str(Verdict.REJECTED)


@dataclass(frozen=True, slots=True)
class TagDecision:
    """One kept tag, or one that a person rejected.

    Attributes:
        tag: normalised, aliases merged.
        category: as a person names it, else its strongest source; a ranked answer's only where there is no other.
        score: fused, in [0, 1]; 1 where a person keeps it, the machine's own where a person rejects it.
        status: ``auto`` or ``needs_review``, the machine's; ``accepted``, ``added`` or ``rejected``, a person's.
        reason: one short sentence for people.
        sources: structs of the table ``tags``, one per source and model, strongest first. The stored weight is 0
            where another source of the family counted, so that ``score`` can always be worked out again as
            ``1 - product(1 - weight * confidence)``.
    """

    tag: str
    category: str
    score: float
    status: str
    reason: str
    sources: tuple[dict[str, Any], ...]

    def row(self, image_id: str) -> dict[str, Any]:
        """A row of the table ``tags``."""
        return {
            "image_id": image_id,
            "tag": self.tag,
            "category": self.category,
            "score": self.score,
            "status": self.status,
            "reason": self.reason,
            "sources": [dict(source) for source in self.sources],
        }


@dataclass(frozen=True, slots=True)
class Dropped:
    """A tag that had evidence above a threshold and was not kept, and why."""

    tag: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything decided about one photo.

    Attributes:
        tags: kept, best first, ties by name.
        rejected: taken out by people, best first, ties by name; never to be published.
        dropped: not kept, best first; for showing what was filtered.
        refused: how many labels the policy took out. Not which: that would be the very record it forbids.
    """

    tags: tuple[TagDecision, ...]
    rejected: tuple[TagDecision, ...]
    dropped: tuple[Dropped, ...]
    refused: int

    def rows(self, image_id: str) -> list[dict[str, Any]]:
        """Rows of the table ``tags``: what is kept, then what people rejected."""
        return [tag.row(image_id) for tag in (*self.tags, *self.rejected)]
