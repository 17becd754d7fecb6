"""Which runs are alive, and what is freed with those that are not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)

from resources.claims import FIRST, Claims
from resources.dagster_storage import LeasedEventLog, lease_of
from resources.database import Database
from tagging_assets import run_tags
from tagging_assets.assets.runs import batches_under_way, bury_the_dead, forget_the_future, lock_of_process
from tagging_assets.commands.session import PROJECT
from tagging_assets.jobs import set_pool_limits

STATUS = dg.DagsterRunStatus
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("tagging"), "__repository__")
NOW = datetime.now(UTC)


@pytest.fixture
def instance(database: Database, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("TAGGING_DATABASE_URL", database.url)
    monkeypatch.setenv("TAGGING_DAGSTER_DIR", str(tmp_path))
    with dg.DagsterInstance.from_config(str(PROJECT)) as opened:
        opened.wipe()
        opened.wipe_all_schedules()
        set_pool_limits(opened)
        with database.engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE tagging.claim"))
        yield opened


@pytest.fixture
def log(instance: dg.DagsterInstance) -> LeasedEventLog:
    storage = instance.event_log_storage
    assert isinstance(storage, LeasedEventLog)
    return storage


def begin(instance: dg.DagsterInstance, status: STATUS, changed: timedelta = timedelta(0), **tags: str) -> str:
    """A run of batch b1 that somebody else began."""
    run = instance.add_run(
        dg.DagsterRun(
            job_name="tag_images",
            status=status,
            tags={run_tags.PARTITION: "b1", **tags},
            remote_job_origin=RemoteJobOrigin(REPOSITORY, "tag_images"),
        )
    )
    moved = sa.text("UPDATE runs SET update_timestamp = update_timestamp + :changed WHERE run_id = :run")
    with instance.run_storage.connect() as connection:
        connection.execute(moved, {"changed": changed, "run": run.run_id})
    return run.run_id


def held(log: LeasedEventLog) -> set[str]:
    """Runs that hold a place in a pool or wait for one."""
    query = "SELECT run_id FROM concurrency_slots WHERE run_id IS NOT NULL UNION SELECT run_id FROM pending_steps"
    with log.index_connection() as connection:
        return set(connection.scalars(sa.text(query)))


def leave_place(log: LeasedEventLog, run_id: str) -> None:
    """A run takes the place in the pool and dies; another waits behind it and dies, too."""
    with log.index_connection() as connection:
        connection.execute(
            sa.text(
                "UPDATE concurrency_slots SET run_id = :run, step_key = 'embeddings' WHERE concurrency_key = 'gpu'"
            ),
            {"run": run_id},
        )
        connection.execute(
            sa.text(
                "INSERT INTO pending_steps (concurrency_key, run_id, step_key, priority, assigned_timestamp)"
                " VALUES ('gpu', :run, 'embeddings', 0, now())"
            ),
            {"run": run_id},
        )


@pytest.mark.parametrize(
    ("status", "changed", "alive"),
    [
        (STATUS.QUEUED, -timedelta(days=9), True),  # waits for a daemon
        (STATUS.NOT_STARTED, timedelta(0), True),
        (STATUS.STARTING, timedelta(0), True),  # launched a moment ago
        (STATUS.STARTING, -timedelta(minutes=5), False),
        (STATUS.STARTING, timedelta(days=400), False),  # by a clock that was put back since
        (STATUS.NOT_STARTED, -timedelta(minutes=5), False),
        (STATUS.STARTED, timedelta(0), False),  # what has begun has a lease
        (STATUS.CANCELING, timedelta(0), False),
    ],
)
def test_a_run_without_a_lease(instance, log, database, status: STATUS, changed: timedelta, alive: bool) -> None:
    run_id = begin(instance, status, changed)
    assert batches_under_way(instance, database) == ({"b1"} if alive else set())
    assert instance.get_run_by_id(run_id).status is (status if alive else STATUS.FAILURE)


@pytest.mark.parametrize("status", [STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING])
def test_a_run_with_a_lease_is_alive_and_keeps_its_place(instance, log, database, status: STATUS) -> None:
    run_id = begin(instance, status, -timedelta(days=1))
    leave_place(log, run_id)
    with database.lock(lease_of(run_id)):
        assert [run.run_id for run in bury_the_dead(instance, database)] == [run_id]
        assert held(log) == {run_id}
    assert bury_the_dead(instance, database) == []
    assert held(log) == set()


def test_a_command_is_alive_as_long_as_its_process(instance, log, database) -> None:
    run_id = begin(instance, STATUS.NOT_STARTED, **{run_tags.PROCESS: "p1"})
    with database.lock(lock_of_process("p1")):
        assert batches_under_way(instance, database) == {"b1"}
    assert batches_under_way(instance, database) == set()
    assert instance.get_run_by_id(run_id).status is STATUS.FAILURE


@pytest.mark.parametrize("status", [STATUS.FAILURE, STATUS.CANCELED, STATUS.SUCCESS, None])
def test_places_of_runs_that_are_over_or_unknown_are_freed(instance, log, database, status: STATUS | None) -> None:
    leave_place(log, "no-such-run" if status is None else begin(instance, status))
    bury_the_dead(instance, database)
    assert held(log) == set()
    assert log.claim_concurrency_slot("gpu", begin(instance, STATUS.STARTED), "embeddings").is_claimed


def test_whoever_waits_gets_a_free_place_that_nobody_handed_on(instance, log) -> None:
    run_id = begin(instance, STATUS.STARTED)
    # The one before was killed between giving the place back and handing it on.
    with log.index_connection() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO pending_steps (concurrency_key, run_id, step_key, priority)"
                " VALUES ('gpu', :run, 'embeddings', 0)"
            ),
            {"run": run_id},
        )
    assert log.claim_concurrency_slot("gpu", run_id, "embeddings").is_claimed


@pytest.mark.parametrize(("attempts", "again"), [(1, True), (2, False)])
def test_the_claim_of_a_run_that_died_ends_with_it_once(instance, log, database, attempts: int, again: bool) -> None:
    claims = Claims(database.engine)
    asked = NOW - timedelta(hours=1)
    for attempt in range(attempts):
        assert claims.take({"b1": "1"}, by="sensor", now=asked + 2 * attempt * FIRST) == ["b1"]
    soon = asked + 2 * (attempts - 1) * FIRST + timedelta(seconds=1)
    begin(instance, STATUS.STARTED)
    assert claims.take({"b1": "1"}, by="sensor", now=soon) == []
    bury_the_dead(instance, database)
    assert claims.take({"b1": "1"}, by="sensor", now=soon) == (["b1"] if again else [])


def test_a_claim_of_the_future_ends_when_the_clock_was_put_back(database) -> None:
    claims = Claims(database.engine)
    assert claims.take({"b9": "1"}, by="sensor", now=NOW + timedelta(days=3650)) == ["b9"]
    assert claims.take({"b9": "1"}, by="sensor", now=NOW) == ["b9"]
    assert claims.take({"b9": "1"}, by="sensor", now=NOW) == []


@pytest.mark.parametrize(("ahead", "forgotten"), [(timedelta(days=365), ["retag"]), (-timedelta(minutes=1), [])])
def test_a_sensor_does_not_wait_for_a_clock_that_was_put_back(instance, ahead: timedelta, forgotten: list[str]) -> None:
    tick = (datetime.now(UTC) + ahead).timestamp()
    data = SensorInstigatorData(cursor="kept", last_tick_timestamp=tick, last_tick_start_timestamp=tick)
    origin = RemoteInstigatorOrigin(REPOSITORY, "retag")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data))
    assert forget_the_future(instance) == forgotten
    assert forget_the_future(instance) == []
    (state,) = instance.all_instigator_state()
    assert state.instigator_data.cursor == "kept"
    assert state.status is InstigatorStatus.RUNNING
