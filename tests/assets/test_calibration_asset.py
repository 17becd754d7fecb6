"""The asset: what decisions teach reaches the tags, costs no model, and can be taken back."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from resources.toolbox import TOOLS
from tagging_assets.automation import decisions_changed
from tagging_assets.definitions import build_defs
from tagging_assets.domain.stages import STAGES
from tagging_assets.domain.verdicts import Request, Verdict
from tests.lessons import NOON, decide_on
from tests.workshop import Workshop

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def calibrate(workshop: Workshop) -> dg.ExecuteInProcessResult:
    job = build_defs(resource_overrides={"toolbox": workshop.tools}).resolve_job_def("calibrate")
    return job.execute_in_process(instance=workshop.instance, run_config=QUIET)


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def teach(workshop: Workshop, **more: Any) -> None:
    decide_on(workshop.tools.database, "tagger", "fake-tagger", **more)


def boats(workshop: Workshop) -> list[dict[str, Any]]:
    """What is published of the tag that only the tagger gives."""
    return [row for row in workshop.tools.publisher.tags() if row["tag"] == "boat"]


def test_with_nothing_to_learn_from_it_says_so(workshop: Workshop) -> None:
    said = told(calibrate(workshop))
    assert (said["decisions"], said["fitted"], said["refused"], said["changed"]) == (0, 0, 0, False)
    assert "catalogue" in said["nothing fitted"]
    assert workshop.tools.calibrations.latest() is None


def test_it_tells_what_was_fitted_and_what_was_refused(workshop: Workshop) -> None:
    teach(workshop)
    decide_on(workshop.tools.database, "zero-shot", workshop.scorer.card.name, count=20, seed=2)
    result = calibrate(workshop)
    said = told(result)
    assert (said["decisions"], said["fitted"], said["refused"], said["changed"]) == (140, 1, 1, True)
    assert "| tagger | fake-tagger | object | 120 |" in said["what was fitted"]
    assert "20 of at least 50 decisions" in said["what was refused"]
    assert said["reliability"].startswith("![tagger · object](data:image/png;base64,")
    latest = workshop.tools.calibrations.latest()
    assert latest is not None
    assert latest.run_id == result.run_id
    (event,) = result.get_asset_materialization_events()
    assert (event.materialization.tags or {})["dagster/data_version"] == latest.hash
    assert told(calibrate(workshop))["changed"] is False, "the same decisions teach the same"


def test_a_new_calibration_makes_tags_stale_and_nothing_else(workshop: Workshop) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    before, recipes = boats(workshop), {name: one.hash for name, one in workshop.tools.recipes.items()}
    teach(workshop)
    calibrate(workshop)
    workshop.reopen()
    assert {name for name in STAGES if workshop.tools.recipes[name].hash != recipes[name]} == {"tags"}
    assert workshop.cost() == {}, "no model is asked, the chat model neither"
    assert len(boats(workshop)) == len(before) == 2
    for was, now in zip(before, boats(workshop), strict=True):
        assert now["score"] < was["score"] - 0.15
        (source,) = [one for one in now["sources"] if one["source"] == "tagger"]
        assert source["score"] == pytest.approx(0.9)
        assert source["confidence"] == pytest.approx(0.45, abs=0.12), "half as often right as it says"
    workshop.tools.calibrations.revert("op", NOON)
    workshop.reopen()
    assert workshop.cost() == {}
    assert [row["score"] for row in boats(workshop)] == [row["score"] for row in before]


def test_the_operator_may_do_without(workshop: Workshop) -> None:
    before = {name: one.hash for name, one in workshop.tools.recipes.items()}
    teach(workshop)
    calibrate(workshop)
    workshop.reopen(calibration={"use": False})
    assert {name: one.hash for name, one in workshop.tools.recipes.items()} == before


def test_new_weights_do_away_with_what_was_learnt_about_the_old(workshop: Workshop) -> None:
    teach(workshop, revision="0")
    said = told(calibrate(workshop))
    assert (said["decisions"], said["fitted"], said["refused"]) == (120, 0, 0)


def test_it_is_fitted_only_to_as_many_decisions_as_the_operator_wants(workshop: Workshop) -> None:
    workshop.reopen(calibration={"min_decisions": 200})
    teach(workshop)
    assert told(calibrate(workshop))["fitted"] == 0


# When it is asked for.


class Nights:
    """Evaluates the condition of the calibration again and again, as the daemon does."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.defs = build_defs(resource_overrides={"toolbox": workshop.tools})
        self.cursor: Any = None
        self.now = NOON

    def ask(self, now: datetime) -> int:
        result = dg.evaluate_automation_conditions(
            self.defs,
            self.workshop.instance,
            asset_selection=dg.AssetSelection.assets("calibration"),
            cursor=self.cursor,
            evaluation_time=now,
        )
        self.cursor, self.now = result.cursor, now
        return int(result.total_requested)

    def night(self) -> list[int]:
        """What is asked for at a quarter past three, at three twenty and at noon."""
        day = (self.now + timedelta(days=1)).replace(minute=0)
        return [self.ask(day.replace(hour=hour, minute=minute)) for hour, minute in ((3, 15), (3, 20), (12, 0))]


def test_it_is_asked_for_at_night_and_only_where_decisions_changed(workshop: Workshop) -> None:
    workshop.draw("a.jpg")
    nights = Nights(workshop)
    assert nights.ask(NOON) == 0
    assert nights.night() == [0, 0, 0], "there is nothing yet"
    workshop.run()
    assert nights.night() == [0, 1, 0], "there is something to look at"
    calibrate(workshop)
    assert nights.night() == [0, 0, 0], "nothing changed"
    workshop.run()
    assert nights.night() == [0, 0, 0], "the decisions were taken down again, and are the same"
    (image_id,) = [ref.image_id for ref in workshop.tools.manifest.images("b000001")]
    rejected = [Request(image_id, "boat", Verdict.REJECTED)]
    workshop.tools.decisions.record(rejected, who="anna", operation="op", now=NOON)
    workshop.run()
    assert nights.night() == [0, 1, 0], "a tag was rejected"
    calibrate(workshop)
    assert nights.night() == [0, 0, 0]


def test_only_the_calibration_has_a_condition() -> None:
    defs = build_defs()
    having = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs() if spec.automation_condition}
    assert having == {"calibration"}
    (spec,) = [spec for spec in defs.resolve_all_asset_specs() if spec.automation_condition]
    assert spec.automation_condition == decisions_changed
    sensors = {sensor.name: sensor for sensor in defs.sensors or ()}
    assert sensors["automation"].default_status is dg.DefaultSensorStatus.RUNNING
    assert (sensors["automation"].minimum_interval_seconds or 0) >= 60


def test_the_job_of_the_line_leaves_it_out() -> None:
    defs = build_defs()
    assert "calibration" not in {node.name for node in defs.resolve_job_def("tag_images").nodes}
    assert [node.name for node in defs.resolve_job_def("calibrate").nodes] == ["calibration"]
    assert {"calibrations", "teacher"} <= set(TOOLS)
