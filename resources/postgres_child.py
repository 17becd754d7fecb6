"""The process that makes a Postgres data folder, or starts a Postgres and keeps it as long as somebody uses it.

Started by ``resources/embedded_postgres.py``, and by nothing else. It stands alone (no import from this project), so
that it starts fast, and has one thread, so that it may fork. One JSON line on standard input says what to do, one
JSON line on standard output says that it is done or what went wrong.

As the server's parent it learns at once when the server ends, and starts it again where that was a crash. Users hold
a shared lock on a file that the kernel frees when they die, whatever killed them: when nobody holds it the server is
stopped. When this process itself is killed, the kernel tells the server to stop, and the next user starts it anew.
"""

import ctypes
import fcntl
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

#: Resolved by the kernel without a look at the folders above, which the server's account need not be able to enter.
_HERE = "/proc/self/cwd" if sys.platform.startswith("linux") else "."
_POLL_SECONDS = 0.25
#: The next command often follows at once.
_IDLE_SECONDS = 2.0
_START_SECONDS = 300.0
_STOP_SECONDS = 8.0
#: A server that ends so soon after its start, so often in a row, will not do better the next time.
_QUICK_SECONDS = 10.0
_QUICK_ENDS = 5
_NO_NAMESPACE = 77
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER = 0x10000000
_LINUX = sys.platform.startswith("linux")
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Do what the line on standard input says."""
    said = json.loads(sys.stdin.readline())
    folder, binaries = bytes.fromhex(said["folder"]), bytes.fromhex(said["binaries"])
    who = {} if said["uid"] is None else {"user": said["uid"], "group": said["gid"], "extra_groups": []}
    try:
        if said["task"] == "make":
            _report(_make(folder, binaries, who, said["held"]))
        else:
            _Keeper(folder, binaries, who, said).serve()
    except OSError as error:
        _report(str(error))


def _report(fault: str) -> None:
    """Say how it went, once; nobody may be there any more to read it."""
    try:
        os.write(1, json.dumps({"fault": fault}).encode() + b"\n")
    except OSError:
        return
    # Who waits sees the end of the pipe; the server's log goes to a file.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)


def _environment() -> dict[str, str]:
    """Nothing of what the user's shell says about locales, folders and other servers."""
    kept = {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", **kept}


def _make(folder: bytes, binaries: bytes, who: dict[str, Any], held: int) -> str:
    """Run initdb in an empty folder that belongs to the account already; says what went wrong.

    initdb asks the system for the name of its account, though nothing depends on it. An account without a name
    borrows one: in a user namespace where the system allows that, else, as root, for these seconds.
    """
    account = who.get("user", os.geteuid())
    if _has_name(account):
        return _initdb(folder, binaries, who, held)[1]
    nameless = f"account {account} has no entry in /etc/passwd, which PostgreSQL's initdb asks for; add one"
    named = [entry for entry in pwd.getpwall() if entry.pw_uid]
    if not named:
        return nameless
    lender = next((entry for entry in named if entry.pw_name == "nobody"), named[0])
    if _LINUX:
        code, fault = _initdb(folder, binaries, who, held, lambda: _enter_namespace(lender.pw_uid))
        if code != _NO_NAMESPACE:
            return fault
    if not who:
        return nameless
    os.chown(folder, lender.pw_uid, lender.pw_gid)
    fault = _initdb(folder, binaries, {"user": lender.pw_uid, "group": lender.pw_gid, "extra_groups": []}, held)[1]
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(parent, name), who["user"], who["group"], follow_symlinks=False)  # noqa: PTH118
    os.chown(folder, who["user"], who["group"])
    return fault


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _enter_namespace(inside: int) -> None:
    """Be called ``inside`` in a user namespace of one's own; files go on belonging to the account outside."""
    uid, gid = os.geteuid(), os.getegid()
    _LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # a process that changed accounts may not write its own maps otherwise
    if _LIBC.unshare(_CLONE_NEWUSER):
        os._exit(_NO_NAMESPACE)
    try:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{inside} {uid} 1"), ("gid_map", f"{inside} {gid} 1")):
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
            os.write(descriptor, line.encode())
            os.close(descriptor)
    except OSError:
        os._exit(_NO_NAMESPACE)


def _initdb(
    folder: bytes, binaries: bytes, who: dict[str, Any], held: int, before: Callable[[], None] | None = None
) -> tuple[int, str]:
    options = ["-D", _HERE, "-U", "postgres", "--auth=reject", "--encoding=UTF8", "--no-instructions"]
    # A locale of the server's own, so that none of the system's can be missing.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    done = subprocess.run(  # noqa: S603
        [os.fsdecode(binaries) + "/initdb", *options, *locale],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        umask=0o077,
        preexec_fn=before,
        # Whoever waits for this lock waits for the end of everything that still writes into the folder.
        pass_fds=(held,),
        check=False,
        **who,
    )
    return done.returncode, _telling_line(done.stdout) if done.returncode else ""


