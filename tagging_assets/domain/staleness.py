"""What a change makes stale, told from sums: per batch and stage a recipe, versions and counts, and no rows.

``freshness`` decides image by image, from the rows, what a run computes. This module says beforehand how much that
will be, for millions of images, from what each run wrote down when it was through. It may say too much (early
cut-off spares images whose inputs turn out the same) and never too little. What does not belong here: reading the
sums (``resources/states.py``) and acting on them.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.freshness import Why
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.retrying import Retrying, first_retry, has_come
from tagging_assets.domain.stages import STAGES, Recipes

#: Names, among the versions a first stage has seen, of the batch's counters in the database.
PHOTOS, DECISIONS = "photos", "people"

#: The asset after the last stage; it has no recipe of its own.
PUBLISHED = "published_tags"


@dataclass(frozen=True, slots=True)
class StageState:
    """What a stage holds of a batch.

    Attributes:
        stage: name of the stage.
        batch: the partition.
        recipe: hash of how its rows were made.
        version: of what its current records say.
        above: versions of what it was made from, by table; counters of the database for the first stages.
        kept: superseded ok records that may stand again, by recipe.
        ok: images with a result.
        failed: images without.
        waiting: failed images that may succeed another time.
        retry_at: when the first of these is tried again unasked; ``None`` where none is.
        seconds: computing time of all current records.
        run_id: run that wrote this.
        updated_at: when that run began to look at the batch, aware UTC.
    """

    stage: str
    batch: str
    recipe: str
    version: str
    above: Mapping[str, str]
    kept: Mapping[str, int]
    ok: int
    failed: int
    waiting: int
    retry_at: datetime | None
    seconds: float
    run_id: str
    updated_at: datetime

    @property
    def images(self) -> int:
        """Images with a result or an error."""
        return self.ok + self.failed


@dataclass(frozen=True, slots=True)
class BatchSum:
    """What happened to the photos of a batch, summed up.

    Attributes:
        batch: the partition.
        images: photos that are there.
        gone: photos that are not there any more.
        revision: counts the changes to them.
        decisions: counts the changes to people's decisions about them.
        changed_at: when photos were last changed.
        done: what the last complete run was made from (see :func:`mark`).
    """

    batch: str
    images: int
    gone: int
    revision: int
    decisions: int
    changed_at: datetime
    done: str | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """What a run over one batch would do at one stage.

    Attributes:
        stage: name of the stage.
        batch: the partition.
        why: the reason.
        certain: images that will be computed.
        at_most: images that may be, where what is above turns out to have changed.
        reach: images whose rows may be others afterwards, computed or found again.
        recipe: hash of the recipe that the rows were made by; ``None`` where there are none.
    """

    stage: str
    batch: str
    why: Why
    certain: int
    at_most: int
    reach: int
    recipe: str | None = None


def state_of(
    frame: StageFrame,
    batch: str,
    recipe: str,
    above: Mapping[str, str],
    *,
    run_id: str,
    began: datetime,
    stage: str | None = None,
) -> StageState:
    """Sum up a partition that a run is through with.

    Args:
        frame: what it holds now.
        batch: the partition.
        recipe: hash of the recipe of the run.
        above: versions of what it was made from.
        run_id: of the run.
        began: when the run read what it started from.
        stage: whose state it is; the one that made the frame by default.
    """
    current = frame.current
    failed = [record for record in current if not record.ok]
    return StageState(
        stage=stage or frame.table.name,
        batch=batch,
        recipe=recipe,
        version=frame.version,
        above=dict(above),
        kept=dict(Counter(record.recipe for record in frame.records if record.ok and not record.current)),
        ok=len(current) - len(failed),
        failed=len(failed),
        waiting=sum(record.retryable for record in failed),
        retry_at=first_retry(failed),
        seconds=sum(record.seconds for record in current),
        run_id=run_id,
        updated_at=began,
    )


def mark(revision: int | str, decisions: int | str, recipes: Recipes) -> str:
    """What a complete run is made from: the same mark again means that there is nothing to do.

    Args:
        revision: of the batch's photos.
        decisions: counter of the decisions about them.
        recipes: of the whole line.
    """
    return f"{revision}/{decisions}/{recipes_mark(recipes)}"


def recipes_mark(recipes: Recipes) -> str:
    """Changes with any recipe of the line."""
    return content_hash(sorted(recipe.hash for recipe in recipes.values()))


def done_mark(states: Mapping[str, StageState], recipes: Recipes) -> str | None:
    """The mark of a batch whose stages are all made by the recipes, each from what the one above holds now.

    Args:
        states: of one batch, by stage.
        recipes: as things stand.

    Returns:
        ``None`` where something is still to be done.
    """
    if not states.keys() >= {*STAGES, PUBLISHED}:
        return None
    made = all(states[name].recipe == recipe.hash for name, recipe in recipes.items())
    joined = all(
        seen == states[table].version
        for state in states.values()
        for table, seen in state.above.items()
        if table in states
    )
    if not (made and joined):
        return None
    return mark(states["images"].above[PHOTOS], states["decisions"].above[DECISIONS], recipes)


def stale_stages(
    batch: BatchSum,
    states: Mapping[str, StageState],
    recipes: Recipes,
    *,
    now: datetime,
    changed: Mapping[str, int],
    retrying: Retrying = Retrying.DUE,
    only: Collection[str] | None = None,
) -> list[Stale]:
    """What a run over a batch would do, stage by stage in the order of the line.

    Args:
        batch: the batch's photos.
        states: of the batch, by stage; a stage that never ran has none.
        recipes: as things stand.
        now: aware UTC.
        changed: photos (:data:`PHOTOS`) and decided photos (:data:`DECISIONS`) that changed since their stage ran.
        retrying: which failed images would be tried again.
        only: stages that would run; all by default.
    """
    found: dict[str, Stale] = {}
    for name, recipe in recipes.items():
        if only is not None and name not in only:
            continue
        state = states.get(name)
        why, certain, own = _own_reason(name, batch, state, recipe.hash, changed)
        if state is not None and why is Why.FRESH and (again := _tried_again(state, retrying, now)):
            why, certain, own = Why.RETRY, again, again
        reach = max((found[table].reach for table in STAGES[name].needs if table in found), default=0)
        if state is not None and _behind(state, states):
            reach = max(reach, state.images)
        if why is Why.FRESH and reach:
            why = Why.INPUTS
        if why is not Why.FRESH:
            at_most = max(certain if why is not Why.NEW else own, reach)
            found[name] = Stale(
                name, batch.batch, why, certain, at_most, max(own, reach), state.recipe if state else None
            )
    return list(found.values())


def _own_reason(
    name: str,
    batch: BatchSum,
    state: StageState | None,
    recipe: str,
    changed: Mapping[str, int],
) -> tuple[Why, int, int]:
    """Why a stage itself has work, how many images for certain, and how many it touches at most."""
    if state is None:
        # Which photos come through to a stage that never ran, or have verdicts on them, is not known yet.
        return Why.NEW, 0 if name == "decisions" else batch.images, batch.images
    if state.recipe != recipe:
        certain = state.images - min(state.kept.get(recipe, 0), state.images)
        return Why.RECIPE if certain or not state.images else Why.RESTORED, certain, state.images
    counter, count = _counters(batch).get(name, ("", 0))
    if counter and state.above.get(counter) != str(count):
        return Why.INPUTS, changed.get(counter, 0), changed.get(counter, 0)
    return Why.FRESH, 0, 0


def has_news(batch: BatchSum, states: Mapping[str, StageState]) -> bool:
    """Whether photos of a batch, or decisions about them, changed since the stages that take them in last ran."""
    return any(
        name in states and states[name].above.get(counter) != str(count)
        for name, (counter, count) in _counters(batch).items()
    )


def _counters(batch: BatchSum) -> dict[str, tuple[str, int]]:
    """What the first stages have seen, by stage: the name of the counter and where it stands."""
    return {"images": (PHOTOS, batch.revision), "decisions": (DECISIONS, batch.decisions)}


def _tried_again(state: StageState, retrying: Retrying, now: datetime) -> int:
    """Failed images that a run tries again; at most, for only the first of those that wait is known to be due."""
    if retrying is Retrying.DUE:
        return state.waiting if state.retry_at is not None and has_come(state.retry_at, now) else 0
    return state.failed if retrying is Retrying.ALL else state.waiting


def _behind(state: StageState, states: Mapping[str, StageState]) -> bool:
    """Whether a table above holds something else than the stage has seen."""
    return any(table in states and states[table].version != seen for table, seen in state.above.items())


def with_below(stages: Collection[str]) -> list[str]:
    """Stages and everything that is made from them, in the order of the line, publishing included."""
    chosen = set(stages)
    for name, stage in STAGES.items():
        if chosen & stage.needs.keys():
            chosen.add(name)
    return [name for name in (*STAGES, PUBLISHED) if name in chosen or name == PUBLISHED]
