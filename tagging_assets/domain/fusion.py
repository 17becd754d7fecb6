"""From what every source said about a photo to its tags: one score, one status and one reason per tag.

The method, in the order it is applied:

1. Labels become tags (normalised, aliases merged). What the policy refuses goes, also where a person said it. A
   person's verdict joins the evidence on its tag as one more source (see ``verdicts``); the newest one holds.
2. A raw score below its threshold does not count. One that counts becomes a confidence ``c`` by its source's
   calibration, and every source has a weight ``w`` in [0, 1].
3. Of each source and model only the most confident evidence counts, so that several views, people or synonyms do
   not inflate a tag; of sources that share a network (``SourceCard.family``) only the strongest ``w * c``.
4. What is left is taken as independent: ``score = 1 - product(1 - w * c)``, the noisy-OR of Pearl, "Probabilistic
   Reasoning in Intelligent Systems" (1988), section 4.3.2. It never falls when evidence is added, never leaves
   [0, 1], and a source alone never gets a tag beyond its own weight.
5. What a person rejected leaves here, before it can beat anything, with the score it would have had; then what the
   operator banned, unless a person keeps it.
6. Of an exclusive group what people keep stays, else what a rule forces, else the highest score. A narrow win, or a
   source that names a loser which would have been kept, asks for a person's eye; so does a score below
   ``review_below``. What people keep needs no further eye.
7. Tags that others imply ("shirt" beside "blue shirt") leave where the rules say so, before they take a place.
8. Limits, best first, ties by name. What people keep and rules force has its place first, and always has one.

The order of the evidence never matters. Without verdicts the same comes out as if there had never been any. What
does not belong here: which verdicts hold (``verdicts``), and how raw scores are made.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from tagging_assets.domain.evidence import DECIMALS, Evidence, Heard, SourceCard, Trust
from tagging_assets.domain.implied_tags import needless
from tagging_assets.domain.rules import Rules, normalise_tag
from tagging_assets.domain.tag_decision import ACCEPTED, ADDED, AUTO, NEEDS_REVIEW, Decision, Dropped, TagDecision
from tagging_assets.domain.verdicts import PERSON_CATEGORY, PERSON_SOURCE, StandingVerdict, standing

#: Source of forced tags, and the category of those that no model knows.
RULE_SOURCE = "rule"
FORCED_CATEGORY = "forced"

_NOBODY_SAYS: Mapping[str, StandingVerdict] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A tag before the groups and limits; ``strengths`` by source for contests, ``persons`` by person."""

    tag: str
    score: float
    forced: bool
    heard: tuple[Heard, ...]
    strengths: Mapping[str, float]
    persons: Mapping[str, float]
    verdict: StandingVerdict | None = None
    losers: tuple["_Candidate", ...] = ()

    @property
    def rank(self) -> int:
        """Whose word it is: 0 a person's, 1 a rule's, 2 the models'."""
        return 0 if self.verdict is not None else 1 if self.forced else 2

    @property
    def settled(self) -> bool:
        """Whether it stands whatever its score."""
        return self.rank < 2

    @property
    def order(self) -> tuple[int, float, str]:
        return (self.rank, -self.score, self.tag)


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
        self._judged: dict[str, bool] = {}
        self._force = Evidence(RULE_SOURCE, "forced", rules.rules_hash, "", "photo", "", 1.0)
        self._groups: dict[str, list[str]] = defaultdict(list)
        for name, tags in rules.exclusive.items():
            for tag in tags:
                self._groups[tag].append(name)

    def decide(self, evidence: Iterable[Evidence], verdicts: Mapping[str, StandingVerdict] = _NOBODY_SAYS) -> Decision:
        """Fuse all evidence about one photo with what people say about its tags.

        Args:
            evidence: of all sources, in any order.
            verdicts: what stands, by tag.

        Raises:
            SettingsError: evidence of a source that has no card.
            ModelFailed: a raw score is not a number.
        """
        people, muted = self._people(verdicts)
        heard, refused = self._hear(evidence, (*self._rules.forced, *people))
        candidates = [self._candidate(tag, items, people.get(tag)) for tag, items in heard.items()]
        rejected = [item for item in candidates if item.verdict is not None and not item.verdict.keeps]
        left = [item for item in candidates if item.verdict is None or item.verdict.keeps]
        banned = [item for item in left if item.verdict is None and item.tag in self._rules.banned]
        allowed = [item for item in left if item.verdict is not None or item.tag not in self._rules.banned]
        winners, lost = self._settle_groups(sorted(allowed, key=attrgetter("order")))
        strong, faint = self._keep(winners)
        kept, implied = self._without_implied(strong)
        chosen, over = self._limit([self._decided(item) for item in kept])
        dropped = [*(Dropped(item.tag, item.score, "banned") for item in banned), *lost, *faint, *implied, *over]
        return Decision(
            _best_first(chosen),
            _best_first(self._decided(item) for item in rejected),
            tuple(sorted(dropped, key=lambda item: (-item.score, item.tag))),
            refused + muted,
        )

    def counts(self, said: Evidence) -> bool:
        """Whether a piece of evidence reaches its threshold.

        Raises:
            SettingsError: its source has no card.
            ModelFailed: its raw score is not a number.
        """
        return self._trust.hear(said) is not None

    def _people(self, verdicts: Mapping[str, StandingVerdict]) -> tuple[dict[str, StandingVerdict], int]:
        """What people say by the tag as it is spelt now, and on how many tags the policy does not let them."""
        said = standing(replace(one, tag=self._rules.canonical(one.tag)) for one in verdicts.values())
        allowed = {tag: one for tag, one in said.items() if not self._is_refused(tag)}
        return allowed, len(said) - len(allowed)

    def _hear(self, evidence: Iterable[Evidence], always: Iterable[str]) -> tuple[dict[str, list[Heard]], int]:
        """What counts by tag, ``always`` among them, and how many labels the policy took out."""
        heard: dict[str, list[Heard]] = {tag: [] for tag in always}
        refused = 0
        for said in evidence:
            tag = self._rules.canonical(said.label)
            if self._is_refused(said.label) or self._is_refused(tag):
                refused += 1
            elif tag and (item := self._trust.hear(said)):
                heard.setdefault(tag, []).append(item)
        return heard, refused

    def _is_refused(self, term: str) -> bool:
        if term not in self._judged:
            self._judged[term] = self._refuse(term) is not None
        return self._judged[term]

    def _candidate(self, tag: str, items: Sequence[Heard], verdict: StandingVerdict | None) -> _Candidate:
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
        if verdict is not None:
            heard.insert(0, verdict.heard())
        return _Candidate(
            tag=tag,
            score=fuse((item.weight, item.confidence) for item in heard),
            forced=forced,
            heard=tuple(sorted(heard, key=lambda item: item.weight == 0.0)),
            strengths={item.evidence.source: item.strength for item in reversed(best.values())},
            persons=persons,
            verdict=verdict,
        )

    def _settle_groups(self, ordered: Sequence[_Candidate]) -> tuple[list[_Candidate], list[Dropped]]:
        """Best first, each tag stays unless a better one of its groups has; the winner remembers whom it beat.

        What people keep stays whatever else does, what rules force unless a person kept another.
        """
        winners: dict[str, _Candidate] = {}
        dropped = []
        for item in ordered:
            others = winners.values() if item.tag in self._groups else ()
            rival = next((other for other in others if self._exclude(other, item)), None)
            if rival is None or (item.settled and item.rank <= rival.rank):
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
            if item.settled or item.score >= floor:
                kept.append(item)
            else:
                dropped.append(Dropped(item.tag, item.score, f"{item.score:.2f} is below {floor:.2f}"))
        return kept, dropped

    def _without_implied(self, kept: Sequence[_Candidate]) -> tuple[Sequence[_Candidate], list[Dropped]]:
        by = needless(item.tag for item in kept) if self._rules.implied == "drop" else {}
        needed = [item for item in kept if item.settled or item.tag not in by]
        gone = [item for item in kept if not item.settled and item.tag in by]
        return needed, [Dropped(item.tag, item.score, f"goes without saying beside {by[item.tag]}") for item in gone]

    def _decided(self, item: _Candidate) -> TagDecision:
        contests = [self._contest(item, loser) for loser in item.losers]
        said = [_who_says(item), *(phrase for phrase, _ in contests)]
        doubtful = any(doubt for _, doubt in contests)
        if item.score < self._rules.review_below and not item.settled:
            doubtful = True
            said.append(f"{item.score:.2f} is below {self._rules.review_below:.2f}")
        status = NEEDS_REVIEW if doubtful and not item.settled else AUTO
        # a ranked answer names a tag but not what kind of thing it is
        knowing = sorted(item.heard, key=lambda heard: heard.evidence.rank is not None)
        categories = [*(heard.evidence.category for heard in knowing), _category_of_last_resort(item)]
        return TagDecision(
            tag=item.tag,
            category=next(name for name in categories if name),
            score=item.score,
            status=status if item.verdict is None else str(item.verdict.verdict),
            reason="; ".join(said),
            sources=tuple(heard.as_struct() for heard in item.heard),
        )

    def _contest(self, winner: _Candidate, loser: _Candidate) -> tuple[str, bool]:
        """How a tag won over another of its group, and whether that is doubtful."""
        if winner.settled:
            verb = "forced" if winner.verdict is None else "chosen"
            return f"{verb} over {loser.tag} {loser.score:.2f}", False
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

    def _limit(self, tags: Sequence[TagDecision]) -> tuple[list[TagDecision], list[Dropped]]:
        rules = self._rules
        kept: list[TagDecision] = []
        dropped = []
        counts: Counter[str] = Counter()
        settled = {item.tag for item in tags if item.status in (ACCEPTED, ADDED) or item.tag in rules.forced}
        for item in sorted(tags, key=lambda tag: (tag.tag not in settled, -tag.score, tag.tag)):
            category = normalise_tag(item.category)
            limit = rules.max_per_category.get(category, math.inf)
            if item.tag not in settled and counts[category] >= limit:
                dropped.append(Dropped(item.tag, item.score, f"over the limit of {limit} for {item.category}"))
            elif item.tag not in settled and rules.max_tags is not None and len(kept) >= rules.max_tags:
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
    counted = [source for source in row["sources"] if source["weight"] * source["confidence"] > 0.0]
    if len(counted) > 1:
        doubts = "".join(f"(1 − {source['weight'] * source['confidence']:.2f})" for source in counted)
        lines.append(f"together 1 − {doubts} = {row['score']:.2f}")
    return lines


