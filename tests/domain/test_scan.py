from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tagging_assets.domain.identity import ImageRef, buried_uri
from tagging_assets.domain.scan import Listing, ScanResult, SeenFile, Stillness, needs_hash, scan

GONE = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = 50_000_000_000
STILL = Stillness(now_ns=10_000)


def seen(uri: str, size: int = 10, mtime: int = 100, sidecar: int = 0) -> SeenFile:
    return SeenFile(uri, size, mtime, sidecar)


def known(uri: str, content: str = "A", *, image_id: str = "", gone: bool = False, **more: int) -> ImageRef:
    ref = ImageRef(image_id or f"id-{uri}", uri, "b000001", 10, 100, content, first_seen_ns=SEEN)
    return replace(ref, gone_at=GONE if gone else None, **more)  # type: ignore[arg-type]


def listing(*files: SeenFile, **more: object) -> Listing:
    return Listing(("/p",), files, **more)  # type: ignore[arg-type]


def look(
    files: Sequence[SeenFile], images: Sequence[ImageRef], contents: Mapping[str, str] | None = None
) -> ScanResult:
    """Scan, with the contents of exactly the files that had to be read."""
    there = listing(*files)
    asked = {file.uri for file in needs_hash(there, images, STILL)}
    given = {uri: content for uri, content in (contents or {}).items() if uri in asked}
    assert given.keys() == asked, "hashes of these were asked for, and of no others"
    return scan(there, images, given, STILL)


def summary(result: ScanResult) -> dict[str, object]:
    """Only what happened, as plain values."""
    said: dict[str, object] = {
        "new": [found.file.uri for found in result.new],
        "gone": [image.uri for image in result.gone],
        "unstable": [file.uri for file in result.unstable],
        "away": [image.uri for image in result.away],
    }
    for kind in ("changed", "moved", "metadata_only", "retimed", "restored"):
        said[kind] = {change.image.uri: change.file.uri for change in getattr(result, kind)}
    return {kind: what for kind, what in said.items() if what}


