"""Files, tags and reasons named by somebody who means harm, through every command: tables, JSON, drawings, metadata."""

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import dagster as dg
import pytest

from tagging_assets.commands.session import open_session
from tests.commands.command_line import Done, Project
from tests.hostile import unsafe

pytestmark = pytest.mark.slow

NAMES = (
    "two\nlines.png",
    "\x1b[31mred\x1b]8;;x\x07.png",
    "[link=x][/dog].png",
    "\u202egnp.png",
    "<img src=x onerror=alert(1)>.png",
    "=1+1 `a` ![x](x).png",
    b"caf\xe9 \\x.png".decode("utf-8", "surrogateescape"),
)
TORN = "torn\n[/x]\x1b.jpg"
FORCED = ("[/dog]", "[red]cat\\\\", "=sum(a1)", "<b>bird</b>", "`a` **b** | ![x](x)")
WHY = "[/why] \x1b[31m \u202e <i>"
RULES = f"""llm: {{enabled: false}}
rules:
  forced: [{", ".join(f"'{tag}'" for tag in FORCED)}]
"""


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory, cached_weights: Path, sample_photos: Mapping[str, Path]
) -> tuple[Project, Done]:
    project = Project(tmp_path_factory.mktemp("hostile"), RULES)
    for name in (*NAMES, TORN):
        # A slash makes a folder, so that a whole closing mark stands in the path.
        (project.photos / name).parent.mkdir(exist_ok=True)
        shutil.copy(sample_photos["chelsea.png"], project.photos / name)
    (project.photos / TORN).write_bytes(b"\xff\xd8\xff torn")
    return project, project.run("run", project.photos)


def _safe(text: str) -> None:
    assert unsafe(text, but="\n") == set()
    assert "Traceback" not in text


def test_the_run_tags_every_photo_and_names_what_failed(first: tuple[Project, Done]) -> None:
    project, done = first
    assert done.code == 1, done.err
    _safe(done.out)
    _safe(done.err)
    failures = [line for line in done.err.splitlines() if line.startswith("failed ")]
    assert len(failures) == 1
    assert r"torn\n[/x]\x1b.jpg" in failures[0]
    again = project.call("tags", "--json")
    assert again.code == 0, again.err
    tagged = [one for one in again.json if one["tags"]]
    assert len(tagged) == len(NAMES)
    assert all({"[/dog]", "=sum(a1)"} <= {tag["tag"] for tag in one["tags"]} for one in tagged)


@pytest.mark.parametrize(
    "command",
    [
        ("tags",),
        ("status",),
        ("history",),
        ("decide", "two\nlines.png"),
        ("decide", "two\nlines.png", "--add", "[bold]x[/bold]", "--why", WHY, "--by", "[/me]\x1b"),
        ("decide", "two\nlines.png", "--reject", "[/dog]", "--dry-run"),
        ("explain", "two\nlines.png"),
        ("explain", "two\nlines.png", "--tag", "[/dog]"),
        ("explain", "two\nlines.png", "--tag", "[/no]\x1b"),
        ("history", "two\nlines.png"),
        ("retag", "--dry-run"),
        ("calibrate", "--dry-run"),
        ("explain", NAMES[-1]),
        ("explain", "[/nowhere]\x1b\u202e"),
        ("undo", "[/nowhere]\x1b"),
        ("diff", "--run", "[/nowhere]\x1b"),
        ("models", "show", "[/nowhere]\x1b"),
        ("prompts", "show", "[/nowhere]\x1b"),
        ("experiment", "show", "[/nowhere]\x1b"),
        ("experiment", "vote", "[/nowhere]\x1b"),
    ],
    ids=lambda command: ascii(" ".join(command))[:40],
)
def test_commands_show_words_as_words(first: tuple[Project, Done], command: tuple[str, ...]) -> None:
    project, _ = first
    done = project.call(*command)
    _safe(done.out)
    _safe(done.err)
    assert done.code in (0, 2)
    assert done.out or done.err
    if done.code == 0 and command[:2] != ("retag", "--dry-run"):
        told = project.call(*command, "--json")
        assert told.code == 0, told.err
        assert json.loads(told.out) is not None
        _safe(told.out)


class _Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_drawings_hold_words_as_words(first: tuple[Project, Done], name: str, tmp_path: Path) -> None:
    project, _ = first
    html, svg = tmp_path / "why.html", tmp_path / "why.svg"
    done = project.call("explain", str(project.photos / name), "--html", html, "--svg", svg)
    assert done.code == 0, done.err
    page = html.read_text(encoding="utf-8")
    _safe(page)
    assert not _Elements(page).found & {"script", "onerror", "onload", "b", "i"}
    drawing = svg.read_text(encoding="utf-8")
    _safe(drawing)
    ET.fromstring(drawing)


def test_metadata_of_assets_is_no_markup(first: tuple[Project, Done]) -> None:
    project, _ = first
    told: list[str] = []
    with open_session(project.settings) as session:
        for key in session.instance.all_asset_keys():
            event = session.instance.get_latest_materialization_event(key)
            if event is None or event.asset_materialization is None:
                continue
            told += [
                value.value
                for value in event.asset_materialization.metadata.values()
                if isinstance(value, dg.MarkdownMetadataValue) and value.value and "data:image" not in value.value
            ]
    assert any("no decoder accepts it" in text for text in told)
    for text in told:
        _safe(text)
