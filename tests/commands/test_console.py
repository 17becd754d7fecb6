"""What commands print: text as it is, on a terminal as in a file, and no way round the one place that prints."""

import ast
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from rich.console import Console

from tagging_assets.commands import console
from tagging_assets.commands.console import (
    Branch,
    counted,
    print_error,
    print_json,
    print_line,
    print_note,
    print_table,
    print_text,
    styled,
)
from tagging_assets.domain.errors import SettingsError
from tests.hostile import HOSTILE, unsafe

_COMMANDS = Path(__file__).resolve().parents[2] / "tagging_assets"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_way_of_printing_shows_text_as_text(text: str, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    plain = Console(file=shown, force_terminal=terminal, color_system=None, width=100)
    monkeypatch.setattr(console, "_stdout", plain)
    monkeypatch.setattr(console, "_stderr", plain)
    print_line(text, styled(text, "red"))
    print_note(styled("failed", "red"), f" {text}")
    print_text(text)
    print_table(text, [text], [[text], [styled(text, "bold")]])
    Branch(text).add(styled(text, "bold"), text).add(text)
    tree = Branch(text)
    tree.add(text, styled(text, "dim")).add(text)
    tree.print()
    print_error(SettingsError(text))
    if not terminal:
        with counted(text, 2) as show:
            show(1)
    assert unsafe(shown.getvalue(), but="\n") == set()
    if "[" in text and "\x1b" not in text:
        # Markup would have been swallowed.
        assert "[" in shown.getvalue()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_one_line_is_one_line(text: str) -> None:
    for printing in (print_line, print_note):
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            printing("before ", text, styled(text, "red"))
        assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_programs_get_it_as_it_is(text: str) -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        print_json({"tag": text, "scores": [float("nan")], "path": Path("a")})
    assert json.loads(out.getvalue()) == {"tag": text, "scores": [None], "path": "a"}
    out.getvalue().encode("utf-8")


def test_what_is_noted_with_an_error_keeps_its_lines() -> None:
    error = SettingsError("put it in by hand:")
    error.add_note("+a: 1\n-b: \x1b[0m2")
    out = io.StringIO()
    with redirect_stderr(out):
        print_error(error)
    assert out.getvalue().splitlines() == ["SettingsError: put it in by hand:", "+a: 1", r"-b: \x1b[0m2"]


def _modules() -> list[Path]:
    return [*(_COMMANDS / "commands").glob("*.py"), *_COMMANDS.glob("cli*.py")]


def test_no_command_prints_but_by_the_console() -> None:
    """Who knows neither rich nor ``print`` cannot forget to clean what is printed."""
    strange = []
    for path in _modules():
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [one.name for one in node.names] + [getattr(node, "module", "") or ""]
                strange += [f"{path.name}: {name}" for name in names if name.split(".")[0] == "rich"]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "typer.echo", "sys.stdout.write"):
                strange.append(f"{path.name}:{node.lineno}")
    assert strange == []
