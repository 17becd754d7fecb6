"""`tagging decide`: what people say shows at once, is kept with who and why, and can be taken back."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tagging_assets.commands import overview
from tagging_assets.commands.decide import Typed, decide, holding, read_file, wanted
from tagging_assets.commands.session import Session, open_session
from tagging_assets.domain.errors import SettingsError, TaggingError
from tests.commands.command_line import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(
    cached_weights: Path, sample_photos: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A tagged project of its own, to be decided about: a cat, a rocket, a cup of coffee and its copy."""
    made = Project(tmp_path_factory.mktemp("decided"), extra="llm:\n  enabled: false\n")
    (made.photos / "copies").mkdir()
    for name in ("chelsea.png", "rocket.jpg", "coffee.png", "copies/coffee.png"):
        shutil.copy(sample_photos[Path(name).name], made.photos / name)
    done = made.run("run", made.photos)
    assert done.code == 0, done.err
    return made


@pytest.fixture(scope="module")
def session(project: Project) -> Iterator[Session]:
    """The project held open, as a review desk holds it."""
    with open_session(project.settings) as opened:
        yield opened


def tags(session: Session) -> dict[str, dict[str, dict[str, Any]]]:
    """Published tags by photo, below its folder, and tag."""
    return {
        "/".join(Path(one["image"]).parts[-2:]): {tag["tag"]: tag for tag in one["tags"]}
        for one in overview.tags(session, [])
    }


def said(told: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(Path(one["image"]).name, one["tag"], one["verdict"]) for one in told["decisions"]]


def run(project: Project, *arguments: str | Path) -> dict[str, Any]:
    done = project.run("decide", *arguments, "--json")
    assert done.code == 0, done.err
    told: dict[str, Any] = done.json
    return told


def test_what_people_say_shows_at_once_and_can_be_taken_back(project: Project, session: Session) -> None:
    before = tags(session)
    cat = before["photos/chelsea.png"]["cat"]
    news = [("chelsea.png", "cat", "rejected"), ("chelsea.png", "good boy", "added")]

    # It would be so …
    requests = wanted(session, Typed(reject=["Cat"], add=["good_boy"]), ["chelsea.png"], None, None)
    assert said(decide(session, requests, "anna", dry_run=True).as_json()) == news
    assert tags(session) == before

    # … and so it is.
    asked = ("chelsea.png", "--reject", "Cat", "--add", "good_boy", "--by", "anna", "--why", "a dog")
    told = run(project, *asked)
    assert said(told) == news
    rejected, added = told["decisions"]
    assert rejected["before"] == {"status": cat["status"], "score": cat["score"]}
    assert (rejected["after"], added["before"], added["after"]) == (None, None, {"status": "added", "score": 1.0})
    assert list(told["runs"]) == ["b000001"]
    after = tags(session)
    assert after["photos/chelsea.png"].keys() == before["photos/chelsea.png"].keys() - {"cat"} | {"good boy"}
    assert after["photos/chelsea.png"]["good boy"]["sources"][0]["model"] == "anna"
    assert {**after, "photos/chelsea.png": {}} == {**before, "photos/chelsea.png": {}}

    # The history knows who did it and why.
    photo = rejected["image_id"]
    (event,) = session.toolbox.history.events(photo, "good boy")
    assert (event["operation"], event["kind"], event["who"], event["why"]) == (
        told["operation"],
        "decide",
        "anna",
        "a dog",
    )

    # Once more is no news, and no work.
    again = project.run("decide", *asked)
    assert (again.code, again.out) == (0, "")
    assert again.error == "Nothing new: it stands already."

    # What holds, with who and why.
    held = holding(session, ["chelsea.png"], None)
    assert [(one["tag"], one["verdict"], one["who"], one["why"]) for one in held] == [
        ("cat", "rejected", "anna", "a dog"),
        ("good boy", "added", "anna", "a dog"),
    ]
    assert "2 verdicts hold on 1 photos" in project.run("decide").out

    # Taken back, the machine's answer is there again.
    run(project, "chelsea.png", "--withdraw", "cat", "--withdraw", "good boy")
    assert tags(session) == before
    assert holding(session, [], None) == []


