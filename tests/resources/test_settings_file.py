"""Single settings are changed, and the rest of the file stays as somebody wrote it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.settings_file import UNSAID, Edit, edit, said
from tagging_assets.domain.errors import SettingsError
from tagging_assets.settings import DEFAULT_SETTINGS

PROMPT, TEMPERATURE = ("llm", "prompt"), ("llm", "sampling", "temperature")


def lines_that_differ(before: str, after: str) -> list[str]:
    return sorted(set(after.splitlines()) - set(before.splitlines()))


@pytest.mark.parametrize(
    ("text", "new"),
    [
        # the section is there, with comments, blank lines and a following section
        (
            "# mine\nllm:\n  # why\n  prompt: select   # how\n  max_tags: 5\n\n# next\nretag: {budget_usd: 0}\n",
            ["  prompt: brief    # how", "  sampling:", "    temperature: 0.8"],
        ),
        # it is not there
        ("extends: base.yaml\ndata_dir: data\n", ["  prompt: brief", "  sampling:", "    temperature: 0.8", "llm:"]),
        # it is empty; the other section is indented by more than is usual
        ("llm:\nother:\n    a: 1\n", ["        temperature: 0.8", "    prompt: brief", "    sampling:"]),
        # all on one line
        ("llm: {prompt: 'a'}\n", ["llm: {sampling: {temperature: 0.8}, prompt: 'brief'}"]),
        # quotes and odd spacing elsewhere are left alone
        (
            "a:   'x'\nb: \"y\"\nl: [1,2]\nllm:\n  prompt: a\n  z:\n",
            ["  prompt: brief", "  sampling:", "    temperature: 0.8"],
        ),
        # nothing but a comment, and nothing at all
        ("# mine\n", ["  prompt: brief", "  sampling:", "    temperature: 0.8", "llm:"]),
        ("", ["  prompt: brief", "  sampling:", "    temperature: 0.8", "llm:"]),
    ],
)
def test_only_what_is_asked_for_changes(tmp_path: Path, text: str, new: list[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    made = edit(path, {PROMPT: "brief", TEMPERATURE: 0.8})
    assert path.read_text() == text, "nothing is written yet"
    assert lines_that_differ(text, made.after) == sorted(new)
    meant: dict[str, Any] = yaml.safe_load(made.after)
    assert meant["llm"]["prompt"] == "brief"
    assert meant["llm"]["sampling"] == {"temperature": 0.8}
    made.write()
    assert path.read_text() == made.after
    assert said(path, [PROMPT, TEMPERATURE, ("llm", "no", "such")]) == {
        PROMPT: "brief",
        TEMPERATURE: 0.8,
        ("llm", "no", "such"): UNSAID,
    }


def test_the_projects_own_file_and_back(tmp_path: Path) -> None:
    path = tmp_path / "tagging.yaml"
    text = DEFAULT_SETTINGS.read_text()
    path.write_text(text)
    assert edit(path, {}).after == text
    before = said(path, [PROMPT, TEMPERATURE])
    made = edit(path, {PROMPT: "brief", TEMPERATURE: 0.8})
    assert len(lines_that_differ(text, made.after)) == 2
    made.write()
    assert edit(path, before).after == text


def test_what_was_not_said_is_taken_out_with_its_empty_sections(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("a: 1\nllm:\n  sampling:\n    temperature: 0.8\nz: 2\n")
    assert edit(path, {TEMPERATURE: UNSAID, PROMPT: UNSAID}).after == "a: 1\nz: 2\n"


def test_line_ends_and_rights_stay(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"llm:\r\n  prompt: a\r\n")
    path.chmod(0o600)
    edit(path, {PROMPT: "b"}).write()
    assert path.read_bytes() == b"llm:\r\n  prompt: b\r\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("llm: [1]\n", "llm must be a section"), ("- 1\n", "must be a mapping"), ("a: [", "is not YAML")],
)
def test_files_of_another_form(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=complaint):
        edit(path, {PROMPT: "b"})


def test_a_file_that_somebody_changes_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("llm:\n  prompt: a\n")
    made = edit(path, {PROMPT: "b"})
    path.write_text("llm:\n  prompt: c\n")
    with pytest.raises(SettingsError, match="was changed meanwhile"):
        made.write()
    assert path.read_text() == "llm:\n  prompt: c\n"


def test_a_file_that_cannot_be_written_comes_with_the_lines_to_put_in() -> None:
    # The kernel lets nobody make a file beside this one, whoever runs the test.
    path = Path("/proc/version")
    text = path.read_text()
    with pytest.raises(SettingsError, match=r"cannot be written .*put it in by hand:(.|\n)*\+llm: mine"):
        Edit(path, text, f"{text}llm: mine\n").write()