def _source_line(source: Mapping[str, Any], tag: str) -> str:
    if source["source"] == RULE_SOURCE:
        return f"rule (rules @ {source['revision'][:8]}…): every photo gets it"
    if source["source"] == PERSON_SOURCE:
        says = "the photo has it" if source["score"] else "the photo does not have it"
        return f"{source['model']} ({source['revision']}): {says}, whatever the other sources say"
    revision = f" @ {source['revision'][:8]}…" if source["revision"] else ""
    named = "" if normalise_tag(source["label"]) == tag else f', as "{source["label"]}"'
    where = f", {source['subject']}" if source["subject"].startswith("person") else ""
    asked = f", {source['prompt_id']}" if source["prompt_id"] else ""
    worth = f"× weight {source['weight']:.2f}" if source["weight"] else "not counted again: same network as above"
    return (
        f"{source['source']} ({source['model']}{revision}{named}{where}{asked}): raw {source['score']:.2f} "
        f"≥ {source['threshold']:.2f} → confidence {source['confidence']:.2f} {worth}"
    )


def _best_first(tags: Iterable[TagDecision]) -> tuple[TagDecision, ...]:
    return tuple(sorted(tags, key=lambda item: (-item.score, item.tag)))


def _category_of_last_resort(item: _Candidate) -> str:
    return FORCED_CATEGORY if item.forced else PERSON_CATEGORY


def _who_says(item: _Candidate) -> str:
    if item.verdict is not None:
        return item.verdict.sentence
    if item.forced:
        return "forced by a rule"
    names = list(dict.fromkeys(heard.evidence.source for heard in item.heard if heard.weight > 0.0))
    return f"{_and(names)} agree" if len(names) > 1 else f"only {names[0]} says so"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
