"""From what every source said about a photo to its tags: one score, one status and one reason per tag.

The method, in the order it is applied:

1. Labels become tags (normalised, aliases merged). What the policy refuses and what the operator banned goes.
2. A raw score below its threshold does not count. One that counts becomes a confidence ``c`` by its source's
   calibration, and every source has a weight ``w`` in [0, 1].
3. Of each source and model only the most confident evidence counts, so that several views, people or synonyms do
   not inflate a tag; of sources that share a network (``SourceCard.family``) only the strongest ``w * c``.
4. What is left is taken as independent: ``score = 1 - product(1 - w * c)``, the noisy-OR of Pearl, "Probabilistic
   Reasoning in Intelligent Systems" (1988), section 4.3.2. It never falls when evidence is added, never leaves
   [0, 1], and a source alone never gets a tag beyond its own weight.
5. Of an exclusive group the highest score stays. A narrow win, or a source that names a loser which would have
   been kept, asks for a person's eye; so does a score below ``review_below``.
6. Limits, best first, ties by name.

The order of the evidence never matters. What does not belong here: people's verdicts on tags, which win over all
of this later, and how raw scores are made.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from tagging_assets.domain.evidence import DECIMALS, Evidence, Heard, SourceCard, Trust
from tagging_assets.domain.rules import Rules, normalise_tag

AUTO = "auto"
NEEDS_REVIEW = "needs_review"

#: Source of forced tags, and the category of those that no model knows.
RULE_SOURCE = "rule"
FORCED_CATEGORY = "forced"


@dataclass(frozen=True, slots=True)
class TagDecision:
    """One kept tag.

    Attributes:
        tag: normalised, aliases merged.
        category: as its strongest source names it; a ranked answer's only where there is no other.
        score: fused, in [0, 1].
        status: ``auto`` or ``needs_review``.
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
        dropped: not kept, best first; for showing what was filtered.
        refused: how many labels the policy took out. Not which: that would be the very record it forbids.
    """

    tags: tuple[TagDecision, ...]
    dropped: tuple[Dropped, ...]
    refused: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A tag before the groups and limits; ``strengths`` by source for contests, ``persons`` by person."""

    tag: str
    score: float
    forced: bool
    heard: tuple[Heard, ...]
    strengths: Mapping[str, float]
    persons: Mapping[str, float]
    losers: tuple["_Candidate", ...] = ()

    @property
    def order(self) -> tuple[bool, float, str]:
        return (not self.forced, -self.score, self.tag)


def fuse(weighted: Iterable[tuple[float, float]]) -> float:
    """Noisy-OR of (weight, confidence) pairs, each in [0, 1]: a score in [0, 1], to six decimals."""
    doubt = math.prod(sorted(1.0 - weight * confidence for weight, confidence in weighted))
    return round(1.0 - doubt, DECIMALS)


