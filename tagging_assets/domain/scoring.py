"""What each tag of each contestant's answer is worth, by the rules of the tagger benchmark.

The rules are those of the requirements (a tag that most contestants name is gold, and so on); what they leave open is
settled by :class:`~tagging_assets.domain.scoreboard.Options` and explained in ``docs/scoring.md``, with an example
worked out by hand. Of a tag and a contestant at most one rule holds, the first of :data:`RULES` that applies.

What does not belong here: who says what is relevant (``relevance``), means and intervals (``scoreboard_making``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagging_assets.domain.chat import ANSWERED
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.scoreboard import Given, Options, Rule, ScoredTag

#: Sums of thirds and fifths are compared with thresholds as the fractions that they stand for.
_DIGITS = 9

_POINTS: Mapping[Rule, float] = {
    "hallucinated": -1.0,
    "irrelevant": -0.5,
    "gold": 1.0,
    "missing gold": -0.5,
    "unique": 0.5,
    "minority": 0.5,
    "unmarked": 0.0,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one tag when one contestant's answer is judged.

    Attributes:
        named: whether the answer names it.
        in_pool: whether the contestant could choose it.
        share: of the contestants that have a voice, those that name it, in [0, 1]; ``None`` where there is no
            consensus to speak of, since nobody else answered.
        others: the same of the other contestants, even where ``share`` counts the judged one too.
        relevant: people's word; ``None`` where they said nothing, or are divided.
    """

    named: bool
    in_pool: bool
    share: float | None
    others: float | None
    relevant: bool | None


def hallucinated(facts: Facts, options: Options) -> bool:
    """Named, and not in the pool at all; whether people find it relevant does not matter."""
    return facts.named and not facts.in_pool


def irrelevant(facts: Facts, options: Options) -> bool:
    """Named, and people say that it does not suit the photo; that most contestants name it is no excuse."""
    return facts.named and facts.relevant is False


def is_gold(facts: Facts, options: Options) -> bool:
    """Whether the tag is gold for the judged contestant: more than 70 % name it, and people do not object.

    Exactly 70 % is not gold.
    """
    return facts.share is not None and facts.share > options.gold_above and facts.relevant is not False


def gold(facts: Facts, options: Options) -> bool:
    """Named, and gold."""
    return facts.named and is_gold(facts, options)


def missing_gold(facts: Facts, options: Options) -> bool:
    """Gold, and not named, though it may not have been in the contestant's pool: narrowing is a part of it."""
    return not facts.named and is_gold(facts, options)


def unique(facts: Facts, options: Options) -> bool:
    """Named, relevant, and no other contestant names it."""
    return facts.named and facts.relevant is True and not facts.others


def minority(facts: Facts, options: Options) -> bool:
    """Named, relevant, and fewer than 30 % name it. Exactly 30 % is no minority."""
    return facts.named and facts.relevant is True and facts.share is not None and facts.share < options.minority_below


def middle(facts: Facts, options: Options) -> bool:
    """Named, relevant, and neither gold nor a minority's: from 30 % to 70 % name it, both ends included."""
    return facts.named and facts.relevant is True and not is_gold(facts, options) and not minority(facts, options)


def unmarked(facts: Facts, options: Options) -> bool:
    """Named, not gold, and people have not said whether it is relevant."""
    return facts.named and facts.relevant is None and not is_gold(facts, options)


#: The rules in the order in which they are tried. What people say goes before consensus; of a tag that nobody else
#: names it is said that it is unique, though it is a minority's as well: both are worth the same.
RULES: Mapping[Rule, Callable[[Facts, Options], bool]] = {
    "hallucinated": hallucinated,
    "irrelevant": irrelevant,
    "gold": gold,
    "missing gold": missing_gold,
    "unique": unique,
    "minority": minority,
    "middle": middle,
    "unmarked": unmarked,
}


def rule_of(facts: Facts, options: Options) -> Rule | None:
    """The rule that holds; ``None`` for a tag that is neither named nor gold."""
    return next((rule for rule, applies in RULES.items() if applies(facts, options)), None)


