"""A scoreboard in words: the rules and how they were read, who leads and how surely, and numbers as people write them.

Page, workbook and PDF take their sentences from here, so that they say the same. What does not belong here: how any
of them looks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tagging_assets.domain.chat import ANSWERED
from tagging_assets.domain.scoreboard import Agreement, Estimate, Options, Photo, Rule, Scoreboard, Standing
from tagging_assets.domain.scoreboard_notes import LEAST_PHOTOS, answered_photos, not_worse
from tagging_assets.domain.scoring import points_of

#: A rule to a sign that tells it without colour, in the order in which legends show them.
SIGNS: Mapping[Rule, str] = MappingProxyType(
    {
        "gold": "★",
        "middle": "◑",
        "minority": "◔",
        "unique": "◆",
        "unmarked": "·",
        "missing gold": "☆",
        "irrelevant": "✗",
        "hallucinated": "!",
    }
)

#: What an outcome other than an answer is called.
_OUTCOMES = MappingProxyType(
    {
        "refused": "refused",
        "truncated": "cut off",
        "invalid": "not readable",
        "timed_out": "timed out",
        "rate_limited": "rate limited",
        "failed": "failed",
        "over_budget": "not asked: over budget",
        "waiting": "waiting for a provider's batch",
    }
)


@dataclass(frozen=True, slots=True)
class Headline:
    """What a reader takes away.

    Attributes:
        winner: who leads; ``""`` where nobody can.
        claim: in a few words.
        certainty: how sure that is, in one or two sentences.
    """

    winner: str
    claim: str
    certainty: str


def rule_points(options: Options) -> dict[Rule, float]:
    """Points of each rule, in the order of :data:`SIGNS`."""
    return {rule: points_of(rule, options) for rule in SIGNS}


def rule_meanings(options: Options) -> dict[Rule, str]:
    """What each rule means as it was read here, one sentence each, in the order of :data:`SIGNS`."""
    above, below = share(options.gold_above), share(options.minority_below)
    others = "other contestants" if options.leave_one_out else "contestants"
    return {
        "gold": f"Named by more than {above} of the {others} that answered, and people do not object.",
        "middle": f"Relevant, and named by {below} to {above} of the {others}.",
        "minority": f"Relevant, and named by fewer than {below} of the {others}.",
        "unique": "Relevant, and named by nobody else.",
        "unmarked": "In the pool, not gold, and nobody said (or people disagree) whether it fits.",
        "missing gold": "Gold, and not named in the answer.",
        "irrelevant": "In the pool, and people said that it does not fit the photo.",
        "hallucinated": "Not in the pool of tags that the contestant could choose from.",
    }


def option_lines(options: Options) -> list[str]:
    """How the rules were read where they leave something open, one sentence each."""
    consensus = (
        "A contestant has no voice in the consensus that its own tags are judged by."
        if options.leave_one_out
        else "A contestant's own answer counts in the consensus that it is judged by, as in the original rules."
    )
    return [
        consensus,
        f"Gold begins above {share(options.gold_above)}, a minority ends below {share(options.minority_below)}.",
        f"A relevant tag between the two is worth {points(options.middle_points)}.",
        "Questions without an answer give no points, have no voice, and are counted as unanswered.",
        "The score is points per answered photo; intervals are 95 % bootstrap intervals over photos.",
    ]


def headline(board: Scoreboard) -> Headline:
    """Who leads, and how surely."""
    if not board.standings:
        return Headline("", "Nobody has been asked yet", "There are no contestants.")
    first, rest = board.standings[0], board.standings[1:]
    measure, led = ("points per photo", first.score) if first.score is not None else ("recall", first.recall)
    if led is None:
        return Headline("", "Nothing can be compared yet", "No contestant has an answer that could be scored.")
    shown = points(led.mean) if first.score is not None else share(led.mean)
    claim = f"{first.contestant} leads with {shown} {measure}"
    if not rest:
        return Headline(first.contestant, claim, "It is the only contestant, so nothing is compared.")
    if (photos := answered_photos(board)) < LEAST_PHOTOS:
        few = "One photo" if photos == 1 else f"{photos} photos"
        return Headline(first.contestant, claim, f"{few} cannot show who is better; ask about more.")
    near = not_worse(board) if first.score is not None else _overlapping(rest, led)
    return Headline(first.contestant, claim, _certainty(near, len(rest)))


def _overlapping(rest: Sequence[Standing], led: Estimate) -> tuple[str, ...]:
    """Who may find as many of the true tags, as far as intervals tell."""
    return tuple(one.contestant for one in rest if one.recall is not None and one.recall.high >= led.low)


def _certainty(near: Sequence[str], others: int) -> str:
    if not near:
        return "It is better than every other, beyond reasonable doubt."
    if len(near) == others:
        return "Any other may be as good: more photos would tell."
    who = listed(near) if len(near) <= 4 else f"{len(near)} others"
    return f"{who} may be as good: more photos would tell. It is better than the rest, beyond reasonable doubt."


def agreement_line(agreement: Agreement) -> str:
    """How far people agree, in one sentence."""
    alpha = "is not defined" if agreement.alpha is None else f"is {signed(agreement.alpha, 2)}"
    return (
        f"{agreement.raters} judged the same {count(agreement.items, 'thing')}: {share(agreement.same)} of pairs of "
        f"judgements are equal, and Krippendorff's alpha {alpha} (1 is perfect, 0 is chance)."
    )


def judge_lines(board: Scoreboard) -> list[str]:
    """What is known of the judge, sentence by sentence; nothing without one."""
    judge = board.judge
    if judge is None:
        return []
    left = "" if judge.left_share is None else f"{share(judge.left_share)} of those that decide"
    sides = f", {left} for the left side (50 % is fair)" if left else ""
    counted = "counts" if judge.trusted else "does not count"
    return [
        f"{judge.judge} {counted} as a judge: {judge.why}",
        f"It gave {count(judge.votes, 'vote')}{sides}.",
        f"With people: {agreement_line(judge.agreement)}",
    ]


def outcome_words(outcome: str) -> str:
    """What an outcome is called; its own name where nobody gave it another."""
    return _OUTCOMES.get(outcome, outcome.replace("_", " "))


def outcome_counts(standing: Standing) -> str:
    """Outcomes that are no answer: ``2 refused, 1 cut off``."""
    found = sorted((one, n) for one, n in standing.outcomes.items() if n and one not in ANSWERED)
    return ", ".join(f"{n} {outcome_words(one)}" for one, n in found)


def photo_scores(photo: Photo) -> list[tuple[str, float | None]]:
    """Contestants with the points of their answers about a photo, the mean over repeats; ``None`` without answer."""
    found: dict[str, list[float]] = {}
    for one in photo.given:
        kept = found.setdefault(one.contestant, [])
        if one.answered:
            kept.append(one.points)
    return [(name, sum(made) / len(made) if made else None) for name, made in found.items()]


def asked_again(photo: Photo) -> frozenset[str]:
    """Contestants that were asked more than once about a photo: only their answers need a number."""
    return frozenset(one.contestant for one in photo.given if one.repeat)


def made_line(board: Scoreboard) -> str:
    """What was compared, and when: ``3 contestants · 24 photos · 72 questions · made 2026-03-01 12:00 UTC``."""
    parts = [count(len(board.standings), "contestant"), count(len(board.photos), "photo")]
    parts.append(count(sum(one.asked for one in board.standings), "question"))
    return " · ".join([*parts, f"made {board.made_at:%Y-%m-%d %H:%M} UTC"])


def count(number: int, noun: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def signed(value: float, digits: int) -> str:
    """A number with a true minus sign; what rounds to zero has none."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text.replace("-", "−")


def points(value: float) -> str:
    """Points with their sign: ``+0.5``, ``−1``, ``0``; at most two digits."""
    text = f"{abs(value):.2f}".rstrip("0").rstrip(".")
    return text if text == "0" else f"{'+' if value > 0 else '−'}{text}"


def share(value: float) -> str:
    """A share of 1 as a percentage: ``70 %``; with a digit only where it has one."""
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def money(usd: float | None) -> str:
    """Dollars with two digits that matter: ``$1.24``, ``$0.00031``; ``free`` for 0, ``unknown`` for ``None``."""
    if usd is None:
        return "unknown"
    if usd == 0.0:
        return "free"
    if usd >= 0.1:
        return f"${usd:,.2f}"
    exponent = int(f"{usd:.1e}".partition("e")[2])
    return f"${usd:.{1 - exponent}f}"


def milliseconds(value: float) -> str:
    """Whole milliseconds, with thousands apart."""
    return f"{value:,.0f}"