class Fusion:
    """Decides tags, photo by photo, under one set of rules.

    Args:
        rules: the operator's.
        cards: (source, model) to how far it is trusted.
        refuse: the policy: a term to the name of the forbidden category it is about, or ``None``.

    Raises:
        SettingsError: the rules change a source that does not exist, or a weight is outside [0, 1].
        PolicyError: the rules themselves ask for what must never be tagged.
    """

    def __init__(
        self, rules: Rules, cards: Mapping[tuple[str, str], SourceCard], refuse: Callable[[str], str | None]
    ) -> None:
        rules.check_policy(refuse)
        self._rules = rules
        self._trust = Trust(cards, rules.sources)
        self._refuse = refuse
        self._verdicts: dict[str, bool] = {}
        self._force = Evidence(RULE_SOURCE, "forced", rules.rules_hash, "", "photo", "", 1.0)
        self._groups: dict[str, list[str]] = defaultdict(list)
        for name, tags in rules.exclusive.items():
            for tag in tags:
                self._groups[tag].append(name)

    def decide(self, evidence: Iterable[Evidence]) -> Decision:
        """Fuse all evidence about one photo.

        Raises:
            SettingsError: evidence of a source that has no card.
            ModelFailed: a raw score is not a number.
        """
        rules, dropped, refused = self._rules, list[Dropped](), 0
        heard: dict[str, list[Heard]] = {tag: [] for tag in rules.forced}
        for said in evidence:
            tag = rules.canonical(said.label)
            if self._is_refused(said.label) or self._is_refused(tag):
                refused += 1
            elif tag and (item := self._trust.hear(said)):
                heard.setdefault(tag, []).append(item)
        candidates = [self._candidate(tag, items) for tag, items in heard.items()]
        dropped += [Dropped(item.tag, item.score, "banned") for item in candidates if item.tag in rules.banned]
        allowed = [item for item in candidates if item.tag not in rules.banned]
        winners, lost = self._settle_groups(sorted(allowed, key=attrgetter("order")))
        kept, faint = self._keep(winners)
        chosen, over = self._limit([self._decided(item) for item in kept])
        return Decision(
            tuple(sorted(chosen, key=lambda item: (-item.score, item.tag))),
            tuple(sorted([*dropped, *lost, *faint, *over], key=lambda item: (-item.score, item.tag))),
            refused,
        )

    def _is_refused(self, term: str) -> bool:
        if term not in self._verdicts:
            self._verdicts[term] = self._refuse(term) is not None
        return self._verdicts[term]

    def _candidate(self, tag: str, items: Sequence[Heard]) -> _Candidate:
        forced = tag in self._rules.forced
        best: dict[tuple[str, str], Heard] = {}
        persons: dict[str, float] = {}
        for item in sorted(items, key=attrgetter("order")):
            best.setdefault((item.evidence.source, item.evidence.model), item)
            if item.evidence.subject.startswith("person"):
                persons.setdefault(item.evidence.subject, item.strength)
        families: set[str] = set()
        heard: list[Heard] = []
        for item in best.values():
            heard.append(replace(item, weight=0.0) if item.family in families else item)
            families.add(item.family)
        if forced:
            heard.insert(0, Heard(replace(self._force, label=tag), 0.0, 1.0, 1.0, RULE_SOURCE))
        return _Candidate(
            tag=tag,
            score=fuse((item.weight, item.confidence) for item in heard),
            forced=forced,
            heard=tuple(sorted(heard, key=lambda item: item.weight == 0.0)),
            strengths={item.evidence.source: item.strength for item in reversed(best.values())},
            persons=persons,
        )

    def _settle_groups(self, ordered: Sequence[_Candidate]) -> tuple[list[_Candidate], list[Dropped]]:
        """Best first, each tag stays unless a better one of its groups has; the winner remembers whom it beat."""
        winners: dict[str, _Candidate] = {}
        dropped = []
        for item in ordered:
            others = winners.values() if item.tag in self._groups else ()
            rival = next((other for other in others if self._exclude(other, item)), None)
            if rival is None or item.forced:
                winners[item.tag] = item
            else:
                winners[rival.tag] = replace(rival, losers=(*rival.losers, item))
                dropped.append(Dropped(item.tag, item.score, f"lost to {rival.tag} {rival.score:.2f}"))
        return list(winners.values()), dropped

    def _exclude(self, first: _Candidate, second: _Candidate) -> bool:
        """Whether a photo has at most one of two tags.

        Two people may well have two colours of hair: tags of one group stay together where each is the better
        answer for some person.
        """
        if not set(self._groups.get(first.tag, ())) & set(self._groups.get(second.tag, ())):
            return False
        people = {*first.persons, *second.persons}
        lead = [first.persons.get(person, 0.0) - second.persons.get(person, 0.0) for person in people]
        return not lead or min(lead) >= 0.0 or max(lead) <= 0.0

    def _keep(self, winners: Iterable[_Candidate]) -> tuple[list[_Candidate], list[Dropped]]:
        kept, dropped = [], []
        floor = self._rules.keep_above
        for item in winners:
            if item.forced or item.score >= floor:
                kept.append(item)
            else:
                dropped.append(Dropped(item.tag, item.score, f"{item.score:.2f} is below {floor:.2f}"))
        return kept, dropped

    def _decided(self, item: _Candidate) -> TagDecision:
        contests = [self._contest(item, loser) for loser in item.losers]
        said = [_who_says(item), *(phrase for phrase, _ in contests)]
        doubtful = any(doubt for _, doubt in contests)
        if item.score < self._rules.review_below:
            doubtful = True
            said.append(f"{item.score:.2f} is below {self._rules.review_below:.2f}")
        # a ranked answer names a tag but not what kind of thing it is
        knowing = sorted(item.heard, key=lambda heard: heard.evidence.rank is not None)
        categories = [*(heard.evidence.category for heard in knowing), FORCED_CATEGORY]
        return TagDecision(
            tag=item.tag,
            category=next(name for name in categories if name),
            score=item.score,
            status=NEEDS_REVIEW if doubtful and not item.forced else AUTO,
            reason="; ".join(said),
            sources=tuple(heard.as_struct() for heard in item.heard),
        )

    def _contest(self, winner: _Candidate, loser: _Candidate) -> tuple[str, bool]:
        """How a tag won over another of its group, and whether that is doubtful."""
        if winner.forced:
            return f"forced over {loser.tag} {loser.score:.2f}", False
        against = sorted(
            source
            for source, strength in loser.strengths.items()
            if strength > winner.strengths.get(source, 0.0) and loser.score >= self._rules.keep_above
        )
        if against:
            verb = "says" if len(against) == 1 else "say"
            return f"{_and(against)} {verb} {loser.tag} {loser.score:.2f}", True
        if round(winner.score - loser.score, DECIMALS) < self._rules.conflict_margin:
            return f"won narrowly over {loser.tag} {loser.score:.2f}", True
        return f"won over {loser.tag} {loser.score:.2f}", False

    def _limit(self, tags: Iterable[TagDecision]) -> tuple[list[TagDecision], list[Dropped]]:
        rules = self._rules
        kept: list[TagDecision] = []
        dropped = []
        counts: Counter[str] = Counter()
        for item in sorted(tags, key=lambda tag: (tag.tag not in rules.forced, -tag.score, tag.tag)):
            category = normalise_tag(item.category)
            limit = rules.max_per_category.get(category, math.inf)
            if item.tag not in rules.forced and counts[category] >= limit:
                dropped.append(Dropped(item.tag, item.score, f"over the limit of {limit} for {item.category}"))
            elif item.tag not in rules.forced and rules.max_tags is not None and len(kept) >= rules.max_tags:
                dropped.append(Dropped(item.tag, item.score, f"over the limit of {rules.max_tags} tags"))
            else:
                kept.append(item)
                counts[category] += 1
        return kept, dropped


