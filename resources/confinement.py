"""Shuts the calling process in: little memory, no files, no sockets, no programs. For processes that decode photos.

What Linux offers to everybody, without root and without libraries, is asked for in turn: resource limits, Landlock
(files, ptrace, signals, TCP; kernel 5.13, 6.7 and 6.12 on) and a seccomp filter (sockets, io_uring). Where a kernel
lacks one, or a container forbids it, the others still hold; on other systems only the resource limits do, and on
macOS not the one on memory. None of it can be taken back by the process, nor by what takes it over.

It stands alone (no import from this project), for it is loaded by processes that must start fast. What does not
belong here: what such a process does (``decoder_child``), and how long it may take (its parent).
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable

_NO_NEW_PRIVILEGES = 38  # prctl
_SECCOMP = 22  # prctl
_FILTER_MODE = 2

#: Landlock's system calls have one number on all machines (linux/landlock.h, include/uapi).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
#: How many kinds of access to files each version of Landlock knows, from the first.
_FILE_RIGHTS = (13, 14, 15, 15, 16)
_TCP_RIGHTS, _SCOPES = 0b11, 0b11

#: Machine to its number in ``linux/audit.h`` and those of ``socket`` and ``io_uring_setup``.
_MACHINES = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}
#: An x86-64 kernel may take system calls by the numbers of x32, too, from here on.
_X32 = 0x40000000


def limit_memory(more_bytes: int) -> None:
    """Allow so much address space beyond what the process has now, no file that grows, and no core dump."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:  # noqa: PTH123 - pathlib costs a tenth of the start
            held = int(told.read().split()[0]) * resource.getpagesize()
    except OSError:
        held = 1 << 30
    _limit(resource.RLIMIT_AS, held + more_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)


def shut_in(readable: Iterable[str]) -> tuple[str, ...]:
    """Give up files, sockets and other processes for good; what is open stays open.

    Args:
        readable: files and folders that may still be read.

    Returns:
        What is in force, such as ``("landlock", "seccomp")``.
    """
    if sys.platform != "linux":
        return ()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return ()
    return tuple(
        name for name, done in (("landlock", _landlock(libc, readable)), ("seccomp", _refuse_sockets(libc))) if done
    )


def _limit(which: int, most: int) -> None:
    _soft, hard = resource.getrlimit(which)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(which, (most, most))
    except (OSError, ValueError):
        # macOS knows the limit on memory by name only.
        return


def _landlock(libc: ctypes.CDLL, readable: Iterable[str]) -> bool:
    """Forbid what is not named: opening files, running programs, TCP, signals to others (Landlock; Salaun, 2017)."""
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        return False
    rights = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    wanted = struct.pack("=QQQ", rights, _TCP_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(_CREATE_RULESET, wanted, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow_reading(libc, rules, path)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow_reading(libc: ctypes.CDLL, rules: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | _READ_FOLDER if os.path.isdir(path) else _READ_FILE  # noqa: PTH112 - as above
        libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _refuse_sockets(libc: ctypes.CDLL) -> bool:
    """A filter of system calls (seccomp, Linux 3.5): ``socket`` and ``io_uring_setup`` fail with EPERM."""
    known = _MACHINES.get(platform.machine())
    if known is None:
        return False
    machine, socket_call, ring_call = known
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JGE|K, RET|K
    refuse, allow = 0x00050001, 0x7FFF0000  # SECCOMP_RET_ERRNO with EPERM, SECCOMP_RET_ALLOW
    program = b"".join(
        struct.pack("=HBBI", *step)
        for step in (
            (load, 0, 0, 4),  # which machine's numbers
            (equal, 0, 5, machine),
            (load, 0, 0, 0),  # which call
            (at_least, 3, 0, _X32),
            (equal, 2, 0, socket_call),
            (equal, 1, 0, ring_call),
            (give, 0, 0, allow),
            (give, 0, 0, refuse),
        )
    )
    steps = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    return bool(libc.prctl(_SECCOMP, _FILTER_MODE, described, 0, 0) == 0)