def test_many_photos_at_once(project: Project, session: Session) -> None:
    before = tags(session)
    coffee = ["copies/coffee.png", "photos/coffee.png"]

    # All that have a tag now.
    told = run(project, "--all-with", "coffee", "--edit", "coffee=Espresso", "--by", "anna")
    assert said(told) == [("coffee.png", "coffee", "rejected"), ("coffee.png", "espresso", "added")] * 2
    after = tags(session)
    assert sorted(name for name, found in after.items() if "espresso" in found) == coffee
    assert not any("coffee" in found for found in after.values())
    assert after[coffee[0]]["espresso"]["category"] == before[coffee[0]]["coffee"]["category"]

    # A folder.
    (request,) = wanted(session, Typed(reject=["cup"]), [str(project.photos / "copies")], None, None)
    (copy,) = {one["image_id"] for one in told["decisions"] if "/copies/" in one["image"]}
    assert request.image_id == copy

    # A file that names photos by file name, id and place.
    first, _, second, _ = told["decisions"]
    lines = [
        {"image": "rocket.jpg", "verdict": "add", "tag": "moon", "category": "place"},
        {"image": first["image_id"], "verdict": "withdraw", "tag": "espresso"},
        {"image": second["image"], "verdict": "withdraw", "tag": "espresso"},
    ]
    file = project.folder / "said.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert len(said(run(project, "--from", file, "--by", "ben"))) == 5, "both halves of both edits"
    now = tags(session)
    assert now["photos/rocket.jpg"].pop("moon")["category"] == "place"
    assert now == before


@pytest.mark.parametrize(
    ("names", "typed", "error"),
    [
        # no photos, no such photo, one of two, none with the tag
        ([], {"reject": ["dog"]}, "no photo is named; name photos or folders, or choose with --all-with TAG"),
        (["nowhere.jpg"], {"reject": ["dog"]}, 'no photo "nowhere.jpg"'),
        (["coffee.png"], {"reject": ["dog"]}, '"coffee.png" may mean 2 photos'),
        (["--all-with", "unicorn"], {"reject": ["dog"]}, 'no photo has the tag "unicorn"'),
        (["rocket.jpg", "--all-with", "cat"], {"reject": ["dog"]}, 'no photo of these has the tag "cat"'),
        # a folder without known photos
        (["."], {"reject": ["dog"]}, r"no photo of \. is known; `tagging run \.` takes it in"),
        # photos without verdicts
        (["rocket.jpg"], {}, "the file names its own photos"),
        # a tag that is not there, two things at once, half an edit, no tag
        (["rocket.jpg"], {"accept": ["unicorn"]}, 'has no tag "unicorn" to accept; add "unicorn" to it instead'),
        (["rocket.jpg"], {"add": ["a"], "reject": ["A"]}, "cannot be rejected and added at once; keep one"),
        (["rocket.jpg"], {"edit": ["a"]}, '--edit "a" does not say what becomes of what; write OLD=NEW'),
        (["rocket.jpg"], {"add": [" "]}, "a tag to be added is empty; name it"),
        # what is never tagged
        (["rocket.jpg"], {"add": ["muslim woman"]}, '"muslim woman" is about religion'),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    session: Session, names: list[str], typed: dict[str, list[str]], error: str
) -> None:
    named, _, with_tag = " ".join(names).partition("--all-with")
    with pytest.raises(TaggingError, match=error) as caught:
        decide(session, wanted(session, Typed(**typed), named.split(), with_tag.strip() or None, None), "anna")
    assert "\n" not in str(caught.value)


def test_somebody_says_it(session: Session) -> None:
    with pytest.raises(SettingsError, match="nobody says so; name who decides"):
        decide(session, wanted(session, Typed(add=["moon"]), ["rocket.jpg"], None, None), " ")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"image,verdict,tag\nrocket.jpg,add,moon\nnowhere.jpg,add,moon\n", 'said.csv, line 3: no photo "nowhere.jpg"'),
        (b"image,verdict,tag\ncoffee.png,add,moon\n", 'said.csv, line 2: "coffee.png" may mean 2 photos'),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_makes_no_sense(session: Session, tmp_path: Path, text: bytes, error: str) -> None:
    file = tmp_path / "said.csv"
    file.write_bytes(text)
    with pytest.raises(SettingsError, match=error):
        read_file(session, file)


def test_wrong_use_exits_with_2(project: Project) -> None:
    done = project.run("decide", "--from", "no-such.csv")
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("SettingsError: no-such.csv cannot be read")
