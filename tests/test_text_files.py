"""Files that people name: read within limits, never waited for."""

import os
from pathlib import Path

import pytest

from tagging_assets.domain.errors import SettingsError
from tagging_assets.text_files import read_text, read_yaml


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_text(path) == "a: 1\r\n"
    assert read_yaml(path) == {"a": 1}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("a: 1".encode("utf-16"), "is not YAML: it is not UTF-8 text; save it as UTF-8"),
        (b"a: caf\xe9", "is not YAML: it is not UTF-8 text"),
        (b"a: 1\n\x00", "is not YAML: line 2: the character '\\x00' is not allowed"),
        (b"# " + b"x" * 4_000_000, "is larger than 4 MB"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert "\n" not in str(caught.value)


def test_pipes_devices_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero"), tmp_path / "none", Path("a\0b"), Path("x" * 5000)):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_text(path, "name another")


def test_no_reader_of_yaml_goes_round_the_limits() -> None:
    """The one place that loads YAML for its values; the other edits settings files, after the first has read them."""
    root = Path(__file__).resolve().parents[1]
    loading = ("yaml.load", "yaml.safe_load", "yaml.full_load", "yaml.unsafe_load", "YAML()", "SafeLoader")
    found = {
        str(path.relative_to(root))
        for folder in ("tagging_assets", "resources", "sensors")
        for path in (root / folder).rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in loading)
    }
    assert found == {"tagging_assets/domain/yaml_text.py", "resources/settings_file.py"}
