"""Folders of photos: what is in them, the hashes of files, and the words that lie beside a photo."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from resources.decoding import MAX_MEGAPIXELS, read_header
from tagging_assets.domain.captions import MAX_SIDECAR_BYTES, choose_caption, sidecar_names
from tagging_assets.domain.identity import ImageRef, path_of, uri_of
from tagging_assets.domain.images import image_row, is_photo_name
from tagging_assets.domain.scan import Listing, SeenFile

#: Folders that hold no photos of anybody: thumbnails and rubbish of NAS boxes, Windows and macOS. (Those with a
#: dot in front are skipped as hidden.)
SKIPPED_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found", "__macosx"}
)

_SIDECARS = (".txt", ".json", ".xmp")
_CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
_Folder = tuple[int, int]


def walk(roots: Sequence[str | os.PathLike[str]]) -> Listing:
    """List the photos in folders and single files; nothing is opened.

    Hidden files and folders, folders marked as caches (``CACHEDIR.TAG``) and files without a photo's extension are
    skipped; a root itself is taken as it is. Links to files and folders are followed; each folder is visited once,
    by its real path where it has one, so loops end. What cannot be read is reported, not raised.

    Args:
        roots: folders or files; relative ones are relative to the working directory.
    """
    walker = _Walker()
    for root in roots:
        walker.add_root(os.fspath(root))
    return walker.listing()


def canonical(path: str | os.PathLike[str]) -> str:
    """The absolute path under which a root is known: links in the folders above it are resolved."""
    place = Path(os.fspath(path))
    full = place.resolve()
    if full.is_dir():
        return str(full)
    # A single file that is a link keeps its own name.
    place = Path.cwd() / place
    return str(place.parent.resolve() / place.name) if place.name not in {"", ".."} else str(full)


class _Walker:
    """One walk over all roots."""

    def __init__(self) -> None:
        self.roots: list[str] = []
        self.files: dict[str, SeenFile] = {}
        self.unreadable: dict[str, str] = {}
        self.vanished: list[str] = []
        self.empty: dict[str, int] = {}
        self.ignored: list[str] = []
        self.visited: set[_Folder] = set()
        self.pending: list[str] = []
        # Linked folders wait until all real ones are through, so that a photo is listed by its real path.
        self.linked: list[str] = []

    def add_root(self, given: str) -> None:
        root = canonical(given)
        if root in self.roots:
            return
        self.roots.append(root)
        try:
            status = Path(root).stat()
        except FileNotFoundError:
            self.vanished.append(root)
            folder = str(Path(root).parent)
            if not Path(folder).is_dir():
                self.vanished.append(folder)
        except OSError as error:
            self.unreadable[root] = _reason(error)
        else:
            if stat.S_ISDIR(status.st_mode):
                self.pending.append(root)
            else:
                self._add_single(Path(root), status)

    def listing(self) -> Listing:
        while self.pending or self.linked:
            self._visit(self.pending.pop() if self.pending else self.linked.pop(0))
        return Listing(
            roots=tuple(self.roots),
            files=tuple(sorted(self.files.values(), key=lambda file: file.uri)),
            unreadable=self.unreadable,
            vanished=tuple(self.vanished),
            empty=self.empty,
            ignored=tuple(sorted(self.ignored)),
        )

    def _add_single(self, path: Path, status: os.stat_result) -> None:
        # A file that was named is taken whatever its name; if it is no photo, decoding it says so.
        newest = 0
        for _kind, name in sidecar_names(path.name):
            with contextlib.suppress(OSError):
                newest = max(newest, path.with_name(name).stat().st_mtime_ns)
        self._add(str(path), status, newest)

    def _visit(self, folder: str) -> None:
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in self.visited:
                return
            self.visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable[folder] = _reason(error)
            return
        if not entries:
            self.empty[folder] = status.st_mtime_ns
        if folder not in self.roots and _is_cache(folder, entries):
            return
        sidecars = {entry.name.lower(): entry for entry in entries if entry.name.lower().endswith(_SIDECARS)}
        for entry in entries:
            self._take(entry, sidecars)

    def _take(self, entry: os.DirEntry[str], sidecars: Mapping[str, os.DirEntry[str]]) -> None:
        if entry.name.startswith("."):
            return
        try:
            if entry.is_dir():
                if entry.name.lower() not in SKIPPED_FOLDERS:
                    (self.linked if entry.is_symlink() else self.pending).append(entry.path)
            elif is_photo_name(entry.name):
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    self._add(entry.path, status, _newest_sidecar(entry.name, sidecars))
            elif not entry.name.lower().endswith(_SIDECARS):
                self.ignored.append(entry.path)
        except OSError as error:
            self.unreadable[entry.path] = _reason(error)

    def _add(self, path: str, status: os.stat_result, sidecar_mtime_ns: int) -> None:
        uri = uri_of(path)
        self.files[uri] = SeenFile(
            uri, status.st_size, status.st_mtime_ns, sidecar_mtime_ns, ctime_ns=status.st_ctime_ns
        )


def hash_file(file: SeenFile) -> str | None:
    """SHA-256 of a file's bytes, hex; None if it cannot be read, or is not (any more) what was listed."""
    path = Path(path_of(file.uri))
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            status = os.fstat(stream.fileno())
    except OSError:
        return None
    return digest if (status.st_size, status.st_mtime_ns) == file.look else None


