"""Folders of photos: what is in them, the hashes of files, and the words that lie beside a photo."""

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from resources.decoder_pool import DecoderPool
from resources.decoding import MAX_MEGAPIXELS
from resources.describing import Sidecar
from resources.opening import open_regular
from tagging_assets.domain.captions import MAX_SIDECAR_BYTES, sidecar_names
from tagging_assets.domain.errors import ImageGone
from tagging_assets.domain.folders import is_of_the_system, is_skipped
from tagging_assets.domain.identity import ImageRef, path_of, uri_of
from tagging_assets.domain.images import image_row, is_photo_name
from tagging_assets.domain.scan import Listing, SeenFile, storable_ns

_SIDECARS = (".txt", ".json", ".xmp")
_CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
#: Files handed to each hashing thread between two looks at the clock.
_AT_ONCE = 8
#: Where git-annex keeps the files to which a working tree links.
_ANNEX = Path(".git", "annex", "objects")
_Folder = tuple[int, int]


def walk(roots: Sequence[str | os.PathLike[str]]) -> Listing:
    """List the photos in folders and single files; nothing is opened.

    Hidden files and folders, folders marked as caches (``CACHEDIR.TAG``), files without a photo's extension and what
    is no file at all are skipped; a root itself is taken as it is. Links to files and folders are followed; each folder
    is visited once, by its real path where it has one, so loops end. What cannot be read is reported, not raised.

    Args:
        roots: folders or files; relative ones are relative to the working directory.
    """
    walk = FolderWalk()
    for root in roots:
        walk.add_root(os.fspath(root))
    while walk.step():
        pass
    return walk.listing()


def canonical(path: str | os.PathLike[str]) -> str:
    """The absolute path under which a root is known: links in the folders above it are resolved."""
    place = Path(os.fspath(path))
    # Path.resolve would raise where links lead in a circle.
    full = os.path.realpath(place)
    if Path(full).is_dir():
        return full
    # A single file that is a link keeps its own name.
    place = Path.cwd() / place
    return str(Path(os.path.realpath(place.parent)) / place.name) if place.name not in {"", ".."} else full


