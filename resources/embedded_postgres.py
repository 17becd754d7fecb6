"""An embedded Postgres: started by whoever opens its data folder first, shared, stopped with its last user.

It listens on a socket in its data folder, which only its account can enter, and asks for a password that is in a file
there. Users are known by a lock that the kernel frees at their death; see ``postgres_child.py``, the server's parent.
"""

import atexit
import errno
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import sqlalchemy as sa

from resources import postgres_folder as on_disk
from resources.file_locks import locked, open_private, try_lock
from resources.postgres_account import Account, account_for, programs
from resources.statements import SAYS_FULL
from resources.waiting import PATIENCE_SECONDS, Notice, say
from tagging_assets.domain.errors import DatabaseUnavailable, DiskFull, StorageError

DATABASE = "tagging"
_CHILD = Path(__file__).with_name("postgres_child.py")
_ANSWER_SECONDS = 60.0
_STOP_SECONDS = 10.0
#: The last user does not wait longer: the server's parent sees to the rest, and a command ends within five seconds.
_LEAVE_SECONDS = 1.5
#: What a server says that starts, ends or recovers.
_PASSING = ("starting up", "shutting down", "recovery", "not yet accepting", "terminating connection")
_OPTIONS = (
    "listen_addresses=",
    "unix_socket_directories=.",
    "unix_socket_permissions=0700",
    "port=5432",
    "logging_collector=off",
    "log_destination=stderr",
    "log_file_mode=0600",
    "ssl=off",
)
#: What libpq takes from the environment. The user's shell may mean another server by it.
_LIBPQ_VARIABLES = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGREQUIREAUTH"),
    *("PGCHANNELBINDING", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGOPTIONS", "PGAPPNAME", "PGSSLMODE"),
    *("PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE"),
    *("PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER", "PGSSLMINPROTOCOLVERSION"),
    *("PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION"),
    *("PGCONNECT_TIMEOUT", "PGCLIENTENCODING", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS", "PGDATESTYLE", "PGTZ"),
    *("PGGEQO", "PGLOCALEDIR", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION"),
)


def is_refusal(error: psycopg2.OperationalError) -> bool:
    """Whether a server that is up refused the connection; the others mean that there is none, or not yet or no more."""
    said = str(error)
    return "FATAL:" in said and not any(word in said for word in _PASSING)


class EmbeddedPostgres:
    """One process' hold on the server of a data folder.

    Args:
        folder: the data folder of Postgres; made at the first opening.
        notice: told what is waited for, after two seconds.
    """

    def __init__(self, folder: Path, notice: Notice = say) -> None:
        self.folder = folder.resolve()
        self._notice = notice
        self._one_at_a_time = threading.Lock()
        self._users: int | None = None
        self._account: Account | None = None
        self._address = self.folder
        self.ensure_running()
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """Where it is; the password is in a file that the URL names."""
        query = {"host": str(self._address), "passfile": str(self._address / on_disk.PASSWORD_FILE)}
        url = sa.URL.create("postgresql+psycopg2", username="postgres", database=DATABASE, query=query)
        return url.render_as_string(hide_password=False)

    def ensure_running(self) -> None:
        """Start the server, or join the one that runs; nothing to do where it answers. Its address stays the same.

        Raises:
            DatabaseUnavailable: it cannot be had; one line says what to do.
            DiskFull: there is no room for it.
        """
        with self._one_at_a_time:
            try:
                for name in _LIBPQ_VARIABLES:
                    os.environ.pop(name, None)
                self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with locked(self._lock("starting"), self._say_who_is_waited_for) as starting:
                    self._hold()
                    self._account = account_for(self.folder)
                    if not (self._is_running() and self._joined()):
                        self._start(starting)
            except OSError as error:
                raise self._unusable(error) from error
            except (psycopg2.Error, subprocess.SubprocessError, ValueError) as error:
                raise self._unavailable(str(error)) from error

    def close(self) -> None:
        """Let go. The last user stops the server; where one was killed, the server's parent does."""
        with self._one_at_a_time:
            atexit.unregister(self.close)
            if self._users is None:
                return
            os.close(self._users)
            self._users = None
            try:
                self._stop_if_unused()
            except OSError:
                return  # the folder is gone; the server notices that by itself

    def _lock(self, name: str) -> Path:
        return self.folder.with_name(f".{self.folder.name}.{name}")

    def _hold(self) -> None:
        if self._users is None:
            self._users = open_private(self._lock("users"))
        deadline = time.monotonic() + _ANSWER_SECONDS
        # The server's parent looks for a moment now and then whether it is held.
        while not try_lock(self._users, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._lock('users')} is locked by a strange process")
            time.sleep(0.01)

    def _is_running(self) -> bool:
        """Whether any process of the server lives: all of them inherit a lock."""
        descriptor = open_private(self._lock("running"))
        try:
            return not try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _joined(self) -> bool:
        """Whether a server that runs answers; false where it ended instead."""
        if not (self.folder / on_disk.PASSWORD_FILE).exists():
            # Its starter was killed before it could give the password, or somebody deleted it.
            self._stop()
            return False
        self._address = on_disk.address(self.folder, self._account)
        began = time.monotonic()
        while self._is_running():
            try:
                self._furnish()
            except psycopg2.OperationalError as error:
                waited = time.monotonic() - began
                if waited > _ANSWER_SECONDS or is_refusal(error):
                    raise
                self._say_once(waited, f"waiting for the Postgres in {on_disk.shown(self.folder)} to answer")
                time.sleep(0.1)
            else:
                return True
        return False

    def _start(self, starting: int) -> None:
        binaries = programs(self._account)
        if not on_disk.is_complete(self.folder):
            self._make(binaries, starting)
        on_disk.claim(self.folder, self._account)
        self._stop()  # one of an older version of this product, which holds no lock
        on_disk.forget_stale(self.folder)
        self._address = on_disk.address(self.folder, self._account)
        has_password = on_disk.admit(self.folder, self._account)
        locks = [self._lock(name) for name in ("starting", "users", "running")]
        options = [part for option in _OPTIONS for part in ("-c", option)]
        self._ask_child(
            binaries,
            self.folder,
            task="serve",
            locks=[os.fsencode(path).hex() for path in locks],
            options=options,
        )
        if not has_password:
            self._give_password()
        self._furnish()

    def _make(self, binaries: Path, starting: int) -> None:
        """Make the cluster beside its place and move it there whole."""
        new = self.folder.with_name(f"{self.folder.name}.new")
        on_disk.discard(new)
        new.mkdir(mode=0o700)
        new.chmod(0o700)  # whatever the umask took away
        try:
            if self._account is not None:
                os.chown(new, self._account.uid, self._account.gid)
            self._ask_child(binaries, new, task="make", held=starting)
            new.replace(self.folder)
            on_disk.sync(self.folder.parent)
        except BaseException:
            on_disk.discard(new)
            raise

    def _ask_child(self, binaries: Path, folder: Path, **task: object) -> None:
        """Start the process that makes or serves, and wait for its answer; interruptible."""
        who = {"uid": self._account.uid, "gid": self._account.gid} if self._account else {"uid": None, "gid": None}
        said = {"folder": os.fsencode(folder).hex(), "binaries": os.fsencode(binaries).hex(), **who, **task}
        held = task.get("held")
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-I", "-S", "-X", "utf8", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for us; and what it serves has other users than us.
            start_new_session=True,
            cwd="/",
            pass_fds=(held,) if isinstance(held, int) else (),
        )
        try:
            aim = "be made" if task["task"] == "make" else "start"
            fault = self._answer(child, json.dumps(said).encode() + b"\n", aim)
        except BaseException:
            # Interrupted: nothing is made for nobody, and a server is told to end by its parent.
            if task["task"] == "make":
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.terminate()
            raise
        finally:
            # The server's parent lives on; it is waited for apart, so that no zombie stays.
            threading.Thread(target=child.wait, daemon=True, name="postgres-parent").start()
        if fault:
            raise self._unavailable(fault)

    def _answer(self, child: "subprocess.Popen[bytes]", question: bytes, aim: str) -> str:
        if child.stdin is None or child.stdout is None:
            raise OSError("its parent process has no pipes")
        with child.stdin as pipe:
            pipe.write(question)
        began = time.monotonic()
        with child.stdout as pipe:
            while not select.select([pipe], [], [], 0.2)[0]:
                waiting = f"waiting for the Postgres in {on_disk.shown(self.folder)} to {aim}"
                self._say_once(time.monotonic() - began, waiting)
            line = pipe.readline()
        return str(json.loads(line)["fault"]) if line else "its parent process ended"

    def _give_password(self) -> None:
        password = on_disk.new_password()
        connection = psycopg2.connect(host=str(self._address), user="postgres", dbname="postgres")
        try:
            connection.autocommit = True
            verifier = psycopg2.extensions.encrypt_password(password, "postgres", connection, "scram-sha-256")
            with connection.cursor() as cursor:
                cursor.execute("ALTER ROLE postgres PASSWORD %s", (verifier,))
                on_disk.set_password(self.folder, self._account, password)
                cursor.execute("SELECT pg_reload_conf()")
        finally:
            connection.close()

    def _furnish(self) -> None:
        """See that the database is there."""
        try:
            self._connect(DATABASE).close()
        except psycopg2.OperationalError as error:
            if f'database "{DATABASE}" does not exist' not in str(error):
                raise
            connection = self._connect("postgres")
            connection.autocommit = True
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
            finally:
                connection.close()

    def _connect(self, name: str) -> "psycopg2.extensions.connection":
        passfile = str(self._address / on_disk.PASSWORD_FILE)
        return psycopg2.connect(host=str(self._address), user="postgres", dbname=name, passfile=passfile)

    def _stop_if_unused(self) -> None:
        starting, users = open_private(self._lock("starting")), open_private(self._lock("users"))
        try:
            if try_lock(starting) and try_lock(users):
                on_disk.forget_address(self._address)
                self._stop(_LEAVE_SECONDS)
        finally:
            os.close(users)
            os.close(starting)

    def _stop(self, seconds: float = _STOP_SECONDS) -> None:
        """Stop the server, if one is proven to run here, and wait so long for the end of it and its parent."""
        process = on_disk.postmaster(self.folder)
        if process is None:
            return
        on_disk.ask_to_stop(process)
        deadline = time.monotonic() + seconds
        while (process.is_running() or self._is_running()) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _say_who_is_waited_for(self, seconds: float) -> None:
        self._say_once(
            seconds, f"waiting for another process that starts or stops the Postgres in {on_disk.shown(self.folder)}"
        )

    def _say_once(self, seconds: float, line: str) -> None:
        if seconds < PATIENCE_SECONDS:
            self._said = False
        elif not self._said:
            self._said = True
            self._notice(line)

    def _unusable(self, error: OSError) -> StorageError:
        """What the file system's refusal means; the server was not even asked."""
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return DatabaseUnavailable(
                f"the embedded Postgres in {on_disk.shown(self.folder)} cannot be opened ({error.strerror or error}); "
                "see to it that the data folder is yours and can be written, or set TAGGING_DATABASE_URL"
            )
        return self._unavailable(error.strerror or str(error))

    def _unavailable(self, fault: str) -> StorageError:
        folder = on_disk.shown(self.folder)
        line = next((one.strip() for one in fault.splitlines() if one.strip()), "no reason was given")
        if "File too large" in fault:
            return DiskFull(
                "no space left under the limit on the size of files (ulimit -f) for the embedded Postgres in "
                f"{folder}; raise it and run again"
            )
        if any(words in fault for words in SAYS_FULL):
            return DiskFull(f"no space left for the embedded Postgres in {folder}; free some, or move the data folder")
        return DatabaseUnavailable(
            f"the embedded Postgres in {folder} does not start ({line}); see {on_disk.shown(self.folder / 'log')}, "
            "or set TAGGING_DATABASE_URL"
        )
