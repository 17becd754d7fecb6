"""``tagging history``, ``diff`` and ``undo`` as a user runs them: a rule that is too strict, and the way back."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.commands.command_line import Done, Project


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, cached_weights: Path, sample_photos: Mapping[str, Path]
) -> Project:
    """Two photos, tagged, and retagged under a rule that leaves few tags."""
    project = Project(tmp_path_factory.mktemp("history"), extra="llm: {enabled: false}\n")
    for name in ("chelsea.png", "rocket.jpg"):
        shutil.copy(sample_photos[name], project.photos)
    assert project.run("run", project.photos).code == 0
    return project


def published(project: Project) -> dict[str, dict[str, float]]:
    return {one["image_id"]: {tag["tag"]: tag["score"] for tag in one["tags"]} for one in said(project, "tags")}


def said(project: Project, *arguments: str | Path) -> Any:
    done = (project.run if arguments[0] == "run" else project.call)(*arguments, "--json")
    assert done.code == 0, done.err
    return done.json


def test_a_strict_rule_and_the_way_back(project: Project) -> None:
    before = published(project)
    first = said(project, "history")
    assert [one["kind"] for one in first] == ["run"]
    assert first[0]["published"] == sum(len(tags) for tags in before.values())

    settings = project.settings.read_text()
    project.settings.write_text(settings + "rules: {keep_above: 0.99}\n")
    said(project, "run", project.photos)
    assert published(project) != before
    strict = said(project, "history")[0]
    lost = strict["withdrawn"]
    assert lost > 0

    # what it changed, and why
    told = said(project, "diff", "--run", strict["id"][:8])
    assert (told["run"], told["withdrawn"], told["photos"]) == (strict["id"], lost, 2)
    assert any(line.startswith("rules.keep_above: ") for line in told["reasons"])
    between = said(project, "diff", "--run", first[0]["id"], "--run", strict["id"])
    assert [one["tag"] for one in between["changes"]] == [one["tag"] for one in told["changes"]]

    # a trial, then in earnest
    trial = said(project, "undo", strict["id"][:8], "--dry-run")
    assert (trial["restored"], trial["operation"]) == (lost, None)
    undone = project.call("undo", strict["id"][:8], "--by", "anna", "--why", "too strict")
    assert undone.code == 0
    assert "takes this back" in undone.err
    assert published(project) == before
    said(project, "run", project.photos)
    assert published(project) == before, "the next run does not bring it back"
    assert "Nothing is left to undo" in project.call("undo", strict["id"][:8]).err

    history = said(project, "history")
    assert [(one["kind"], one["who"], one["why"]) for one in history][:1] == [("undo", "anna", "too strict")]
    assert history[1]["undone_by"] == history[0]["id"]
    events = said(project, "history", "rocket.jpg")["events"]
    assert events[-1]["because"] == ["undone by anna", "too strict"]
    project.settings.write_text(settings)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("undo", "12345"), "too short"),  # anything may begin so
        (("undo", "ffffffffffff"), "no run or operation"),
        (("diff", "--run", "zzzzzzzz"), "no run or operation"),
        (("history", "nowhere.jpg"), "no photo"),
        (("diff", "--run", "a", "--run", "b", "--run", "c"), "give --run once or twice"),
    ],
)
def test_wrong_use_is_told_in_one_line(project: Project, arguments: tuple[str, ...], line: str) -> None:
    done: Done = project.call(*arguments)
    assert done.code == 2
    assert line in done.error


def test_people_see_tables(project: Project) -> None:
    assert "operations, newest first" in project.call("history").out
    # The title has the photo's whole path in it, so it may be broken anywhere.
    assert "3 changes" in " ".join(project.call("history", "rocket.jpg", "--limit", "3").out.split())
    first = said(project, "history")[-1]["id"]
    shown = project.call("diff", "--run", first).out
    assert "published" in shown
    assert "rocket.jpg" in shown