class FolderWalk:
    """One walk, folder by folder.

    Attributes:
        roots: what was asked for, by its canonical path.
        files: photos found, by URI.
        folders: folders listed, to their modification time in nanoseconds, read before.
        subfolders: the sub-folders that each listed folder names.
        owners: the path by which each folder is known, by device and inode.
        displaced: paths of folders that are known by another path now, mostly because they became links.
        unreadable: folder or file to the reason why it could not be looked at.
        pending: folders to be listed.
        linked: links to folders, which wait until all real ones are through: a photo is listed by its real path.
        known: folders that are looked at on their own account, and are not followed from the one above.
    """

    def __init__(self) -> None:
        self.known: Container[str] = frozenset()
        self.roots: list[str] = []
        self.files: dict[str, SeenFile] = {}
        self.folders: dict[str, int] = {}
        self.subfolders: dict[str, frozenset[str]] = {}
        self.owners: dict[_Folder, str] = {}
        self.displaced: set[str] = set()
        self.unreadable: dict[str, str] = {}
        self.vanished: list[str] = []
        self.empty: dict[str, int] = {}
        self.ignored: list[str] = []
        self.pending: list[str] = []
        self.linked: list[str] = []

    def add_root(self, given: str) -> None:
        """Take a folder or file that is to be looked at."""
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
            self.unreadable[root] = reason_of(error)
        else:
            if stat.S_ISDIR(status.st_mode):
                self.pending.append(root)
            elif stat.S_ISREG(status.st_mode):
                self._add_single(Path(root), status)
            else:
                self.unreadable[root] = _kind_of(status)

    def step(self) -> bool:
        """List the next folder that waits; False if there is none."""
        if not self.pending and not self.linked:
            return False
        self.visit(self.pending.pop() if self.pending else self.linked.pop(0))
        return True

    def listing(self) -> Listing:
        """What was found so far."""
        return Listing(
            roots=tuple(self.roots),
            files=tuple(sorted(self.files.values(), key=lambda file: file.uri)),
            unreadable=self.unreadable,
            vanished=tuple(self.vanished),
            empty=self.empty,
            ignored=tuple(sorted(self.ignored)),
            folders=self.folders,
        )

    def visit(self, folder: str) -> None:
        """List one folder, unless it was listed or is known by another path."""
        try:
            if is_of_the_system(os.path.realpath(folder)):
                self.unreadable[folder] = "a folder of the system's own, not of photos"
                return
            status = Path(folder).stat()
            if folder in self.folders or not self.owns(folder, (status.st_dev, status.st_ino)):
                return
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable[folder] = reason_of(error)
            return
        self.folders[folder] = mtime_ns(status)
        if not entries:
            self.empty[folder] = mtime_ns(status)
        self.subfolders[folder] = frozenset()
        if folder not in self.roots and _is_cache(folder, entries):
            return
        sidecars = {entry.name.lower(): entry for entry in entries if entry.name.lower().endswith(_SIDECARS)}
        self.subfolders[folder] = frozenset(entry.path for entry in entries if self._take(entry, sidecars))

    def owns(self, folder: str, inode: _Folder) -> bool:
        """Whether a folder is known by this path: its real one, or else the first that led to it."""
        owner = self.owners.setdefault(inode, folder)
        if owner != folder and os.path.realpath(owner) == folder:
            self.displaced.add(owner)
            self.owners[inode] = owner = folder
        return owner == folder

    def _add_single(self, path: Path, status: os.stat_result) -> None:
        # A file that was named is taken whatever its name; if it is no photo, decoding it says so.
        newest = 0
        for _kind, name in sidecar_names(path.name):
            with contextlib.suppress(OSError):
                newest = max(newest, mtime_ns(path.with_name(name).stat()))
        self._add(str(path), status, newest)

    def _take(self, entry: os.DirEntry[str], sidecars: Mapping[str, os.DirEntry[str]]) -> bool:
        """Take one entry of a folder; whether it is a folder to look into."""
        if entry.name.startswith("."):
            return False
        try:
            if entry.is_dir():
                if is_skipped(entry.name):
                    return False
                if entry.path not in self.known:
                    (self.linked if entry.is_symlink() else self.pending).append(entry.path)
                return True
            if is_photo_name(entry.name):
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    self._add(entry.path, status, _newest_sidecar(entry.name, sidecars))
                else:
                    self.ignored.append(entry.path)
            elif not entry.name.lower().endswith(_SIDECARS):
                # A link that leads nowhere may have led to a folder on a disk that is away.
                entry.stat()
                self.ignored.append(entry.path)
        except OSError as error:
            self.unreadable[entry.path] = reason_of(error)
        return False

    def _add(self, path: str, status: os.stat_result, sidecar_mtime_ns: int) -> None:
        uri = uri_of(path)
        self.files[uri] = SeenFile(uri, status.st_size, mtime_ns(status), sidecar_mtime_ns, ctime_ns=status.st_ctime_ns)


def hash_file(file: SeenFile) -> str | None:
    """SHA-256 of a file's bytes, hex; None if it cannot be read, or is not (any more) what was listed."""
    try:
        with open_regular(path_of(file.uri)) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            status = os.fstat(stream.fileno())
    except (OSError, ImageGone):
        return None
    return digest if (status.st_size, mtime_ns(status)) == file.look else None


def why_unreadable(file: SeenFile) -> str:
    """Why a file cannot be read, in the system's words; ``""`` where it can."""
    try:
        with open_regular(path_of(file.uri)) as stream:
            stream.read(1)
    except OSError as error:
        return reason_of(error)
    except ImageGone as error:
        return str(error)
    return ""


def hash_files(
    files: Sequence[SeenFile],
    *,
    threads: int = 2,
    seconds: float | None = None,
    advance: Callable[[int], None] | None = None,
) -> tuple[dict[str, str], Sequence[SeenFile]]:
    """URI to SHA-256 of every file that could be read, and the files that there was no time for.

    Args:
        files: what ``scan.needs_hash`` named.
        threads: files read at once; hashing does not hold the interpreter's lock.
        seconds: no further file is begun after this time; the first few always are. None for all the time needed.
        advance: called with 1 after each file, for a progress bar.
    """
    hashes: dict[str, str] = {}
    deadline = None if seconds is None else time.monotonic() + seconds
    group = max(1, threads) * _AT_ONCE
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for start in range(0, len(files), group):
            if start and deadline is not None and time.monotonic() >= deadline:
                return hashes, files[start:]
            some = files[start : start + group]
            for file, digest in zip(some, pool.map(hash_file, some), strict=True):
                if digest is not None:
                    hashes[file.uri] = digest
                if advance is not None:
                    advance(1)
    return hashes, ()


