import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.decoder_pool import DecoderPool
from resources.photo_folder import (
    canonical,
    hash_file,
    hash_files,
    is_certainly_gone,
    open_sidecars,
    read_image_row,
    walk,
)
from resources.proxy_store import ProxyStore
from tagging_assets.domain.errors import ImageGone
from tagging_assets.domain.identity import ImageRef, path_of, uri_of
from tagging_assets.domain.scan import Listing


def touch(path: Path, content: str = "x", mtime: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))
    return path


def names(listing: Listing, root: Path) -> list[str]:
    return [os.path.relpath(path_of(file.uri), root) for file in listing.files]


def test_what_counts_as_a_photo(tmp_path: Path) -> None:
    for name in (
        "a.jpg",
        "B.JPEG",
        "sub/deep/c.NEF",
        "sub/d.heic",
        "no photo.txt",
        "a.jpg.xmp",
        "noextension",
        ".hidden.jpg",
        ".hidden folder/e.jpg",
        "@eaDir/f.jpg",  # thumbnails of a NAS
        "$RECYCLE.BIN/g.jpg",
        "__MACOSX/h.jpg",
        "._a.jpg",  # resource forks of macOS
    ):
        touch(tmp_path / name)
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    listing = walk([tmp_path])
    assert names(listing, tmp_path) == ["B.JPEG", "a.jpg", "sub/d.heic", "sub/deep/c.NEF"]
    assert listing.roots == (str(tmp_path),)
    assert not listing.unreadable
    assert not listing.vanished


def test_our_own_proxies_are_not_photos_again(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    ProxyStore(tmp_path / "data").put(np.zeros((4, 5, 3), np.uint8))
    assert names(walk([tmp_path]), tmp_path) == ["a.jpg"]


def test_only_a_true_cache_tag_hides_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "mine/CACHEDIR.TAG", "my notes")
    touch(tmp_path / "mine/a.jpg")
    assert names(walk([tmp_path]), tmp_path) == ["mine/a.jpg"]


def test_hidden_roots_are_taken_at_their_word(tmp_path: Path) -> None:
    touch(tmp_path / ".photos/a.jpg")
    assert names(walk([tmp_path / ".photos"]), tmp_path) == [".photos/a.jpg"]


