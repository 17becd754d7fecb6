"""How fresh the line is: which batches a run would change, and what it would do there. Told from sums, reads only."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from resources.frame_store import FrameStore
from resources.manifest import Manifest
from resources.states import States
from tagging_assets.domain.freshness import Why
from tagging_assets.domain.retrying import Retrying
from tagging_assets.domain.stages import STAGES, Recipes
from tagging_assets.domain.staleness import Stale, has_news, mark, stale_stages


@dataclass(frozen=True)
class Line:
    """The stages over the stored tables.

    Attributes:
        store: the tables.
        recipes: how rows would be made now.
        manifest: which photos there are.
        states: what each stage came to, summed up.
    """

    store: FrameStore
    recipes: Recipes
    manifest: Manifest
    states: States

    def stale_batches(
        self, batches: Sequence[str] | None = None, *, now: datetime, retrying: Retrying = Retrying.DUE
    ) -> list[str]:
        """Batches that a run would change, in order.

        Args:
            batches: only of these, and with a look whether their tables are there; all of the manifest by default.
            now: aware UTC.
            retrying: which failed images would be tried again.
        """
        found = set(self.states.unsettled(self.recipes, now=now, retrying=retrying, batches=batches))
        found.update(batch for batch in batches or () if self._lost(batch))
        return sorted(found)

    def with_news(self, batches: Sequence[str]) -> list[str]:
        """Of these, batches with photos, or decisions about them, that no run has taken in; recipes do not count."""
        sums, states = self.manifest.batch_sums(batches), self.states.of(batches)
        return [one.batch for one in sums if not states[one.batch] or has_news(one, states[one.batch])]

    def versions(self, batches: Sequence[str]) -> dict[str, str]:
        """By batch, what changes with its photos, the decisions about them and the recipes."""
        return {one.batch: mark(one.revision, one.decisions, self.recipes) for one in self.manifest.batch_sums(batches)}

    def stale(
        self,
        batches: Sequence[str],
        *,
        now: datetime,
        retrying: Retrying = Retrying.DUE,
        only: Collection[str] | None = None,
    ) -> list[Stale]:
        """What a run would do, batch by batch and stage by stage.

        Args:
            batches: those that :meth:`stale_batches` named.
            now: aware UTC.
            retrying: which failed images would be tried again.
            only: stages that would run; all by default.
        """
        sums, states = self.manifest.batch_sums(batches), self.states.of(batches)
        # Counting changes takes a look at every photo of a batch; most batches have none.
        changed = self.states.changed([one.batch for one in sums if has_news(one, states[one.batch])])
        return [
            one
            for batch in sums
            for one in stale_stages(
                batch,
                {stage: state for stage, state in states[batch.batch].items() if self._is_there(stage, batch.batch)},
                self.recipes,
                now=now,
                changed=changed.get(batch.batch, {}),
                retrying=retrying,
                only=only,
            )
        ]

    def _lost(self, batch: str) -> bool:
        return not all(self._is_there(stage, batch) for stage in STAGES)

    def _is_there(self, stage: str, batch: str) -> bool:
        return stage not in STAGES or self.store.seems_whole(stage, batch)


@dataclass(frozen=True, slots=True)
class StaleSum:
    """What a run would do at one stage, over all batches.

    Attributes:
        stage: name of the stage.
        certain: images that will be computed.
        at_most: images that may be.
        why: images per reason, at most.
        recipes: images by the hash of the recipe that made them, where that changed.
    """

    stage: str
    certain: int
    at_most: int
    why: Counter[Why]
    recipes: Counter[str]


def summed(stale: Sequence[Stale]) -> list[StaleSum]:
    """Sums by stage, in the order of the line; stages without work are left out."""
    order = list(STAGES)
    ordered = sorted(stale, key=lambda one: order.index(one.stage))
    return [_sum(stage, list(ones)) for stage, ones in groupby(ordered, key=lambda one: one.stage)]


def _sum(stage: str, stale: Sequence[Stale]) -> StaleSum:
    why: Counter[Why] = Counter()
    recipes: Counter[str] = Counter()
    for one in stale:
        why[one.why] += max(one.at_most, one.reach if one.why is Why.RESTORED else 0)
        if one.recipe is not None and one.why in (Why.RECIPE, Why.RESTORED):
            recipes[one.recipe] += one.reach
    return StaleSum(stage, sum(one.certain for one in stale), sum(one.at_most for one in stale), why, recipes)
