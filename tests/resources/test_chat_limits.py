import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from resources.cancelling import Cancellation
from resources.chat_limits import ProviderLimits
from tests.chat_desk import Clock


def starts(limits: ProviderLimits, clock: Clock, requests: int, deadline: float = 1e9) -> list[float | None]:
    """When each of some requests in a row began, since the first; ``None`` for no turn."""
    begun: list[float | None] = []
    first = clock.now
    for _ in range(requests):
        with limits.turn(first + deadline) as mine:
            begun.append(clock.now - first if mine else None)
    return begun


@pytest.mark.parametrize(
    ("a_minute", "expected"),
    [
        (None, [0, 0, 0]),  # no limit
        (60, [0, 1, 2]),  # evenly spaced, no burst at first
        (6, [0, 10, 20]),
    ],
)
def test_requests_are_spaced(a_minute: int | None, expected: list[float]) -> None:
    clock = Clock()
    assert starts(ProviderLimits(1, a_minute, clock=clock, sleep=clock.sleep), clock, 3) == expected


def test_a_pause_is_kept_by_all_and_never_shortened() -> None:
    clock = Clock()
    limits = ProviderLimits(4, clock=clock, sleep=clock.sleep)
    limits.pause(9)
    limits.pause(2)
    assert starts(limits, clock, 2) == [9, 9]


def test_who_would_have_to_wait_too_long_gets_no_turn_and_waits_for_nothing() -> None:
    clock = Clock()
    limits = ProviderLimits(1, 6, clock=clock, sleep=clock.sleep)
    assert starts(limits, clock, 3, deadline=15) == [0, 10, None]
    assert clock.waits == [10]


def test_a_turn_is_given_back_whatever_happens() -> None:
    limits = ProviderLimits(1)
    with pytest.raises(ZeroDivisionError), limits.turn(limits.now() + 1):
        raise ZeroDivisionError
    with limits.turn(limits.now() + 1) as mine:
        assert mine


def test_a_place_is_waited_for_no_longer_than_allowed() -> None:
    limits = ProviderLimits(1)
    with limits.turn(limits.now() + 1) as first, ThreadPoolExecutor(1) as pool:

        def second() -> bool:
            with limits.turn(limits.now() + 0.05) as mine:
                return mine

        assert (first, pool.submit(second).result(5)) == (True, False)


def test_requests_a_minute_hold_across_threads() -> None:
    clock, lock = Clock(), threading.Lock()
    begun: list[float] = []

    def ask(_: int) -> None:
        with limits.turn(1e9), lock:
            begun.append(clock.now)

    limits = ProviderLimits(8, 60, clock=clock, sleep=clock.sleep)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(20)))
    begun.sort()
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(begun))


@pytest.mark.parametrize("waits_for", ["a place", "a pause"])
def test_cancelling_ends_a_wait_at_once(waits_for: str) -> None:
    cancellation = Cancellation()
    limits = ProviderLimits(1, cancellation=cancellation)
    if waits_for == "a pause":
        limits.pause(60)

    def ask() -> bool:
        with limits.turn(limits.now() + 60) as mine:
            return mine

    with ThreadPoolExecutor(1) as pool, limits.turn(limits.now() if waits_for == "a pause" else 1e9):
        waiting = pool.submit(ask)
        cancellation.wait(0.1)
        cancellation.cancel()
        assert waiting.result(5) is False
    assert limits.cancelled
    limits.wait(60)  # nor does anybody wait later