def test_loops_of_links_end_and_real_paths_win(tmp_path: Path) -> None:
    touch(tmp_path / "z real/a.jpg")
    (tmp_path / "a link").symlink_to(tmp_path / "z real", target_is_directory=True)
    (tmp_path / "z real/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    listing = walk([tmp_path])
    assert names(listing, tmp_path) == ["z real/a.jpg"]
    (tmp_path / "z real/up").unlink()
    touch(tmp_path / "elsewhere" / "b.jpg")
    (tmp_path / "z real/b.jpg").symlink_to(tmp_path / "elsewhere/b.jpg")
    assert names(walk([tmp_path / "z real"]), tmp_path)[1:] == ["z real/b.jpg"]  # links to files are followed


def test_overlapping_roots_list_each_photo_once(tmp_path: Path) -> None:
    touch(tmp_path / "sub/a.jpg")
    roots = [tmp_path, tmp_path / "sub", tmp_path / "sub/a.jpg", f"{tmp_path}/", tmp_path / "sub/../sub"]
    assert names(walk(roots), tmp_path) == ["sub/a.jpg"]
    assert names(walk(list(reversed(roots))), tmp_path) == ["sub/a.jpg"]


def test_roots_are_known_by_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "photos/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "photos", target_is_directory=True)
    (tmp_path / "photos/b.jpg").symlink_to(tmp_path / "photos/a.jpg")
    monkeypatch.chdir(tmp_path / "photos")
    assert canonical(".") == canonical(tmp_path / "link") == str(tmp_path / "photos")
    assert canonical("a.jpg") == str(tmp_path / "photos/a.jpg")
    assert canonical(tmp_path / "link/b.jpg") == str(tmp_path / "photos/b.jpg")  # a linked file keeps its name


def test_single_files(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", "abc", mtime=5_000)
    touch(tmp_path / "a.txt", mtime=7_000)
    touch(tmp_path / "odd.dat")
    listing = walk([tmp_path / "a.jpg", tmp_path / "odd.dat"])
    assert names(listing, tmp_path) == ["a.jpg", "odd.dat"]  # a named file is taken whatever its name
    file = listing.files[0]
    assert (file.bytes, file.mtime_ns, file.sidecar_mtime_ns) == (3, 5_000, 7_000)


@pytest.mark.parametrize(
    ("sidecars", "newest"),
    [
        ({}, 0),
        ({"a.txt": 5}, 5),
        ({"a.jpg.txt": 5, "a.json": 9, "a.XMP": 7}, 9),  # the newest of all, in any case
        ({"b.txt": 5, "a.jpeg.txt": 6, "aa.txt": 7, ".a.txt": 8}, 0),  # other photos' ones
    ],
)
def test_sidecars_are_seen(tmp_path: Path, sidecars: dict[str, int], newest: int) -> None:
    touch(tmp_path / "a.jpg")
    for name, mtime in sidecars.items():
        touch(tmp_path / name, mtime=mtime)
    assert walk([tmp_path]).files[0].sidecar_mtime_ns == newest


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    touch(tmp_path / "photos/a.jpg")
    (tmp_path / "photos/away.jpg").symlink_to("/no/such/mount/b.jpg")
    listing = walk([tmp_path / "usb", tmp_path / "nas/one.jpg", tmp_path / "bare", tmp_path / "photos"])
    assert set(listing.vanished) == {
        str(tmp_path / "usb"),
        str(tmp_path / "nas/one.jpg"),
        str(tmp_path / "nas"),  # the single file's folder is not there either
    }
    assert list(listing.empty) == [str(tmp_path / "bare")]
    assert listing.empty[str(tmp_path / "bare")] == (tmp_path / "bare").stat().st_mtime_ns
    assert list(listing.unreadable) == [str(tmp_path / "photos/away.jpg")]  # a link that leads nowhere
    assert names(listing, tmp_path) == ["photos/a.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folders_are_reported_and_skipped(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    locked = touch(tmp_path / "locked/b.jpg").parent
    locked.chmod(0)
    try:
        listing = walk([tmp_path])
    finally:
        locked.chmod(0o755)
    assert names(listing, tmp_path) == ["a.jpg"]
    assert listing.unreadable == {str(locked): "Permission denied"}


def test_names_of_all_kinds(tmp_path: Path) -> None:
    strange = ["new\nline.jpg", "Käse 🙂.jpg", "per%cent.jpg", " blank .jpg", "caf\udce9.jpg", "quo'te\".jpg"]
    for name in strange:
        touch(tmp_path / name, name.encode("utf-8", "surrogateescape").hex())
        touch(tmp_path / (name[:-4] + ".txt"), "a caption")
    files = walk([tmp_path]).files
    assert sorted(path_of(file.uri) for file in files) == sorted(str(tmp_path / name) for name in strange)
    hashes, _ = hash_files(files)
    for file in files:
        file.uri.encode()
        name = Path(path_of(file.uri)).name
        content = name.encode("utf-8", "surrogateescape").hex().encode()
        assert hashes[file.uri] == hashlib.sha256(content).hexdigest()
        assert read_sidecars(path_of(file.uri)) == [("txt", b"a caption")]


def test_hashing_only_what_was_listed(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", "a")
    touch(tmp_path / "b.jpg", "b")
    touch(tmp_path / "c.jpg", "c")
    files = walk([tmp_path]).files
    (tmp_path / "b.jpg").unlink()
    touch(tmp_path / "c.jpg", "longer by now")
    done: list[int] = []
    hashes, _ = hash_files(files, advance=done.append)
    assert hashes == {files[0].uri: hashlib.sha256(b"a").hexdigest()}
    assert sum(done) == 3
    assert hash_file(replace(files[0], mtime_ns=1)) is None


def test_certainly_gone(tmp_path: Path) -> None:
    here = touch(tmp_path / "a.jpg")
    (tmp_path / "link.jpg").symlink_to("/no/such/file")
    assert is_certainly_gone(uri_of(str(tmp_path / "b.jpg")))
    assert is_certainly_gone(uri_of(str(tmp_path / "no folder/b.jpg")))
    assert not is_certainly_gone(uri_of(str(here)))
    assert not is_certainly_gone(uri_of(str(tmp_path / "link.jpg")))
    assert not is_certainly_gone("https://example.org/a.jpg")


def read_sidecars(path: str | Path) -> list[tuple[str, bytes]]:
    with open_sidecars(path) as sidecars:
        return [(kind, stream.read()) for kind, stream in sidecars]


def test_sidecars_in_order_of_precedence(tmp_path: Path) -> None:
    for name in ("a.xmp", "a.jpg.xmp", "a.JSON", "a.txt", "b.txt"):
        touch(tmp_path / name, name)
    (tmp_path / "a.jpg.txt").mkdir()  # a folder is no sidecar
    assert read_sidecars(tmp_path / "a.jpg") == [
        ("txt", b"a.txt"),
        ("json", b"a.JSON"),
        ("xmp", b"a.jpg.xmp"),
        ("xmp", b"a.xmp"),
    ]
    touch(tmp_path / "a.txt", "x" * 300_000)
    assert read_sidecars(tmp_path / "a.jpg")[0][0] == "json"


def test_the_row_of_a_photo(tmp_path: Path, decoders: DecoderPool) -> None:
    exif = Image.Exif()
    exif[0x010E] = "from exif"
    exif[0x9C9E] = "boat;PIER".encode("utf-16-le")
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    image = ImageRef("ab" * 16, str(path), "b000001", path.stat().st_size, 1, "c" * 64)
    row = read_image_row(image, decoders)
    assert (row["format"], row["width"], row["height"]) == ("JPEG", 40, 30)
    assert (row["caption"], row["caption_source"]) == ("from exif", "exif")
    touch(tmp_path / "a.json", '{"description": "from json", "author": "Ada"}')
    row = read_image_row(image, decoders)
    assert (row["caption"], row["caption_source"], row["creator"]) == ("from json", "json", "Ada")
    # of all sidecars and of the header, the more specific first
    assert row["keywords"] == ["boat", "PIER"]
    for name, keyword in (("a.xmp", "Pier"), ("a.jpg.xmp", "lake")):
        described = f'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:subject="{keyword}"/>'
        rdf = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        touch(tmp_path / name, f"{rdf}{described}</rdf:RDF>")
    assert read_image_row(image, decoders)["keywords"] == ["lake", "Pier", "boat"]
    touch(tmp_path / "a.xmp", "<rdf:RDF")
    assert read_image_row(image, decoders)["keywords"] == ["lake", "boat", "PIER"]
    path.unlink()
    with pytest.raises(ImageGone):
        read_image_row(image, decoders)


def test_a_planted_link_makes_no_caption_of_a_file_elsewhere(tmp_path: Path) -> None:
    secrets, photos = tmp_path / "home", tmp_path / "photos"
    for name in ("token.json", "key", "notes.txt"):
        touch(secrets / name, "secret")
    touch(photos / "a.jpg")
    (photos / "a.txt").symlink_to(secrets / "notes.txt")
    (photos / "a.json").symlink_to("../home/token.json")
    (photos / "a.xmp").symlink_to(secrets / "key")
    (photos / "a.jpg.txt").symlink_to(photos / "again.txt")
    (photos / "again.txt").symlink_to(secrets / "notes.txt")
    assert read_sidecars(photos / "a.jpg") == []


def test_sidecars_that_are_linked_like_their_photo_are_read(tmp_path: Path) -> None:
    real, picks, repository = tmp_path / "real", tmp_path / "picks", tmp_path / "repository"
    touch(real / "a.jpg")
    touch(real / "a.txt", "beside the photo")
    for folder in (picks, repository / "2026"):
        folder.mkdir(parents=True)
    for name in ("a.jpg", "a.txt"):
        (picks / name).symlink_to(real / name)
    (tmp_path / "as it is called").symlink_to(real)
    touch(repository / ".git" / "annex" / "objects" / "Zq" / "key.jpg")
    touch(repository / ".git" / "annex" / "objects" / "9v" / "key.xmp", "in the annex")
    (repository / "2026" / "a.jpg").symlink_to("../.git/annex/objects/Zq/key.jpg")
    (repository / "2026" / "a.xmp").symlink_to("../.git/annex/objects/9v/key.xmp")
    touch(real / "b.jpg")
    touch(real / "words" / "b.txt", "in a folder below")
    (real / "b.txt").symlink_to("words/b.txt")
    assert read_sidecars(picks / "a.jpg") == [("txt", b"beside the photo")]
    assert read_sidecars(tmp_path / "as it is called" / "a.jpg") == [("txt", b"beside the photo")]
    assert read_sidecars(repository / "2026" / "a.jpg") == [("xmp", b"in the annex")]
    assert read_sidecars(real / "b.jpg") == [("txt", b"in a folder below")]
