"""Commands that tag nothing: models, prompts, doctor, help."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tagging_assets.cli import app
from tests.commands.command_line import Project
from tests.tiny_models import yolo

_COMMANDS = (
    (),
    ("run",),
    ("up",),
    ("status",),
    ("retag",),
    ("tags",),
    ("decide",),
    ("history",),
    ("diff",),
    ("undo",),
    ("calibrate",),
    ("explain",),
    ("demo",),
    ("doctor",),
    ("models",),
    ("models", "list"),
    ("models", "show"),
    ("models", "pull"),
    ("models", "verify"),
    ("models", "scan"),
    ("models", "export"),
    ("models", "quantise"),
    ("models", "tune"),
    ("provider-batches",),
    ("prompts",),
    ("prompts", "list"),
    ("prompts", "show"),
    ("prompts", "diff"),
    ("experiment",),
    ("experiment", "run"),
    ("experiment", "list"),
    ("experiment", "show"),
    ("experiment", "report"),
    ("experiment", "promote"),
    ("experiment", "judge"),
    ("experiment", "vote"),
    ("experiment", "mark"),
)


def test_every_command_has_help() -> None:
    for command in _COMMANDS:
        done = CliRunner().invoke(app, [*command, "--help"], prog_name="tagging")
        assert done.exit_code == 0, done.output
        assert f"{' '.join(command)} [OPTIONS]".strip() in done.output
        # One with subcommands names them all, so none is missing from the list above.
        listed = {line.split()[1] for line in done.output.partition("Commands")[2].splitlines() if _row(line)}
        assert {(*command, name) for name in listed} <= set(_COMMANDS)


def _row(line: str) -> bool:
    return re.match(r"│ [a-z]", line) is not None


def test_models_list_tells_task_licence_revision_and_state(project: Project) -> None:
    done = project.call("models", "list", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert {one["state"] for one in told} == {"ready"}
    served = [task for one in told for task in one["serves"]]
    assert len(served) == len(set(served))
    assert {"person_detection", "pose", "face", "tagging", "zero_shot", "chat"} <= set(served)
    for one in told:
        assert one["licence"]
        assert re.fullmatch(r"[0-9a-f]{64}(\+[0-9a-f]{64})*", one["revision"])
        assert all(Path(file["path"]).is_file() for file in one["files"])


def test_models_verify_finds_what_was_changed_behind_its_back(project: Project, damaged_weights: Path) -> None:
    more = {"TAGGING_WEIGHTS": str(damaged_weights)}
    done = project.run("models", "verify", "--no-chat", "--no-run", "--json", more=more)
    assert done.code == 2
    states = {one["model"]: one["state"] for one in done.json}
    assert {name for name, state in states.items() if state == "damaged"} == {"person-yolov8s"}
    assert {state for name, state in states.items() if name != "person-yolov8s"} == {"ready"}


def test_models_verify_tries_a_model_on_a_photo(project: Project) -> None:
    done = project.call("models", "verify", "efficientnet-lite0", "--json")
    assert done.code == 0, done.err
    (one,) = done.json
    assert (one["state"], one["trial"]["error"], one["trial"]["unit"]) == ("ready", "", "picture")
    assert one["trial"]["provider"] == "CPUExecutionProvider"
    assert one["trial"]["found"][0].startswith("tiger cat 0.")
    assert one["trial"]["milliseconds"] > 0
    assert one["trial"]["memory_mb"] > 0


def test_models_list_shows_the_catalogue_where_asked_to(project: Project) -> None:
    taggers = project.call("models", "list", "--task", "tagging", "--json").json
    assert {"wd-swinv2-tagger-v3", "efficientnet-lite0"} <= {one["model"] for one in taggers}
    assert all("tagging" in one["tasks"] for one in taggers)
    every = project.call("models", "list", "--all", "--json").json
    assert {"missing", "unpinned", "ready"} <= {one["state"] for one in every}
    short = project.call("models", "list")
    assert "* efficientnet-lite0" in short.out
    assert "wd-swinv2" not in short.out
    assert "more: `tagging models list --all`" in short.err
    assert "no model does cooking; there are" in project.call("models", "list", "--task", "cooking").error


def test_models_show_tells_how_to_choose_and_what_it_rests_on(project: Project) -> None:
    told = project.call("models", "show", "wd-swinv2-tagger-v3", "--json").json
    assert told["settings"] == ["models:", "  tagging: wd-swinv2-tagger-v3"]
    assert {one["name"]: one["kind"] for one in told["knobs"]}["threshold_general"] == "slider"
    assert [len(file["sha256"]) for file in told["files"]] == [64, 64]
    shown = project.call("models", "show", "siglip-so400m-14-384")
    assert "nobody has published its SHA-256" in shown.out
    assert "  image_embedding: siglip-so400m-14-384\n    zero_shot: siglip-so400m-14-384" in shown.out
    assert "did you mean wd-swinv2-tagger-v3" in project.call("models", "show", "wd-swin2-tagger-v3").error


def test_models_scan_adds_what_works_and_refuses_the_rest(project: Project, tmp_path: Path) -> None:
    there = tmp_path / "downloads"
    yolo(there / "good.onnx")
    yolo(there / "blind.onnx", score=0.06)
    more = {"TAGGING_WEIGHTS": str(tmp_path / "weights")}
    done = project.run("models", "scan", there, "--add", "--json", more=more)
    assert done.code == 1, done.err
    verdicts = {Path(one["file"]).name: (one["verdict"], one["why"]) for one in done.json}
    assert verdicts["good.onnx"][0] == "added"
    assert verdicts["blind.onnx"][0] == "refused"
    assert "must find person" in verdicts["blind.onnx"][1]
    with (tmp_path / "tagging.yaml").open("a", encoding="utf-8") as settings:
        settings.write("models: {person_detection: good}\n")
    listed = project.run("models", "list", "--task", "person_detection", "--json", more=more).json
    assert [one["model"] for one in listed if one["serves"]] == ["good"]


def test_prompts_and_label_sets_are_listed_and_shown(project: Project) -> None:
    told = {one["name"]: one for one in project.call("prompts", "list", "--json").json}
    assert (told["select"]["kind"], told["select"]["mode"], told["select"]["used"]) == ("prompt", "select", True)
    assert (told["merge"]["mode"], told["merge"]["used"]) == ("merge", False)
    assert told["objects"]["kind"] == "label set"
    assert all(re.fullmatch(r"[0-9a-f]{64}", one["hash"]) for one in told.values())
    shown = project.call("prompts", "show", "select", "--json").json
    assert shown == {**told["select"], "path": shown["path"], "text": shown["text"]}
    assert shown["text"] == Path(shown["path"]).read_text(encoding="utf-8")
    read = project.call("prompts", "show", "objects")
    assert told["objects"]["hash"] in read.out
    assert "- " in read.out


def test_prompts_are_compared_with_each_other_and_with_what_they_were(project: Project, tmp_path: Path) -> None:
    told = project.call("prompts", "diff", "select", "select-brief", "--json").json
    assert (told["a"]["name"], told["b"]["name"]) == ("select", "select-brief")
    assert any(line.startswith("+Choose at most") for line in told["diff"])
    edited = tmp_path / "select.md"
    text = project.call("prompts", "show", "select", "--json").json["text"]
    edited.write_text(text.replace("best first", "the best one first"), encoding="utf-8")
    read = project.call("prompts", "diff", "select", str(edited)).out
    assert "the best one first" in read
    assert "They say the same." in project.call("prompts", "diff", "select", "select").out
    unknown = project.call("prompts", "diff", "select", "0123456789ab")
    assert unknown.code == 2
    assert '0 prompts were in use whose hash begins with "0123456789ab"' in unknown.err
    assert 'no prompt "nothing"' in project.call("prompts", "diff", "nothing", "select").err


def test_doctor_finds_nothing_wrong(project: Project) -> None:
    done = project.run("doctor", "--json")
    assert done.code == 0, done.out
    checks = {one["check"]: one for one in done.json}
    assert all(one["ok"] and one["says"] for one in checks.values())
    assert {"settings", "disk", "label sets", "prompt", "chat model", "weights", "database"} <= set(checks)


def test_doctor_stops_at_settings_that_cannot_be_read(project: Project) -> None:
    done = Project(project.folder, "rules:\n  keep_abve: 0.4\n").run("doctor", "--json")
    assert done.code == 2
    (found,) = done.json
    assert (found["check"], found["ok"]) == ("settings", False)
    assert "rules.keep_abve: no such setting; did you mean keep_above?" in found["says"]


_BROKEN = """
label_sets: [objects, nothing]
llm:
  prompt: nothing
  model: elsewhere/m
  providers: {elsewhere: {base_url: "https://llm.example.com/v1"}}
"""


@pytest.mark.slow
def test_doctor_names_everything_that_is_wrong_at_once(project: Project) -> None:
    broken = Project(project.folder, _BROKEN)
    environment = {
        "TAGGING_WEIGHTS": str(project.folder / "empty"),
        "TAGGING_DATABASE_URL": "mysql://me:secret@127.0.0.1/tags",
    }
    done = broken.run("doctor", "--json", more=environment)
    assert done.code == 2
    bad = {one["check"]: one["says"] for one in done.json if not one["ok"]}
    assert all("\n" not in says for says in bad.values())
    expected = {
        "label sets": "nothing",
        "prompt": "nothing",
        # would send what photos show to somebody else
        "chat model": "privacy is local",
        # an empty folder and no network: the first run would fail
        "weights": "tagging models pull",
        "database": "postgresql://",
    }
    assert set(bad) == set(expected)
    for check, says in expected.items():
        assert says in bad[check]
