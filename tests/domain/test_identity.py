import pytest

from tagging_assets.domain.identity import (
    assign_batches,
    batch_name,
    batch_number,
    buried_uri,
    is_buried,
    is_local,
    is_within,
    last_place,
    path_of,
    uri_of,
)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/photos/a.jpg", "/photos/a.jpg"),  # the usual case is left alone
        ("/photos/Käse 日本 🙂.jpg", "/photos/Käse 日本 🙂.jpg"),  # all of Unicode is fine
        ("/photos/50% off.jpg", "/photos/50% off.jpg"),  # no escapes without need
        ("/photos/caf\udce9.jpg", "file:///photos/caf%E9.jpg"),  # a Latin-1 name, as os.fsdecode smuggles it
        ("/ph%20\udcff/ü.jpg", "file:///ph%2520%FF/%C3%BC.jpg"),  # and the way back stays unambiguous
    ],
)
def test_uri_and_path_are_inverse(path: str, uri: str) -> None:
    assert uri_of(path) == uri
    assert path_of(uri) == path
    uri.encode()  # can be stored anywhere


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("/a.jpg", True),
        ("file:///a%FF.jpg", True),
        ("C:\\photos\\a.jpg", True),  # Windows
        ("\\\\nas\\photos\\a.jpg", True),  # a share
        ("https://example.org/a.jpg", False),
        ("gone:0123:/a.jpg", False),  # its place is another image's
    ],
)
def test_is_local(uri: str, local: bool) -> None:
    assert is_local(uri) is local
    if not local:
        with pytest.raises(ValueError, match="not the URI of a local file"):
            path_of(uri)


def test_burying_keeps_the_last_place_and_happens_once() -> None:
    buried = buried_uri("ab12", "/photos/a:b.jpg")
    assert buried == "gone:ab12:/photos/a:b.jpg"
    assert is_buried(buried)
    assert buried_uri("ab12", buried) == buried
    assert last_place(buried) == "/photos/a:b.jpg"
    assert last_place("/photos/a.jpg") == "/photos/a.jpg"


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("/a/b.jpg", "/a", True),
        ("/a/b.jpg", "/a/", True),  # a trailing slash says nothing
        ("/ab/c.jpg", "/a", False),  # a common beginning is no folder
        ("/a", "/a", False),  # strictly below
        ("/a.jpg", "/", True),
        ("C:\\a\\b.jpg", "C:\\a", True),
    ],
)
def test_is_within(path: str, folder: str, inside: bool) -> None:
    assert is_within(path, folder) is inside


@pytest.mark.parametrize(
    ("count", "newest", "held", "size", "batches"),
    [
        (0, None, 0, 3, []),  # nothing new
        (2, None, 0, 3, ["b000001", "b000001"]),  # the first batch
        (3, "b000001", 1, 3, ["b000001", "b000001", "b000002"]),  # fill up, then open the next
        (1, "b000001", 3, 3, ["b000002"]),  # full to the brim
        (1, "b000007", 9, 3, ["b000008"]),  # overfull after batch_size was lowered
        (2, "b000002", 3, 5, ["b000002", "b000002"]),  # room again after it was raised
    ],
)
def test_assign_batches(count: int, newest: str | None, held: int, size: int, batches: list[str]) -> None:
    assert assign_batches(count, newest=newest, held=held, batch_size=size) == batches


def test_a_trickle_makes_the_same_batches_as_a_flood() -> None:
    flood = assign_batches(25, newest=None, held=0, batch_size=10)
    trickle: list[str] = []
    for _ in range(25):
        newest = trickle[-1] if trickle else None
        trickle += assign_batches(1, newest=newest, held=trickle.count(newest or ""), batch_size=10)
    assert trickle == flood


def test_batch_names_sort_as_they_count() -> None:
    numbers = [1, 9, 10, 999, 1000, 999_999]
    names = [batch_name(number) for number in numbers]
    assert names == sorted(names)
    assert [batch_number(name) for name in names] == numbers


@pytest.mark.parametrize("name", ["", "b1", "x000001", "b00000a", "b٠٠٠٠٠١"])
def test_what_is_no_batch_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a batch"):
        batch_number(name)


def test_impossible_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        assign_batches(1, newest=None, held=0, batch_size=0)
    with pytest.raises(ValueError, match="999999"):
        batch_name(0)
