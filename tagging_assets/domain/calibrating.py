"""Fits calibrations and thresholds to what people decided. Pure: verdicts in, curves and figures out.

A verdict is an example for every source that had spoken for the tag: its raw score, and whether the tag was right.
Examples of one (source, model) and category make one fit:

- **Curve.** Isotonic regression by pooling adjacent violators (Ayer et al., Annals of Mathematical Statistics 26,
  1955), as Zadrozny and Elkan use it for calibration ("Transforming classifier scores into accurate multiclass
  probability estimates", KDD 2002); equal raw scores weigh as many examples as they are. Blocks are merged to at most
  seven of at least ten examples, each is drawn towards the overall share by two examples' weight (so nothing is
  certain after a few), and its mean raw score becomes a point of the curve.
- **Honest figures.** Error before and after are of the same examples; those after come from ten-fold
  cross-validation over photos: no example is judged by a curve that has seen its photo. A curve that is no better
  than the catalogue's by this measure (Brier score) is refused.
- **Threshold.** The lowest raw score for which the precision of everything from there on meets the target, by the
  lower end of its one-sided 95 % Wilson interval. That is a bound for each score by itself; choosing the lowest among
  many errs more often where much speaks for chance. In simulations 3 to 6 % of the fits to 60 to 1000 decisions gave a
  threshold that missed the target; where the score hardly matters and precision lies just below the target (0.895 for
  0.9), up to one in five did, by that little.

**Only tags that were shown can be decided on.** Examples are therefore of labels whose fused score passed
``rules.keep_above``, often because other sources agreed. The curve is what a raw score means *among shown tags*, which
is somewhat more than it means among all labels, the more so near the lowest score seen. Nothing is known below that:
there the catalogue's curve stays, held down to where the fitted one begins. Above the highest block nothing rises.

What does not belong here: where verdicts come from (``resources.calibrations``) and what a fit is applied to
(``fitted``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.fitted import Threshold
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.reliability import Z_95_ONE_SIDED, Quality, quality, wilson_interval

_MOST_BLOCKS = 7
_SMALLEST_BLOCK = 10
_PRIOR = 2.0
_FOLDS = 10
_DECIMALS = 4
#: Raw score over which the catalogue's curve goes over into the fitted one where there is no room between them.
_RAMP = 0.001

#: Fewest examples of either verdict, and fewest photos: below, a curve is chance.
MIN_EITHER = 5
MIN_PHOTOS = _FOLDS


@dataclass(frozen=True, slots=True)
class Example:
    """One label that a person decided on.

    Attributes:
        photo: id of the picture; copies of a picture have one.
        raw: the source's raw score.
        right: accepted, not rejected.
    """

    photo: str
    raw: float
    right: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """Examples of neighbouring raw scores: how many, the sum of their raw scores, and how many were right."""

    count: float
    raws: float
    right: float

    @property
    def share(self) -> float:
        return self.right / self.count

    @property
    def raw(self) -> float:
        return self.raws / self.count

    def __add__(self, other: "_Block") -> "_Block":
        return _Block(self.count + other.count, self.raws + other.raws, self.right + other.right)

    def towards(self, share: float) -> "_Block":
        """As if a few more examples of the same raw score had come, right as often as ``share`` says."""
        count = self.count + _PRIOR
        return _Block(count, self.raw * count, self.right + _PRIOR * share)


def refusal(examples: Sequence[Example], min_decisions: int) -> str:
    """Why examples are too few to fit anything to; ``""`` where they are enough."""
    count, right = len(examples), sum(one.right for one in examples)
    photos = len({one.photo for one in examples})
    if count < min_decisions:
        return f"{count} of at least {min_decisions} decisions"
    if min(right, count - right) < MIN_EITHER:
        few, word = (right, "accepted") if right < MIN_EITHER else (count - right, "rejected")
        return f"{few} of at least {MIN_EITHER} {word}"
    if photos < MIN_PHOTOS:
        return f"decisions on {photos} of at least {MIN_PHOTOS} photos"
    return ""


def fit_curve(examples: Sequence[Example], base: Calibration) -> Calibration:
    """The monotone curve of the examples, above the lowest raw score among them; the base below.

    Args:
        examples: at least one, in any order.
        base: what holds where there are no examples.
    """
    ordered = sorted(examples, key=attrgetter("raw"))
    overall = (sum(one.right for one in ordered) + 1) / (len(ordered) + 2)
    blocks = _thinned(_monotone(_by_raw(ordered)))
    smooth = _monotone([block.towards(overall) for block in blocks])
    knots = [(block.raw, block.share) for block in smooth]
    return _joined(base, min(ordered[0].raw, knots[0][0] - _RAMP), knots)


def compared(examples: Sequence[Example], base: Calibration) -> tuple[Quality, Quality]:
    """Quality of the base and, by cross-validation over photos, of fitted curves, on the same examples."""
    folds = _folds(examples)
    said: dict[int, float] = {}
    for fold in range(_FOLDS):
        seen = [one for one, of in zip(examples, folds, strict=True) if of != fold]
        unseen = [place for place, of in enumerate(folds) if of == fold]
        if unseen:
            curve = fit_curve(seen, base) if seen else base
            said.update((place, curve.confidence(examples[place].raw)) for place in unseen)
    rights = [one.right for one in examples]
    before = [base.confidence(one.raw) for one in examples]
    return quality(before, rights), quality([said[place] for place in range(len(examples))], rights)


def threshold_for(examples: Iterable[Example], precision: float) -> Threshold | None:
    """The lowest raw score from which on precision is at least the target, as far as decisions can tell.

    Args:
        examples: in any order.
        precision: target, in (0, 1).

    Returns:
        ``None`` where no score meets it, or there are too few examples to be sure of any.
    """
    count = right = 0
    found: Threshold | None = None
    falling = sorted(examples, key=attrgetter("raw"), reverse=True)
    for raw, tied in groupby(falling, key=attrgetter("raw")):
        verdicts = [one.right for one in tied]
        count, right = count + len(verdicts), right + sum(verdicts)
        bound, _ = wilson_interval(right, count, Z_95_ONE_SIDED)
        if bound >= precision:
            found = Threshold(
                raw=raw, decisions=count, precision=round(right / count, _DECIMALS), bound=round(bound, _DECIMALS)
            )
    return found


def _by_raw(ordered: Sequence[Example]) -> Iterator[_Block]:
    for raw, tied in groupby(ordered, key=attrgetter("raw")):
        verdicts = [one.right for one in tied]
        yield _Block(len(verdicts), raw * len(verdicts), sum(verdicts))


def _monotone(blocks: Iterable[_Block]) -> list[_Block]:
    """Pool adjacent violators: the closest rising sequence in the sense of least squares."""
    pooled: list[_Block] = []
    for block in blocks:
        pooled.append(block)
        while len(pooled) > 1 and pooled[-2].share >= pooled[-1].share:
            last = pooled.pop()
            pooled[-1] += last
    return pooled


def _thinned(blocks: list[_Block]) -> list[_Block]:
    """Few blocks, none small: the neighbours that differ least for their size are merged first."""
    blocks = list(blocks)
    while len(blocks) > 1:
        small = [place for place, block in enumerate(blocks) if block.count < _SMALLEST_BLOCK]
        if not small and len(blocks) <= _MOST_BLOCKS:
            break
        pairs = range(len(blocks) - 1)
        open_to = [place for place in pairs if place in small or place + 1 in small] if small else list(pairs)
        place = min(open_to, key=lambda at: _loss(blocks[at], blocks[at + 1]))
        blocks[place : place + 2] = [blocks[place] + blocks[place + 1]]
    return blocks


def _loss(first: _Block, second: _Block) -> float:
    """What squared error merging two blocks adds (Ward, JASA 58, 1963)."""
    return first.count * second.count / (first.count + second.count) * (first.share - second.share) ** 2


def _joined(base: Calibration, start: float, knots: Sequence[tuple[float, float]]) -> Calibration:
    """The base up to ``start``, nowhere above the first knot, then through the knots."""
    ceiling = knots[0][1]
    below = [point for point in base.points if point[0] < start]
    edge = [*below, (start, base.confidence(start))]
    points = [(raw, min(said, ceiling)) for raw, said in edge]
    for (raw, said), (next_raw, next_said) in pairwise(edge):
        if said < ceiling < next_said:
            points.append((raw + (next_raw - raw) * (ceiling - said) / (next_said - said), ceiling))
    return Calibration(_rounded([*sorted(points), *knots]))


def _rounded(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """To four decimals; of points that then share a raw score the last one stays, of a level its two ends."""
    by_raw: dict[float, float] = {round(raw, _DECIMALS): round(said, _DECIMALS) for raw, said in points}
    kept: list[tuple[float, float]] = []
    for point in by_raw.items():
        if len(kept) > 1 and kept[-2][1] == kept[-1][1] == point[1]:
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _folds(examples: Sequence[Example]) -> list[int]:
    """The fold of each example: photos shuffled by a hash of their id, dealt out like cards."""
    photos = sorted({one.photo for one in examples}, key=content_hash)
    fold: Mapping[str, int] = {photo: place % _FOLDS for place, photo in enumerate(photos)}
    return [fold[one.photo] for one in examples]