def _telling_line(log: bytes) -> str:
    """The line of a log that says most: the last error, else the last line."""
    lines = ["".join(c for c in line if c.isprintable()) for line in log.decode(errors="replace").splitlines()]
    errors = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "error:", "could not"))]
    # Disk full is followed by errors that come of it.
    full = [line for line in lines if "No space left" in line]
    last = (full or errors or [line for line in lines if line.strip()] or ["nothing was said"])[-1]
    for word in ("FATAL:", "PANIC:", "error:"):
        last = last.partition(word)[2] or last
    return last.strip()[:300]


class _Keeper:
    """Parent of one server.

    Args:
        folder: Postgres' data folder.
        binaries: folder of ``postgres``.
        who: the account to run it as, as ``subprocess`` takes it; nothing for our own.
        said: paths of the lock files, and options of the server.
    """

    def __init__(self, folder: bytes, binaries: bytes, who: dict[str, Any], said: dict[str, Any]) -> None:
        self._folder = folder
        self._command = [os.fsdecode(binaries) + "/postgres", "-D", _HERE, *said["options"]]
        # Whatever the configuration in the folder says: this is the one that we wrote.
        self._command += ["-c", f"hba_file={_HERE}/pg_hba.conf"]
        self._who = who
        self._starting, self._users, self._running = (
            os.open(bytes.fromhex(path), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC) for path in said["locks"]
        )
        name = os.fsdecode(folder) + "/log"
        self._log = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if who:
            os.fchown(self._log, who["user"], who["group"])
        os.fchmod(self._log, 0o600)
        self._log_begins = os.lseek(self._log, 0, os.SEEK_END)
        self._told_to_stop = False
        self._quick_ends = 0

    def serve(self) -> None:
        """Until nobody uses the server any more."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        # Inherited by all processes of the server: held as long as any of them lives.
        if not _try_lock(self._running, fcntl.LOCK_EX):
            _report("another server runs in this folder")
            return
        server, began = self._start(), time.monotonic()
        if not self._await_ready(server):
            return
        used = time.monotonic()
        while not self._told_to_stop:
            time.sleep(_POLL_SECONDS)
            if server.poll() is not None:
                if not self._may_restart(server.returncode, began):
                    return
                server, began = self._start(), time.monotonic()
            if self._is_used():
                used = time.monotonic()
            elif time.monotonic() - used > _IDLE_SECONDS and self._nobody_comes():
                break
        self._stop(server)

    def _await_ready(self, server: "subprocess.Popen[bytes]") -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready(server.pid):
            if server.poll() is not None:
                _report(self._last_words())
                return False
            if self._told_to_stop or time.monotonic() > deadline:
                _report("it was stopped" if self._told_to_stop else f"it is not ready after {_START_SECONDS:.0f} s")
                self._stop(server)
                return False
            time.sleep(0.05)
        _report("")
        return True

    def _nobody_comes(self) -> bool:
        """Whether nobody uses the server and, from now on, nobody can begin to before it has stopped."""
        if not _try_lock(self._starting, fcntl.LOCK_EX):
            return False
        if self._is_used():  # somebody came since the last look
            fcntl.flock(self._starting, fcntl.LOCK_UN)
            return False
        return True

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._told_to_stop = True

    def _may_restart(self, code: int, started: float) -> bool:
        if code == 0:
            return False  # it was told to
        self._quick_ends = self._quick_ends + 1 if time.monotonic() - started < _QUICK_SECONDS else 0
        if self._quick_ends:
            # Processes of the dead one may not have noticed yet; their memory is in the way.
            time.sleep(self._quick_ends / 2)
        return self._quick_ends <= _QUICK_ENDS and self._is_used()

    def _is_used(self) -> bool:
        if _try_lock(self._users, fcntl.LOCK_EX):
            fcntl.flock(self._users, fcntl.LOCK_UN)
            return False
        return True

    def _start(self) -> "subprocess.Popen[bytes]":
        parent = os.getpid()
        return subprocess.Popen(  # noqa: S603
            self._command,
            cwd=self._folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            umask=0o077,
            preexec_fn=lambda: _bind_to(parent),
            pass_fds=(self._running,),
            start_new_session=True,
            **self._who,
        )

    def _last_words(self) -> str:
        os.lseek(self._log, self._log_begins, os.SEEK_SET)
        return _telling_line(os.read(self._log, 1_000_000))

    def _is_ready(self, pid: int) -> bool:
        try:
            with open(os.fsdecode(self._folder) + "/postmaster.pid", "rb") as file:  # noqa: PTH123
                lines = file.read(10_000).splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0].strip() == str(pid).encode() and lines[7].strip() == b"ready"

    def _stop(self, server: "subprocess.Popen[bytes]") -> None:
        # Fast, then at once: a crash recovery at the next start is safe.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            server.send_signal(number)
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return


def _try_lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _bind_to(parent: int) -> None:
    """Between fork and exec of the server: it ends with its keeper, and never gains rights."""
    if _LINUX:
        _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main()
