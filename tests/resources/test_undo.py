"""Undo: every published tag as it was, to the row; what others did since stays; the undone does not come back."""

import pytest

from tests.resources.publishing import HOUR, NOON, Desk, decided, row

GOOD = decided("a", "run1", cat=0.9, sofa=0.6)
#: cat rescored, sofa dropped, dog invented
BAD = decided("a", "run2", cat=0.2, dog=0.8)


@pytest.fixture
def desk(database):
    return Desk(database)


def test_rows_are_what_they_were_column_for_column(desk):
    desk.publish(decided("a", lamp=0.4, cat=0.9, sofa=0.6), run="run0")
    # lamp lies there withdrawn, which is part of how it was
    desk.publish(GOOD, run="run1")
    before = desk.table()
    desk.publish(decided("a", "run2", cat=0.2, dog=0.8, lamp=0.5), run="run2", operation="op2")
    assert len(desk.table()) == 4
    done = desk.undo("op2")
    assert (done.way.restored, done.way.photos, done.held, done.batches) == (4, 1, 1, ("b1",))
    assert desk.table() == before
    undone = done.operation
    assert desk.changes("a")[-4:] == [
        ("changed", "cat", undone),
        ("withdrawn", "dog", undone),
        ("withdrawn", "lamp", undone),
        ("published", "sofa", undone),
    ]
    last = desk.history.events("a", "sofa")[-1]
    assert (last["kind"], last["who"], last["why"], last["operation"]) == ("undo", "anna", "a bad prompt", undone)


@pytest.mark.parametrize("target", ["run2", "op2"])
def test_either_name_will_do(desk, target):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2", operation="op2")
    assert desk.undo(target).way.restored == 3
    assert desk.live() == {("a", "cat"): 0.9, ("a", "sofa"): 0.6}


def test_the_undone_does_not_come_back_until_decided_otherwise(desk):
    desk.publish(GOOD, run="run1")
    before = desk.table()
    desk.publish(BAD, decided("b", "run2", boat=0.5), run="run2")
    desk.undo("run2")
    assert desk.held() == {("a", BAD.output), ("b", "boat:0.50:auto")}
    assert desk.is_current()
    again = desk.publish(BAD, decided("b", "run2", boat=0.5), run="run3")
    assert (again.written, again.withdrawn, again.held) == (0, 0, 2)
    # reverted: what was restored is what is decided
    assert desk.publish(GOOD, run="run4").written == 0
    assert desk.table() == before
    assert desk.held() == {("b", "boat:0.50:auto")}, "a is decided otherwise, b is not decided at all"
    # mended
    assert desk.publish(decided("a", "run5", cat=0.95), run="run5").written == 1
    assert desk.live() == {("a", "cat"): 0.95}