CASES: list[tuple[list[SeenFile], list[ImageRef], dict[str, str], dict[str, object]]] = [
    # an empty library
    ([], [], {}, {}),
    # a new file
    ([seen("/p/a")], [], {"/p/a": "A"}, {"new": ["/p/a"]}),
    # same size and time: not even read
    ([seen("/p/a")], [known("/p/a")], {}, {}),
    # new time, same bytes (touched, or copied back)
    ([seen("/p/a", mtime=101)], [known("/p/a")], {"/p/a": "A"}, {"retimed": {"/p/a": "/p/a"}}),
    # an older time counts as well: restored from a backup
    ([seen("/p/a", mtime=99)], [known("/p/a")], {"/p/a": "B"}, {"changed": {"/p/a": "/p/a"}}),
    # edited in place
    ([seen("/p/a", 11, 101)], [known("/p/a")], {"/p/a": "B"}, {"changed": {"/p/a": "/p/a"}}),
    # a sidecar came
    ([seen("/p/a", sidecar=7)], [known("/p/a")], {}, {"metadata_only": {"/p/a": "/p/a"}}),
    # a sidecar went
    ([seen("/p/a")], [known("/p/a", sidecar_mtime_ns=7)], {}, {"metadata_only": {"/p/a": "/p/a"}}),
    # touched, and a sidecar came
    ([seen("/p/a", mtime=101, sidecar=7)], [known("/p/a")], {"/p/a": "A"}, {"metadata_only": {"/p/a": "/p/a"}}),
    # deleted
    ([], [known("/p/a")], {}, {"gone": ["/p/a"]}),
    # deleted long ago: said once
    ([], [known("/p/a", gone=True)], {}, {}),
    # back in its place: costs nothing
    ([seen("/p/a")], [known("/p/a", gone=True)], {}, {"restored": {"/p/a": "/p/a"}}),
    # back in its place with a new time
    ([seen("/p/a", mtime=1)], [known("/p/a", gone=True)], {"/p/a": "A"}, {"restored": {"/p/a": "/p/a"}}),
    # renamed
    ([seen("/p/b")], [known("/p/a")], {"/p/b": "A"}, {"moved": {"/p/a": "/p/b"}}),
    # moved after it was gone for a while
    ([seen("/p/b")], [known("/p/a", gone=True)], {"/p/b": "A"}, {"moved": {"/p/a": "/p/b"}}),
    # copied: the old place is not empty
    ([seen("/p/a"), seen("/p/b")], [known("/p/a")], {"/p/b": "A"}, {"new": ["/p/b"]}),
    # renamed and copied at once: one is the image, the other is new
    (
        [seen("/p/b"), seen("/p/c")],
        [known("/p/a")],
        {"/p/b": "A", "/p/c": "A"},
        {"moved": {"/p/a": "/p/b"}, "new": ["/p/c"]},
    ),
    # of two candidates, the one with the old name
    (
        [seen("/p/b"), seen("/p/z/a")],
        [known("/p/a")],
        {"/p/b": "A", "/p/z/a": "A"},
        {"moved": {"/p/a": "/p/z/a"}, "new": ["/p/b"]},
    ),
    # two copies moved to another folder keep their names apart
    (
        [seen("/p/new/x"), seen("/p/new/y")],
        [known("/p/x"), known("/p/y")],
        {"/p/new/x": "A", "/p/new/y": "A"},
        {"moved": {"/p/x": "/p/new/x", "/p/y": "/p/new/y"}},
    ),
    # the image that was there at the last look has the better claim
    (
        [seen("/p/c")],
        [known("/p/a", gone=True), known("/p/b")],
        {"/p/c": "A"},
        {"moved": {"/p/b": "/p/c"}},
    ),
    # two files swapped: each image follows its bytes
    (
        [seen("/p/a", mtime=101), seen("/p/b", mtime=101)],
        [known("/p/a", "A"), known("/p/b", "B")],
        {"/p/a": "B", "/p/b": "A"},
        {"moved": {"/p/a": "/p/b", "/p/b": "/p/a"}},
    ),
    # the first of a series deleted, the rest renumbered
    (
        [seen("/p/1", mtime=102), seen("/p/2", mtime=103)],
        [known("/p/1", "A"), known("/p/2", "B"), known("/p/3", "C")],
        {"/p/1": "B", "/p/2": "C"},
        {"moved": {"/p/2": "/p/1", "/p/3": "/p/2"}, "gone": ["/p/1"]},
    ),
    # another picture under the name, the old one renamed
    (
        [seen("/p/a", mtime=101), seen("/p/a-1")],
        [known("/p/a", "A")],
        {"/p/a": "B", "/p/a-1": "A"},
        {"moved": {"/p/a": "/p/a-1"}, "new": ["/p/a"]},
    ),
    # one file copied over another: still two images
    (
        [seen("/p/a"), seen("/p/b", mtime=101)],
        [known("/p/a", "A"), known("/p/b", "B")],
        {"/p/b": "A"},
        {"changed": {"/p/b": "/p/b"}},
    ),
    # an image whose place was taken comes up again
    (
        [seen("/p/c")],
        [known(buried_uri("x", "/p/a"), "Z", image_id="x", gone=True)],
        {"/p/c": "Z"},
        {"moved": {"gone:x:/p/a": "/p/c"}},
    ),
    # empty files are all alike and no proof of anything
    ([seen("/p/b", 0)], [known("/p/a", "E", bytes=0)], {"/p/b": "E"}, {"new": ["/p/b"], "gone": ["/p/a"]}),
]


@pytest.mark.parametrize(("files", "images", "contents", "expected"), CASES)
def test_scan(
    files: list[SeenFile], images: list[ImageRef], contents: dict[str, str], expected: dict[str, object]
) -> None:
    result = look(files, images, contents)
    assert summary(result) == expected
    ids = [change.image.image_id for kind in ("changed", "moved") for change in getattr(result, kind)]
    assert len(ids) == len(set(ids)), "no image is in two places"


@pytest.mark.parametrize(("files", "images", "contents", "expected"), CASES)
def test_a_second_look_finds_nothing(
    files: list[SeenFile], images: list[ImageRef], contents: dict[str, str], expected: dict[str, object]
) -> None:
    first = look(files, images, contents)
    after = {image.image_id: image for image in images}
    for kind in ("changed", "moved", "metadata_only", "retimed", "restored"):
        for change in getattr(first, kind):
            file = change.file
            after[change.image.image_id] = replace(
                change.image,
                uri=file.uri,
                bytes=file.bytes,
                mtime_ns=file.mtime_ns,
                sidecar_mtime_ns=file.sidecar_mtime_ns,
                content_hash=change.content_hash,
                gone_at=None,
            )
    for image in first.gone:
        after[image.image_id] = replace(image, gone_at=GONE)
    taken = {change.file.uri for change in first.moved}
    for image in list(after.values()):
        if image.gone and image.uri in taken:
            after[image.image_id] = replace(image, uri=buried_uri(image.image_id, image.uri))
    for number, found in enumerate(first.new):
        file = found.file
        after[f"new-{number}"] = ImageRef(
            f"new-{number}", file.uri, "b000001", file.bytes, file.mtime_ns, found.content_hash, 0, 500
        )
    assert summary(look(files, list(after.values()))) == {}


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"unreadable": {"/p/sub": "Permission denied"}}, True),  # no right to look
        ({"unreadable": {"/p/sub/deep": "Input/output error"}}, True),  # a folder further down
        ({"unreadable": {"/p/sub/deep/a": "broken link"}}, True),  # the very file
        ({"unreadable": {"/p/su": "?"}}, False),  # another folder with the same beginning
        ({"vanished": ("/p",)}, True),  # the root is not there: unplugged
        (
            {"empty": {"/p/sub": SEEN - 3_000_000_000}},
            True,
        ),  # empty since before the photo was seen: a bare mount point
        ({"empty": {"/p/sub": SEEN + 1}}, False),  # emptied after it was seen
        ({"empty": {"/p/sub": SEEN - 1_000_000_000}}, False),  # … by a clock that is a little behind
        ({}, False),  # the folder itself deleted
    ],
)
def test_out_of_sight_is_not_deleted(more: dict[str, object], kept: bool) -> None:
    image = known("/p/sub/deep/a")
    result = scan(listing(**more), [image], {}, STILL)
    assert result.away == ((image,) if kept else ())
    assert result.gone == (() if kept else (image,))


