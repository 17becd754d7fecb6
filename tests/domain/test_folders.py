from collections.abc import Mapping

import pytest

from tagging_assets.domain.folders import (
    CLOCK_SLACK_NS,
    DEFERRED,
    NEVER,
    Remembered,
    ancestors,
    in_turn,
    is_skipped,
    is_watched,
    lost_folders,
    modified,
    to_remember,
)

NOW = 1_000_000_000_000
OLD = NOW - CLOCK_SLACK_NS
RECENT = NOW - 1
AHEAD = NOW + 3600 * 10**9


@pytest.mark.parametrize(
    ("mtime_ns", "before", "restless", "expected"),
    [
        # at rest since the slack of the clock
        (OLD, None, False, OLD),
        # what comes in the same moment would not show
        (RECENT, None, False, -RECENT),
        # still too early for a second opinion
        (RECENT, Remembered(-RECENT, RECENT), False, -RECENT),
        # a clock that is ahead: the time is trusted once it stays the same
        (AHEAD, None, False, -AHEAD),
        (AHEAD, Remembered(-AHEAD, OLD), False, AHEAD),
        # … but not where it was another one
        (AHEAD, Remembered(-AHEAD + 1, OLD), False, -AHEAD),
        # a file in it is still being written
        (OLD, Remembered(OLD, 0), True, NEVER),
        # no time at all
        (0, None, False, NEVER),
        (-5, None, False, NEVER),
    ],
)
def test_what_is_remembered(mtime_ns: int, before: Remembered | None, restless: bool, expected: int) -> None:
    assert to_remember(mtime_ns, NOW, before, restless=restless) == Remembered(expected, NOW)


def test_modified_ones_are_listed_and_no_folder_starves() -> None:
    remembered = {
        "/p": Remembered(10, 3),
        "/p/same": Remembered(20, 1),
        "/p/busy": Remembered(30, 9),
        "/p/deferred": Remembered(DEFERRED, 2),
        "/p/never": Remembered(NEVER, 0),
        "/p/unsure": Remembered(-40, 5),
        "/p/set back": Remembered(50, 4),
    }
    present = {
        "/p": 11,
        "/p/same": 20,
        "/p/busy": 31,
        "/p/deferred": 60,
        "/p/never": 7,
        "/p/unsure": 40,
        "/p/set back": 49,
    }
    assert modified(present, remembered) == ["/p/never", "/p", "/p/set back", "/p/unsure", "/p/busy", "/p/deferred"]
    assert in_turn(present, remembered)[:3] == ["/p/never", "/p/same", "/p/deferred"]


LOST: list[tuple[set[str], set[str], Mapping[str, set[str]], dict[str, str]]] = [
    # all there
    ({"/p", "/p/a"}, {"/p", "/p/a"}, {"/p": {"/p/a"}}, {}),
    # one is not
    ({"/p", "/p/a", "/p/b"}, {"/p", "/p/b"}, {"/p": {"/p/b"}}, {"/p/a": "/p"}),
    # … nor what was below it, of which nobody asks the folder between
    ({"/p", "/p/a", "/p/a/b/c"}, {"/p"}, {"/p": set()}, {"/p/a": "/p", "/p/a/b/c": "/p"}),
    # the folder above was not listed at this look
    ({"/p", "/p/a"}, {"/p"}, {}, {"/p/a": "/p"}),
    # there, but not to be looked into any more: became a cache, or a link to what is known by another path
    ({"/p", "/p/a", "/p/a/b"}, {"/p", "/p/a", "/p/a/b"}, {"/p": set()}, {"/p/a": "/p", "/p/a/b": "/p"}),
    ({"/p", "/p/a", "/p/a/b"}, {"/p", "/p/a", "/p/a/b"}, {"/p/a": set()}, {"/p/a/b": "/p/a"}),
    # folders between that are not remembered
    ({"/p", "/p/a/b"}, {"/p", "/p/a/b"}, {"/p": {"/p/a"}}, {}),
    ({"/p", "/p/a/b"}, {"/p", "/p/a/b"}, {"/p": {"/p/aa"}}, {"/p/a/b": "/p"}),
    # names that begin alike, and blanks that sort before slashes
    ({"/p", "/p/a", "/p/a b", "/p/a/c"}, {"/p", "/p/a b"}, {}, {"/p/a": "/p", "/p/a/c": "/p"}),
    # a backslash in a name
    ({"/p", "/p/a\\b"}, {"/p", "/p/a\\b"}, {"/p": {"/p/a\\b"}}, {}),
    # a root that is not there is out of sight, and so is all below
    ({"/p", "/p/a", "/p/a/b"}, set(), {}, {}),
    # a root below another, hidden there
    ({"/p", "/p/.q", "/p/.q/r"}, {"/p", "/p/.q", "/p/.q/r"}, {"/p": set()}, {}),
    # listed only now, for the first time
    ({"/p", "/p/a/b"}, {"/p"}, {"/p": {"/p/a"}, "/p/a": set()}, {"/p/a/b": "/p/a"}),
]


@pytest.mark.parametrize(("remembered", "present", "listed", "expected"), LOST)
def test_lost_folders(
    remembered: set[str], present: set[str], listed: Mapping[str, set[str]], expected: dict[str, str]
) -> None:
    assert lost_folders(remembered, present, listed, ["/p", "/p/.q"]) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/p", True),
        ("/p/a/b", True),
        ("/p/.trash/a", False),  # hidden
        ("/p/a/@eaDir", False),  # thumbnails of a NAS
        ("/pp", False),
        ("/", False),
        ("/.q", True),  # a hidden root is taken at its word
        ("/.q/a", True),
        ("C:\\photos\\a", True),
        ("C:\\photos\\.a", False),
    ],
)
def test_is_watched(path: str, expected: bool) -> None:
    assert is_watched(path, ["/p", "/.q", "C:\\"]) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b/c", ["/a/b", "/a", "/"]),
        ("/", ["/"]),
        ("C:\\a\\b", ["C:\\a", "C:", "C:\\"]),
        ("\\\\nas\\photos\\a", ["\\\\nas\\photos", "\\\\nas", "\\"]),
    ],
)
def test_ancestors(path: str, expected: list[str]) -> None:
    assert list(ancestors(path)) == expected


@pytest.mark.parametrize(("name", "expected"), [(".git", True), ("$RECYCLE.BIN", True), ("2024", False)])
def test_is_skipped(name: str, expected: bool) -> None:
    assert is_skipped(name) is expected