def points_of(rule: Rule, options: Options) -> float:
    """What a rule is worth."""
    return options.middle_points if rule == "middle" else _POINTS[rule]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, its tags in the one spelling that comparisons use.

    Attributes:
        contestant: whose answer.
        named: tags of its pool, best first.
        outside: what it named besides: spelling of comparisons to its own.
    """

    contestant: str
    named: tuple[str, ...]
    outside: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Said":
        """A row of ``benchmark_answers``.

        A tag counts once, however often and in whatever spelling it is named. Without a pool, whatever the row lists
        under ``tags`` was allowed.
        """
        pool = {normalise_tag(tag) for tag in row["pool"] or ()}
        named: dict[str, None] = {}
        outside: dict[str, str] = {}
        for allowed, tags in ((True, row["tags"]), (False, row["outside"])):
            for tag in tags or ():
                key = normalise_tag(tag)
                if key in pool or (allowed and not pool):
                    named[key] = None
                elif key:
                    outside.setdefault(key, tag)
        return cls(row["configuration"], tuple(named), {key: tag for key, tag in outside.items() if key not in named})


class Voices:
    """How many contestants name a tag of one photo; who has no answer has no voice.

    A contestant that was asked more than once names a tag by the share of its answers that do. What is not in the pool
    of who names it is no voice: wrong tags do not become right by being popular.
    """

    def __init__(self, answers: Iterable[Said], *, leave_one_out: bool) -> None:
        repeats: dict[str, list[Said]] = {}
        for answer in answers:
            repeats.setdefault(answer.contestant, []).append(answer)
        self._own: dict[str, dict[str, float]] = {}
        self._all: dict[str, float] = {}
        for contestant, given in repeats.items():
            own: dict[str, float] = {}
            for answer in given:
                for tag in answer.named:
                    own[tag] = own.get(tag, 0.0) + 1.0 / len(given)
            self._own[contestant] = own
            for tag, voice in own.items():
                self._all[tag] = self._all.get(tag, 0.0) + voice
        self._leave_one_out = leave_one_out

    @property
    def tags(self) -> Iterable[str]:
        """Every tag that somebody names."""
        return self._all

    def others(self, tag: str, judged: str) -> float | None:
        """Of the other contestants, those that name the tag, in [0, 1]; ``None`` without others."""
        count = len(self._own) - (judged in self._own)
        voices = self._all.get(tag, 0.0) - self._own.get(judged, {}).get(tag, 0.0)
        return round(voices / count, _DIGITS) if count else None

    def share(self, tag: str, judged: str) -> float | None:
        """What consensus goes by: :meth:`others`, or all contestants where the judged one votes too."""
        others = self.others(tag, judged)
        if others is None or self._leave_one_out:
            return others
        return round(self._all.get(tag, 0.0) / len(self._own), _DIGITS)


def score_photo(
    rows: Sequence[Mapping[str, Any]], relevant: Mapping[str, bool | None], options: Options
) -> list[Given]:
    """Score all answers about one photo.

    Args:
        rows: of ``benchmark_answers``, all of one photo.
        relevant: people's word by tag in the spelling of comparisons; who is not there was not marked.
        options: how the rules are read.

    Returns:
        In the order of the rows.
    """
    said = [Said.from_row(row) if row["outcome"] in ANSWERED else None for row in rows]
    voices = Voices((one for one in said if one is not None), leave_one_out=options.leave_one_out)
    spelled = {normalise_tag(tag): tag for tag in reversed(pool_of(rows))}
    return [_given(row, one, _Photo(voices, spelled, relevant, options)) for row, one in zip(rows, said, strict=True)]


def pool_of(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every tag that some contestant could choose, each in the spelling seen first."""
    found: dict[str, str] = {}
    for row in rows:
        for tag in row["pool"] or ():
            found.setdefault(normalise_tag(tag), tag)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Photo:
    voices: Voices
    spelled: Mapping[str, str]
    relevant: Mapping[str, bool | None]
    options: Options

    def scored(self, tag: str, judged: str, *, named: bool, outside: str | None = None) -> ScoredTag | None:
        share = self.voices.share(tag, judged)
        facts = Facts(named, outside is None, share, self.voices.others(tag, judged), self.relevant.get(tag))
        rule = rule_of(facts, self.options)
        if rule is None:
            return None
        spelling = outside or self.spelled.get(tag, tag)
        return ScoredTag(spelling, rule, points_of(rule, self.options), share, facts.relevant)


def _given(row: Mapping[str, Any], said: Said | None, photo: _Photo) -> Given:
    tags: list[ScoredTag | None] = []
    missing: list[ScoredTag | None] = []
    if said is not None:
        judged = said.contestant
        tags = [photo.scored(tag, judged, named=True) for tag in said.named]
        tags += [photo.scored(tag, judged, named=True, outside=spelling) for tag, spelling in said.outside.items()]
        silent = sorted(set(photo.voices.tags).difference(said.named, said.outside))
        missing = [photo.scored(tag, judged, named=False) for tag in silent]
    return Given(
        row["configuration"],
        row["repeat"],
        row["outcome"],
        row["error"] or "",
        tuple(one for one in tags if one is not None),
        tuple(one for one in missing if one is not None),
        row["cost_usd"],
        row["seconds"] or 0.0,
    )
