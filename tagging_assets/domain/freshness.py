"""What has to be computed, and why: the one function that decides freshness, for every stage.

A build system with early cut-off at the grain of one image (Mokhov, Mitchell, Peyton Jones, "Build Systems à la
Carte", ICFP 2018): a record is fresh if its recipe and the content of its inputs are what they would be now.
Times, run ids and Dagster's own events play no part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from tagging_assets.domain.frames import ImageRecord, StageFrame
from tagging_assets.domain.hashing import content_hash, rows_hash

#: Superseded records kept per image, so that the way back is free.
KEPT_SUPERSEDED = 3


@dataclass(frozen=True)
class Recipe:
    """How a stage makes its rows: everything that changes the result besides the inputs.

    Attributes:
        stage: name of the stage.
        code_version: bumped by whoever changes what the stage's code computes.
        parts: model cards, parameters, prompt and label-set hashes, rules; JSON-able.
    """

    stage: str
    code_version: str
    parts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """What is hashed, and kept for explanations."""
        return {"stage": self.stage, "code_version": self.code_version, **self.parts}

    @cached_property
    def hash(self) -> str:
        """Identity of the recipe."""
        return content_hash(self.body)


class Why(StrEnum):
    """Reason for the state an image is in at a stage."""

    FRESH = "fresh"
    RESTORED = "an earlier result fits again"
    COPY = "a copy of the photo has it"
    NEW = "never computed"
    RECIPE = "the recipe changed"
    INPUTS = "its inputs changed"
    RETRY = "failed, and may succeed now"
    WAITING = "failed, to be tried again later"


#: Reasons that cost a computation.
COSTS = frozenset({Why.NEW, Why.RECIPE, Why.INPUTS, Why.RETRY})


@dataclass(frozen=True, slots=True)
class Need:
    """What a stage takes from one stage above.

    Attributes:
        columns: only a change in these makes the stage stale; all by default.
        required: without an ok record the image is not computed; otherwise it is computed without.
        failures: why there is no ok record matters as well; of an error, its kind and what stands before the colon.
    """

    columns: tuple[str, ...] | None = None
    required: bool = True
    failures: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One image, ready to be computed.

    Attributes:
        image_id: whose.
        inputs: hash of the inputs' content.
        upstream: ok records by table; an optional one may be missing.
        failed: failed records by table, of optional ones only.
    """

    image_id: str
    inputs: str
    upstream: Mapping[str, ImageRecord] = field(default_factory=dict)
    failed: Mapping[str, ImageRecord] = field(default_factory=dict)

    def row(self, table: str) -> Mapping[str, Any]:
        """The only row of a table with one row per image."""
        return self.upstream[table].rows[0]

    def rows(self, table: str) -> tuple[Mapping[str, Any], ...]:
        """Rows of a table; none where it has no ok record."""
        record = self.upstream.get(table)
        return record.rows if record else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for one stage and partition.

    Attributes:
        keep: records that go on standing, or stand again, or are lent by a copy.
        compute: items to be computed.
        why: reason per image.
    """

    keep: tuple[ImageRecord, ...]
    compute: tuple[Item, ...]
    why: Mapping[str, Why]


def items_from(needs: Mapping[str, Need], frames: Mapping[str, StageFrame], anchor: str) -> list[Item]:
    """Items of a stage: the images whose required inputs are there.

    Args:
        needs: what the stage takes, by table.
        frames: what the stages above hold.
        anchor: table whose current records name the images.
    """
    items = []
    for record in frames[anchor].current:
        found = {name: one for name in needs if (one := frames[name].get(record.image_id)) is not None}
        upstream = {name: one for name, one in found.items() if one.ok}
        if all(name in upstream for name, need in needs.items() if need.required):
            failed = {name: one for name, one in found.items() if not one.ok}
            items.append(Item(record.image_id, inputs_hash(needs, found), upstream, failed))
    return items


def inputs_hash(needs: Mapping[str, Need], found: Mapping[str, ImageRecord]) -> str:
    """Hash of what an image's inputs say, by table.

    Args:
        needs: what is taken, by table.
        found: what the tables hold, ok or failed; an optional input that is absent or failed says "nothing", unless
            its failure matters.
    """
    said: dict[str, str | None] = {}
    for name, need in needs.items():
        record = found.get(name)
        if record is None or not (record.ok or need.failures):
            said[name] = None
        elif not record.ok:
            said[name] = f"{record.error_kind}: {(record.error or '').partition(':')[0]}"
        else:
            said[name] = record.output if need.columns is None else rows_hash(record.rows, need.columns)
    return content_hash(said)


def plan(
    recipe_hash: str,
    items: Sequence[Item],
    previous: StageFrame,
    *,
    copies: Iterable[ImageRecord] = (),
    shared: bool = False,
    again: Callable[[ImageRecord], bool] = lambda record: record.retryable,
) -> Plan:
    """Decide, image by image, what stands and what has to be computed.

    Args:
        recipe_hash: how the rows would be made now.
        items: the images of the partition, with their inputs as they are now.
        previous: what the partition holds.
        copies: records of other images and partitions that may be lent (see ``shared``).
        shared: whether rows depend on the inputs alone, so that one photo's rows serve its copies.
        again: whether a failed record is tried again now (see ``retrying.is_due``).
    """
    known = {record.key: record for record in previous.records}
    lendable = {
        (record.recipe, record.inputs): record for record in (*previous.records, *copies) if shared and record.ok
    }
    keep: list[ImageRecord] = []
    compute: list[Item] = []
    why: dict[str, Why] = {}
    for item in items:
        record = known.get((item.image_id, recipe_hash, item.inputs))
        lent = lendable.get((recipe_hash, item.inputs))
        if record is not None and (record.ok or not again(record)):
            keep.append(replace(record, current=True))
            why[item.image_id] = _why_kept(record)
        elif lent is not None:
            keep.append(replace(lent, image_id=item.image_id, rows=_owned(lent, item.image_id), current=True))
            why[item.image_id] = Why.COPY
        else:
            compute.append(item)
            why[item.image_id] = _why(previous.get(item.image_id), recipe_hash, retry=record is not None)
    return Plan(tuple(keep), tuple(compute), why)


def _why_kept(record: ImageRecord) -> Why:
    if not record.current:
        return Why.RESTORED
    return Why.FRESH if record.ok or not record.retryable else Why.WAITING


def _why(standing: ImageRecord | None, recipe_hash: str, *, retry: bool) -> Why:
    if retry:
        return Why.RETRY
    if standing is None:
        return Why.NEW
    return Why.INPUTS if standing.recipe == recipe_hash else Why.RECIPE


def _owned(record: ImageRecord, image_id: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({**row, "image_id": image_id} for row in record.rows)


def merged(previous: StageFrame, standing: Sequence[ImageRecord], expected: Iterable[str]) -> StageFrame:
    """The partition after (a part of) a run: what stands, and what it superseded.

    Args:
        previous: what the partition held.
        standing: records kept and computed so far.
        expected: images of the partition; those without a standing record yet keep none as current, because
            the old one was made another way or from other inputs.
    """
    fresh = {record.key for record in standing}
    superseded: dict[str, list[ImageRecord]] = {}
    for record in previous.records:
        if record.key not in fresh:
            superseded.setdefault(record.image_id, []).append(replace(record, current=False))
    kept = [
        record
        for records in superseded.values()
        for record in sorted(records, key=lambda one: one.computed_at)[-KEPT_SUPERSEDED:]
    ]
    order = {image_id: place for place, image_id in enumerate(expected)}
    last = len(order)
    records = sorted(
        (*standing, *kept),
        key=lambda one: (
            order.get(one.image_id, last),
            one.image_id,
            not one.current,
            one.recipe,
            one.inputs,
        ),
    )
    return StageFrame(previous.table, tuple(records))
