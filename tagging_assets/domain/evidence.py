"""What a source says about a photo, and how far the source is trusted: the input of ``fusion``.

What does not belong here: how raw scores are made (adapters), and what they add up to (``fusion``).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any

from tagging_assets.domain.calibration import IDENTITY, Calibration
from tagging_assets.domain.errors import ModelFailed, SettingsError
from tagging_assets.domain.rules import ANY_CATEGORY, Rules, SourceOverride, normalise_tag

#: Name of the source behind the operator's rules on body features.
FEATURE_SOURCE = "body features"

#: Raw scores are compared to this many decimals: a threshold of 0.7 must admit the float32 nearest to 0.7.
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """One source's word for one label of one photo.

    Attributes:
        source: what kind of evidence, in words for people, e.g. ``objects zero-shot``.
        model: name of the model (or models, joined by ``+``) behind it.
        revision: of its weights.
        label: as the source names it.
        subject: the photo, or ``person …`` for a person in it.
        category: of the label, e.g. ``object``.
        score: raw score as the model gives it; for a ranked answer see :func:`rank_score`.
        rank: place in a ranked answer, from 1, or ``None``.
        threshold: the label's own, where its label set has one, or the photo's, where its scores set one (``cutting``).
        prompt_id: what was asked; the condition, for a rule on a body feature.
        prompt_hash: hash of the prompt's text.
        label_set: name of the label set the label is from.
        label_set_hash: hash of its content.
        request_hash: the ledger's key, for chat models.
        recipe: hash of the recipe that made the raw score.
        run_id: run that made it.
    """

    source: str
    model: str
    revision: str
    label: str
    subject: str
    category: str
    score: float
    rank: int | None = None
    threshold: float | None = None
    prompt_id: str = ""
    prompt_hash: str = ""
    label_set: str = ""
    label_set_hash: str = ""
    request_hash: str = ""
    recipe: str = ""
    run_id: str = ""


_texts = attrgetter(*(item.name for item in fields(Evidence) if item.type is str))


@dataclass(frozen=True, slots=True)
class SourceCard:
    """How far one model of one source is trusted.

    Attributes:
        weight: 0 (ignored) to 1: the highest score that this source alone can give a tag.
        calibration: raw score to confidence.
        calibrations: the same by category, fitted to people's decisions (see ``fitted``).
        threshold: raw score from which a label counts, where nothing more particular is said.
        thresholds: the same by category.
        floors: raw score by category below which no label counts, whatever its own threshold: fitted, too.
        family: name of a network whose work several sources share; they count as one. ``""`` for none.
    """

    weight: float
    calibration: Calibration = IDENTITY
    threshold: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    family: str = ""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)

    def curve(self, category: str) -> Calibration:
        """What raw scores of labels of a category (normalised) are worth."""
        return self.calibrations.get(category, self.calibration)


@dataclass(frozen=True, slots=True)
class Heard:
    """Evidence with what its source's card and the rules make of it.

    Attributes:
        evidence: as it came.
        threshold: raw score it had to reach.
        confidence: calibrated, in [0, 1].
        weight: of its source, in (0, 1]; 0 where another source of its family counts instead.
        family: of its source, or source and model where it has none.
    """

    evidence: Evidence
    threshold: float
    confidence: float
    weight: float
    family: str

    @property
    def strength(self) -> float:
        """What it alone would make the tag's score."""
        return self.weight * self.confidence

    @property
    def counts(self) -> bool:
        """Whether the raw score reaches its threshold, from a source that has any weight."""
        return round(self.evidence.score, DECIMALS) >= round(self.threshold, DECIMALS) and self.strength > 0.0

    @property
    def order(self) -> tuple[Any, ...]:
        """Strongest first; a total order, so that equals do not depend on who came first."""
        return (-self.strength, -self.evidence.score, self.threshold, *_texts(self.evidence))

    def as_struct(self) -> dict[str, Any]:
        """A struct of the column ``sources`` of the table ``tags``."""
        said = self.evidence
        return {
            "source": said.source,
            "model": said.model,
            "revision": said.revision,
            "label": said.label,
            "subject": said.subject,
            "score": round(said.score, DECIMALS),
            "confidence": self.confidence,
            "weight": self.weight,
            "threshold": self.threshold,
            "prompt_id": said.prompt_id,
            "prompt_hash": said.prompt_hash,
            "label_set": said.label_set,
            "label_set_hash": said.label_set_hash,
            "request_hash": said.request_hash,
            "recipe": said.recipe,
            "run_id": said.run_id,
        }


