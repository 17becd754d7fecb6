"""Why a photo does not have a tag: what its sources say of it, and what stopped it.

Everything is told from stored raw scores; no model is asked. What does not belong here: how tags are decided
(``fusion``), of which this only reads the outcome.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from tagging_assets.domain.evidence import Evidence, Heard, Trust
from tagging_assets.domain.rules import Rules
from tagging_assets.domain.tag_decision import Decision

#: Nothing is told about what the policy refuses, not even which scores there may be: see ``domain/policy.py``.
REFUSED = "the policy never lets this be a tag; nothing that models say of it is kept"


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The answer.

    Attributes:
        tag: in the spelling that stands for it.
        reason: one short sentence for people.
        scores: structs as in the column ``sources`` of ``tags``, the strongest of each source and model, each with
            ``counts``: whether it reaches its threshold.
    """

    tag: str
    reason: str
    scores: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"tag": self.tag, "reason": self.reason, "scores": [dict(one) for one in self.scores]}


def weighed(tag: str, evidence: Iterable[Evidence], rules: Rules, trust: Trust) -> tuple[dict[str, Any], ...]:
    """What every source says of a tag, counted or not: the strongest of each source and model, strongest first.

    Args:
        tag: in the spelling that stands for it.
        evidence: everything said about the photo.
        rules: merge aliases.
        trust: what the sources are worth.
    """
    heard = [trust.weigh(one) for one in evidence if rules.canonical(one.label) == tag]
    best: dict[tuple[str, str], Heard] = {}
    for one in sorted(heard, key=attrgetter("order")):
        key = (one.evidence.source, one.evidence.model)
        # One that counts goes before a stronger one that does not reach its own, higher threshold.
        if key not in best or (one.counts and not best[key].counts):
            best[key] = one
    return tuple({**one.as_struct(), "counts": one.counts} for one in best.values())


def why_not(
    tag: str,
    decision: Decision,
    scores: tuple[dict[str, Any], ...],
    *,
    rules: Rules,
    verdict: Mapping[str, Any] | None = None,
) -> WhyNot:
    """What stopped a tag that no policy refuses.

    Args:
        tag: in the spelling that stands for it.
        decision: what the rules make of the photo now.
        scores: what its sources say (:func:`weighed`).
        rules: the operator's.
        verdict: a person's that holds on the tag, a row of ``decisions``.
    """
    if verdict is not None and verdict["verdict"] == "rejected":
        return WhyNot(tag, f"rejected by {verdict['who']}", scores)
    dropped = next((one.reason for one in decision.dropped if one.tag == tag), None)
    if dropped is not None:
        return WhyNot(tag, dropped, scores)
    if any(one.tag == tag for one in decision.tags):
        return WhyNot(tag, "it would be a tag as the rules are now; run `tagging run` on the photo", scores)
    if scores:
        return WhyNot(tag, "no score reaches its threshold", scores)
    if tag in rules.banned:
        return WhyNot(tag, "banned, and no source says so", scores)
    return WhyNot(tag, "no source says so: it is in no vocabulary, or below what is kept", scores)
