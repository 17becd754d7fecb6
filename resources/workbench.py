"""Runs a stage over a partition: plan, compute in chunks, checkpoint, report. The only loop over images there is.

What does not belong here: what a stage computes (its asset module) and what is fresh (``domain/freshness.py``).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

from resources.frame_store import FrameStore
from tagging_assets.domain.checks import set_aside
from tagging_assets.domain.errors import (
    ImageError,
    LlmNoAnswer,
    LlmOverBudget,
    LlmUnavailable,
    LlmWaiting,
    TaggingError,
)
from tagging_assets.domain.frames import FAILED, OK, ImageRecord, Row, StageFrame, typed_rows
from tagging_assets.domain.freshness import Item, Plan, Recipe, items_from, merged, plan
from tagging_assets.domain.hashing import rows_hash
from tagging_assets.domain.retrying import Retrying, is_due
from tagging_assets.domain.stages import STAGES, Stage
from tagging_assets.domain.staleness import StageState, state_of

#: What a stage returns for one image: its rows, or the error that is this image's own.
Outcome = Sequence[Row] | TaggingError
#: What a stage does with a chunk of images; raises only for what stops the run.
Compute = Callable[[Sequence[Item]], Sequence[Outcome]]
#: Records of other partitions that may serve copies of the same photo.
FindCopies = Callable[[Stage, str, Sequence[Item]], Sequence[ImageRecord]]
#: Serialises work on one (stage, partition) across processes.
Lock = Callable[[str], AbstractContextManager[None]]
KeepRecipe = Callable[[Recipe], None]
#: Remembers what a stage holds of a partition now, summed up.
KeepState = Callable[[StageState], None]
#: Remembers what the model of a stage ran on, given the stage and the provider.
KeepProvider = Callable[[str, str], None]

T = TypeVar("T")

_CHECKPOINT_SECONDS = 30.0
_GLANCE_SECONDS = 60.0


class Reporter(Protocol):
    """Told how work goes on; a progress bar, or a log line now and then."""

    def begin(self, stage: str, partition: str, total: int) -> None:
        """A stage starts on ``total`` images that need work."""
        ...

    def advance(self, images: int) -> None:
        """So many more are done."""
        ...

    def end(self) -> None:
        """The stage is through with the partition."""
        ...


class Silent:
    """Reports to nobody."""

    def begin(self, stage: str, partition: str, total: int) -> None:
        """Say nothing."""

    def advance(self, images: int) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """What a run of a stage over a partition came to.

    Attributes:
        frame: the partition as it stands now.
        plan: what was decided beforehand.
        computed: how many images were computed.
        seconds: wall time of the computing.
    """

    frame: StageFrame
    plan: Plan
    computed: int
    seconds: float


def each(function: Callable[[Item], Sequence[Row]]) -> Compute:
    """Lift a function of one image to chunks: its own errors become outcomes, and so stay its own."""

    def compute(items: Sequence[Item]) -> list[Outcome]:
        return [attempt(function, item) for item in items]

    return compute


def attempt(function: Callable[[Item], T], item: Item) -> T | TaggingError:
    """Call for one image; return an image's own error, raise what concerns all.

    Raises:
        TaggingError: of a kind that stops the run (model, storage, settings).
    """
    try:
        return function(item)
    except (ImageError, LlmUnavailable, LlmWaiting, LlmOverBudget, LlmNoAnswer) as error:
        return error


def together(
    items: Sequence[Item], load: Callable[[Item], T], work: Callable[[Sequence[T]], Iterable[Sequence[Row]]]
) -> list[Outcome]:
    """Load each image, then work on all that loaded at once, as models like it.

    Args:
        items: the chunk.
        load: gets one image ready; its own errors stay its own.
        work: rows of each loaded image, in their order.

    Raises:
        TaggingError: as :func:`attempt`, and what ``work`` raises.
    """
    loaded = [attempt(load, item) for item in items]
    rows = iter(work([one for one in loaded if not isinstance(one, TaggingError)]))
    return [one if isinstance(one, TaggingError) else next(rows) for one in loaded]


@dataclass(frozen=True)
class Workbench:
    """Where stages are run.

    Attributes:
        store: what partitions hold.
        threads: chunks computed at once.
        threads_by_stage: the same for stages that like another number.
        find_copies: lends records of the same photo from other partitions.
        lock: keeps two runs off one partition.
        check_partition: raises where nobody has made that partition.
        keep_recipe: remembers what a recipe hash stands for.
        keep_state: remembers what a partition came to.
        reporter: told about progress.
        keep_provider: remembers what a stage's model ran on, told the stage and the provider.
        interrupt: ends what threads wait for; called where a run is interrupted, as by Ctrl-C.
    """

    store: FrameStore
    threads: int = 1
    threads_by_stage: Mapping[str, int] = field(default_factory=dict)
    find_copies: FindCopies = lambda _stage, _partition, _items: ()
    lock: Lock = field(default=lambda _name: nullcontext())
    check_partition: Callable[[str], None] = lambda _partition: None
    keep_recipe: KeepRecipe = field(default=lambda _recipe: None)
    keep_state: KeepState = field(default=lambda _state: None)
    keep_provider: KeepProvider = field(default=lambda _stage, _provider: None)
    reporter: Reporter = field(default_factory=Silent)
    interrupt: Callable[[], None] = lambda: None

    def plan(
        self,
        stage_name: str,
        partition: str,
        recipe: Recipe,
        frames: Mapping[str, StageFrame],
        items: Sequence[Item] | None = None,
        previous: StageFrame | None = None,
        retrying: Retrying = Retrying.NOW,
    ) -> Plan:
        """What running the stage would do now; reads (the partition too, unless it is given), computes nothing."""
        again = partial(is_due, retrying=retrying, now=datetime.now(UTC))
        stage = STAGES[stage_name]
        previous = self.store.read(stage_name, partition) if previous is None else previous
        wanted = items_from(stage.needs, frames, stage.anchor) if items is None else items
        first = plan(recipe.hash, wanted, previous, shared=stage.shared, again=again)
        if not (stage.shared and first.compute):
            return first
        copies = self.find_copies(stage, partition, first.compute)
        return plan(recipe.hash, wanted, previous, copies=copies, shared=True, again=again) if copies else first

    def run(
        self,
        stage_name: str,
        partition: str,
        run_id: str,
        recipe: Recipe,
        frames: Mapping[str, StageFrame],
        compute: Compute,
        items: Sequence[Item] | None = None,
        *,
        seen: Mapping[str, str] | None = None,
        retrying: Retrying = Retrying.NOW,
        threads: int | None = None,
    ) -> StageRun:
        """Compute what is missing, stale or retryable, keep the rest, store the partition.

        Args:
            stage_name: which stage.
            partition: which image batch.
            run_id: recorded with every row computed now.
            recipe: how rows are made now.
            frames: the stages above, by table.
            compute: called with chunks, from several threads at once.
            items: the images, where they do not come from ``frames``.
            seen: versions of what ``items`` were made from, by name; those of ``frames`` by default.
            retrying: which failed images are tried again.
            threads: chunks computed at once; the workbench's own number by default.

        Raises:
            TaggingError: what stops the run; what was computed until then is stored.
        """
        began = datetime.now(UTC)
        self.check_partition(partition)
        with self.lock(f"{stage_name}/{partition}"):
            previous = self.store.sound(stage_name, partition)
            todo = self.plan(stage_name, partition, recipe, frames, items, previous, retrying)
            images = list(todo.why)
            standing = list(todo.keep)
            started = saved = time.monotonic()
            self.keep_recipe(recipe)
            self.reporter.begin(stage_name, partition, len(todo.compute))
            finished = False
            try:
                workers = replace(self, threads=threads or self.threads_by_stage.get(stage_name, self.threads))
                for records in workers._computed_once(STAGES[stage_name], run_id, recipe, todo.compute, compute):
                    standing += records
                    self.reporter.advance(len(records))
                    if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                        self.store.write(stage_name, partition, merged(previous, standing, images))
                        saved = time.monotonic()
                finished = True
            finally:
                self.reporter.end()
                if not finished and len(standing) > len(todo.keep):
                    self.store.write(stage_name, partition, merged(previous, standing, images))
            held = merged(previous, [_counted(record, previous) for record in standing], images)
            held = set_aside(stage_name, held)
            if held != previous or not self.store.exists(stage_name, partition):
                self.store.write(stage_name, partition, held)
            above = {name: frame.version for name, frame in frames.items()} if seen is None else seen
            self.keep_state(state_of(held, partition, recipe.hash, above, run_id=run_id, began=began))
            return StageRun(held, todo, len(todo.compute), time.monotonic() - started)

    def forget(self, stage_name: str, partition: str, lost: Callable[[ImageRecord], bool]) -> int:
        """Drop records whose rows name what is there no more, so that running the stage makes it again.

        Args:
            stage_name: which stage.
            partition: which image batch.
            lost: whether a record, current or superseded, is to be dropped.

        Returns:
            How many were dropped.
        """
        with self.lock(f"{stage_name}/{partition}"):
            frame = self.store.sound(stage_name, partition)
            kept = tuple(record for record in frame.records if not lost(record))
            if len(kept) < len(frame.records):
                self.store.write(stage_name, partition, StageFrame(frame.table, kept))
            return len(frame.records) - len(kept)

    def _computed_once(
        self, stage: Stage, run_id: str, recipe: Recipe, items: Sequence[Item], compute: Compute
    ) -> Iterator[list[ImageRecord]]:
        """Compute items; where copies share rows, one of each kind, which then lends them to the others."""
        if not stage.shared:
            yield from self._computed(stage, run_id, recipe, items, compute)
            return
        waiting = list(items)
        while waiting:
            first: dict[str, Item] = {}
            for item in waiting:
                first.setdefault(item.inputs, item)
            made: list[ImageRecord] = []
            for records in self._computed(stage, run_id, recipe, list(first.values()), compute):
                made += records
                yield records
            done = {item.image_id for item in first.values()}
            rest = [item for item in waiting if item.image_id not in done]
            lent = plan(recipe.hash, rest, StageFrame(stage.table), copies=made, shared=True)
            yield list(lent.keep)
            # What failed lends nothing: each copy fails, or not, on its own.
            waiting = list(lent.compute)

    def _computed(
        self, stage: Stage, run_id: str, recipe: Recipe, items: Sequence[Item], compute: Compute
    ) -> Iterator[list[ImageRecord]]:
        chunks = list(chunks_of(items, stage.chunk, self.threads))

        def work(chunk: Sequence[Item]) -> list[ImageRecord]:
            began = time.monotonic()
            outcomes = compute(chunk)
            seconds = (time.monotonic() - began) / len(chunk)
            return [
                _record(stage, run_id, recipe, item, outcome, seconds)
                for item, outcome in zip(chunk, outcomes, strict=True)
            ]

        if self.threads == 1 or len(chunks) <= 1:
            yield from map(work, chunks)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            futures = [pool.submit(work, chunk) for chunk in chunks]
            try:
                for future in futures:
                    # Timed: where waits have no end, Ctrl-C is not noticed on every system.
                    while not wait([future], timeout=_GLANCE_SECONDS).done:
                        pass
                    yield future.result()
            except BaseException as error:
                # Ctrl-C and its like; the pool would wait for questions that wait for an answer.
                if not isinstance(error, Exception | GeneratorExit):
                    self.interrupt()
                raise
            finally:
                for future in futures:
                    future.cancel()


def chunks_of(items: Sequence[T], size: int, threads: int) -> Iterator[Sequence[T]]:
    """Chunks of ``size``, smaller towards the end: no thread is left alone with much work while the others are idle."""
    start = 0
    while start < len(items):
        left = len(items) - start
        step = size if threads == 1 else min(size, -(-left // (2 * threads)))
        yield items[start : start + step]
        start += step


def _counted(record: ImageRecord, previous: StageFrame) -> ImageRecord:
    """A failure of what failed before is one attempt more."""
    last = previous.get(record.image_id)
    if record.ok or last is None or last.ok or last.key != record.key or last.computed_at == record.computed_at:
        return record
    return replace(record, attempts=last.attempts + 1)


def _record(stage: Stage, run_id: str, recipe: Recipe, item: Item, outcome: Outcome, seconds: float) -> ImageRecord:
    common = {
        "image_id": item.image_id,
        "recipe": recipe.hash,
        "inputs": item.inputs,
        "run_id": run_id,
        "computed_at": datetime.now(UTC),
        "seconds": seconds,
    }
    if isinstance(outcome, TaggingError):
        return ImageRecord(
            **common,  # type: ignore[arg-type]
            output="",
            status=FAILED,
            rows=(),
            error_kind=outcome.kind,
            error=str(outcome),
            retryable=outcome.retryable,
        )
    rows = typed_rows(stage.table, [{**row, "image_id": item.image_id} for row in outcome])
    return ImageRecord(**common, output=rows_hash(rows), status=OK, rows=rows)  # type: ignore[arg-type]
