"""Experiments from the first question to the production recipe and back, against a server that counts questions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from resources.database import Database
from resources.toolbox import Toolbox
from tagging_assets.commands import experiment as running
from tagging_assets.commands import experiment_results as results
from tagging_assets.commands.experiment import Done, Typed
from tagging_assets.commands.judge import judge
from tagging_assets.commands.promote import back, promote
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import LlmRejected, SettingsError
from tagging_assets.domain.schemas import BENCHMARK_ANSWERS, BENCHMARK_SCORES
from tagging_assets.settings import load_settings
from tests.llm_stub import Asked, LlmStub, completion, fails, sends
from tests.workshop import Workshop

SPEC = """
name: words
purpose: Which words?
prompts: [select, select-brief]
parameters: {temperature: [0, 1]}
except: [{prompt: select-brief, temperature: 1}]
judge: {model: stub/judge}
"""

SETTINGS = """# mine
prompts_dir: prompts
data_dir: data
label_sets: [things, worn]

llm:
  model: stub/m          # the cheap one
  prompt: select
  providers:
    stub: {{base_url: "{url}"}}

retag: {{budget_usd: 0}} # nothing unasked
"""


def answers(handler: Any) -> None:
    """Tags by the words of the question; the judge prefers what stands on the left."""
    asked: Asked = handler.stub.asked[-1]
    if asked.body["model"] == "judge":
        sends(completion('{"why": "more telling", "winner": "a"}'))(handler)
        return
    brief = "rehearsal" not in json.dumps(asked.body["messages"])
    tags = ["boat"] if brief else ["dog", "zeppelin"]
    if asked.body.get("temperature") == 1:
        sends(completion("I would rather not say."))(handler)
        return
    sends(completion(json.dumps({"tags": tags})))(handler)


@dataclass
class Arena:
    """A project with two tagged photos and an experiment."""

    workshop: Workshop
    stub: LlmStub
    session: Session
    reference: Path

    def run(self, *paths: Path, name: str = "words", **typed: Any) -> Done:
        return running.run(self.session, name, paths, Typed(**typed), who="anna")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Arena]:
    root = tmp_path_factory.mktemp("arena")
    with LlmStub([answers]) as stub:
        llm = {"model": "stub/m", "providers": {"stub": {"base_url": stub.base_url, "concurrency": 1}}}
        workshop = Workshop(root, database, llm=llm)
        workshop.draw("a.jpg", "b.jpg")
        assert workshop.run().success
        folder = workshop.prompts / "experiments"
        folder.mkdir()
        (folder / "words.yaml").write_text(SPEC)
        path = root / "tagging.yaml"
        path.write_text(SETTINGS.format(url=stub.base_url))
        reference = root / "true.json"
        reference.write_text('{"a.jpg": ["boat"], "nowhere.jpg": ["dog"]}')
        session = Session(path, workshop.tools.settings, database, workshop.tools)
        session.__dict__["instance"] = workshop.instance
        yield Arena(workshop, stub, session, reference)
        workshop.close()


@pytest.fixture(scope="module")
def first(arena: Arena) -> Done:
    return arena.run(reference=arena.reference, repeats=2)


def test_every_contestant_is_asked_about_every_photo(arena: Arena, first: Done) -> None:
    assert first.planned.experiment.name == "words"
    # the short prompt does not tell the file's name: drawn photos are one question to it
    assert (first.asked, first.known, first.missing) == (10, 2, 0)
    assert first.paid.calls == len(arena.stub.asked) == 10
    # the server is of this machine
    assert (first.paid.cost_usd, first.paid.unknown) == (0, 0)
    assert first.silent == ("select-t1",)
    assert first.planned.unknown == ("nowhere.jpg",)
    outcomes = {one.contestant: dict(one.outcomes) for one in first.board.standings}
    assert outcomes == {"select-brief-t0": {"ok": 4}, "select-t0": {"ok": 4}, "select-t1": {"invalid": 4}}
    (best, *_) = first.board.standings
    assert best.contestant == "select-brief-t0"
    assert best.recall is not None
    assert best.recall.mean == 1.0


def test_rows_say_what_was_answered_out_of_what(arena: Arena, first: Done) -> None:
    rows = arena.workshop.tools.benchmark_rows.read(BENCHMARK_ANSWERS, "words", "select-t0")
    assert {(row["image_id"], row["repeat"]) for row in rows} == {
        (image_id, repeat) for image_id in first.planned.experiment.image_ids for repeat in (0, 1)
    }
    (one, *_) = rows
    assert (one["tags"], one["outside"], one["cost_source"]) == (["dog"], ["zeppelin"], "local")
    assert "dog" in one["pool"]
    assert arena.workshop.tools.benchmark_rows.read(BENCHMARK_SCORES, "words")


def test_reports_are_written(first: Done) -> None:
    assert {"index.html", "scores.xlsx", "report.pdf"} <= {path.name for path in first.reports}


def test_the_same_again_asks_nothing(arena: Arena, first: Done) -> None:
    before = len(arena.stub.asked)
    again = arena.run(reference=arena.reference, repeats=2)
    assert len(arena.stub.asked) == before
    assert (again.asked, again.known, again.paid.calls, again.paid.cost_usd) == (0, 12, 0, 0)
    assert again.planned.experiment == first.planned.experiment
    assert [one.score for one in again.board.standings] == [one.score for one in first.board.standings]
    assert arena.session.toolbox.experiments.get("words") == first.planned.experiment


def test_more_photos_are_asked_about_on_purpose_only(arena: Arena, first: Done) -> None:
    arena.workshop.draw("c.jpg", start=9)
    assert arena.workshop.run().success
    same = arena.run(repeats=2)
    assert len(same.planned.experiment.image_ids) == 2
    before = len(arena.stub.asked)
    more = arena.run(repeats=2, add=True)
    assert len(more.planned.experiment.image_ids) == 3
    assert len(arena.stub.asked) - before == more.asked == 4
    # what somebody knew of the first photos still holds
    assert more.planned.experiment.reference == first.planned.experiment.reference


def test_standings_are_shown_and_listed(arena: Arena, first: Done, tmp_path: Path) -> None:
    told = results.board_json(results.board_of(arena.session, "words"))
    assert {one["contestant"] for one in told["standings"]} == {"select-t0", "select-t1", "select-brief-t0"}
    json.dumps(told, default=str)
    json.dumps(first.as_json(), default=str)
    (mine, *_) = results.listing(arena.session)
    assert (mine["name"], mine["cost_usd"], mine["who"]) == ("words", 0.0, "anna")
    written = results.report(arena.session, "words", tmp_path / "out")
    assert all(path.is_file() and path.parent == tmp_path / "out" for path in written)
    with pytest.raises(SettingsError, match="no experiment 'others' was run; there are: words"):
        results.board_of(arena.session, "others")


def test_without_a_file_an_experiment_is_what_was_typed(arena: Arena, first: Done) -> None:
    done = arena.run(name="typed", prompts=("select", "select-brief"), limit=1, original_scoring=True)
    assert [one.label for one in done.planned.experiment.configurations] == ["select", "select-brief"]
    assert not done.planned.experiment.options.leave_one_out
    # by its name alone it is what it was
    assert arena.run(name="typed").planned.experiment == done.planned.experiment
    with pytest.raises(SettingsError, match="no experiment 'new'; say --prompt or --model"):
        arena.run(name="new")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        # the second of two: nobody is asked and paid before it is found
        ("prompts: [select, nothing]", "experiment wrong: no prompt 'nothing' in "),
        ("prompts: [select, judge]", "experiment wrong: llm.prompt: prompt judge is of mode judge"),
        ("models: [stub/m, nothing]", "experiment wrong: contestant nothing: no chat model 'nothing'; write PROVIDER"),
        # it runs here, and cannot chat
        ("models: [stub/m, person-yolov8s]", "contestant person-yolov8s: no chat model 'person-yolov8s'"),
        ("judge: {model: nobody}", "experiment wrong: judge: no chat model 'nobody'"),
        (
            "judge: {model: stub/m, prompt: select}",
            "experiment wrong: prompt select is of mode select; name one",
        ),
        ("prompts: [select", r"wrong.yaml: is not YAML: line \d: expected"),
    ],
)
def test_slips_are_found_before_anybody_is_asked(arena: Arena, first: Done, said: str, complaint: str) -> None:
    path = arena.session.toolbox.experiment_files.folder / "wrong.yaml"
    path.write_text(said + "\n")
    before = len(arena.stub.asked)
    with pytest.raises(SettingsError, match=complaint):
        arena.run(name=str(path))
    path.unlink()
    assert len(arena.stub.asked) == before
    assert arena.session.toolbox.experiments.find("wrong") is None


def test_what_the_budget_holds_back_is_not_called_known(arena: Arena, first: Done) -> None:
    prices = {"input_cost_per_token": 1.0, "output_cost_per_token": 1.0}
    dear = {"provider": "stub", "model": "dear", "prices": prices}
    llm = arena.session.settings.llm
    settings = arena.session.settings.model_copy(
        update={"llm": type(llm).model_validate({**llm.model_dump(), "models": {"dear": dear}})}
    )
    tools = Toolbox(settings, arena.session.database)
    fakes = arena.workshop.fakes
    tools.__dict__.update({name: fakes[name] for name in ("detector", "landmarker", "encoder", "tagger")})
    tools.__dict__["zero_shot_scorer"] = fakes["scorer"]
    session = replace(arena.session, settings=settings, toolbox=tools)
    session.__dict__["instance"] = arena.session.instance
    done = running.run(session, "dear", (), Typed(models=("dear",), limit=2, budget_usd=0.5), who="anna")
    tools.close()
    assert (done.asked, done.known, done.held_back, done.silent) == (0, 0, 2, ("select",))


def test_who_says_no_for_good_keeps_nobody_else(arena: Arena, first: Done) -> None:
    arena.stub.behaviours = [fails(401, "no such key")]
    with pytest.raises(LlmRejected):
        arena.run(name="locked", models=("stub/other",))
    arena.stub.behaviours = [fails(401, "no such key"), answers]
    done = arena.run(name="half", models=("stub/other", "stub/m"), limit=1)
    arena.stub.behaviours = [answers]
    assert list(done.failed) == ["other"]
    assert done.failed["other"].startswith("LlmRejected: ")
    assert done.silent == ("other",)
    assert {one.contestant: one.asked for one in done.board.standings}["m"] == 1


def test_a_judge_compares_blind_and_both_ways(arena: Arena, first: Done) -> None:
    before = len(arena.stub.asked)
    done = judge(arena.session, "words", limit=2)
    asked = arena.stub.asked[before:]
    assert (done.pairs, done.votes, len(asked)) == (2, 4, 4)
    words = json.dumps([one.body["messages"] for one in asked])
    assert "select" not in words, "nobody's name is told"
    votes = arena.workshop.tools.votes.of("words")
    assert {(one.kind, one.voter, one.winner) for one in votes} == {("judge", "stub/judge", "left")}
    assert {(one.left, one.right) for one in votes} == {(one.right, one.left) for one in votes}
    assert done.report is not None
    assert not done.report.trusted, "no person has voted"
    with pytest.raises(SettingsError, match="is of mode select"):
        judge(arena.session, "words", prompt="select")


def test_promoted_and_taken_back(arena: Arena, first: Done) -> None:
    path = arena.session.settings_path
    session = replace(arena.session, settings=load_settings(path))
    before = path.read_bytes()
    tried = promote(session, "words", "select-brief-t0", who="anna", dry_run=True)
    assert (tried.state, path.read_bytes()) == ("dry run", before)
    done = promote(session, "words", "select-brief-t0", who="anna", why="shorter")
    assert done.state == "promoted"
    assert done.diff == tried.diff
    assert [line for line in done.diff.splitlines()[2:] if line[0] in "+-"] == [
        "-  prompt: select",
        "+  prompt: select-brief",
    ]
    assert load_settings(path).llm.prompt == "select-brief"
    assert "# the cheap one" in path.read_text()
    stale = {one["stage"] for one in done.plan["stages"]}
    assert "llm_tag_suggestions" in stale
    now = replace(session, settings=load_settings(path))
    assert promote(now, "words", "select-brief-t0", who="anna").state == "in use already"
    assert back(now, dry_run=True).state == "dry run"
    taken = back(now)
    assert (taken.state, taken.kept) == ("taken back", ())
    assert path.read_bytes() == before
    with pytest.raises(SettingsError, match="nothing was promoted"):
        back(now)


def test_what_somebody_changed_since_stays(arena: Arena, first: Done) -> None:
    path = arena.session.settings_path
    session = replace(arena.session, settings=load_settings(path))
    before = path.read_text()
    promote(session, "words", "select-t1", who="anna")
    assert load_settings(path).llm.sampling.temperature == 1
    mine = path.read_text().replace("stub/m ", "stub/n ").replace("temperature: 1.0", "temperature: 0.3")
    path.write_text(mine)
    taken = back(session)
    assert taken.kept == ("sampling.temperature was promoted to 1.0, and the file says 0.3",)
    assert load_settings(path).llm.sampling.temperature == 0.3
    assert load_settings(path).llm.model == "stub/n"
    path.write_text(before)
