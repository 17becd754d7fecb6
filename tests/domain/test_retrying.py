"""Backoff and ceiling, by kind of error and attempt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tagging_assets.domain.frames import ImageRecord
from tagging_assets.domain.retrying import CEILING, Retrying, first_retry, is_due, next_try
from tests.handmade import NOON, failed, record

DOWN = replace(failed("a", "LlmUnavailable", "503"), retryable=True)
GONE = replace(failed("a", "ImageGone", "not there"), retryable=True)
TORN = failed("a")
FINE = record("tags", "a")


@pytest.mark.parametrize(
    ("one", "attempts", "minutes"),
    [
        (DOWN, 1, 1),  # a provider is soon back
        (DOWN, 2, 2),
        (DOWN, 4, 8),
        (GONE, 1, 10),  # a disk is not
        (replace(DOWN, error_kind="LlmWaiting"), 1, 360),  # a sensor asks as soon as the answer is there
        (replace(DOWN, error_kind="ModelFailed"), 1, 2),  # any other kind
        (GONE, CEILING - 1, 160),
        (GONE, CEILING, None),  # enough
        (TORN, 1, None),  # a torn file stays torn
        (FINE, 1, None),
    ],
)
def test_the_wait_doubles_and_ends(one: ImageRecord, attempts: int, minutes: float | None) -> None:
    due = None if minutes is None else NOON + timedelta(minutes=minutes)
    assert next_try(replace(one, attempts=attempts)) == due


def test_no_wait_is_longer_than_six_hours() -> None:
    waits = [next_try(replace(GONE, attempts=attempts)) for attempts in range(1, CEILING)]
    assert all(due is not None and due - NOON <= timedelta(hours=6) for due in waits)


@pytest.mark.parametrize(
    ("one", "due", "now", "everything"),
    [
        (DOWN, True, True, True),
        (replace(DOWN, computed_at=NOON + timedelta(minutes=5)), False, True, True),  # not yet
        (replace(DOWN, computed_at=NOON + timedelta(days=9)), True, True, True),  # by a clock that was put back
        (replace(DOWN, attempts=CEILING), False, True, True),  # given up, until somebody asks
        (TORN, False, False, True),
        (FINE, False, False, False),
    ],
)
def test_who_is_tried_again(one: ImageRecord, due: bool, now: bool, everything: bool) -> None:
    asked = NOON + timedelta(minutes=1)
    assert [is_due(one, how, asked) for how in (Retrying.DUE, Retrying.NOW, Retrying.ALL)] == [due, now, everything]


def test_the_first_of_several() -> None:
    assert first_retry([GONE, DOWN, TORN, FINE]) == NOON + timedelta(minutes=1)
    assert first_retry([TORN, FINE]) is None