class Trust:
    """Source cards under the operator's overrides: turns evidence into what it is worth.

    Args:
        cards: (source, model) to its card.
        overrides: source, or ``source/model`` (which goes before it), to what the operator changes.

    Raises:
        SettingsError: an override names no known source, or a weight is outside [0, 1].
    """

    def __init__(self, cards: Mapping[tuple[str, str], SourceCard], overrides: Mapping[str, SourceOverride]) -> None:
        known = sorted({name for source, model in cards for name in (source, f"{source}/{model}")})
        for name in overrides:
            if name not in known:
                raise SettingsError(f'rules.sources: no source "{name}"; there are: {", ".join(known) or "none"}')
        for (source, model), card in cards.items():
            if not 0.0 <= card.weight <= 1.0:
                raise SettingsError(f"weight of {source}/{model} is {card.weight:g}; it goes from 0 to 1")
        self._said = {
            (source, model): [overrides[name] for name in (f"{source}/{model}", source) if name in overrides]
            for source, model in cards
        }
        self._cards = {key: _overridden(card, self._said[key]) for key, card in cards.items()}

    def hear(self, evidence: Evidence) -> Heard | None:
        """The evidence with its worth; ``None`` where it does not count.

        Raises:
            SettingsError: its source has no card.
            ModelFailed: its raw score is not a number.
        """
        heard = self.weigh(evidence)
        return heard if heard.counts else None

    def weigh(self, evidence: Evidence) -> Heard:
        """The evidence with its worth, whether or not it counts.

        Raises:
            SettingsError: its source has no card.
            ModelFailed: its raw score is not a number.
        """
        key = (evidence.source, evidence.model)
        if key not in self._cards:
            raise SettingsError(f"no weight is known for {'/'.join(key)}; give it one in rules.sources")
        if not math.isfinite(evidence.score):
            raise ModelFailed(
                f'{"/".join(key)} scored "{evidence.label}" {evidence.score}, not a number; check the model'
            )
        card, said = self._cards[key], self._said[key]
        raw, threshold = round(evidence.score, DECIMALS), self._threshold(evidence, card, said)
        curve = card.curve(normalise_tag(evidence.category))
        confidence = round(curve.confidence(raw), DECIMALS)
        return Heard(evidence, threshold, confidence, card.weight, card.family or "/".join(key))

    @staticmethod
    def _threshold(evidence: Evidence, card: SourceCard, said: Sequence[SourceOverride]) -> float:
        """The operator's for the category, then the label's own, then the card's: the most particular word.

        All but the operator's are raised to what decisions have shown to be needed, where that is known.
        """
        category = normalise_tag(evidence.category)
        for item in said:
            for name in (category, ANY_CATEGORY):
                if name in item.thresholds:
                    return item.thresholds[name]
        own = evidence.threshold
        usual = card.thresholds.get(evidence.category, card.threshold) if own is None else own
        return max(usual, card.floors.get(category, usual))


def _overridden(card: SourceCard, said: Sequence[SourceOverride]) -> SourceCard:
    weight = next((item.weight for item in said if item.weight is not None), card.weight)
    points = next((item.calibration for item in said if item.calibration is not None), None)
    if points is None:
        return replace(card, weight=weight)
    return replace(card, weight=weight, calibration=Calibration(points), calibrations={})


def rank_score(rank: int) -> float:
    """Raw score of a place in a ranked answer: 1, 0.63, 0.5, 0.43 … for places 1, 2, 3, 4 and so on.

    The logarithmic discount of cumulated gain (Järvelin and Kekäläinen, ACM TOIS 20(4), 2002).

    Raises:
        ValueError: ranks count from 1.
    """
    if rank < 1:
        raise ValueError(f"rank {rank}: ranks count from 1")
    return 1.0 / math.log2(1.0 + rank)


def feature_evidence(
    rows: Iterable[Mapping[str, Any]], rules: Rules, *, model: str, revision: str, recipe: str, run_id: str
) -> list[Evidence]:
    """What the operator's rules make of one photo's body features.

    Args:
        rows: rows of the table ``body_features`` of one photo; a row without a confidence was not visible.
        rules: with ``features``.
        model: name of the landmark model that was measured on.
        revision: of its weights.
        recipe: of the body features.
        run_id: run that measured.

    Returns:
        One piece per row and rule that holds: its score is the measurement's confidence, its threshold the
        rule's ``min_confidence``, its ``prompt_id`` the condition.
    """
    hash_of_rules = rules.rules_hash if rules.features else ""
    return [
        Evidence(
            source=FEATURE_SOURCE,
            model=model,
            revision=revision,
            label=rule.tag,
            subject=f"person {row['detection_id']}",
            category=rule.category,
            score=float(row["confidence"]),
            threshold=rule.min_confidence,
            prompt_id=rule.condition,
            label_set="rules",
            label_set_hash=hash_of_rules,
            recipe=recipe,
            run_id=run_id,
        )
        for row in rows
        if row["confidence"] is not None
        for rule in rules.features
        if rule.feature == row["feature"] and rule.holds(row["value"], row["label"])
    ]