def explain_tag(row: Mapping[str, Any]) -> list[str]:
    """A row of the table ``tags`` in lines for people: one per source, then how they add up.

    ``objects zero-shot (efficientnet-lite0 @ 57934424…): raw 0.61 ≥ 0.40 → confidence 0.82 × weight 0.90``
    """
    lines = [_source_line(source, row["tag"]) for source in row["sources"]]
    counted = [source for source in row["sources"] if source["weight"] > 0.0]
    if len(counted) > 1:
        doubts = "".join(f"(1 − {source['weight'] * source['confidence']:.2f})" for source in counted)
        lines.append(f"together 1 − {doubts} = {row['score']:.2f}")
    return lines


def _source_line(source: Mapping[str, Any], tag: str) -> str:
    if source["source"] == RULE_SOURCE:
        return f"rule (rules @ {source['revision'][:8]}…): every photo gets it"
    revision = f" @ {source['revision'][:8]}…" if source["revision"] else ""
    named = "" if normalise_tag(source["label"]) == tag else f', as "{source["label"]}"'
    where = f", {source['subject']}" if source["subject"].startswith("person") else ""
    asked = f", {source['prompt_id']}" if source["prompt_id"] else ""
    worth = f"× weight {source['weight']:.2f}" if source["weight"] else "not counted again: same network as above"
    return (
        f"{source['source']} ({source['model']}{revision}{named}{where}{asked}): raw {source['score']:.2f} "
        f"≥ {source['threshold']:.2f} → confidence {source['confidence']:.2f} {worth}"
    )


def _who_says(item: _Candidate) -> str:
    if item.forced:
        return "forced by a rule"
    names = list(dict.fromkeys(heard.evidence.source for heard in item.heard if heard.weight > 0.0))
    return f"{_and(names)} agree" if len(names) > 1 else f"only {names[0]} says so"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
