"""The data folder of an embedded Postgres on disk: whole or not, whose, who may connect, where its socket is found."""

import contextlib
import os
import re
import secrets
import shutil
import signal
import stat
import tempfile
from pathlib import Path

import psutil

from resources.postgres_account import MAJOR, Account
from tagging_assets.domain.errors import DatabaseUnavailable

#: Password of the server for libpq; Postgres ignores files in its folder that it does not know.
PASSWORD_FILE = "passfile"  # noqa: S105 - a name
_ALIAS = "alias"
_SOCKET = ".s.PGSQL.5432"
#: What the system allows for a socket's path on every platform, less the socket's own name.
_LONGEST = 90
#: Read in URLs, option lists and configuration files without quoting.
_PLAIN = re.compile(rb"[A-Za-z0-9_./-]+")
#: Databases that somebody created have numbers from here on.
_FIRST_OWN = 16384
_HBA = "# Written at every start of the server.\nlocal all all scram-sha-256\n"
#: While the password is given: the socket lies in a folder that only the server's account and root can enter.
_HBA_WITHOUT_PASSWORD = "# Written at the first start, for its first second.\nlocal all postgres trust\n"  # noqa: S105


def shown(path: Path) -> str:
    """A path as messages say it: on one line."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def is_complete(folder: Path) -> bool:
    """Whether a cluster is there; a half-made one, in which nothing can be yet, is cleared away.

    Raises:
        DatabaseUnavailable: what is there is damaged, of another version, or no data folder of Postgres.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not folder.is_dir():
        raise DatabaseUnavailable(f"{shown(folder)} is not a folder; move it away, or set data_dir to another place")
    version = folder / "PG_VERSION"
    served = (folder / PASSWORD_FILE).exists() or (folder / "postmaster.opts").exists() or _has_databases(folder)
    if not served:
        _clear_unfinished(folder)
        return False
    said = version.read_text(errors="replace").strip()[:20] if version.is_file() else ""
    control = folder / "global" / "pg_control"
    if not re.fullmatch(r"\d{1,3}", said) or not control.is_file() or not control.stat().st_size:
        lost = "PG_VERSION" if not re.fullmatch(r"\d{1,3}", said) else "global/pg_control"
        raise DatabaseUnavailable(
            f"the database in {shown(folder)} is damaged ({lost} is missing or unreadable); "
            "restore the folder from a backup, or move it away to begin anew"
        )
    if int(said) != MAJOR:
        raise DatabaseUnavailable(
            f"the database in {shown(folder)} is of PostgreSQL {said}, this version of tagging brings {MAJOR}; "
            "use the version that made it, or set TAGGING_DATABASE_URL"
        )
    return True


def _has_databases(folder: Path) -> bool:
    base = folder / "base"
    return base.is_dir() and any(one.name.isdigit() and int(one.name) >= _FIRST_OWN for one in base.iterdir())


def _clear_unfinished(folder: Path) -> None:
    """Remove what an interrupted initdb left; nothing else may be in there."""
    made = re.compile(r"base|global|pg_\w+|PG_VERSION|pg_\w+\.conf|postgresql(\.auto)?\.conf|log|\.handle_pids\.json")
    strange = sorted(one.name for one in folder.iterdir() if not made.fullmatch(one.name))
    if strange:
        raise DatabaseUnavailable(
            f"{shown(folder)} is no data folder of Postgres ({shown(Path(strange[0]))} is in it); "
            "move it away, or set data_dir to another place"
        )
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink()


def claim(folder: Path, account: Account | None) -> None:
    """See to it that the folder belongs to the server's account and is closed to all others.

    Raises:
        DatabaseUnavailable: it belongs to somebody else.
    """
    status = folder.stat()
    if account is None:
        if status.st_uid != os.geteuid():
            raise DatabaseUnavailable(
                f"the database in {shown(folder)} belongs to another account (number {status.st_uid}); run as that "
                "one, or as root, or set TAGGING_DATABASE_URL"
            )
    elif status.st_uid == 0:
        # Copied or restored by root. The folder itself comes last: until then everything is looked at again.
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent, name), account.uid, account.gid, follow_symlinks=False)
        os.chown(folder, account.uid, account.gid)
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)


def admit(folder: Path, account: Account | None) -> bool:
    """Write who may connect; says whether the superuser has a password already."""
    has_password = (folder / PASSWORD_FILE).exists()
    write_private(folder / "pg_hba.conf", _HBA if has_password else _HBA_WITHOUT_PASSWORD, account)
    return has_password


def set_password(folder: Path, account: Account | None, password: str) -> None:
    """Write the password that the superuser has been given; from the next reading on the server asks for it."""
    write_private(folder / "pg_hba.conf", _HBA, account)
    write_private(folder / PASSWORD_FILE, f"*:*:*:postgres:{password}\n", account)


def new_password() -> str:
    """One that nobody has to type."""
    return secrets.token_hex(32)


def write_private(path: Path, text: str, account: Account | None) -> None:
    """Replace a file of the folder; complete or not there, and never through a link that lies there."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            if account is not None:
                os.fchown(file.fileno(), account.uid, account.gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def forget_stale(folder: Path) -> None:
    """Remove what a server that is gone left: Postgres believes the process number in it, whosever it is by now."""
    for name in ("postmaster.pid", _SOCKET, f"{_SOCKET}.lock"):
        (folder / name).unlink(missing_ok=True)


def postmaster(folder: Path) -> psutil.Process | None:
    """The server's process, if it is proven to be one: a ``postgres`` at work in this very folder.

    The number in ``postmaster.pid`` alone proves nothing: after a restart of the machine it may be anybody's.
    """
    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text(errors="replace").splitlines()[0]))
        if Path(process.exe()).name == "postgres" and Path(process.cwd()).samefile(folder):
            # From here on psutil compares start times before it signals.
            return process if process.is_running() else None
    except (OSError, ValueError, IndexError, OverflowError, psutil.Error):
        pass
    return None


def ask_to_stop(process: psutil.Process) -> None:
    """Tell a server to end its sessions and stop; psutil signals none but the process that was looked at."""
    with contextlib.suppress(psutil.Error):
        process.send_signal(signal.SIGINT)


def discard(folder: Path) -> None:
    """Remove what was being made."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder, ignore_errors=True)  # what writes there still may be dying


def sync(folder: Path) -> None:
    """Have a renaming in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def address(folder: Path, account: Account | None) -> Path:
    """Where the socket and the password file are found: the folder itself, or a short alias of it.

    The alias is a link in a folder of our own under ``/tmp`` with a name that cannot be foreseen, noted in the data
    folder. Only the way to the socket is there; the socket never leaves the data folder.
    """
    if len(os.fsencode(folder)) <= _LONGEST and _PLAIN.fullmatch(os.fsencode(folder)):
        return folder
    note = folder / _ALIAS
    try:
        known = Path(note.read_text(encoding="utf-8").strip()[:200])
        if _is_private(known.parent) and known.is_symlink() and known.readlink() == folder:
            return known
    except (OSError, ValueError):
        pass
    made = Path(tempfile.mkdtemp(dir="/tmp", prefix="tagging-")) / "data"
    made.symlink_to(folder)
    write_private(note, str(made), account)
    return made


def forget_address(found: Path) -> None:
    """Remove the alias, if it is one."""
    if found.is_symlink() and _is_private(found.parent):
        found.unlink()
        found.parent.rmdir()


def _is_private(folder: Path) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
