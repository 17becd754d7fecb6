"""The sensor over a real folder and a real database: one answer per tick, and no run too many or too few."""

import json
import os
import time
from collections.abc import Callable

import dagster as dg

from sensors.new_images import new_images
from tests.workshop import Workshop, draw

BATCH = "b000001"


def tick(workshop: Workshop, cursor: str | None = None) -> tuple[dg.SensorResult | dg.SkipReason, str | None]:
    """What one tick said, and the cursor it leaves."""
    context = dg.build_sensor_context(
        instance=workshop.instance,
        cursor=cursor,
        resources={
            "line": workshop.line,
            **{name: getattr(workshop.tools, name) for name in ("intake", "claims", "database", "source_versions")},
        },
    )
    said = new_images(context)
    assert isinstance(said, dg.SensorResult | dg.SkipReason), "exactly one of the two"
    return said, said.cursor if isinstance(said, dg.SensorResult) else context.cursor


def asked(said: dg.SensorResult | dg.SkipReason) -> list[str]:
    """Batches a tick wants run."""
    if isinstance(said, dg.SkipReason):
        return []
    return [request.partition_key for request in said.run_requests or () if request.partition_key]


def test_a_new_photo_asks_for_its_batch_and_adds_the_partition(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    said, _ = tick(workshop)
    assert asked(said) == [BATCH]
    (request,) = said.dynamic_partitions_requests
    assert (request.partitions_def_name, request.partition_keys) == ("image_batch", [BATCH])


def test_until_the_run_is_there_nobody_asks_again(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    first, cursor = tick(workshop)
    assert asked(first) == [BATCH]
    second, cursor = tick(workshop, cursor)
    assert asked(second) == []
    workshop.draw("b.jpg", start=2)
    third, _ = tick(workshop, cursor)
    assert asked(third) == [], "the run that was asked for will see it"


def test_after_the_run_nothing_is_asked_until_something_happens(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    first, cursor = tick(workshop)
    workshop.run()
    said, cursor = tick(workshop, cursor)
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "nothing new"
    workshop.draw("b.jpg", start=2)
    second, _ = tick(workshop, cursor)
    assert asked(first) == asked(second) == [BATCH]


def test_what_is_worth_no_run(workshop: Workshop) -> None:
    photos = workshop.photos
    workshop.draw("a.jpg")
    _, cursor = tick(workshop)
    workshop.run()
    os.utime(photos / "a.jpg", ns=(1, 1))  # the same bytes
    (photos / "notes.doc").write_text("no photo")
    said, cursor = tick(workshop, cursor)
    assert isinstance(said, dg.SkipReason)
    workshop.edit_prompt()  # the sweep's, which has a budget
    assert not workshop.is_fresh()
    said, cursor = tick(workshop, cursor)
    assert isinstance(said, dg.SkipReason)
    photos.rename(photos.with_name("elsewhere"))  # out of sight is not deleted
    said, cursor = tick(workshop, cursor)
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == f"nothing new; out of sight below {photos}, tags stay"
    assert workshop.published().keys() == {"a.jpg"}
    assert not any(ref.gone for ref in workshop.tools.manifest.images(BATCH))
    photos.with_name("elsewhere").rename(photos)
    said, _ = tick(workshop, cursor)
    assert isinstance(said, dg.SkipReason)


def test_each_change_is_worth_a_run_of_its_own(workshop: Workshop) -> None:
    photos = workshop.photos
    workshop.draw("a.jpg", "b.jpg")
    said, cursor = tick(workshop)
    workshop.run()
    changes: list[Callable[[], object]] = [
        lambda: (photos / "a.txt").write_text("a caption"),
        lambda: (photos / "a.jpg").rename(photos / "c.jpg"),  # rows say where it is
        lambda: draw(photos / "c.jpg", 7),  # other pixels
        lambda: (photos / "c.jpg").unlink(),  # its tags are to be withdrawn
    ]
    for change in changes:
        change()
        said, cursor = tick(workshop, cursor)
        assert asked(said) == [BATCH]
        workshop.run()


def test_a_file_that_is_still_written_waits_a_tick(workshop: Workshop) -> None:
    workshop.reopen(images={"settle_seconds": 3600})
    path = draw(workshop.photos / "a.jpg", 1)
    first, cursor = tick(workshop)
    assert isinstance(first, dg.SkipReason)
    assert first.skip_message == "nothing new; 1 still being written"
    assert json.loads(cursor or "")["looks"].keys() == {str(path)}
    with path.open("ab") as file:
        file.write(b"more")
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    grown, cursor = tick(workshop, cursor)
    assert asked(grown) == [], "it has changed since the last look"
    rested, cursor = tick(workshop, cursor)
    assert asked(rested) == [BATCH]
    assert json.loads(cursor or "")["looks"] == {}


def test_a_tick_that_died_after_writing_loses_nothing(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    workshop.tools.intake.look()  # and then it died
    said, _ = tick(workshop)
    assert asked(said) == [BATCH]


def test_a_cursor_of_another_version_is_forgotten(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    said, cursor = tick(workshop, json.dumps({"version": 0, "looks": "who knows"}))
    assert asked(said) == [BATCH]
    assert json.loads(cursor or "")["version"] == 1
