"""The history read back: who set what going, by which digits it is meant, and two runs side by side."""

import pytest

from tagging_assets.domain.errors import SettingsError
from tests.resources.publishing import Desk, decided

RUN = "0123456789abcdef"


@pytest.fixture
def desk(database):
    return Desk(database)


@pytest.mark.parametrize(
    ("prefix", "target"),
    [
        ("012345", RUN),  # six digits of a run
        (" 0123456789ABCDEF ", RUN),  # all of them, as typed
        ("feedbeef", "feedbeefcafe"),  # an operation
        ("aaaaaaaa", "aaaaaaaa"),  # one id that another begins with
    ],
)
def test_a_few_digits_are_enough(desk, prefix, target):
    desk.publish(decided("a", cat=0.9), run=RUN, operation="feedbeefcafe")
    desk.publish(decided("b", cat=0.9), run="aaaaaaaa")
    desk.publish(decided("b", cat=0.8), run="aaaaaaaabb")
    assert desk.history.resolve(prefix) == target


@pytest.mark.parametrize(
    ("prefix", "line"),
    [
        ("01234", "too short"),
        ("ffffff", "has no run or operation"),
        ("%%%%%%", "has no run or operation"),
        ("aaaaaa", "may mean several: aaaaaaaa, aaaaaaaabb"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line(desk, prefix, line):
    desk.publish(decided("a", cat=0.9), run="aaaaaaaa")
    desk.publish(decided("a", cat=0.8), run="aaaaaaaabb")
    with pytest.raises(SettingsError, match=line):
        desk.history.resolve(prefix)


def test_an_empty_history(desk):
    assert desk.history.operations(5) == []
    assert desk.history.events("a") == []
    assert desk.history.tags_at("a", desk.now) == []


def test_operations_are_listed_newest_first(desk):
    opened = desk.history.begin("retag", "anna", "new rules", now=desk.now)
    desk.publish(decided("a", cat=0.9), decided("b", cat=0.9), run="run1", operation=opened)
    desk.publish(decided("c", boat=0.9), run="run2", operation=opened, batch="b2")
    desk.publish(decided("a", cat=0.8), decided("b"), run="run3")
    idle = desk.history.begin("run", "bert", now=desk.now.replace(hour=23))
    told = desk.history.operations(9)
    assert [(one["id"], one["kind"], one["who"]) for one in told] == [
        (idle, "run", "bert"),
        ("run3", "run", ""),
        (opened, "retag", "anna"),
    ]
    counts = [tuple(one[name] for name in ("published", "changed", "withdrawn", "photos")) for one in told]
    assert counts == [(0, 0, 0, 0), (0, 1, 1, 2), (3, 0, 0, 3)]
    assert [one["runs"] for one in told] == [[], ["run3"], ["run1", "run2"]]
    assert desk.history.operations(1) == told[:1]
    assert desk.history.operation("run2")["operation_id"] == opened
    assert desk.history.operation("run3") is None


def test_two_runs_side_by_side(desk):
    desk.publish(decided("a", cat=0.9, sofa=0.6), run="run1")
    desk.publish(decided("a", cat=0.8, dog=0.7), run="run2")
    desk.publish(decided("a", cat=0.9, dog=0.5), decided("b", boat=0.4), run="run3")
    # c was touched by neither
    desk.publish(decided("c", hat=0.4), run="run4", batch="b2")

    def told(first, second):
        return {(one.image_id, one.tag): one.change for one in desk.history.between(first, second)}

    expected = {("a", "cat"): "none", ("a", "sofa"): "withdrawn", ("a", "dog"): "published"}
    assert told("run1", "run3") == {**expected, ("b", "boat"): "published"}
    assert told("run1", "run2") == {**expected, ("a", "cat"): "changed"}
    assert told("run2", "run1")["a", "sofa"] == "published"
    # of one alone: against what was before it
    changed = {one.tag: one.change for one in desk.history.changes("run3")}
    assert changed == {"cat": "changed", "dog": "changed", "boat": "published"}
