"""What is asked for by declared conditions: the calibration, and nothing else.

Dagster's conditions lose triggers: a change that is seen on the tick on which the target itself was updated is
dropped for good, and a partition that is missing at the first look is never asked for. For the stages of the line
that would be a photo without tags, so they have no conditions: the sweep (``sensors/retag.py``) compares what stands
with what would be made, finds whatever events missed, and keeps to its limits. A calibration that comes a day late
harms nobody, and costs no look at any photo.
"""

import dagster as dg

#: When the calibration may be asked for: once a night.
NIGHTLY = "17 3 * * *"

_changed = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())

#: At most once a night, and only where what people decided has changed since it was last made (or it never was, and
#: there are decisions to look at). A batch whose decisions are taken down for the first time counts as a change.
decisions_changed = (
    dg.AutomationCondition.cron_tick_passed(NIGHTLY)
    & (
        _changed.since_last_handled()
        | (dg.AutomationCondition.missing() & dg.AutomationCondition.any_deps_match(~dg.AutomationCondition.missing()))
    )
    & ~dg.AutomationCondition.in_progress()
).with_label("nightly, where decisions changed")

automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.assets("calibration"),
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a new calibration at night, where decisions have changed.",
)
