"""A calibration as it is kept: what was fitted for which source, what was refused and why; and its use on cards.

What does not belong here: fitting (``calibrating``) and keeping (``resources.calibrations``).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import pydantic

from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.evidence import SourceCard
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.reliability import Quality

#: Stands for the category of a fit to the decisions on all categories together.
TOGETHER = "*"


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Threshold(_Part):
    """A raw score from which on labels are right often enough.

    Attributes:
        raw: the lowest such score.
        decisions: with that score or a higher one.
        precision: share of them that was right.
        bound: what the share is at least, with 95 % confidence.
    """

    raw: float
    decisions: int
    precision: float
    bound: float


class Group(_Part):
    """Decisions on labels of one source, model and category.

    Attributes:
        source: e.g. ``tagger``.
        model: behind it.
        revision: of its weights; evidence of other revisions was left out.
        category: of the labels; :data:`TOGETHER` for all that the model speaks of.
        serves: categories that it is about; of all categories together, those that have too few decisions alone.
        decisions: how many.
        right: of them accepted.
    """

    source: str
    model: str
    revision: str
    category: str
    serves: tuple[str, ...]
    decisions: int
    right: int

    @property
    def name(self) -> str:
        """For people."""
        if self.category == TOGETHER:
            return f"{self.source} · {', '.join(self.serves)} (by all categories)"
        return f"{self.source} · {self.category or 'no category'}"


class Fit(Group):
    """A curve that took the place of the catalogue's.

    Attributes:
        points: of the curve (see ``Calibration``).
        threshold: from which on the chosen precision is met; ``None`` where nothing shows that it is.
        lowest: raw score that was decided on.
        highest: likewise.
        before: quality of the catalogue's curve on these decisions.
        after: of the fitted one, by cross-validation.
    """

    points: tuple[tuple[float, float], ...]
    threshold: Threshold | None
    lowest: float
    highest: float
    before: Quality
    after: Quality

    @property
    def curve(self) -> Calibration:
        """The points as a map."""
        return Calibration(self.points)


class Refused(Group):
    """Decisions that nothing was fitted to, and ``why``."""

    why: str


class Fitted(_Part):
    """Everything that one fitting came to: the body of a row of ``tagging.calibration``.

    Attributes:
        version: of this form.
        precision: that thresholds were to meet.
        min_decisions: that a fit needed.
        fits: curves and thresholds.
        refused: where the catalogue's curves stay.
    """

    version: Literal[1] = 1
    precision: float = 0.0
    min_decisions: int = 0
    fits: tuple[Fit, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def hash(self) -> str:
        """Of the content."""
        return content_hash(self.model_dump(mode="json"))

    def on(
        self,
        cards: Mapping[tuple[str, str], SourceCard],
        revisions: Mapping[tuple[str, str], str],
        *,
        thresholds: bool = False,
    ) -> dict[tuple[str, str], SourceCard]:
        """Cards with the fits on top; a fit to another revision of a model than the one in use does nothing.

        Args:
            cards: (source, model) to what the catalogue says.
            revisions: (source, model) to the revision in use.
            thresholds: whether labels below a threshold are no longer heard.
        """
        result = dict(cards)
        for fit in self.fits:
            key = (fit.source, fit.model)
            if key not in cards or revisions.get(key) != fit.revision:
                continue
            card = result[key]
            curves = {**card.calibrations, **dict.fromkeys(fit.serves, fit.curve)}
            floors = dict(card.floors)
            if thresholds and fit.threshold is not None:
                floors.update(dict.fromkeys(fit.serves, fit.threshold.raw))
            result[key] = replace(card, calibrations=curves, floors=floors)
        return result