def is_certainly_gone(uri: str) -> bool:
    """Whether nothing is at a local place, not even a link that leads nowhere."""
    try:
        Path(path_of(uri)).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


@contextmanager
def open_sidecars(path: str | os.PathLike[str]) -> Iterator[list[Sidecar]]:
    """The sidecars beside a photo, in order of precedence; what is no file, unreadable or huge is left out.

    Names are matched in lower and upper case of the extension. A link is followed only where it leads to something
    that belongs to the photo: whoever may put a file beside it would else have any file of ours read and published.
    """
    photo = Path(path)
    with ExitStack() as opened:
        found = [
            (kind, opened.enter_context(stream))
            for kind, name in sidecar_names(photo.name)
            for stream in _first_sidecar(photo, kind, name)
        ]
        yield found


def read_image_row(
    image: ImageRef, decoders: DecoderPool, *, max_megapixels: float = MAX_MEGAPIXELS
) -> dict[str, object]:
    """The row of ``images`` of one photo: its header, the caption that wins, and all keywords.

    Raises:
        ImageError: one of its subclasses, as ``decoding.read_header`` says.
    """
    path = path_of(image.uri)
    with open_sidecars(path) as sidecars:
        found = decoders.describe(path, sidecars, max_megapixels=max_megapixels)
    return image_row(image, found.header, found.caption, found.keywords)


def _first_sidecar(photo: Path, kind: str, name: str) -> Iterator[BinaryIO]:
    suffix = name[name.rindex(".") :]
    for variant in (name, name.removesuffix(suffix) + suffix.upper()):
        try:
            stream = open_regular(photo.with_name(variant))
        except (OSError, ImageGone, ValueError):
            continue
        status = os.fstat(stream.fileno())
        if status.st_size <= MAX_SIDECAR_BYTES[kind] and _belongs(photo, photo.with_name(variant), status):
            yield stream
            return
        stream.close()


def _belongs(photo: Path, sidecar: Path, opened: os.stat_result) -> bool:
    """Whether what was opened as a sidecar is the photo's: in its folder, beside its real file, or of its repository.

    Args:
        photo: as it is listed; it may be a link itself.
        sidecar: beside it.
        opened: what the system says of the open file, as a link may lead elsewhere by now.
    """
    real, folder = Path(os.path.realpath(sidecar)), Path(os.path.realpath(photo.parent))
    beside_real = real.parent == Path(os.path.realpath(photo)).parent and real.suffix.lower() in _SIDECARS
    kept = any(real.is_relative_to(above / _ANNEX) for above in (folder, *folder.parents))
    if not (beside_real or kept or real.is_relative_to(folder)):
        return False
    with contextlib.suppress(OSError):
        return os.path.samestat(real.stat(), opened)
    return False


def _newest_sidecar(name: str, sidecars: Mapping[str, os.DirEntry[str]]) -> int:
    newest = 0
    for _kind, sidecar in sidecar_names(name) if sidecars else ():
        entry = sidecars.get(sidecar.lower())
        if entry is not None:
            with contextlib.suppress(OSError):
                newest = max(newest, mtime_ns(entry.stat()))
    return newest


def _is_cache(folder: str, entries: Sequence[os.DirEntry[str]]) -> bool:
    if not any(entry.name == "CACHEDIR.TAG" for entry in entries):
        return False
    try:
        with open_regular(Path(folder, "CACHEDIR.TAG")) as stream:
            return stream.read(len(_CACHE_TAG)) == _CACHE_TAG
    except (OSError, ImageGone):
        return False


def mtime_ns(status: os.stat_result) -> int:
    """When a file or folder was modified, in nanoseconds since the epoch, as it can be kept."""
    return storable_ns(status.st_mtime_ns)


def _kind_of(status: os.stat_result) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return f"{kinds.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file"


def reason_of(error: OSError) -> str:
    """What went wrong, in the system's words."""
    return error.strerror or type(error).__name__