def test_there_is_nothing_left_to_undo_the_second_time(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    desk.undo("run2")
    before, events = desk.table(), desk.changes("a")
    again = desk.undo("run2")
    assert (again.operation, again.way.restored, again.way.changed_since) == ("", 0, 0)
    assert (desk.table(), desk.changes("a")) == (before, events)


def test_a_trial_changes_nothing(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    before, events = desk.table(), desk.changes("a")
    trial = desk.undo("run2", dry_run=True)
    assert (trial.operation, trial.way.restored, trial.held) == ("", 3, 1)
    assert {(one.tag, one.change) for one in trial.changes} == {
        ("cat", "changed"),
        ("dog", "withdrawn"),
        ("sofa", "published"),
    }
    assert (desk.table(), desk.changes("a"), desk.held()) == (before, events, set())
    assert [one["kind"] for one in desk.history.operations(9)] == ["run", "run"]


def test_an_undo_is_undone(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    bad = desk.table()
    undone = desk.undo("run2").operation
    back = desk.undo(undone)
    assert (back.way.restored, back.held) == (3, 0)
    assert desk.table() == bad
    assert desk.held() == set()
    assert desk.is_current()
    kinds = [(one["kind"], one["undone_by"]) for one in desk.history.operations(9)]
    assert kinds == [("undo", None), ("undo", back.operation), ("run", None), ("run", None)]


def test_an_undo_that_was_reverted_and_is_undone_holds_what_is_decided(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    bad = desk.table()
    undone = desk.undo("run2").operation
    desk.publish(GOOD, run="run3")
    assert desk.undo(undone).held == 1
    desk.publish(GOOD, run="run4")
    assert desk.table() == bad


def test_what_changed_since_stays(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    later = decided("a", "run3", rows=[row("a", "cat", 1.0, status="accepted")], dog=0.8)
    desk.publish(later, run="run3")
    done = desk.undo("run2")
    assert (done.way.restored, done.way.changed_since) == (2, 1)
    assert desk.live() == {("a", "cat"): 1.0, ("a", "sofa"): 0.6}
    # the later decision names the dog too
    assert desk.held() == {("a", later.output)}
    assert desk.is_current()


@pytest.mark.parametrize(
    "verdict",
    [
        row("a", "cat", 1.0, status="accepted"),  # auto before
        row("a", "cat", 0.9, status="rejected"),  # stood before
        row("a", "hat", 1.0, status="added"),  # not there before
    ],
)
def test_a_persons_word_that_came_with_the_run_stays(desk, verdict):
    desk.publish(GOOD, run="run1")
    record = decided("a", "run2", rows=[verdict], dog=0.8)
    desk.publish(record, run="run2")
    done = desk.undo("run2")
    assert done.way.decided == 1
    stands = ("a", verdict["tag"]) in desk.live()
    assert stands is (verdict["status"] != "rejected")
    assert ("a", "dog") not in desk.live()


def test_what_others_did_between_two_changes_of_one_operation_is_not_lost(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(decided("a", "run2", cat=0.3, sofa=0.6), run="run2", operation="op")
    desk.publish(decided("a", "run3", cat=0.7, sofa=0.6), run="run3")
    desk.publish(decided("a", "run4", cat=0.2, sofa=0.5), run="run4", operation="op")
    assert desk.undo("op").way.restored == 2
    assert desk.live() == {("a", "cat"): 0.7, ("a", "sofa"): 0.6}


def test_an_operation_over_two_batches_is_undone_at_once(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(decided("c", boat=0.9), run="run2", batch="b2")
    before = desk.table()
    desk.publish(BAD, run="run3", operation="op")
    desk.publish(decided("c", hat=0.1), run="run4", operation="op", batch="b2")
    # one of its runs alone
    trial = desk.undo("run4", dry_run=True)
    assert (trial.way.restored, trial.batches) == (2, ("b2",))
    done = desk.undo("op")
    assert (done.way.restored, done.held, done.batches) == (5, 2, ("b1", "b2"))
    assert desk.table() == before
    assert desk.is_current("b1")
    assert desk.is_current("b2")


def test_a_photo_that_is_gone_stays_gone(desk):
    desk.publish(GOOD, decided("b", boat=0.9), run="run1")
    desk.lose("b")
    desk.publish(BAD, decided("b", boat=0.9), gone=["b"], run="run2")
    done = desk.undo("run2")
    assert (done.way.restored, done.way.gone) == (3, 1)
    assert ("b", "boat") not in desk.live()


def test_a_held_photo_that_comes_back_has_the_restored_tags(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    desk.undo("run2")
    restored = desk.live()
    desk.publish(BAD, gone=["a"], run="run3")
    assert desk.live() == {}
    assert not desk.is_current(), "there again"
    assert desk.publish(BAD, run="run4").written == 2
    assert desk.live() == restored
    assert desk.is_current()


def test_a_decision_that_is_not_published_yet_stays_free(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    # decided anew, and undone before that was published
    mended = decided("a", "run3", cat=0.95)
    desk.decided["b1"] = [mended]
    assert desk.undo("run2").held == 0
    desk.publish(mended, run="run3")
    assert desk.live() == {("a", "cat"): 0.95}


def test_a_photo_whose_decision_failed_since_is_restored_too(desk):
    desk.publish(GOOD, run="run1")
    before = desk.table()
    desk.publish(BAD, run="run2")
    desk.decided["b1"] = []
    assert desk.undo("run2").held == 0
    assert desk.table() == before


def test_runs_can_be_undone_one_after_the_other(desk):
    tables = [desk.table()]
    for number, score in enumerate((0.5, 0.6, 0.7), start=1):
        desk.publish(decided("a", f"run{number}", cat=score), run=f"run{number}")
        tables.append(desk.table())
    for number in (3, 2, 1):
        desk.undo(f"run{number}")
        assert desk.table() == tables[number - 1]
        assert desk.is_current()


def test_what_was_undone_and_redone_can_be_undone_again(desk):
    desk.publish(GOOD, run="run1")
    before = desk.table()
    desk.publish(BAD, run="run2")
    for _ in range(2):
        undone = desk.undo("run2")
        assert desk.table() == before
        desk.undo(undone.operation)


def test_how_things_stood_at_any_time(desk):
    desk.publish(GOOD, run="run1")
    desk.publish(BAD, run="run2")
    desk.undo("run2")
    stood = {
        hours: {one["tag"]: round(one["score"], 2) for one in desk.history.tags_at("a", NOON + hours * HOUR)}
        for hours in range(4)
    }
    assert stood == {0: {}, 1: {"cat": 0.9, "sofa": 0.6}, 2: {"dog": 0.8, "cat": 0.2}, 3: {"cat": 0.9, "sofa": 0.6}}
    cat = desk.history.tags_at("a", NOON + 3 * HOUR)[0]
    assert (cat["run_id"], cat["published_at"]) == ("run1", NOON + HOUR), "as the row that was put back"
    assert cat.keys() == {
        *("tag", "category", "score", "status", "reason", "sources", "recipe", "run_id", "published_at", "operation")
    }


def test_an_undo_does_not_bring_back_what_must_not_be_shown_now(desk):
    desk.publish(decided("a", "run1", rows=[row("a", "old man", 0.9)], cat=0.9), run="run1")
    desk.publish(decided("a", "run2", dog=0.9), run="run2")
    desk.forbidden = lambda _batch: lambda _image_id, tag, _category: tag == "old man"
    desk.undo("run2")
    assert desk.live() == {("a", "cat"): 0.9}
