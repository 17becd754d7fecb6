"""How fresh the line is: per batch and stage, what a run would do now, and why. Reads only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resources.manifest import Manifest
from resources.publisher import Publisher
from resources.workbench import Workbench
from tagging_assets.assets.images import image_items
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.freshness import COSTS, Plan, Why
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.stages import STAGES, Recipes


@dataclass(frozen=True)
class Line:
    """The stages over the stored tables.

    Attributes:
        bench: plans stages.
        recipes: how rows would be made now.
        manifest: which photos there are.
        publisher: what is published.
    """

    bench: Workbench
    recipes: Recipes
    manifest: Manifest
    publisher: Publisher

    def reasons(self, batch: str) -> dict[str, Counter[Why]]:
        """Images per stage and reason. Stages below a stale one are judged by what is stored above them now."""
        frames: dict[str, StageFrame] = {}
        found: dict[str, Counter[Why]] = {}
        for name in STAGES:
            frames[name] = self.bench.store.read(name, batch)
            found[name] = Counter(self._plan(name, batch, frames).why.values())
        return found

    def is_fresh(self, batch: str) -> bool:
        """Whether a run over the batch would change nothing. Stops at the first stage that would."""
        frames: dict[str, StageFrame] = {}
        for name in STAGES:
            frames[name] = self.bench.store.read(name, batch)
            plan = self._plan(name, batch, frames)
            standing = {record.image_id for record in frames[name].current}
            if standing != set(plan.why) or any(why is not Why.FRESH for why in plan.why.values()):
                return False
        gone = [ref.image_id for ref in self.manifest.images(batch) if ref.gone]
        decided = [record for record in frames["tags"].current if record.ok]
        return self.publisher.is_current(batch, decided, gone)

    def version(self, batch: str) -> str:
        """Changes with the photos of a batch and with the recipes; the same again asks for no second run."""
        refs = self.manifest.images(batch)
        photos = sorted((item.image_id, item.inputs) for item in image_items(refs))
        gone = sorted(ref.image_id for ref in refs if ref.gone)
        return content_hash([photos, gone, sorted(recipe.hash for recipe in self.recipes.values())])

    def stale_batches(self, batches: Sequence[str]) -> list[str]:
        """Those of the batches that a run would change."""
        return [batch for batch in batches if not self.is_fresh(batch)]

    def _plan(self, name: str, batch: str, frames: Mapping[str, StageFrame]) -> Plan:
        items = image_items(self.manifest.images(batch)) if name == "images" else None
        return self.bench.plan(name, batch, self.recipes[name], frames, items, frames[name])


def costly(reasons: Mapping[Why, int]) -> int:
    """How many images would be computed."""
    return sum(count for why, count in reasons.items() if why in COSTS)