def hash_files(
    files: Sequence[SeenFile], *, threads: int = 2, advance: Callable[[int], None] | None = None
) -> dict[str, str]:
    """URI to SHA-256 of every file that could be read.

    Args:
        files: what ``scan.needs_hash`` named.
        threads: files read at once; hashing does not hold the interpreter's lock.
        advance: called with 1 after each file, for a progress bar.
    """
    hashes: dict[str, str] = {}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for file, digest in zip(files, pool.map(hash_file, files), strict=True):
            if digest is not None:
                hashes[file.uri] = digest
            if advance is not None:
                advance(1)
    return hashes


def is_certainly_gone(uri: str) -> bool:
    """Whether nothing is at a local place, not even a link that leads nowhere."""
    try:
        Path(path_of(uri)).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def read_sidecars(path: str | os.PathLike[str]) -> list[tuple[str, bytes]]:
    """The sidecars beside a photo, as (kind, content), in order of precedence; unreadable or huge ones left out.

    Names are matched in lower and upper case of the extension.
    """
    photo = Path(path)
    return [
        (kind, content) for kind, name in sidecar_names(photo.name) for content in _first_content(photo, kind, name)
    ]


def read_image_row(image: ImageRef, *, max_megapixels: float = MAX_MEGAPIXELS) -> dict[str, object]:
    """The row of ``images`` of one photo: its header, and the caption that wins.

    Raises:
        ImageError: one of its subclasses, as ``decoding.read_header`` says.
    """
    path = path_of(image.uri)
    header = read_header(path, max_megapixels=max_megapixels)
    return image_row(image, header, choose_caption(Path(path).name, read_sidecars(path), header.captions))


def _first_content(photo: Path, kind: str, name: str) -> Iterator[bytes]:
    suffix = name[name.rindex(".") :]
    for variant in (name, name.removesuffix(suffix) + suffix.upper()):
        place = photo.with_name(variant)
        try:
            if place.is_file() and place.stat().st_size <= MAX_SIDECAR_BYTES[kind]:
                yield place.read_bytes()
                return
        except OSError:
            continue


def _newest_sidecar(name: str, sidecars: Mapping[str, os.DirEntry[str]]) -> int:
    newest = 0
    for _kind, sidecar in sidecar_names(name):
        entry = sidecars.get(sidecar.lower())
        if entry is not None:
            with contextlib.suppress(OSError):
                newest = max(newest, entry.stat().st_mtime_ns)
    return newest


def _is_cache(folder: str, entries: Sequence[os.DirEntry[str]]) -> bool:
    if not any(entry.name == "CACHEDIR.TAG" for entry in entries):
        return False
    try:
        with Path(folder, "CACHEDIR.TAG").open("rb") as stream:
            return stream.read(len(_CACHE_TAG)) == _CACHE_TAG
    except OSError:
        return False


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
