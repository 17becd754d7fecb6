"""Dagster's lineage and our own say the same: versions of data, of code and of what each partition was made from."""

import hashlib
from collections.abc import Mapping

import dagster as dg

from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.staleness import PUBLISHED, StageState
from tests.workshop import Workshop

BATCHES = ("b000001", "b000002")

_DATA, _CODE, _INPUT = "dagster/data_version", "dagster/code_version", "dagster/input_data_version/"


def latest(shop: Workshop, stage: str, batch: str) -> Mapping[str, str]:
    """Tags of the last materialization of a partition."""
    chosen = dg.AssetRecordsFilter(asset_key=dg.AssetKey(stage), asset_partitions=[batch])
    (record,) = shop.instance.fetch_materializations(chosen, limit=1).records
    assert record.asset_materialization is not None
    return record.asset_materialization.tags or {}


def as_input(version: str) -> str:
    """How Dagster names the version of one partition of an input: the hash of the versions of all partitions read."""
    return hashlib.sha256(version.encode()).hexdigest()


def ours(shop: Workshop, batch: str) -> dict[str, StageState]:
    return shop.tools.states.of([batch])[batch]


def agree(shop: Workshop) -> None:
    for batch in BATCHES:
        states = ours(shop, batch)
        bodies = shop.tools.database.recipes({state.recipe for state in states.values()})
        for name, stage in STAGES.items():
            told, state = latest(shop, name, batch), states[name]
            assert told[_DATA] == state.version == shop.frame(name, batch).version, (name, batch)
            body = bodies[state.recipe]
            assert (body["stage"], body["code_version"]) == (name, told[_CODE]), (name, batch)
            assert state.recipe == shop.tools.recipes[name].hash
            assert {record.recipe for record in shop.frame(name, batch).current} <= {state.recipe}
            seen = {table: told[f"{_INPUT}{table}"] for table in stage.needs}
            assert seen == {table: as_input(state.above[table]) for table in stage.needs}, (name, batch)
        assert latest(shop, PUBLISHED, batch)[f"{_INPUT}tags"] == as_input(states[PUBLISHED].above["tags"])


def test_versions_agree_from_the_first_run_through_every_kind_of_change(workshop: Workshop) -> None:
    workshop.reopen(images={"settle_seconds": 0, "batch_size": 2})
    workshop.draw("a.jpg", "b.jpg", "c.jpg")
    changes = [
        lambda: None,
        workshop.edit_prompt,
        lambda: workshop.reopen(rules={"banned": ["boat"]}),
        lambda: (workshop.photos / "a.jpg").unlink(),
        lambda: workshop.reopen(rules={}),
    ]
    for change in changes:
        change()
        workshop.reopen()
        for batch in BATCHES:
            assert workshop.run(batch).success
        agree(workshop)
