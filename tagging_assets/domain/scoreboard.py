"""What an experiment came to, as plain values: made by ``scoring``, shown by the reports.

Every number a report shows stands here or follows from what stands here, so that page, workbook, PDF and plots cannot
differ. What does not belong here: rules and statistics (``scoring``, ``answer_metrics``), drawing (``resources``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

#: The rules of a tag's points, in the order they are tried; see ``scoring`` for what each means.
Rule = Literal[
    "hallucinated",  # −1.0  not in the pool
    "irrelevant",  # −0.5  in the pool, and people say it does not fit
    "gold",  # +1.0  named by more than 70 % of the others
    "missing gold",  # −0.5  gold, and not named
    "unique",  # +0.5  named by nobody else, and relevant
    "minority",  # +0.5  named by fewer than 30 % of the others, and relevant
    "middle",  # +0.5  in between, and relevant
    "unmarked",  #  0.0  neither gold nor marked by anybody
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % bootstrap interval over photos; with one photo ``low`` and ``high`` are the mean."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScoredTag:
    """A tag of an answer, or one that it lacks.

    Attributes:
        tag: as the pool spells it, or as the model did where it is not in the pool.
        rule: which rule applies.
        points: by that rule.
        share: of the other contestants that answered, those that named it, in [0, 1]; the judged one counts too where
            ``Options.leave_one_out`` is off; ``None`` without others.
        relevant: people's word; ``None`` where they said nothing, or disagree.
    """

    tag: str
    rule: Rule
    points: float
    share: float | None
    relevant: bool | None


@dataclass(frozen=True, slots=True)
class Given:
    """One contestant's answer about one photo.

    Attributes:
        contestant: its label.
        repeat: 0, 1, …
        outcome: as in ``domain.chat``; only ``ok`` and ``empty`` are answers.
        error: one line, or ``""``.
        tags: what it named, best first, then what it named outside the pool.
        missing: gold tags it did not name; empty where it gave no answer.
        cost_usd: ``None`` where nobody knows.
        seconds: from asking to answer; 0 where nothing was asked.
    """

    contestant: str
    repeat: int
    outcome: str
    error: str
    tags: tuple[ScoredTag, ...]
    missing: tuple[ScoredTag, ...]
    cost_usd: float | None
    seconds: float

    @property
    def answered(self) -> bool:
        """Whether it counts as an answer."""
        return self.outcome in ("ok", "empty")

    @property
    def points(self) -> float:
        """Of the whole answer."""
        return sum(one.points for one in (*self.tags, *self.missing))


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo with what everybody said about it.

    Attributes:
        image_id: of the photo.
        title: its file name.
        batch: evaluation batch it belongs to.
        pool: tags that could be chosen, of all contestants together.
        reference: true tags, where somebody knows them; ``None`` where nobody does.
        given: answers by contestant, in the order of the standings, then by repeat.
    """

    image_id: str
    title: str
    batch: str
    pool: tuple[str, ...]
    reference: tuple[str, ...] | None
    given: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos that were collected together: a column of the recall table, shown as ``id (mm-dd)``."""

    batch: str
    collected: datetime

    @property
    def label(self) -> str:
        """As the column's head shows it; the last five characters of the id tell batches apart."""
        return f"{self.batch[-5:]} ({self.collected:%m-%d})"


@dataclass(frozen=True, slots=True)
class Standing:
    """One contestant's row.

    Attributes:
        contestant: its label.
        model: as settings name it.
        prompt: id of its prompt.
        details: strategy, temperature and the like, as a short line for people.
        asked: questions put (photos × repeats).
        unanswered: of these, those without an answer, whatever the reason.
        outcomes: how many questions had which outcome.
        score: points per photo; ``None`` where it answered nothing.
        total: points over all photos, the mean over repeats of each photo.
        rules: rule to how often it applied, over all answers.
        cost_usd: of all its answers together; ``None`` where one of them has no known cost.
        points_per_dollar: ``total`` per dollar of one pass over the photos; ``None`` where cost is unknown or 0.
        latency_ms: mean over questions.
        recall: per photo with reference tags, averaged, in [0, 1]; ``None`` without any.
        precision: the same way.
        f1: the same way.
        recall_by_batch: batch to (mean recall, photos).
        steadiness: mean Jaccard similarity of the tags of repeats, in [0, 1]; ``None`` without repeats.
        rating: Bradley-Terry strength in Elo-like points (mean 1500 over contestants); ``None`` without votes.
        votes: votes that it took part in.
    """

    contestant: str
    model: str
    prompt: str
    details: str
    asked: int
    unanswered: int
    outcomes: Mapping[str, int]
    score: Estimate | None
    total: float
    rules: Mapping[str, int]
    cost_usd: float | None
    points_per_dollar: float | None
    latency_ms: float
    recall: Estimate | None = None
    precision: Estimate | None = None
    f1: Estimate | None = None
    recall_by_batch: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    steadiness: float | None = None
    rating: Estimate | None = None
    votes: int = 0

    @property
    def invalid_rate(self) -> float:
        """Share of questions without an answer."""
        return self.unanswered / self.asked if self.asked else 0.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far several people (or a judge and people) say the same about the same things.

    Attributes:
        items: things that at least two of them judged.
        raters: how many took part.
        same: share of pairs of judgements that are equal, in [0, 1].
        alpha: Krippendorff's alpha, nominal; 1 is perfect, 0 is chance; ``None`` where it is not defined.
    """

    items: int
    raters: int
    same: float
    alpha: float | None


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """Whether a judge model's votes may count.

    Attributes:
        judge: its name.
        votes: comparisons it made.
        agreement: with people, on comparisons that both made.
        left_share: of its votes that are no tie, those for the left side; 0.5 is fair.
        trusted: whether its votes count.
        why: in one sentence.
    """

    judge: str
    votes: int
    agreement: Agreement
    left_share: float | None
    trusted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Options:
    """How the rules of scoring are read where they leave something open; see ``docs/scoring.md``.

    Attributes:
        gold_above: a tag is gold where more than this share of the others named it.
        minority_below: a relevant tag is a minority's where fewer than this share of the others named it.
        leave_one_out: the judged contestant does not vote on its own tags; ``False`` is the original.
        middle_points: for a relevant tag between the two shares; 0 is the original.
    """

    gold_above: float = 0.7
    minority_below: float = 0.3
    leave_one_out: bool = True
    middle_points: float = 0.5


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """An experiment's result.

    Attributes:
        experiment: its name.
        purpose: one line.
        made_at: aware UTC.
        options: how the rules were read.
        batches: evaluation batches, oldest first.
        standings: best first: by score, or by recall where nothing could be scored.
        photos: in the experiment's order.
        marks: agreement of the people who marked relevance; ``None`` without marks by two.
        judge: ``None`` without a judge.
        pareto: labels of contestants that nobody beats in both score and cost of a question, cheapest
            first.
        notes: what a reader must know, one sentence each ("41 tags were marked by nobody and count 0").
    """

    experiment: str
    purpose: str
    made_at: datetime
    options: Options
    batches: tuple[Batch, ...]
    standings: tuple[Standing, ...]
    photos: tuple[Photo, ...]
    marks: Agreement | None = None
    judge: JudgeReport | None = None
    pareto: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
