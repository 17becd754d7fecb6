"""From people's verdicts to a calibration: which verdict is an example of what, and what is fitted to which of them.

What does not belong here: the fitting of one curve (``calibrating``) and reading verdicts (``resources.calibrations``).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagging_assets.domain.calibrating import Example, compared, fit_curve, refusal, threshold_for
from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.evidence import DECIMALS
from tagging_assets.domain.fitted import TOGETHER, Fit, Fitted, Group, Refused
from tagging_assets.domain.rules import normalise_tag

#: Examples by category.
_ByCategory = dict[str, list[Example]]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A verdict that holds, with what the machine had said.

    Attributes:
        photo: id of the picture; copies of a picture have one.
        category: of the tag.
        right: accepted, not rejected.
        sources: structs of the column ``sources`` of ``tags``.
    """

    photo: str
    category: str
    right: bool
    sources: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Pupil:
    """A model of a source that can learn: the ``revision`` in use and the catalogue's ``curve`` for it."""

    revision: str
    curve: Calibration


@dataclass(frozen=True)
class Teacher:
    """Fits calibrations of the models in use.

    Attributes:
        pupils: by (source, model).
        precision: that thresholds are to meet, in (0, 1).
        min_decisions: fewest decisions that anything is fitted to.
        label_sets: category of each label set by its name: a tag's category may be that of another source.
        categories: category of everything a source says, where it has only one.
    """

    pupils: Mapping[tuple[str, str], Pupil]
    precision: float = 0.9
    min_decisions: int = 50
    label_sets: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    def teach(self, lessons: Iterable[Lesson]) -> Fitted:
        """Everything that can be fitted to the lessons, in any order; figures and reasons for all of it."""
        fits: list[Fit] = []
        refused: list[Refused] = []
        for key, by_category in sorted(self.examples(lessons).items()):
            for answer in self._answers(key, by_category):
                fits.append(answer) if isinstance(answer, Fit) else refused.append(answer)
        return Fitted(
            precision=self.precision, min_decisions=self.min_decisions, fits=tuple(fits), refused=tuple(refused)
        )

    def examples(self, lessons: Iterable[Lesson]) -> dict[tuple[str, str], _ByCategory]:
        """Examples by (source, model) and category: one per verdict, with the best raw score.

        Evidence of models and revisions that are not in use is left out.
        """
        found: dict[tuple[str, str], _ByCategory] = defaultdict(lambda: defaultdict(list))
        for lesson in lessons:
            best: dict[tuple[str, str], tuple[float, str]] = {}
            for said in lesson.sources:
                key = (said["source"], said["model"])
                pupil = self.pupils.get(key)
                if pupil is not None and pupil.revision == said["revision"]:
                    spoken = (round(float(said["score"]), DECIMALS), self._category(said, lesson.category))
                    best[key] = max(best.get(key, spoken), spoken)
            for key, (raw, category) in best.items():
                found[key][category].append(Example(lesson.photo, raw, lesson.right))
        return {key: dict(by_category) for key, by_category in found.items()}

    def _category(self, said: Mapping[str, Any], of_tag: str) -> str:
        """Category of the evidence, which is what cards are asked by."""
        own = self.categories.get(said["source"]) or self.label_sets.get(said.get("label_set", "")) or of_tag
        return normalise_tag(own)

    def _answers(self, key: tuple[str, str], by_category: _ByCategory) -> list[Fit | Refused]:
        """One per category that has enough decisions; all categories together for those that have too few."""
        names = sorted(by_category)
        scarce = [name for name in names if refusal(by_category[name], self.min_decisions)]
        answers = [self._answer(key, name, (name,), by_category[name]) for name in names if name not in scarce]
        everything = [one for name in names for one in by_category[name]]
        if scarce and len(names) > 1 and not refusal(everything, self.min_decisions):
            return [*answers, self._answer(key, TOGETHER, tuple(scarce), everything)]
        return [*answers, *(self._answer(key, name, (name,), by_category[name]) for name in scarce)]

    def _answer(
        self, key: tuple[str, str], category: str, serves: tuple[str, ...], examples: Sequence[Example]
    ) -> Fit | Refused:
        (source, model), pupil = key, self.pupils[key]
        group = Group(
            source=source,
            model=model,
            revision=pupil.revision,
            category=category,
            serves=serves,
            decisions=len(examples),
            right=sum(one.right for one in examples),
        ).model_dump()
        why = refusal(examples, self.min_decisions)
        if why:
            return Refused(**group, why=why)
        before, after = compared(examples, pupil.curve)
        if after.brier >= before.brier:
            return Refused(**group, why=f"no better: Brier score {before.brier:.4f} before, {after.brier:.4f} after")
        raws = [one.raw for one in examples]
        return Fit(
            **group,
            points=fit_curve(examples, pupil.curve).points,
            threshold=threshold_for(examples, self.precision),
            lowest=min(raws),
            highest=max(raws),
            before=before,
            after=after,
        )
