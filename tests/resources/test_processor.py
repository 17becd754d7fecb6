"""Which processors add up bytes without saturating."""

from pathlib import Path

import pytest

from resources.processor import bytes_may_saturate, line_of

CORE = "processor\t: 0\nmodel name\t: A Core: of 3 GHz\nflags\t\t: fpu sse2 avx2 {}\n\n"


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "avx512_vnni", False),
        ("x86_64", "avx_vnni", False),
        ("AMD64", "avx512f", True),
        # a name that only begins like it
        ("x86_64", "avx_vnni_int8", True),
        ("aarch64", "", False),
    ],
)
def test_only_vnni_is_trusted_on_x86(tmp_path: Path, machine: str, flags: str, expected: bool) -> None:
    info = tmp_path / f"{machine}{flags}"
    info.write_text(CORE.format(flags) * 2)
    assert bytes_may_saturate(machine, info) is expected
    assert line_of(info, "model name") == "A Core: of 3 GHz"


def test_what_no_file_tells_is_not_trusted(tmp_path: Path) -> None:
    assert bytes_may_saturate("x86_64", tmp_path / "none")
    assert line_of(tmp_path / "none", "flags") == ""
