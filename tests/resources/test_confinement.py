"""What a process that has shut itself in can still do, asked of such a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

#: Says what happens where the process tries what is in the place of ``{attempt}``.
_PROGRAM = """
import ctypes, os, signal, socket, sys
from resources.confinement import limit_memory, shut_in
handed_over = open({photo!r}, "rb")
limit_memory(64 * 2**20)
in_force = shut_in([path for path in sys.path if path])
try:
    print({attempt})
except (OSError, MemoryError) as error:
    print("refused", type(error).__name__)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shuts processes in")


def outcome(folder: Path, attempt: str) -> str:
    photo = folder / "photo"
    photo.write_bytes(b"pixels")
    program = _PROGRAM.format(photo=str(photo), attempt=attempt)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=_ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@linux_only
@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.create_connection(('127.0.0.1', 9))",
        "open('/etc/passwd').read()",
        "open('photo').read()",
        "os.listdir('/')",
        "open(f'/proc/{{os.getppid()}}/environ', 'rb').read()",
        "open('new', 'w')",
        "open('/tmp/new', 'w')",
        "os.unlink('photo')",
        "os.rename('photo', 'other')",
        "os.symlink('photo', 'other')",
        "os.mkdir('folder')",
        "os.kill(os.getppid(), 0)",
        "os.kill(os.getppid(), signal.SIGKILL)",
        "os.execv(sys.executable, [sys.executable])",
        "os.posix_spawn('/bin/true', ['true'], {{}})",
        "len(bytearray(256 * 2**20))",
    ],
)
def test_refused(tmp_path: Path, attempt: str) -> None:
    # An administrator of ours may have hidden what a kernel offers; the test says so rather than pass.
    in_force = outcome(tmp_path, "in_force")
    assert in_force == "('landlock', 'seccomp')"
    assert outcome(tmp_path, attempt.replace("{{", "{").replace("}}", "}")).startswith("refused ")


@linux_only
@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ("handed_over.read()", "b'pixels'"),
        ("len(bytearray(16 * 2**20))", str(16 * 2**20)),
        ("__import__('html.parser').__name__", "html"),  # its own programs
        ("os.getpid() > 0", "True"),
    ],
)
def test_still_possible(tmp_path: Path, attempt: str, said: str) -> None:
    assert outcome(tmp_path, attempt) == said


@linux_only
def test_files_do_not_grow(tmp_path: Path) -> None:
    # An open file may be written to; it keeps its length.
    program = f"""
import os
from resources.confinement import limit_memory
handle = os.open({str(tmp_path / "log")!r}, os.O_CREAT | os.O_WRONLY)
limit_memory(2**20)
os.write(handle, b"x")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=_ROOT, timeout=120)
    assert "File too large" in done.stderr
    assert os.path.getsize(tmp_path / "log") == 0  # noqa: PTH202
