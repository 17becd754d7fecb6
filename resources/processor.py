"""What this machine says of its processors."""

import functools
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
#: As Linux names them: instructions that add up products of bytes without saturating (AVX-512 and AVX).
_VNNI = frozenset({"avx512_vnni", "avx_vnni"})
_X86 = frozenset({"x86_64", "amd64", "i386", "i686"})


def processor_name() -> str:
    """Model of the processor, as Linux names it; ``""`` elsewhere."""
    return line_of(_CPUINFO, "model name")


@functools.cache
def line_of(path: Path, name: str) -> str:
    """The first value of that name in a file of ``name: value`` lines, as the kernel and drivers write them.

    ``""`` where there is none, or no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = ((key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines))
    return next((value for key, value in said if key == name), "")


def bytes_may_saturate(machine: str | None = None, path: Path = _CPUINFO) -> bool:
    """Whether sums of products of unsigned and signed bytes may overflow: on x86 that is not known to have VNNI."""
    if (machine or platform.machine()).lower() not in _X86:
        return False
    return not _VNNI & set(line_of(path, "flags").split())