def test_bytes_of_a_photo_out_of_sight_are_a_copy_and_not_a_move() -> None:
    result = scan(
        listing(seen("/p/b"), unreadable={"/p/usb": "Input/output error"}),
        [known("/p/usb/a")],
        {"/p/b": "A"},
        STILL,
    )
    assert summary(result) == {"new": ["/p/b"], "away": ["/p/usb/a"]}


def test_a_single_file_that_was_asked_for_and_is_deleted_is_gone() -> None:
    there = Listing(("/p/a",), (), vanished=("/p/a",))
    assert summary(scan(there, [known("/p/a")], {}, STILL)) == {"gone": ["/p/a"]}


def test_a_single_file_whose_folder_vanished_is_out_of_sight() -> None:
    there = Listing(("/p/a",), (), vanished=("/p/a", "/p"))
    assert summary(scan(there, [known("/p/a")], {}, STILL)) == {"away": ["/p/a"]}


def test_images_outside_the_roots_are_none_of_our_business() -> None:
    assert summary(scan(listing(), [known("/other/a")], {}, STILL)) == {"away": ["/other/a"]}


def test_a_renamed_root_keeps_its_images() -> None:
    result = scan(listing(seen("/p/a")), [], {"/p/a": "A"}, STILL, elsewhere=[known("/old/a")])
    assert summary(result) == {"moved": {"/old/a": "/p/a"}}


@pytest.mark.parametrize(
    ("file", "stillness", "ready"),
    [
        (seen("/p/a", mtime=9_999), Stillness(10_000), True),  # no settle time: trusted at once
        (seen("/p/a", mtime=9_999), Stillness(10_000, 50), False),  # written a moment ago
        (seen("/p/a", mtime=9_950), Stillness(10_000, 50), True),  # left alone long enough
        (seen("/p/a", mtime=9_999), Stillness(10_000, 50, {"/p/a": (10, 9_999)}), True),  # twice alike
        (seen("/p/a", 11, 9_999), Stillness(10_000, 50, {"/p/a": (10, 9_999)}), False),  # still growing
        (seen("/p/a", mtime=20_000), Stillness(10_000, 50), False),  # a clock ahead of ours …
        (seen("/p/a", mtime=20_000), Stillness(10_000, 50, {"/p/a": (10, 20_000)}), True),  # … settles too
        (SeenFile("/p/a", 10, 100, ctime_ns=9_999), Stillness(10_000, 50), False),  # old time set on a new file
    ],
)
def test_files_must_come_to_rest(file: SeenFile, stillness: Stillness, ready: bool) -> None:
    there = listing(file)
    asked = needs_hash(there, [], stillness)
    assert asked == ([file] if ready else [])
    result = scan(there, [], {one.uri: "A" for one in asked}, stillness)
    assert (len(result.new), len(result.unstable)) == ((1, 0) if ready else (0, 1))
    assert result.looks() == ({} if ready else {"/p/a": file.look})


def test_a_known_file_being_rewritten_is_neither_changed_nor_gone() -> None:
    stillness = Stillness(10_000, 50)
    result = scan(listing(seen("/p/a", 5, 9_999)), [known("/p/a")], {}, stillness)
    assert summary(result) == {"unstable": ["/p/a"]}


def test_a_file_that_cannot_be_read_for_hashing_waits() -> None:
    assert summary(scan(listing(seen("/p/a")), [], {}, STILL)) == {"unstable": ["/p/a"]}
