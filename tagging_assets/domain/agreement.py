"""How far people agree with one another, and a judge model with people.

What does not belong here: what is done with marks (``relevance``) and votes (``voting``, ``bradley_terry``).
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations

from tagging_assets.domain.relevance import newest_marks
from tagging_assets.domain.scoreboard import Agreement, JudgeReport
from tagging_assets.domain.voting import Comparison, Mark, Vote, Winner, comparisons

#: Comparisons that a judge must share with people before it can be trusted: with fewer, an alpha of 0.6 may be luck
#: (its 95 % interval then reaches 0.3 and more either way).
ENOUGH_SHARED = 30

#: Alpha that a judge must reach. Krippendorff asks for 0.667 where conclusions are to be drawn, even tentatively;
#: people reach about 0.6 with one another where they say which of two answers is better, and a judge cannot be asked
#: to agree with them more than they do.
TRUSTED_ALPHA = 0.6

#: Share of its decided votes that a judge may give to the left side: outside of this it looks at the place, not at
#: the tags.
FAIR_LEFT = (0.35, 0.65)


def krippendorff_alpha(items: Iterable[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for values without order, where not everybody judges everything.

    Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): observed against expected disagreement, by the
    coincidences of values within items.

    Args:
        items: the judgements of each item; items with fewer than two say nothing and are left out.

    Returns:
        1 for perfect agreement, 0 for what chance would give, below 0 for less; ``None`` where all judgements are the
        same value, or there are none: chance is then not to be told from agreement.
    """
    totals: Counter[Hashable] = Counter()
    apart = 0.0
    for judged in items:
        if len(judged) < 2:
            continue
        counts = Counter(judged)
        totals.update(counts)
        differing = len(judged) ** 2 - sum(count**2 for count in counts.values())
        apart += differing / (len(judged) - 1)
    count = sum(totals.values())
    expected = count**2 - sum(total**2 for total in totals.values())
    return 1.0 - (count - 1) * apart / expected if expected else None


def agreement(items: Iterable[Mapping[str, Hashable]]) -> Agreement:
    """How far raters say the same.

    Args:
        items: rater to judgement, for each item; those with one rater are left out.
    """
    shared = [item for item in items if len(item) > 1]
    pairs = [one == other for item in shared for one, other in combinations(item.values(), 2)]
    return Agreement(
        items=len(shared),
        raters=len({rater for item in shared for rater in item}),
        same=sum(pairs) / len(pairs) if pairs else 0.0,
        alpha=krippendorff_alpha([tuple(item.values()) for item in shared]),
    )


def mark_agreement(marks: Iterable[Mark]) -> Agreement | None:
    """How far markers agree on relevance; ``None`` where no two of them marked the same tag of a photo."""
    found = agreement(newest_marks(marks).values())
    return found if found.items else None


def judge_report(judge: str, votes: Sequence[Vote]) -> JudgeReport:
    """Score a judge against people, on the comparisons that both made.

    The word of several people on one comparison is what most of them say, and a tie where they are divided. Sides are
    those of ``voting.sides``: agreement by chance is then about half, even where one contestant always wins.

    Args:
        judge: name of the model.
        votes: all that count, people's and judges'.
    """
    own = [vote for vote in votes if vote.kind == "judge" and vote.voter == judge]
    made = {one.item: one.winner for one in comparisons(own)}
    people = people_say(comparisons(vote for vote in votes if vote.kind == "person"))
    shared = [{"judge": winner, "people": people[item]} for item, winner in made.items() if item in people]
    found = agreement(shared)
    decided = [vote.winner for vote in own if vote.winner != "tie"]
    left = decided.count("left") / len(decided) if decided else None
    trusted, why = _verdict(found, left)
    return JudgeReport(judge, len(own), found, left, trusted, why)


def people_say(made: Iterable[Comparison]) -> dict[tuple[str, str, str], Winner]:
    """What most people say of each comparison; a tie where none of the three has more votes than the others."""
    counts: dict[tuple[str, str, str], Counter[Winner]] = {}
    for one in made:
        counts.setdefault(one.item, Counter())[one.winner] += 1
    return {item: _most(count) for item, count in counts.items()}


def _most(count: Counter[Winner]) -> Winner:
    (first, most), *rest = count.most_common()
    return "tie" if rest and rest[0][1] == most else first


def _verdict(found: Agreement, left: float | None) -> tuple[bool, str]:
    low, high = FAIR_LEFT
    if found.items < ENOUGH_SHARED:
        missing = ENOUGH_SHARED - found.items
        return False, (
            f"it shares {found.items} comparisons with people, and {ENOUGH_SHARED} are needed: "
            f"let people vote on {missing} more that it judged"
        )
    if left is None:
        return False, "it calls every comparison a tie"
    if not low <= left <= high:
        return False, f"it prefers a side: {left:.0%} of its decided votes went to the left, and about half should"
    if found.alpha is None or found.alpha < TRUSTED_ALPHA:
        alpha = "undefined" if found.alpha is None else f"{found.alpha:.2f}"
        return False, f"its agreement with people is too low: alpha {alpha}, and {TRUSTED_ALPHA} is needed"
    return True, f"it agrees with people (alpha {found.alpha:.2f} on {found.items} comparisons) and prefers no side"
