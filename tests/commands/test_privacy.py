"""With `privacy: local`, the default, nothing reaches further than this machine."""

import ipaddress
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.commands.command_line import Project, Tagged

pytestmark = pytest.mark.slow

_TRACED = "connect,sendto,sendmsg,sendmmsg"
_HOST = re.compile(r'(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')


def _stays_here(address: Any) -> bool:
    host = address[0] if isinstance(address, list) else address
    if host in ("localhost", "None", "", None) or host.startswith("/"):
        return True  # this machine by name, any address to listen on, or a Unix socket
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def test_python_asks_for_no_other_host(tagged: Tagged) -> None:
    asked = [json.loads(line) for line in tagged.project.sockets.read_text(encoding="utf-8").splitlines()]
    assert [one for one in asked if not _stays_here(one[1])] == []
    # The chat model is asked on loopback; were that not seen, the hook would prove nothing.
    assert any(event == "socket.connect" and isinstance(address, list) for event, address in asked)


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("strace") is None, reason="needs strace to see what libraries do"
)
def test_libraries_look_up_and_connect_to_nothing(project: Project, sample_photos: Mapping[str, Path]) -> None:
    photo = shutil.copy(sample_photos["astronaut.png"], project.photos)
    trace = project.folder / "trace.log"
    done = project.run(
        "run",
        photo,
        prefix=("strace", "-f", "--seccomp-bpf", "-qq", "-s", "200", "-e", f"trace={_TRACED}", "-o", str(trace)),
    )
    assert done.code == 0, done.err
    calls = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    far = [line for line in calls if any(not _stays_here(host) for host in _HOST.findall(line))]
    # A name server may be on loopback, so the questions count as well.
    asked = [line for line in calls if re.search(r"\\3(com|net|org)\\0", line)]
    assert far + asked == []
    assert any("127.0.0.1" in line for line in calls)
