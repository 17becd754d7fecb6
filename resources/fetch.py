"""Files by hash, from whichever source has them: verified, atomic, resumable, one fetcher at a time.

What does not belong here: where bytes come from and how they travel (``sources``), and which files there are
(``weights``, ``samples``).
"""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from resources.files import is_full, storage_error, write_output
from resources.sources import Sources
from resources.sources_http import Http, Progress, SourceFailed, console_progress
from tagging_assets.domain.errors import DiskFull, ModelError, WeightsCorrupt, WeightsMissing


class Known(Protocol):
    """What a file must be."""

    @property
    def sha256(self) -> str:
        """Lower-case hex of its bytes."""
        ...

    @property
    def size(self) -> int:
        """Number of its bytes."""
        ...


class Wanted(Known, Protocol):
    """What a file must be, and where it may be had; the catalogue's ``WeightFile`` is one."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def sources(self) -> Sequence[str]:
        """Alternatives, tried in order; see ``resources.sources``."""
        ...

    @property
    def parts(self) -> Sequence[str]:
        """Sources to be concatenated instead."""
        ...


class Fetcher:
    """Brings files to their place.

    Whole wheels are kept for their further members until :meth:`close`, or the end of the process.

    Args:
        offline: only ``file:`` sources serve.
        progress: display of transfers.
        sources: how bytes are got, if not in the usual ways.
    """

    def __init__(
        self, *, offline: bool = False, progress: Progress = console_progress, sources: Sources | None = None
    ) -> None:
        wheels = Path(tempfile.gettempdir()) / f"tagging-wheels-{uuid.uuid4().hex}"
        self._finalizer = weakref.finalize(self, shutil.rmtree, wheels, ignore_errors=True)
        self._sources = sources or Sources(wheels, offline=offline, http=Http(progress))

    def fetch(self, wanted: Wanted, target: Path) -> None:
        """Make ``target`` hold the wanted bytes, from the first source that gives them.

        An interrupted transfer goes on where it stopped, in a later process too. Of several processes that want
        the same file one fetches, and the others wait for it.

        Raises:
            WeightsMissing: no source could be reached, or none has the file.
            WeightsCorrupt: a source was reached, and none gives the right bytes.
            DiskFull: no space left.
        """
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(target):
                if not is_ready(target, wanted):
                    self._fetch(wanted, target)
        except OSError as error:
            if is_full(error):
                size = f"{wanted.size / 1e6:.0f} MB"
                raise DiskFull(f"no space left for {wanted.name} ({size}) in {target.parent}") from error
            raise WeightsMissing(
                f"cannot write {target}: {error.strerror}; set TAGGING_WEIGHTS to a folder that can be written"
            ) from error

    def obtain(self, name: str, sources: Sequence[str], target: Path, limit: int) -> str:
        """Put at ``target`` whatever the first source that answers gives: nothing says what its bytes must be.

        Args:
            name: what messages call the file.
            sources: alternatives, tried in order.
            target: where to put it.
            limit: most bytes that are taken.

        Returns:
            The source that gave it.

        Raises:
            WeightsMissing: no source could be reached, or none has the file.
            DiskFull, StorageError: it cannot be written.
        """
        reasons = []
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(target):
                for source in sources:
                    try:
                        self._sources.obtain(source, target, limit)
                    except SourceFailed as error:
                        reasons.append(str(error))
                        target.unlink(missing_ok=True)
                        continue
                    return source
        except OSError as error:
            target.unlink(missing_ok=True)
            raise storage_error(error, target) from error
        raise WeightsMissing(f"{name} cannot be fetched: {'; '.join(dict.fromkeys(reasons))}")

    def close(self) -> None:
        """Remove the wheels that were kept for further members."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fetch(self, wanted: Wanted, target: Path) -> None:
        failures: list[ModelError] = []
        for attempt in [[source] for source in wanted.sources] or [list(wanted.parts)]:
            try:
                self._assemble(attempt, wanted, target)
            except (SourceFailed, WeightsCorrupt) as error:
                failures.append(error)
                continue
            is_ready(target, wanted)  # stamps it
            for left in target.parent.glob(f"{glob.escape(target.name)}.*.part*"):
                left.unlink()
            return
        reasons = "; ".join(dict.fromkeys(str(failure) for failure in failures))
        if any(isinstance(failure, WeightsCorrupt) for failure in failures):
            raise WeightsCorrupt(f"no source has the right {wanted.name}: {reasons}; put the right file at {target}")
        raise WeightsMissing(
            f"{wanted.name} is not on this machine: {reasons}; run `tagging models pull` with a network, "
            f"or put the file at {target}"
        )

    def _assemble(self, sources: Sequence[str], wanted: Wanted, target: Path) -> None:
        """Get all pieces, join them, check the hash, and put the file in place."""
        key = hashlib.sha256("\n".join((wanted.sha256, *sources)).encode()).hexdigest()[:8]
        pieces = [target.with_name(f"{target.name}.{key}.{i}.part") for i in range(len(sources))]
        fresh = False
        while True:
            resumed = False
            for source, piece in zip(sources, pieces, strict=True):
                if piece.exists():
                    resumed = True
                else:
                    resumed |= self._sources.obtain(source, piece, wanted.size)
            whole = _join(pieces)
            found = sha256_of(whole)
            if found == wanted.sha256:
                whole.replace(target)
                return
            whole.unlink()
            if fresh or not resumed:
                raise WeightsCorrupt(f"{sources[0]} gives other bytes (SHA-256 {found[:12]}…)")
            fresh = True  # what an earlier attempt left may be at fault: once more, from nothing


def sha256_of(path: Path) -> str:
    """Lower-case hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_path(path: Path) -> Path:
    """Where the proof lies that ``path`` was verified."""
    return path.with_name(f"{path.name}.verified.json")


def is_ready(path: Path, wanted: Known) -> bool:
    """Whether ``path`` holds the wanted bytes.

    A stamp with the file's size and modification time spares hashing hundreds of megabytes at every start; a file
    without a valid stamp (put there by hand, say) is hashed once, and stamped.
    """
    try:
        found = path.stat()
    except OSError:
        return False
    if found.st_size != wanted.size:
        return False
    mark = {"sha256": wanted.sha256, "size": found.st_size, "mtime_ns": found.st_mtime_ns}
    stamp = stamp_path(path)
    with contextlib.suppress(OSError, ValueError):
        if json.loads(stamp.read_text(encoding="utf-8")) == mark:
            return True
    if sha256_of(path) != wanted.sha256:
        return False
    # A cache that cannot be written is fine: the file is hashed again next time.
    with contextlib.suppress(OSError):
        write_output(stamp, json.dumps(mark).encode())
    return True


def _join(pieces: Sequence[Path]) -> Path:
    """All pieces in the first one, which is returned; the others are gone."""
    first, *others = pieces
    if others:
        joined = first.with_name(f"{first.name}.joined")
        with joined.open("wb") as sink:
            for piece in pieces:
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, sink)
            sink.flush()
            os.fsync(sink.fileno())
        for piece in pieces:
            piece.unlink()
        return joined
    return first


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the target's lock file; the system lets go of it when the holder dies."""
    with target.with_name(f"{target.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
